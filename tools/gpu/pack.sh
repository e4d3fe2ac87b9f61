#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds what tools/gpu/lease.sh runs on a machine without a compiler, and puts it into one folder.
#
#   tools/gpu/pack.sh FOLDER
#   BUILD=folder (default build/gpu-pack); ARCH=90: compute capabilities, machine code each, PTX of the last; JOBS
#   CMAKE_ARGS: more arguments for the first configuration
#   out: FOLDER with libctconv.so.0, libctconv_cuda.so, ctconv_gpu_run, ctconv_gpu_golden, ctconv_repeat.so,
#        layers.json, golden_values.jsonl, and in spare/ the C++ library for machines whose own is older; its size
#   FOLDER is emptied first if it was packed before, else it must be empty or absent.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: tools/gpu/pack.sh FOLDER" >&2; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$1
build=${BUILD:-$root/build/gpu-pack}
if [ -e "$folder" ] && [ ! -f "$folder/packed" ] && [ -n "$(ls -A "$folder")" ]; then
  echo "pack: $folder holds other things; give an empty folder" >&2
  exit 2
fi
if [ ! -f "$build/CMakeCache.txt" ]; then
  # shellcheck disable=SC2086
  cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCTCONV_CUDA=ON \
    "-DCTCONV_CUDA_ARCHITECTURES=${ARCH:-90}" ${CMAKE_ARGS:-}
fi
cmake --build "$build" -j "${JOBS:-$(nproc)}" --target ctconv ctconv_cuda ctconv_gpu_run ctconv_gpu_golden
rm -rf "$folder"
mkdir -p "$folder/spare"
touch "$folder/packed"
for program in ctconv_gpu_run ctconv_gpu_golden libctconv_cuda.so; do
  strip -o "$folder/$program" "$build/$program"
done
strip -o "$folder/libctconv.so.0" "$(readlink -f "$build/libctconv.so.0")"
"${CC:-cc}" -O2 -shared -fPIC "-I$root/include" -o "$folder/ctconv_repeat.so" "$root/tools/gpu/repeat.c"
cp "$root/bench/layers.json" "$root/tests/data/golden_values.jsonl" "$folder/"
for library in libstdc++.so.6 libgcc_s.so.1; do
  found=$(ldd "$build/libctconv.so.0" | awk -v name="$library" '$1 == name {print $3}')
  if [ -n "$found" ]; then cp -L "$found" "$folder/spare/$library"; fi
done
echo "needed from the machine:"
for file in "$folder"/ctconv_gpu_* "$folder"/lib*; do
  objdump -p "$file" | awk '/NEEDED/ {print "  " $2}'
done | sort -u
newest=$(objdump -T "$folder"/ctconv_gpu_* "$folder"/lib* | grep -oE 'GLIBC_[0-9.]+' | sort -Vu | tail -n 1)
echo "newest C library symbol: $newest"
du -sh "$folder"
