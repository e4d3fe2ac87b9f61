#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Rust binding: its tests and examples, documentation and clippy without a warning, its form, and what its build
# says where there is no library.
#   usage: test_rust.sh SOURCE_DIR     needs PKG_CONFIG_PATH; 77: there is no cargo
set -eu
command -v cargo > /dev/null || { echo "skipped: there is no cargo on this machine"; exit 77; }
cd "$1/bindings/rust"
step() { echo "rust: $*"; }

step "cargo test"
cargo test --quiet --offline --locked

step "cargo run --example upsample"
cargo run --quiet --offline --example upsample > "$CTCONV_WORK/upsample.txt"
cat "$CTCONV_WORK/upsample.txt"
hash=$(sed -n 's/^torch.nn.ConvTranspose3d .* //p' "$1/examples/languages/expected.txt")
grep -qx "fnv1a $hash" "$CTCONV_WORK/upsample.txt"
grep -qx 'four threads: same bits' "$CTCONV_WORK/upsample.txt"

step "cargo doc without warnings"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --offline --no-deps

if cargo clippy --version > /dev/null 2>&1; then
  step "clippy without warnings"
  cargo clippy --quiet --offline --all-targets -- -D warnings
else
  step "no clippy on this machine: not asked"
fi
if cargo fmt --version > /dev/null 2>&1; then
  step "rustfmt"
  cargo fmt --check
else
  step "no rustfmt on this machine: not asked"
fi

step "the build says what to set"
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
if PKG_CONFIG_LIBDIR=$empty PKG_CONFIG_PATH=$empty CARGO_TARGET_DIR=$empty/target \
  cargo build --quiet --offline -p ctconv-sys 2> "$empty/said"; then
  echo "rust: it was built without a library"
  exit 1
fi
for part in PKG_CONFIG_PATH CTCONV_LIB_DIR 'Package ctconv'; do
  grep -q "$part" "$empty/said" || { cat "$empty/said"; exit 1; }
done
if CTCONV_LIB_DIR=$empty CARGO_TARGET_DIR=$empty/target \
  cargo build --quiet --offline -p ctconv-sys 2> "$empty/said"; then
  exit 1
fi
grep -q 'there is no libctconv.so' "$empty/said"
step "all right"
