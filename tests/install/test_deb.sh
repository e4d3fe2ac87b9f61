#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Debian packages (tools/package_deb) and uses them in a fresh minimal Debian of this machine's own release.
#   usage: test_deb.sh SOURCE_DIR       DEBS=folder: made already; CHROOT=folder: a minimal Debian made already, kept
#   exit 0 where program, manual pages, completion and Python work there without a compiler, C and CMake programs
#   compile against libctconv-dev, and remove and purge leave nothing behind;
#   77 without root, debootstrap, debhelper or a mirror
#   The mirror is the one apt is configured with here.
set -eu
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
fail() { echo "deb: $*"; exit 1; }
skip() { echo "deb: NOT RUN: $*"; exit 77; }

[ "$(id -u)" = 0 ] || skip "not root"
for program in debootstrap dh dh_python3 dpkg-buildpackage; do
  command -v $program > /dev/null || skip "no $program (debootstrap, debhelper and dh-python are needed)"
done
suite=$(. /etc/os-release; echo "${VERSION_CODENAME:-}")
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' | sed -n "s/ $suite\$//p" |
  head -n 1)
[ -n "$suite" ] && [ -n "$mirror" ] || skip "apt names no mirror of $suite here"
for scheme in http https; do
  proxy=$(apt-config dump --format '%v' "Acquire::$scheme::Proxy")
  [ -z "$proxy" ] || export "${scheme}_proxy=$proxy"
done

debs=${DEBS:-$work/debs}
[ -n "${DEBS:-}" ] || "$source/tools/package_deb" "$debs"
root=${CHROOT:-$work/root}
if [ ! -e "$root/bin/sh" ]; then
  echo "deb: a minimal $suite"
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror" > "$work/log" 2>&1 ||
    { tail -n 5 "$work/log"; skip "debootstrap failed"; }
