#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Debian packages (tools/package_deb) and uses them in a fresh minimal Debian of this machine's own release.
#   usage: test_deb.sh SOURCE_DIR       DEBS=folder: made already; CHROOT=folder: a minimal Debian made already, kept
#   exit 0 where the program, a C program by pkg-config and Python compute the right numbers there, and a purge leaves
#   nothing; 77 without root, debootstrap, debhelper or a mirror
#   The mirror is the one apt is configured with here.
set -eu
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
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

echo "deb: installed there"
inside apt-get update -qq > "$work/log" 2>&1 || { cat "$work/log"; fail "apt-get update"; }
inside sh -c 'apt-get install -y -qq --no-install-recommends /debs/*.deb gcc libc6-dev pkg-config' > "$work/log" 2>&1 ||
  { tail -n 20 "$work/log"; fail "apt-get install"; }

echo "deb: used there"
expected='1 1 2 2
1 1 2 2
3 3 4 4
3 3 4 4'
inside sh -euc 'cd /try; cc hello.c -o hello $(pkg-config --cflags --libs ctconv); ./hello' > "$work/said"
[ "$(cat "$work/said")" = "$expected" ] || { cat "$work/said"; fail "hello.c"; }
layer='{"in_channels": 3, "out_channels": 8, "kernel_size": 4, "stride": 2}'
inside sh -euc "cd /try; ctconv run torch.nn.ConvTranspose2d '$layer' -x random:1,3,16,16 -o y.npy --check
  ctconv doctor" > "$work/said" || grep -q 'to mend' "$work/said" || { cat "$work/said"; fail "ctconv"; }
grep -q 'y  *(1, 8, 34, 34) float32  -> y.npy' "$work/said" || { cat "$work/said"; fail "ctconv run"; }
cat > "$root/try/use.py" <<'END'
import ctconv, importlib.metadata, numpy
assert ctconv.__file__.startswith("/usr/lib/python3/dist-packages/"), ctconv.__file__
args = {"in_channels": 1, "out_channels": 1, "kernel_size": 2, "stride": 2}
x = numpy.array([[[[1, 2], [3, 4]]]], "float32")
y = ctconv.Layer("torch.nn.ConvTranspose2d", args, numpy.ones((1, 1, 2, 2), "float32"))(x)
assert y.tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]]], y
print("ctconv", importlib.metadata.version("ctconv"))
END
inside python3 /try/use.py
for file in /usr/share/man/man1/ctconv.1.gz /usr/share/man/man3/ctconv_execute.3.gz \
  /usr/share/bash-completion/completions/ctconv /usr/share/zsh/vendor-completions/_ctconv \
  /usr/share/doc/libctconv0/NOTICE.gz /usr/share/doc/libctconv0/copyright; do
  [ -e "$root$file" ] || [ -e "$root${file%.gz}" ] || fail "no $file"
done

python3 "$source/tests/style/check_hardening.py" --hide "$source" "$root"/usr/lib/*/libctconv.so.0 \
  "$root/usr/bin/ctconv"

echo "deb: purged"
inside apt-get purge -y -qq libctconv0 libctconv-dev ctconv-tools python3-ctconv > "$work/log" 2>&1 ||
  { cat "$work/log"; fail "purge"; }
left=$(find "$root/usr" "$root/etc" "$root/var" -path '*ctconv*' -not -path "$root/var/log/*" -not -path '*/apt/*')
[ -z "$left" ] || fail "left behind: $left"
echo "deb: all right"
