#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tools/gpu/lease.sh rehearsed without a device: what it says where there is none, and every part on host memory.
#   usage: lease_test.sh SOURCE RUN_REHEARSAL GOLDEN_REHEARSAL HOST_MODULE LIBCTCONV
#   exit status: 77 from lease.sh without a device is checked here; the test itself ends with 0 or 1
set -u
source=$1
run=$2
golden=$3
module=$4
library=$5
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0
fail() {
  echo "FAILED: $*"
  bad=1
}
folder=$work/folder
mkdir -p "$folder/spare"
cp "$run" "$folder/ctconv_gpu_run" || exit 1
cp "$golden" "$folder/ctconv_gpu_golden" || exit 1
cp "$module" "$folder/libctconv_cuda.so" || exit 1
cp -L "$library" "$folder/libctconv.so.0" || exit 1
cp "$source/bench/layers.json" "$source/tests/data/golden_values.jsonl" "$folder/" || exit 1
chmod -R a-x,u+X "$folder" # a carried file may lose its mode
cp -R "$folder" "$work/none"
printf '#!/bin/sh\necho "NOT RUN: no NVIDIA driver"\nexit 77\n' >"$work/none/ctconv_gpu_run"
cp -R "$folder" "$work/broken"
printf '#!/bin/sh\nexit 5\n' >"$work/broken/ctconv_gpu_run"
lease=$source/tools/gpu/lease.sh

OUT=$work/out0 "$lease" "$work/none" golden correct=5 >"$work/text" 2>&1
status=$?
[ $status -eq 77 ] || fail "without a device: exit status $status, not 77"
[ "$(grep -c 'NOT RUN: no usable device' "$work/text")" -eq 2 ] || fail "without a device: no NOT RUN for each part"
OUT=$work/out0 "$lease" "$work/broken" golden >"$work/text" 2>&1
status=$?
[ $status -eq 1 ] || fail "a program that does not start: exit status $status, not 1"

ARGS_golden=--no-cudnn ARGS_correct="--choices auto,cell --only dcgan.last" \
  ARGS_gradients="--choices gemm-tensor --only dcgan.last --rounds 8 --types f32,f64" \
  ARGS_bench="--only dcgan.last --choices auto --sample-ms 1 --samples 1" \
  SLICES=2 SEED=5 OUT=$work/out1 "$lease" "$folder" golden=60 correct=60 gradients=60 bench=60 >"$work/text" 2>&1
status=$?
[ $status -eq 0 ] || { fail "rehearsal: exit status $status"; cat "$work/text" "$work/out1/lease.log"; }
for part in golden correct gradients bench; do
  grep -qE "^$part +[0-9.]+ s  held" "$work/text" || fail "$part does not stand as held in the table"
  [ -s "$work/out1/$part.json" ] || fail "no $part.json"
done
python3 - "$work/out1" <<'EOF' || fail "the merged reports"
import json, sys
read = lambda name: json.load(open(f"{sys.argv[1]}/{name}.json"))
golden, correct, gradients, bench = map(read, ("golden", "correct", "gradients", "bench"))
assert golden["records"] == 167 and sum(golden["equal"].values()) == 5 * 167, golden["equal"]
assert correct["ran"]["auto"] == 10 and correct["ran"]["cell"] == 10 and len(correct["correct"]) == 20, correct["ran"]
assert len(gradients["gradients"]) == 4 and gradients["gradients_random"]["dx gemm-tensor"] == 16, gradients
assert len(bench["bench"]) == 8 and bench["bench"][0]["graph_us"] is None and bench["bench"][0]["flop"] > 0
EOF

# A failing check, a deadline and a killed process each show.
ARGS_golden=--no-cudnn ARGS_correct="--choices cudnn --only dcgan.last" SLICES=1 OUT=$work/out2 \
  "$lease" "$folder" correct=60 >"$work/text" 2>&1 && fail "a failing check counts as held"
grep -q "libcudnn.so.9 not found" "$work/text" || fail "a failing check is not said"
SLICES=1 OUT=$work/out3 "$lease" "$folder" correct=0 >"$work/text" 2>&1 && fail "a deadline that was met counts as held"
grep -q "NOT REACHED" "$work/text" || fail "layers that were not reached are not said"
OUT=$work/out4 "$lease" "$folder" nonsense >"$work/text" 2>&1 && fail "an unknown part counts as held"
if command -v shellcheck >/dev/null; then
  (cd "$source" && shellcheck -x tools/gpu/*.sh tests/cuda/lease_test.sh) || fail "shellcheck"
fi
exit $bad
