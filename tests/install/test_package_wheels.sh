#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes archive and wheel (tools/package_wheels) and tries the wheel in an empty environment of every Python here.
#   usage: test_package_wheels.sh SOURCE_DIR       WHEELS=folder: made already
#   exit 0 where each computes the right numbers with a numpy of its own; 77 where packages cannot be installed here
set -eu
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "wheels: $*"; exit 1; }

python3 -m venv "$work/try" && "$work/try/bin/pip" install -q build > "$work/log" 2>&1 ||
  { echo "wheels: NOT RUN: no venv, or packages cannot be installed"; tail -n 3 "$work/log"; exit 77; }
dist=${WHEELS:-$work/dist}
[ -n "${WHEELS:-}" ] || "$source/tools/package_wheels" "$dist"
wheel=$(echo "$dist"/ctconv-*.whl)
[ -f "$wheel" ] || fail "no wheel in $dist"

echo "wheels: the library inside is hardened"
mkdir "$work/inside"
"$work/try/bin/python" -m zipfile -e "$wheel" "$work/inside"
"$work/try/bin/python" "$source/tests/style/check_hardening.py" --hide "$source" "$work/inside/ctconv/libctconv.so"
for notice in LICENSE NOTICE; do
  find "$work/inside" -path "*.dist-info/*" -name $notice | grep -q . || fail "the wheel lacks $notice"
done

cat > "$work/use.py" <<'END'
import ctypes, pathlib, sys
import numpy
import ctconv
assert ctconv.__file__.startswith(sys.argv[1]), ctconv.__file__
for name in ("libctconv_ort.so", "libctconv_xla.so"):  # they find the library beside themselves
    ctypes.CDLL(str(pathlib.Path(ctconv.__file__).parent / name))
args = {"in_channels": 1, "out_channels": 1, "kernel_size": 2, "stride": 2}
x = numpy.array([[[[1, 2], [3, 4]]]], "float32")
y = ctconv.Layer("torch.nn.ConvTranspose2d", args, numpy.ones((1, 1, 2, 2), "float32"))(x)
assert y.tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]]], y
wide = {"in_channels": 64, "out_channels": 64, "kernel_size": 4, "stride": 2, "padding": 1}
weight = ctconv.init_weight("torch.nn.ConvTranspose2d", wide, seed=1)
x = numpy.random.default_rng(1).standard_normal((1, 64, 16, 16)).astype("float32")
one, other = (ctconv.Layer("torch.nn.ConvTranspose2d", wide, weight, engine=e)(x) for e in ("auto", "reference"))
assert numpy.allclose(one, other, atol=1e-4), "auto and reference differ"
print(f"wheels: CPython {sys.version.split()[0]}, numpy {numpy.__version__}: right")
END

tried=0
for version in 3.9 3.10 3.11 3.12 3.13 3.14; do
  python=
  for candidate in python$version "$HOME"/.pyenv/versions/$version.*/bin/python; do
    if "$candidate" -c "import venv, sys; assert sys.version.startswith('$version.')" 2>/dev/null; then
      python=$candidate
      break
    fi
  done
  if [ -z "$python" ]; then echo "wheels: CPython $version: not here, not tried"; continue; fi
  "$python" -m venv "$work/$version"
  env -u PYTHONPATH -u CTCONV_LIBRARY "$work/$version/bin/pip" install -q "$wheel" > "$work/log" 2>&1 ||
    { cat "$work/log"; fail "CPython $version cannot install it"; }
  (cd "$work" && env -u PYTHONPATH -u CTCONV_LIBRARY -u LD_LIBRARY_PATH \
    "$work/$version/bin/python" use.py "$work/$version")
  "$work/$version/bin/pip" uninstall -q -y ctconv
  [ -z "$(find "$work/$version" -path '*ctconv*' -type f)" ] || fail "uninstalling leaves files behind"
  rm -rf "${work:?}/$version"
  tried=$((tried + 1))
done
[ $tried -gt 0 ] || fail "no Python was tried"

echo "wheels: what a source archive says without Highway"
mkdir "$work/bare"
tar -xzf "$dist"/ctconv-*.tar.gz -C "$work/bare" --strip-components 1
[ -x "$work/bare/tools/deps" ] || fail "the archive lacks tools/deps"
if CTCONV_DEPS="$work/nowhere" "$work/try/bin/pip" wheel -q --no-deps -w "$work/none" "$work/bare" \
  -C cmake.define.CMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF > "$work/log" 2>&1; then
  echo "wheels: a Highway of the system's own was found: not tried"
else
  tr -s '\n ' '  ' < "$work/log" | grep -q 'tools/deps once' || { cat "$work/log"; fail "the way out is not named"; }
fi
echo "wheels: all right, $tried Pythons"
