// SPDX-License-Identifier: Apache-2.0
//! What the library is: version, engines, dialects and their arguments.

use crate::desc::c_string;
use crate::error::{static_text, Error, Result, Status};
use crate::sys;

/// The running library's release, e.g. "0.2.0".
pub fn version() -> &'static str {
    // SAFETY: the string is static and never null.
    unsafe { static_text(sys::ctconv_version_string()) }
}

/// `key: value` lines about the library's build: compiler, targets, cpu, onednn, cuda.
pub fn build_info() -> &'static str {
    // SAFETY: as above.
    unsafe { static_text(sys::ctconv_build_info()) }
}

/// The engines of the library, the CPU's in the order `auto` asks them.
pub fn engines() -> Vec<&'static str> {
    // SAFETY: as above; any index is allowed.
    (0..unsafe { sys::ctconv_engine_count() }).map(|i| unsafe { static_text(sys::ctconv_engine_name(i)) }).collect()
}

/// The names that [`crate::Desc::new`] takes.
pub fn dialects() -> Vec<&'static str> {
    // SAFETY: as above.
    (0..unsafe { sys::ctconv_dialect_count() }).map(|i| unsafe { static_text(sys::ctconv_dialect_name(i)) }).collect()
}

/// One argument of a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Argument {
    /// Spelt as the dialect spells it.
    pub name: &'static str,
    /// As the documentation prints it; None where it is required.
    pub default: Option<&'static str>,
    /// Its place among the positional arguments; None: by name only.
    pub position: Option<usize>,
}

/// The arguments of a dialect, in the original's positional order.
pub fn arguments(dialect: &str) -> Result<Vec<Argument>> {
    let name = c_string("dialect", dialect, Status::MISUSE_DIALECT)?;
    let mut out = Vec::new();
    loop {
        let mut record = sys::CTCONV_ARGUMENT_INIT;
        // SAFETY: a NUL-ended string and a record to write to.
        match unsafe { sys::ctconv_dialect_argument(name.as_ptr(), out.len() as i32, &mut record) } {
            sys::CTCONV_OK => {}
            sys::CTCONV_ERR_MISUSE_OPTION => return Ok(out), // past the last
            status => {
                let legal = "one of ctconv::dialects()".into();
                return Err(Error::new(Status(status), "dialect", format!("{dialect:?}"), legal));
            }
        }
        // SAFETY: the library's strings are static.
        let (name, default) = unsafe { (static_text(record.name), static_text(record.default_text)) };
        out.push(Argument {
            name,
            default: (record.required == 0).then_some(default),
            position: usize::try_from(record.position).ok(),
        });
    }
}
