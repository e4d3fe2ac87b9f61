// SPDX-License-Identifier: Apache-2.0
//! The folder of libctconv.so written into this package's examples and tests, so that they start outside of cargo too.
//!
//! In:  DEP_CTCONV_LIBDIR, from the build script of ctconv-sys

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Some(folder) = std::env::var_os("DEP_CTCONV_LIBDIR") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.to_string_lossy());
    }
}
