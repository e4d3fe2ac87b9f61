#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks and times a packed build on a machine with an NVIDIA GPU, without a compiler, each part within its own time.
#
#   tools/gpu/lease.sh FOLDER PART[=SECONDS]...     PART: golden random gradients correct behaviour
#                                                   sanitize bench python torch
#   FOLDER   what tools/gpu/pack.sh filled;   OUT=folder   results (default ./gpu-results), SLICES=8 processes at once
#   ARGS_PART (ARGS_bench="--types f32 --choices auto,cudnn --deadline 60", ...): more arguments of that part
#   out: OUT/lease.log, one report a part (gzip where large), a table of the parts at the end
#   exit status: 0 all parts held, 1 a part failed, 2 usage, 77 no usable device: nothing was run
set -u
if [ $# -lt 2 ] || [ ! -d "$1" ]; then
  echo "usage: tools/gpu/lease.sh FOLDER PART[=SECONDS]..." >&2
  exit 2
fi
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$(cd "$1" && pwd)
shift
out=${OUT:-$PWD/gpu-results}
slices=${SLICES:-8}
python=${PYTHON:-python3}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$out" || exit 1
log=$out/lease.log
: >"$log"
say() { echo "$*" | tee -a "$log"; }

# Carried files may have lost their mode, and FOLDER may be read-only.
bin=$here
if [ ! -x "$bin/ctconv_gpu_run" ] || [ ! -x "$bin/ctconv_gpu_golden" ]; then
  bin=$work/bin
  cp -RL "$here" "$bin" && chmod -R u+rwX "$bin" && chmod +x "$bin"/ctconv_gpu_* || exit 1
fi
# shellcheck source=tools/gpu/paths.sh
. "$root/tools/gpu/paths.sh"
export CTCONV_CUDA_MODULE=$bin/libctconv_cuda.so
export LD_LIBRARY_PATH=$bin${cudnn_paths:+:$cudnn_paths}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
if ldd "$bin/ctconv_gpu_golden" 2>&1 | grep -q "not found"; then
  say "this machine's C++ library is missing or older: the packed one is used"
  export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$bin/spare
fi
timeout -k 3 60 "$bin/ctconv_gpu_run" --module "$CTCONV_CUDA_MODULE" --layers "$bin/layers.json" >"$work/probe" 2>&1
status=$?
tee -a "$log" <"$work/probe"
if [ $status -eq 77 ]; then
  for part in "$@"; do say "${part%%=*} NOT RUN: no usable device on this machine"; done
  exit 77
elif [ $status -ne 0 ]; then
  say "FAILED: ctconv_gpu_run does not start (exit status $status); nothing was run"
  exit 1
fi
if command -v nvidia-smi >/dev/null; then
  columns=name,driver_version,compute_cap,clocks.max.sm,clocks.max.mem,memory.used,compute_mode
  nvidia-smi --query-gpu=$columns --format=csv,noheader | tee -a "$log"
  if nvidia-smi --query-gpu=compute_mode --format=csv,noheader | grep -qi exclusive; then
    say "the device takes one process at a time: no slices"
    slices=1
  fi
fi
say "cuDNN: ${CTCONV_CUDNN_PATH:-by the loader}; $(nproc) cores; $(date -u)"

declare -A default=([golden]=40 [random]=25 [gradients]=60 [correct]=60 [behaviour]=25 [sanitize]=50 [bench]=60
  [python]=40 [torch]=60)
table=()
failed=0
seed=${SEED:-$(date +%s)}

limited() { # seconds, log, command...: the deadline inside stops it cleanly, this one if that fails
  local seconds=$1 to=$2
  shift 2
  timeout -k 3 $((seconds + 8)) "$@" >"$to" 2>&1
}
run_part() { # name, seconds, number of processes, command...: SLICE/N and reports are added
  local name=$1 seconds=$2 n=$3 status=0 i pids=() extra
  shift 3
  extra=ARGS_$name
  for ((i = 0; i < n; i++)); do
    # shellcheck disable=SC2086
    limited "$seconds" "$work/$name.$i.log" "$@" --deadline "$seconds" --slice "$i/$n" \
      --out "$work/$name.$i.json" ${!extra:-} &
    pids+=($!)
  done
  for i in "${!pids[@]}"; do
    wait "${pids[$i]}"
    local one=$?
    if [ $one -ne 0 ]; then
      [ "$status" -eq 0 ] && status=$one
      say "$name, process $i of $n: exit status $one: $(grep -a FAILED "$work/$name.$i.log" | tail -n 1 | cut -c1-300)"
    fi
  done
  for ((i = 0; i < n; i++)); do
    { echo "==== $name $i/$n"; head -c 400000 "$work/$name.$i.log"; } >>"$log"
  done
  "$python" "$root/tools/gpu/merge.py" --out "$out" --part "$name" --slices "$n" --work "$work" | tee -a "$log"
  [ "${PIPESTATUS[0]}" -eq 0 ] || [ "$status" -ne 0 ] || status=1
  return "$status"
}
gpu_run() { # name, seconds, processes, arguments...
  local name=$1 seconds=$2 n=$3
  shift 3
  run_part "$name" "$seconds" "$n" "$bin/ctconv_gpu_run" "$@" --module "$CTCONV_CUDA_MODULE" \
    --layers "$bin/layers.json" --seed "$seed"
}
sanitize() { # seconds
  local tool status=0 pids=() tools=(memcheck racecheck) i one
  local sanitizer extra
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null) || return 78
  for tool in "${tools[@]}"; do
    extra=
    [ "$tool" != memcheck ] || extra="--report-api-errors no" # a refused allocation is no fault of a kernel
    # shellcheck disable=SC2086
    limited "$1" "$work/$tool.log" "$sanitizer" --tool "$tool" --error-exitcode 9 $extra \
      "$bin/ctconv_gpu_run" random gradients \
      --quick --own --seed 7 --module "$CTCONV_CUDA_MODULE" --layers "$bin/layers.json" \
      --deadline "$1" ${ARGS_sanitize:-} &
    pids+=($!)
  done
  for i in "${!pids[@]}"; do
    wait "${pids[$i]}"
    one=$?
    [ $one -eq 0 ] || { status=$one; say "${tools[$i]}: exit status $one"; }
    { echo "==== ${tools[$i]}"; head -c 400000 "$work/${tools[$i]}.log"; } >>"$log"
    tail -n 4 "$work/${tools[$i]}.log"
  done
  return "$status"
}

