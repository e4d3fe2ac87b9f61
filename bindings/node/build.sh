#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds build/ctconv.node, the addon, with the system's C++ compiler: no node-gyp.
#   in:   libctconv by pkg-config (PKG_CONFIG_PATH); node_api.h by NODE_INCLUDE, beside node, or in /usr/include
#   out:  build/ctconv.node (or the folder given), which finds libctconv.so.0 where it lies now (rpath);
#         exit 77 where there is no node_api.h, 1 where something else is wrong
#   usage: build.sh [FOLDER]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/build}
pkg-config --atleast-version=0.2 ctconv || {
  pkg-config --print-errors --exists ctconv || true
  echo "build.sh: libctconv 0.2 or later was not found" >&2
  echo "build.sh: set PKG_CONFIG_PATH to the folder that holds ctconv.pc" >&2
  exit 1
}
include=
for folder in "${NODE_INCLUDE:-}" "$(node -p 'require("path").resolve(process.execPath, "../../include/node")')" \
  /usr/include/node /usr/include/nodejs/src; do
  if [ -z "$include" ] && [ -e "$folder/node_api.h" ]; then include=$folder; fi
done
[ -n "$include" ] || {
  echo "build.sh: there is no node_api.h: install libnode-dev, or set NODE_INCLUDE to its folder" >&2
  exit 77
}
mkdir -p "$out"
# The files include each other from the root of the repository.
root=$(cd "$here/../.." && pwd)
# shellcheck disable=SC2046
${CXX:-c++} -std=c++17 -O2 -Wall -Wextra -fPIC -shared -fvisibility=hidden "-I$root" -isystem "$include" \
  "$here/src/addon.cpp" "$here/src/js.cpp" -o "$out/ctconv.node" $(pkg-config --cflags --libs ctconv) \
  "-Wl,-rpath,$(pkg-config --variable=libdir ctconv)"
