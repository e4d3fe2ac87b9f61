#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configures the source where only an old Highway, or none, can be found, and inside another project.
#   usage: test_dependencies.sh SOURCE_DIR
#   exit 0 where both are refused with the way out, and the other project gets no CUDA module that it did not ask for
set -eu
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
own_deps=${CTCONV_DEPS-}
export CTCONV_DEPS="$work/deps"
mkdir -p "$work/deps/lib/cmake/hwy"

configure() { # prints CMake's answer; fails where CMake succeeds
  rm -rf "$work/build"
  # Tools by name, since the system's own folders are not searched: a newer Highway there would be taken.
  if cmake -S "$source" -B "$work/build" -G Ninja "-DCMAKE_MAKE_PROGRAM=$(command -v ninja)" \
    "-DCMAKE_C_COMPILER=$(command -v "${CC:-cc}")" "-DCMAKE_CXX_COMPILER=$(command -v "${CXX:-c++}")" \
    -DCTCONV_CUDA=OFF -DCTCONV_ONEDNN=OFF -DCTCONV_BUILD_TESTS=OFF -DCTCONV_BUILD_TOOLS=OFF \
    -DCTCONV_BUILD_BENCH=OFF -DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF -DCMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF \
    -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF > "$work/log" 2>&1; then
    echo "dependencies: configured without a Highway that it needs"; exit 1
  fi
  tr -s ' \n' ' ' < "$work/log"
}
says() { # text wanted
  case $1 in *"$2"*) ;; *) echo "dependencies: '$2' is not in: $1"; exit 1 ;; esac
}

answer=$(configure)
says "$answer" "needs Highway (hwy) 1.2.0 or later; none was found"
says "$answer" "tools/deps"

# As Debian 12's libhwy-dev: its own version file, complete enough to be taken where the minimum were too low.
cat > "$work/deps/lib/cmake/hwy/hwy-config-version.cmake" <<'END'
set(PACKAGE_VERSION "1.0.3")
if(NOT PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
END
echo 'add_library(hwy::hwy INTERFACE IMPORTED)' > "$work/deps/lib/cmake/hwy/hwy-config.cmake"
answer=$(configure)
says "$answer" "1.0.3"
says "$answer" "tools/deps"

mkdir "$work/outer"
cat > "$work/outer/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.21)
project(outer LANGUAGES C CXX)
add_subdirectory("$source" ctconv)
END
unset CTCONV_DEPS
[ -z "$own_deps" ] || export CTCONV_DEPS="$own_deps"
cmake -S "$work/outer" -B "$work/outer/build" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
for line in CTCONV_CUDA:STRING=OFF CTCONV_BUILD_TESTS:BOOL=OFF CTCONV_BUILD_TOOLS:BOOL=OFF; do
  if ! grep -q "^$line\$" "$work/outer/build/CMakeCache.txt"; then
    echo "dependencies: inside another project not $line"; exit 1
  fi
done

# tools/deps --no-apt on a machine that has no package: it names them, and runs nothing that changes the system.
mkdir "$work/bin"
printf '#!/bin/sh\nexit 1\n' > "$work/bin/dpkg-query"
for name in apt-get apt-cache sudo tee; do
  printf '#!/bin/sh\necho "$0 $*" >> "%s/called"\n' "$work" > "$work/bin/$name"
done
chmod +x "$work"/bin/*
if answer=$(PATH="$work/bin:$PATH" CTCONV_DEPS="$work/cache" "$source/tools/deps" --no-apt 2>&1); then
  echo "dependencies: tools/deps --no-apt went on without packages"; exit 1
fi
says "$answer" "--no-apt, but missing: g++ cmake"
[ ! -e "$work/called" ] || { echo "dependencies: --no-apt called:"; cat "$work/called"; exit 1; }
echo "dependencies: all right"
