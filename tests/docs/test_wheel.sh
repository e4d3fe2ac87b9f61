#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The wheel's CMake project, configured but not built: what it leaves out, what it says without the repository.
#   usage: test_wheel.sh SOURCE_DIR     exit 0 where every answer is right
set -eu
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "wheel: $*"; cat "$work/log"; exit 1; }

cp -r "$source/bindings/python" "$work/alone"
if cmake -S "$work/alone" -B "$work/lonely" > "$work/log" 2>&1; then fail "the folder alone was configured"; fi
tr -s '\n ' '  ' < "$work/log" | grep -q 'Build the wheel from a clone.s root' ||
  fail "the folder alone: no reason given"

cmake -S "$source/bindings/python" -B "$work/build" > "$work/log" 2>&1 || fail "the clone is not configured"
grep -q '^CTCONV_CUDA:STRING=OFF$' "$work/build/CMakeCache.txt" || fail "the CUDA module is built unasked"
cmake -S "$source/bindings/python" -B "$work/build" -DCTCONV_CUDA=AUTO > "$work/log" 2>&1 || fail "AUTO is refused"
grep -q '^CTCONV_CUDA:STRING=AUTO$' "$work/build/CMakeCache.txt" || fail "CTCONV_CUDA cannot be asked for"
