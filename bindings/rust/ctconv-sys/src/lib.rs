// SPDX-License-Identifier: Apache-2.0
//! The C ABI of libctconv as Rust sees it: every record, number and function of `ctconv.h`, and nothing more.
//!
//! The header is the manual; the crate `ctconv` is the safe binding. Records that grow begin with `struct_size`: start
//! from their `..._INIT`. `tests/layout.rs` compiles a C program against the header and compares every size, offset
//! and number with it.
#![allow(non_camel_case_types)]

#[rustfmt::skip]
mod abi;

pub use abi::*;
