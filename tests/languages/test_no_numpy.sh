#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# examples/languages/run with a Python that has no numpy: a sentence that says how to mend it, and a skip.
#   usage: test_no_numpy.sh SOURCE_DIR       PYTHON: the interpreter whose site packages are hidden
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '#!/bin/sh\nexec "%s" -S "$@"\n' "$(command -v "${PYTHON:-python3}")" > "$work/bare"
chmod +x "$work/bare"
status=0
PYTHON=$work/bare CTCONV_WORK=$work "$1/examples/languages/run" python > "$work/said" 2>&1 || status=$?
[ $status = 77 ] || { cat "$work/said"; echo "no_numpy: exit $status, not 77"; exit 1; }
for words in "has no numpy" "$work/bare -m pip install numpy" "python: skipped, see above"; do
  grep -qF -e "$words" "$work/said" || { cat "$work/said"; echo "no_numpy: no '$words'"; exit 1; }
done
