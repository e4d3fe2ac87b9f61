// SPDX-License-Identifier: Apache-2.0
//! The box of y that a call computes, and the window of x it is given.
//!
//! In:  an entry for each spatial axis; the whole x's shape
//! Out: rows of numbers as C reads them, behind their entries zero, so that C never reads past them
//! Refuses: another number of entries than x has spatial axes (its rank less batch and channel, or channel alone). What
//!      lies inside y is judged by the library (`Status::MISUSE_REGION`).

use crate::error::{Error, Result, Status};
use crate::sys;

type Row = [i64; sys::CTCONV_MAX_NDIM];

#[derive(Default)]
pub(crate) struct Region {
    begin: Option<Vec<usize>>,
    end: Option<Vec<usize>>,
    x_begin: Option<Vec<usize>>,
    x_shape: Option<Vec<usize>>,
}

/// What the call points at.
pub(crate) struct Rows {
    pub begin: Option<Row>,
    pub end: Option<Row>,
    pub x_begin: Option<Row>,
    pub x_shape: Option<Row>,
}

/// How many spatial axes an x of that many axes may have.
fn counts(ndim: usize) -> String {
    match ndim {
        2 => ": 1, without a batch axis".to_string(),
        3 | 4 => format!(": {}, or {} without a batch axis", ndim - 2, ndim - 1),
        5 => ": 3".to_string(),
        _ => String::new(),
    }
}

impl Region {
    pub(crate) fn set(&mut self, begin: &[usize], end: &[usize]) {
        self.begin = Some(begin.to_vec());
        self.end = Some(end.to_vec());
    }
    pub(crate) fn set_window(&mut self, x_begin: &[usize]) {
        self.x_begin = Some(x_begin.to_vec());
    }
    pub(crate) fn set_whole(&mut self, x_shape: &[usize]) {
        self.x_shape = Some(x_shape.to_vec());
    }

    /// Entries of the box.
    pub(crate) fn axes(&self) -> usize {
        self.begin.as_ref().map_or(0, Vec::len)
    }

    pub(crate) fn rows(&self, ndim: usize) -> Result<Rows> {
        let axes = self.axes();
        let spatial = axes > 0 && (axes + 2 == ndim || axes + 1 == ndim);
        let fits = |count: usize| spatial && count == axes;
        let row = |name: &str, given: &Option<Vec<usize>>, right: &dyn Fn(usize) -> bool| match given {
            None => Ok(None),
            Some(given) if right(given.len()) => {
                let mut out = [0; sys::CTCONV_MAX_NDIM];
                for (o, n) in out.iter_mut().zip(given) {
                    *o = i64::try_from(*n).unwrap_or(i64::MAX);
                }
                Ok(Some(out))
            }
            Some(given) => {
                let range = match name {
                    "x_shape" => format!("an entry for each axis of x; x has {ndim} axes"),
                    _ if spatial => format!("{axes} entries, as begin has"),
                    _ => format!("an entry for each spatial axis{}; x has {ndim} axes", counts(ndim)),
                };
                Err(Error::new(Status::MISUSE_REGION, name, format!("{given:?}"), range))
            }
        };
        Ok(Rows {
            begin: row("begin", &self.begin, &fits)?,
            end: row("end", &self.end, &fits)?,
            x_begin: row("x_begin", &self.x_begin, &fits)?,
            x_shape: row("x_shape", &self.x_shape, &|count| count == ndim)?,
        })
    }
}
