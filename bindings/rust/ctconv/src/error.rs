// SPDX-License-Identifier: Apache-2.0
//! What a call refuses.
//!
//! Out: `Error`: the library's status with argument, value, legal range and one sentence naming all of these
//! What this crate judges itself (bounds of views, lengths, element types) has the status the library would give.

use crate::sys;
use std::ffi::CStr;
use std::os::raw::c_char;

/// A status of the library, e.g. [`Status::VALUE_STRIDE`]. Published numbers never move; a later library may answer
/// ones that are not named here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Status(pub i32);

impl Status {
    /// Its identifier, e.g. `CTCONV_ERR_VALUE_STRIDE`; `CTCONV_ERR_UNKNOWN` for a number of no status.
    pub fn name(self) -> &'static str {
        // SAFETY: any number is allowed; the string is static and never null.
        unsafe { static_text(sys::ctconv_status_name(self.0)) }
    }

    /// One line about it, without detail.
    pub fn text(self) -> &'static str {
        // SAFETY: as above.
        unsafe { static_text(sys::ctconv_status_text(self.0)) }
    }

    /// Its sort.
    pub fn kind(self) -> Kind {
        match self.0 / 1000 {
            1 => Kind::Type,
            2 => Kind::Value,
            3 => Kind::Shape,
            4 => Kind::Unsupported,
            5 => Kind::Memory,
            6 => Kind::Device,
            7 => Kind::Misuse,
            _ => Kind::Internal,
        }
    }
}

impl std::fmt::Debug for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

/// The sort of a failure: a status divided by 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The framework's TypeError: an argument of a wrong type, unknown or missing.
    Type,
    /// The framework's ValueError: an argument out of its range.
    Value,
    /// A tensor of a wrong shape.
    Shape,
    /// Nothing here computes this.
    Unsupported,
    /// Memory, or a workspace too small.
    Memory,
    /// A device or the module for it.
    Device,
    /// A call that no arguments make right: a malformed view, an unknown dialect.
    Misuse,
    /// A fault inside the library; please report it.
    Internal,
}

/// What a call refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Error {
    /// The library's status.
    pub status: Status,
    /// Index inside a sequence argument; None: the whole argument.
    pub element: Option<usize>,
    /// The argument, spelt as the dialect spells it; "" where none is to blame.
    pub argument: String,
    /// What was given.
    pub value: String,
    /// What is legal.
    pub range: String,
    /// One sentence naming all of these.
    pub message: String,
}

impl Error {
    /// The sort of the failure.
    pub fn kind(&self) -> Kind {
        self.status.kind()
    }

    /// A refusal of this crate's own.
    pub(crate) fn new(status: Status, argument: &str, value: String, range: String) -> Error {
        let message = format!("{argument}: got {value}; legal is {range}");
        Error { status, element: None, argument: argument.into(), value, range, message }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = if self.message.is_empty() { self.status.text() } else { &self.message };
        write!(f, "{}: {said}", self.status.name())
    }
}

impl std::error::Error for Error {}

/// What the calls of this crate answer.
pub type Result<T> = std::result::Result<T, Error>;

/// SAFETY: `text` is a static string of the library, never null.
pub(crate) unsafe fn static_text(text: *const c_char) -> &'static str {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}

/// A field of the error record: up to its NUL.
fn text_of(field: &[c_char]) -> String {
    let bytes: Vec<u8> = field.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn of_record(status: i32, e: &sys::ctconv_error) -> Error {
    Error {
        status: Status(status),
        element: usize::try_from(e.element).ok(),
        argument: text_of(&e.argument),
        value: text_of(&e.value),
        range: text_of(&e.range),
        message: text_of(&e.message),
    }
}

/// Runs a call that takes an error record.
pub(crate) fn checked(call: impl FnOnce(*mut sys::ctconv_error) -> i32) -> Result<()> {
    let mut e = sys::CTCONV_ERROR_INIT;
    match call(&mut e) {
        sys::CTCONV_OK => Ok(()),
        status => Err(of_record(status, &e)),
    }
}
