#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One command on a machine with an NVIDIA GPU: build, check, sanitize, time, compare with PyTorch, write the table.
#
#   tools/gpu/run.sh [PART...]        PART: build check sanitize bench python torch table; none: all, in this order
#   BUILD=folder      build folder (default build/gpu); one that already holds libctconv_cuda.so and ctconv_gpu_run is
#                     used as it is
#   RESULTS=folder    reports (default build/gpu/results)
#   PYTHON=python3    the Python that has torch
#   ONLY=substring    of layer ids
#   TORCH_SECONDS=N   the comparison with PyTorch stops after N seconds and says what it did not reach (default 0: none)
#   out: RESULTS/*.json, *.log, docs/performance-gpu.md and docs/performance-gpu-DATE.json (part table)
#   exit status: 0 all parts held, 1 a part failed, 77 no usable device: nothing was run
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/gpu}
results=${RESULTS:-$build/results}
python=${PYTHON:-python3}
only=${ONLY:+--only $ONLY}
parts=${*:-build check sanitize bench python torch table}
failed=0
mkdir -p "$results"

# shellcheck source=tools/gpu/paths.sh
. "$root/tools/gpu/paths.sh"

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L | grep -q GPU; then
  echo "NOT RUN: no NVIDIA device on this machine; nothing was checked or timed"
  exit 77
fi
columns=name,driver_version,compute_cap,clocks.max.sm,clocks.max.mem,power.limit
nvidia-smi --query-gpu=$columns --format=csv | tee "$results/device.csv"

run() { # name, command...: log kept, status remembered
  name=$1
  shift
  echo "== $name: $*"
  "$@" >"$results/$name.log" 2>&1
  status=$?
  tail -n 12 "$results/$name.log"
  if [ $status -ne 0 ]; then
    echo "== $name FAILED ($status), see $results/$name.log"
    failed=1
  fi
  return $status
}
gpu_run() { # report, parts and options...
  report=$1
  shift
  run "$report" "$build/ctconv_gpu_run" "$@" --module "$build/libctconv_cuda.so" --layers "$root/bench/layers.json" \
    --out "$results/$report.json" --seed "$(date +%s)"
}

for part in $parts; do
  case $part in
    build)
      if [ ! -x "$build/ctconv_gpu_run" ] || [ ! -f "$build/libctconv_cuda.so" ]; then
        sm=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -n 1 | tr -d '. ')
        run configure cmake -S "$root" -B "$build" -DCTCONV_CUDA=ON "-DCTCONV_CUDA_ARCHITECTURES=$sm" || exit 1
        run build cmake --build "$build" -j "$(nproc)" \
          --target ctconv ctconv_cuda ctconv_gpu_run ctconv_gpu_golden || exit 1
      fi ;;
    check)
      # shellcheck disable=SC2086
      gpu_run check constants ceilings behaviour random correct $only
      # shellcheck disable=SC2086
      gpu_run gradients gradients $only
      export CTCONV_CUDA_MODULE="$build/libctconv_cuda.so"
      run golden "$build/ctconv_gpu_golden" --data "$root/tests/data/golden_values.jsonl" \
        --out "$results/golden.json" ;;
    sanitize)
      if command -v compute-sanitizer >/dev/null; then
        for tool in memcheck racecheck initcheck synccheck; do
          run "sanitize-$tool" compute-sanitizer --tool $tool --error-exitcode 9 \
            "$build/ctconv_gpu_run" random gradients --quick --own --seed 7 \
            --module "$build/libctconv_cuda.so" --layers "$root/bench/layers.json"
        done
      else
        echo "== sanitize NOT RUN: no compute-sanitizer on PATH"
        failed=1
      fi ;;
    bench)
      # shellcheck disable=SC2086
      gpu_run bench ceilings bench $only ;;
    python)
      run python_path env "CTCONV_LIBRARY=${CTCONV_LIBRARY:-$build/libctconv.so}" \
        "$python" "$root/tools/gpu/python_path.py" --out "$results/python_path.json" ;;
    torch)
      # shellcheck disable=SC2086
      run torch env "CTCONV_LIBRARY=${CTCONV_LIBRARY:-$build/libctconv.so}" \
        "$python" "$root/tools/gpu/compare_torch.py" --deadline "${TORCH_SECONDS:-0}" \
        --layers "$root/bench/layers.json" --out "$results/torch.json" $only ;;
    table)
      run table "$python" "$root/tools/gpu/table.py" --results "$results" --layers "$root/bench/layers.json" \
        --docs "$root/docs" ;;
    *)
      echo "unknown part $part"
      failed=1 ;;
  esac
done
[ $failed -eq 0 ] && echo "all parts held" || echo "some parts FAILED"
exit $failed