fi
rm -rf "$root/debs" "$root/try"
mkdir "$root/debs" "$root/try"
cp "$debs"/*.deb "$root/debs"
cp "$source/examples/hello.c" "$root/try"
[ -e "$root/etc/apt/apt.conf.d/90-of-the-machine" ] ||
  apt-config dump 'Acquire' | grep -v '::Languages' > "$root/etc/apt/apt.conf.d/90-of-the-machine"
cp /etc/resolv.conf "$root/etc/resolv.conf"
[ ! -e /etc/hosts ] || cp /etc/hosts "$root/etc/hosts"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
  http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" chroot "$root" "$@"; }
install() { # packages and files of the chroot
  inside apt-get install -y -qq --no-install-recommends "$@" > "$work/log" 2>&1 ||
    { tail -n 20 "$work/log"; fail "apt-get install $*"; }
}
ours() { # what of ours lies in the chroot
  find "$root/usr" "$root/etc" "$root/var" "$root/root" -path '*ctconv*' -not -path "$root/var/log/*" \
    -not -path '*/apt/*' -not -path "$root/var/cache/man/*"
}
says() { # file, wanted, what printed it
  grep -q -e "$2" "$1" || { cat "$1"; fail "$3: no '$2'"; }
}

inside apt-get update -qq > "$work/log" 2>&1 || { cat "$work/log"; fail "apt-get update"; }
install man-db bash-completion
inside dpkg --purge libctconv-dev ctconv-tools python3-ctconv libctconv0 > "$work/log" 2>&1 || true # of a run cut off
[ -z "$(ours)" ] || fail "the chroot holds packages of ours already: $(ours)"
compilers() { inside sh -c 'command -v cc; command -v gcc; command -v c++; true'; }
had=$(compilers) # nothing, but in a CHROOT that is kept

echo "deb: installed there, without a compiler"
name() { (cd "$root/debs" && echo /debs/"$(echo "$1"_*.deb)"); }
install "$(name libctconv0)" "$(name ctconv-tools)" "$(name python3-ctconv)"
[ "$(compilers)" = "$had" ] || fail "a compiler came along: $(compilers)"

echo "deb: the program"
layer='{"in_channels": 3, "out_channels": 8, "kernel_size": 4, "stride": 2}'
inside sh -euc "cd /try; ctconv run torch.nn.ConvTranspose2d '$layer' -x random:1,3,16,16 -o y.npy --check" \
  > "$work/said" || { cat "$work/said"; fail "ctconv run"; }
says "$work/said" 'y  *(1, 8, 34, 34) float32  -> y.npy' "ctconv run"
inside ctconv verify torch.nn.ConvTranspose2d "$layer" -x random:1,3,16,16 > "$work/said" ||
  { cat "$work/said"; fail "ctconv verify"; }
says "$work/said" 'native .*same bits' "ctconv verify"
inside ctconv doctor > "$work/said" || says "$work/said" 'to mend' "ctconv doctor"

echo "deb: manual pages and completions"
inside man -P cat 1 ctconv > "$work/said" || fail "man 1 ctconv"
says "$work/said" '^NAME' "man 1 ctconv"
inside bash -euc '. /usr/share/bash-completion/bash_completion
  _completion_loader ctconv || true; complete -p ctconv' > "$work/said" || fail "bash finds no completion"
for file in /usr/share/zsh/vendor-completions/_ctconv /usr/share/fish/vendor_completions.d/ctconv.fish \
  /usr/share/doc/libctconv0/NOTICE.gz /usr/share/doc/libctconv0/copyright; do
  [ -e "$root$file" ] || [ -e "$root${file%.gz}" ] || fail "no $file"
done

echo "deb: Python"
cat > "$root/try/use.py" <<'END'
import ctconv, importlib.metadata, numpy
assert ctconv.__file__.startswith("/usr/lib/python3/dist-packages/"), ctconv.__file__
args = {"in_channels": 1, "out_channels": 1, "kernel_size": 2, "stride": 2}
x = numpy.array([[[[1, 2], [3, 4]]]], "float32")
y = ctconv.Layer("torch.nn.ConvTranspose2d", args, numpy.ones((1, 1, 2, 2), "float32"))(x)
assert y.tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]]], y
print("deb: python3-ctconv", importlib.metadata.version("ctconv"), "numpy", numpy.__version__)
END
inside python3 /try/use.py

echo "deb: C, with gcc and libctconv-dev"
install "$(name libctconv-dev)" gcc libc6-dev pkg-config
expected='1 1 2 2
1 1 2 2
3 3 4 4
3 3 4 4'
inside sh -euc 'cd /try; cc hello.c -o hello $(pkg-config --cflags --libs ctconv); ./hello' > "$work/said"
[ "$(cat "$work/said")" = "$expected" ] || { cat "$work/said"; fail "hello.c"; }
[ "$(inside pkg-config --cflags --libs ctconv | xargs)" = -lctconv ] ||
  fail "pkg-config names folders that the compiler knows: $(inside pkg-config --cflags --libs ctconv)"
inside man -P cat 3 ctconv_execute > "$work/said" || fail "man 3 ctconv_execute"
says "$work/said" 'ctconv_execute' "man 3 ctconv_execute"

if command -v cmake > /dev/null && command -v cc > /dev/null; then
  echo "deb: find_package, by the CMake of this machine"
  mkdir "$work/outer" "$work/tree"
  for deb in "$root$(name libctconv0)" "$root$(name libctconv-dev)"; do dpkg-deb -x "$deb" "$work/tree"; done
  cp "$source/examples/hello.c" "$work/outer"
  cat > "$work/outer/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.21)
project(outer LANGUAGES C)
find_package(ctconv 0.2 REQUIRED)
add_executable(hello hello.c)
target_link_libraries(hello PRIVATE ctconv::ctconv)
END
  { cmake -S "$work/outer" -B "$work/outer/build" "-DCMAKE_PREFIX_PATH=$work/tree/usr" &&
    cmake --build "$work/outer/build"; } > "$work/log" 2>&1 || { cat "$work/log"; fail "find_package"; }
  [ "$("$work/outer/build/hello")" = "$expected" ] || fail "hello by find_package"
fi

python3 "$source/tests/style/check_hardening.py" --hide "$source" "$root"/usr/lib/*/libctconv.so.0 \
  "$root/usr/bin/ctconv"

all="libctconv0 libctconv-dev ctconv-tools python3-ctconv"
for way in remove purge; do
  echo "deb: $way takes everything back"
  [ $way = remove ] || install "$(name libctconv0)" "$(name libctconv-dev)" "$(name ctconv-tools)" \
    "$(name python3-ctconv)"
  # shellcheck disable=SC2086
  inside apt-get $way -y -qq $all > "$work/log" 2>&1 || { cat "$work/log"; fail "apt-get $way"; }
  [ -z "$(ours)" ] || fail "$way leaves behind: $(ours)"
done
echo "deb: all right"
