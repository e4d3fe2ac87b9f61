#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the build into a temporary prefix and uses it as a stranger would: pkg-config, find_package, dlopen, the
# headers alone.
#   usage: test_install.sh BUILD_DIR SOURCE_DIR [sanitizers]
#   exit 0 where every example builds, runs and prints the right numbers
set -eu
build=$1 source=$2 sanitize=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
expected='1 1 2 2
1 1 2 2
3 3 4 4
3 3 4 4'
flags=
[ -z "$sanitize" ] || flags="-fsanitize=$sanitize"

step() { echo "install: $*"; }
same() { [ "$1" = "$expected" ] || { echo "install: $2 printed:"; echo "$1"; exit 1; }; }

step "cmake --install"
cmake --install "$build" --prefix "$prefix" > "$work/log" || { cat "$work/log"; exit 1; }
library_dir=$(dirname "$(find "$prefix" -name libctconv.so | head -n 1)")
export LD_LIBRARY_PATH="$library_dir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
[ -x "$prefix/bin/ctconv" ] && env -u LD_LIBRARY_PATH "$prefix/bin/ctconv" --version

step "what is installed is hardened"
plain=
[ -z "$sanitize" ] || plain=--plain
set -- "$library_dir"/libctconv*.so
[ ! -x "$prefix/bin/ctconv" ] || set -- "$@" "$prefix/bin/ctconv"
python3 "$source/tests/style/check_hardening.py" $plain "$@"

step "licence and notices lie beside it"
for text in LICENSE NOTICE; do
  cmp "$source/$text" "$prefix/share/doc/ctconv/$text"
done
for owner in oneDNN Xbyak Highway CLI11 'JSON for Modern C++' fmt; do
  grep -q "$owner" "$prefix/share/doc/ctconv/NOTICE" || { echo "install: NOTICE does not name $owner"; exit 1; }
done

step "the tree holds what docs/install.md says, and nothing else"
# Apart from the modules, which a build may leave out, and man3, whose pages follow from capi/symbols.txt.
(cd "$prefix" && find . -type f -o -type l) | sed "s,^\./,,; s,^${library_dir#"$prefix"/}/,LIB/," |
  grep -v -e '^LIB/libctconv_[a-z]*\.so$' -e '^share/man/man3/' | sort > "$work/have"
{
  cat <<'END'
LIB/cmake/ctconv/ctconv-config-version.cmake
LIB/cmake/ctconv/ctconv-config.cmake
LIB/cmake/ctconv/ctconv-targets.cmake
LIB/libctconv.so
LIB/libctconv.so.0
LIB/pkgconfig/ctconv.pc
share/doc/ctconv/LICENSE
share/doc/ctconv/NOTICE
END
  (cd "$source" && find include -type f)
  (cd "$library_dir" && ls cmake/ctconv/ctconv-targets-*.cmake libctconv.so.0.0.*) | sed 's,^,LIB/,'
  [ ! -x "$prefix/bin/ctconv" ] || cat <<'END'
bin/ctconv
share/bash-completion/completions/ctconv
share/fish/vendor_completions.d/ctconv.fish
share/man/man1/ctconv.1
share/zsh/site-functions/_ctconv
END
} | sort | diff - "$work/have" || { echo "install: < is missing, > is too much"; exit 1; }
while read -r symbol _; do
  [ -s "$prefix/share/man/man3/$symbol.3" ] || { echo "install: no manual page of $symbol"; exit 1; }
done < "$source/capi/symbols.txt"
[ ! -x "$prefix/bin/ctconv" ] || "$prefix/bin/ctconv" completion zsh | cmp - "$prefix/share/zsh/site-functions/_ctconv"

step "hello.c by pkg-config"
export PKG_CONFIG_PATH="$library_dir/pkgconfig"
# shellcheck disable=SC2046
${CC:-cc} -std=c99 -Wall -Wextra -Werror -pedantic $flags "$source/examples/hello.c" -o "$work/hello" \
  $(pkg-config --cflags --libs ctconv)
same "$("$work/hello")" "hello (pkg-config)"

step "the headers compile alone, in C99, C11, C++17 and C++20"
strict="-Wall -Wextra -Werror -pedantic -fsyntax-only $(pkg-config --cflags ctconv)"
for header in ctconv.h ctconv_stream.h ctconv_types.h ctconv_status.h; do
  for std in c99 c11; do
    echo "#include <ctconv/$header>" | ${CC:-cc} -std=$std $strict -x c -
  done
done
for header in ctconv.h ctconv_stream.h ctconv_types.h ctconv_status.h ctconv.hpp ctconv_tensor.hpp \
  ctconv_stream.hpp; do
  for std in c++17 c++20; do
    echo "#include <ctconv/$header>" | ${CXX:-c++} -std=$std $strict -x c++ -
  done
done

step "examples by find_package(ctconv)"
cmake -S "$source/examples" -B "$work/examples" "-DCMAKE_PREFIX_PATH=$prefix" -DCMAKE_BUILD_TYPE=Release \
  "-DCMAKE_C_FLAGS=$flags" "-DCMAKE_CXX_FLAGS=$flags" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
cmake --build "$work/examples" >> "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
same "$("$work/examples/hello")" "hello (find_package)"
"$work/examples/upsample" > "$work/upsample"
for wanted in '^y: 1 32 12 27 48$' '^refused: CTCONV_ERR_VALUE_STRIDE'; do
  grep -q "$wanted" "$work/upsample" || { cat "$work/upsample"; exit 1; }
done
"$work/examples/plugin" "$library_dir/libctconv.so" | grep -q 'torch.nn.ConvTranspose3d'

step "what is installed names no path of the build or the source"
if grep -rIlF -e "$build" -e "$source" "$prefix"; then echo "install: the files above do"; exit 1; fi
step "uninstall takes everything back, and nothing else"
touch "$prefix/include/kept.h"
(cd "$build" && cmake -P "$source/cmake/Uninstall.cmake") > "$work/log" || { cat "$work/log"; exit 1; }
left=$(find "$prefix" -type f -o -type l)
[ "$left" = "$prefix/include/kept.h" ] || { echo "install: left behind:"; echo "$left"; exit 1; }
step "all right"
