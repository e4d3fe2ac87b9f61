// SPDX-License-Identifier: Apache-2.0
//! Finds libctconv.
//!
//! In:   CTCONV_LIB_DIR, the folder of libctconv.so (and CTCONV_INCLUDE_DIR, the one that holds ctconv/ctconv.h);
//!       else pkg-config, which PKG_CONFIG_PATH and PKG_CONFIG lead
//! Out:  where to link; DEP_CTCONV_LIBDIR and DEP_CTCONV_INCLUDE for the build scripts of crates that depend on this
//!       one; links to the library in OUT_DIR, which cargo puts on the loader's path of `cargo run` and `cargo test`
//! Refuses with what to set: no library found, or one older than this crate

use std::path::{Path, PathBuf};
use std::process::{exit, Command};

const LEAST: &str = "0.2";

fn refuse(why: &str) -> ! {
    eprintln!("ctconv-sys: {why}");
    eprintln!("Set one of these, then build again:");
    eprintln!("  CTCONV_LIB_DIR   the folder that holds libctconv.so, e.g. CTCONV_LIB_DIR=$HOME/ctconv/lib");
    eprintln!("  PKG_CONFIG_PATH  the folder that holds ctconv.pc, e.g. PKG_CONFIG_PATH=$HOME/ctconv/lib/pkgconfig");
    exit(1);
}

fn pkg_config(arguments: &[&str]) -> Result<String, String> {
    let program = std::env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    let done = Command::new(&program).args(arguments).arg("ctconv").output();
    let done = done.map_err(|e| format!("CTCONV_LIB_DIR is not set, and {program} cannot be run: {e}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).trim().to_string());
    }
    let said = String::from_utf8_lossy(&done.stderr).trim().to_string();
    Err(format!("CTCONV_LIB_DIR is not set, and {program} says: {said}"))
}

/// The folders of the library and of the headers.
fn places() -> Result<(PathBuf, Option<PathBuf>), String> {
    if let Some(given) = std::env::var_os("CTCONV_LIB_DIR") {
        let folder = PathBuf::from(given);
        if !folder.join("libctconv.so").exists() {
            return Err(format!("CTCONV_LIB_DIR is {}: there is no libctconv.so", folder.display()));
        }
        let include = std::env::var_os("CTCONV_INCLUDE_DIR").map(PathBuf::from);
        let beside = folder.join("../include");
        let include = include.or_else(|| beside.join("ctconv/ctconv.h").exists().then_some(beside));
        return Ok((folder, include));
    }
    let least = format!("--atleast-version={LEAST}");
    let version = pkg_config(&["--modversion"])?;
    if pkg_config(&[&least]).is_err() {
        return Err(format!("the installed libctconv is {version}; this crate needs {LEAST} or later"));
    }
    let include = pkg_config(&["--variable=includedir"])?;
    Ok((pkg_config(&["--variable=libdir"])?.into(), Some(include.into())))
}

/// Links in `out` to the files of `folder` that the loader opens.
fn link(folder: &Path, out: &Path) {
    for name in ["libctconv.so", "libctconv.so.0", "libctconv_cuda.so"] {
        let place = out.join(name);
        let _ = std::fs::remove_file(&place);
        if let Ok(real) = folder.join(name).canonicalize() {
            // A file system without links costs only the loader's path.
            let _ = std::os::unix::fs::symlink(real, place);
        }
    }
}

fn main() {
    for name in ["CTCONV_LIB_DIR", "CTCONV_INCLUDE_DIR", "PKG_CONFIG", "PKG_CONFIG_PATH"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-lib=dylib=ctconv");
    if std::env::var_os("DOCS_RS").is_some() {
        return; // documentation links nothing
    }
    let (folder, include) = places().unwrap_or_else(|why| refuse(&why));
    let folder = folder.canonicalize().unwrap_or(folder);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    link(&folder, &out);
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
    println!("cargo:libdir={}", folder.display());
    if let Some(include) = include {
        println!("cargo:include={}", include.display());
        println!("cargo:rustc-env=CTCONV_INCLUDE={}", include.display());
    }
}
