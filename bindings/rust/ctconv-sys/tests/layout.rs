// SPDX-License-Identifier: Apache-2.0
//! Every record and number of this crate, compared with what a C compiler makes of the installed header.
//!
//! In:  tests/records.inc, the names; cc (or CC), as the linker of Rust needs it too
//! A record that grows may be larger in C: a later header. Its known fields stay where they are.

use ctconv_sys::*;
use std::collections::BTreeMap;
use std::mem::{size_of, MaybeUninit};
use std::process::Command;

/// name of a record: (whether it grows, bytes, field: offset)
type Records = BTreeMap<&'static str, (bool, usize, Vec<(&'static str, usize)>)>;

fn records() -> Records {
    let mut out = Records::new();
    macro_rules! each {
        (
            records { $($record:ident grows $grows:literal { $($field:ident),* })* }
            numbers { $($name:ident)* }
        ) => {{$(
            let memory = MaybeUninit::<$record>::uninit();
            let at = memory.as_ptr();
            // SAFETY: the address of a field of memory that is there; nothing is read.
            let fields = vec![$((
                stringify!($field),
                unsafe { std::ptr::addr_of!((*at).$field) as usize } - at as usize,
            )),*];
            out.insert(stringify!($record), ($grows, size_of::<$record>(), fields));
        )*}};
    }
    include!("records.inc");
    out
}

fn numbers() -> BTreeMap<&'static str, i64> {
    let mut out = BTreeMap::new();
    macro_rules! each {
        (records { $($record:tt)* } numbers { $($name:ident)* }) => {{
            $(out.insert(stringify!($name), i64::from($name as i32));)*
        }};
    }
    include!("records.inc");
    out
}

/// A C program that prints `name number` for everything asked.
fn program(records: &Records, numbers: &BTreeMap<&str, i64>) -> String {
    let mut out = String::from("#include <ctconv/ctconv.h>\n#include <stdio.h>\nint main(void) {\n");
    for (record, (_, _, fields)) in records {
        out += &format!("  printf(\"{record} %zu\\n\", sizeof({record}));\n");
        for (field, _) in fields {
            out += &format!("  printf(\"{record}.{field} %zu\\n\", offsetof({record}, {field}));\n");
        }
    }
    for name in numbers.keys() {
        out += &format!("  printf(\"{name} %d\\n\", (int){name});\n");
    }
    out + "  return 0;\n}\n"
}

fn in_c(source: &str) -> BTreeMap<String, i64> {
    let folder = std::env::temp_dir().join(format!("ctconv-layout-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, binary) = (folder.join("layout.c"), folder.join("layout"));
    std::fs::write(&file, source).unwrap();
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut command = Command::new(compiler);
    if let Some(include) = option_env!("CTCONV_INCLUDE") {
        command.arg(format!("-I{include}"));
    }
    let done = command.arg(&file).arg("-o").arg(&binary).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let said = String::from_utf8(Command::new(&binary).output().unwrap().stdout).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let pair = |line: &str| {
        let (name, number) = line.split_once(' ').unwrap();
        (name.to_string(), number.parse().unwrap())
    };
    said.lines().map(pair).collect()
}

#[test]
fn as_c_lays_them_out() {
    let (records, numbers) = (records(), numbers());
    assert!(records.len() >= 10 && numbers.len() >= 100, "records.inc lost its lines");
    let c = in_c(&program(&records, &numbers));
    for (record, (grows, bytes, fields)) in &records {
        let there = c[*record] as usize;
        assert!(there == *bytes || (*grows && there > *bytes), "{record}: {bytes} bytes here, {there} in C");
        for (field, offset) in fields {
            assert_eq!(*offset as i64, c[&format!("{record}.{field}")], "offset of {record}.{field}");
        }
    }
    for (name, number) in &numbers {
        assert_eq!(*number, c[*name], "{name}");
    }
}

#[test]
fn first_values() {
    assert_eq!(CTCONV_ERROR_INIT.element, -1);
    assert_eq!(CTCONV_RUNNER_INIT.workers, 1);
    assert_eq!(CTCONV_ARGUMENT_INIT.position, -1);
    assert_eq!(CTCONV_CALL_INIT.struct_size, size_of::<ctconv_call>());
}

#[test]
fn the_library_answers() {
    // SAFETY: no arguments; the string is static.
    let text = unsafe { std::ffi::CStr::from_ptr(ctconv_version_string()) };
    let version = unsafe { ctconv_version() };
    assert_eq!(version / 10000, 0, "{text:?}");
    assert!(version >= 200, "{text:?}");
}