for item in "$@"; do
  part=${item%%=*}
  seconds=${default[$part]:-}
  [ "$item" = "$part" ] || seconds=${item#*=}
  if [ -z "$seconds" ] || [ -z "${default[$part]:-}" ]; then
    say "unknown part $part"
    failed=1
    continue
  fi
  begin=$(date +%s.%N)
  say "== $part, at most $seconds s"
  case $part in
    golden) run_part golden "$seconds" "$slices" "$bin/ctconv_gpu_golden" --data "$bin/golden_values.jsonl" ;;
    random) gpu_run random "$seconds" "$slices" random ;;
    correct) gpu_run correct "$seconds" "$slices" correct ;;
    gradients) gpu_run gradients "$seconds" "$slices" gradients ;;
    behaviour) gpu_run behaviour "$seconds" 1 constants behaviour ;;
    bench) gpu_run bench "$seconds" 1 ceilings bench ;;
    sanitize) sanitize "$seconds" ;;
    python)
      # shellcheck disable=SC2086
      CTCONV_LIBRARY=$bin/libctconv.so.0 limited "$seconds" "$work/python.log" \
        "$python" "$root/tools/gpu/python_path.py" --out "$out/python_path.json" \
        ${ARGS_python:-} || python_status=$?
      head -c 1500000 "$work/python.log" >>"$log"
      grep -E "^(FAILED|NOT RUN|[0-9]+ checks)" "$work/python.log"
      (exit "${python_status:-0}") ;;
    torch)
      # shellcheck disable=SC2086
      CTCONV_LIBRARY=$bin/libctconv.so.0 limited "$seconds" "$work/torch.log" \
        "$python" "$root/tools/gpu/compare_torch.py" --layers "$bin/layers.json" \
        --out "$work/torch.json" --deadline "$seconds" ${ARGS_torch:-}
      torch_status=$?
      [ ! -s "$work/torch.json" ] || gzip -c "$work/torch.json" >"$out/torch.json.gz"
      head -c 400000 "$work/torch.log" >>"$log"
      tail -n 6 "$work/torch.log"
      (exit $torch_status) ;;
  esac
  status=$?
  took=$(echo "$(date +%s.%N) $begin" | awk '{printf "%.1f", $1 - $2}')
  case $status in
    0) word=held ;;
    77) word="NOT RUN: no usable device" ;;
    78) word="NOT RUN: no compute-sanitizer" ;;
    124 | 137) word="FAILED: out of time" ;;
    *) word="FAILED ($status)" ;;
  esac
  [ $status -eq 0 ] || failed=1
  table+=("$(printf '%-10s %7s s  %s' "$part" "$took" "$word")")
done
say "---- part        time  result"
for row in "${table[@]}"; do say "$row"; done
exit $failed
