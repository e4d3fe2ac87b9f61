// SPDX-License-Identifier: Apache-2.0
//! Gradients of a loss by x, weight and bias, from its gradient by y.
//!
//! In:  dy; x for dw; the weight, here or in the op, for dx; y of an op with an activation
//! Out: dx, dw, db, each if wanted, written or added to. CPU alone.

use crate::error::{checked, Result};
use crate::op::{pointer, row, text_of};
use crate::region::Region;
use crate::runner::go_on_panicking;
use crate::view::sealed::Record;
use crate::{sys, Input, Op, Output, Value};
use std::marker::PhantomData;
use std::ptr::null_mut;

/// A backward call: what it reads, what it writes, then [`Backward::execute`].
///
/// ```
/// # fn main() -> ctconv::Result<()> {
/// use ctconv::{Desc, Op, Tensor};
/// let desc = Desc::new("torch.nn.ConvTranspose1d")?
///     .set("in_channels", 1)
///     .set("out_channels", 1)
///     .set("kernel_size", 2);
/// let weight = Tensor::new(vec![10.0f32, 1.0], &[1, 1, 2])?;
/// let op = Op::builder(&desc).weight(&weight).build()?;
/// let dy = Tensor::new(vec![1.0f32, 2.0, 3.0], &[1, 1, 3])?;
/// let mut dx = Tensor::<f32>::zeros(&[1, 1, 2])?;
/// op.backward(&dy).dx(&mut dx).execute()?;
/// assert_eq!(dx.data(), [12.0, 23.0]);
/// # Ok(()) }
/// ```
#[must_use]
pub struct Backward<'a> {
    op: &'a Op,
    dy: Record,
    x: Option<Record>,
    y: Option<Record>,
    weight: Option<Record>,
    dx: Option<Record>,
    dw: Option<Record>,
    db: Option<Record>,
    output_size: Option<Value>,
    workspace: (*mut u8, usize),
    accumulate: bool,
    region: Region,
    tensors: PhantomData<&'a mut ()>,
}

impl<'a> Backward<'a> {
    pub(crate) fn new(op: &'a Op, dy: Record) -> Backward<'a> {
        Backward {
            op,
            dy,
            x: None,
            y: None,
            weight: None,
            dx: None,
            dw: None,
            db: None,
            output_size: None,
            workspace: (null_mut(), 0),
            accumulate: false,
            region: Region::default(),
            tensors: PhantomData,
        }
    }

    /// The input: dw is made of it.
    pub fn x(mut self, x: &'a impl Input) -> Self {
        self.x = Some(x.record());
        self
    }
    /// The output as execute wrote it: an activation's slope is read off it.
    pub fn y(mut self, y: &'a impl Input) -> Self {
        self.y = Some(y.record());
        self
    }
    /// The weight of an op that was built without one.
    pub fn weight(mut self, weight: &'a impl Input) -> Self {
        self.weight = Some(weight.record());
        self
    }
    /// Wanted: the gradient by x.
    pub fn dx(mut self, dx: &'a mut impl Output) -> Self {
        self.dx = Some(dx.record_mut());
        self
    }
    /// Wanted: the gradient by the weight; of a 16-bit layer also in f32.
    pub fn dw(mut self, dw: &'a mut impl Output) -> Self {
        self.dw = Some(dw.record_mut());
        self
    }
    /// Wanted: the gradient by the bias; of a 16-bit layer also in f32.
    pub fn db(mut self, db: &'a mut impl Output) -> Self {
        self.db = Some(db.record_mut());
        self
    }
    /// As in the call whose gradient this is.
    pub fn output_size(mut self, size: impl Into<Value>) -> Self {
        self.output_size = Some(size.into());
        self
    }
    /// Memory of the caller's, at least [`Backward::prepare`]'s bytes; without it the op keeps its own.
    pub fn workspace(mut self, memory: &'a mut [u8]) -> Self {
        self.workspace = (memory.as_mut_ptr(), memory.len());
        self
    }
    /// Whether the gradients are added to what dx, dw, db hold.
    pub fn accumulate(mut self, accumulate: bool) -> Self {
        self.accumulate = accumulate;
        self
    }

    /// dy and y are this box of the whole output: the gradients are those through it alone. dx has the extents of the
    /// window that [`crate::Call::region_window`] answers.
    pub fn region(mut self, begin: &[usize], end: &[usize]) -> Self {
        self.region.set(begin, end);
        self
    }

    /// x is a window that begins here of a whole x.
    pub fn window_at(mut self, x_begin: &[usize]) -> Self {
        self.region.set_window(x_begin);
        self
    }

    /// The shape of the whole x, where a size depends on its extents.
    pub fn whole_shape(mut self, x_shape: &[usize]) -> Self {
        self.region.set_whole(x_shape);
        self
    }

    /// Computes what is wanted.
    pub fn execute(self) -> Result<()> {
        // SAFETY: the record and all it points at live through the call; dx, dw, db are the caller's to write.
        self.with(|op, grads| checked(|e| unsafe { sys::ctconv_backward(op, grads, e) }))
    }

    /// Builds the plans ahead of time; answers the bytes of workspace that the call needs.
    pub fn prepare(&self) -> Result<usize> {
        let mut bytes = 0;
        // SAFETY: as above.
        self.with(|op, grads| checked(|e| unsafe { sys::ctconv_backward_prepare(op, grads, &mut bytes, e) }))?;
        Ok(bytes)
    }

    /// What will run, as `key: value` lines, under `dx.` and `dw.`.
    pub fn describe(&self) -> Result<String> {
        self.with(|op, grads| {
            // SAFETY: as above.
            text_of(|to, cap, needed, e| unsafe { sys::ctconv_backward_describe(op, grads, to, cap, needed, e) })
        })
    }

    fn with<R>(&self, body: impl FnOnce(*const sys::ctconv_op, *const sys::ctconv_grads) -> Result<R>) -> Result<R> {
        let rows = self.region.rows(self.dy.ndim)?;
        let c = |record: &Option<Record>| record.as_ref().map(Record::c);
        let (dy, x, y, weight) = (self.dy.c(), c(&self.x), c(&self.y), c(&self.weight));
        let (dx, dw, db) = (c(&self.dx), c(&self.dw), c(&self.db));
        let mut store = Vec::new();
        let output_size = self.output_size.as_ref().map(|value| value.c(&mut store));
        let grads = sys::ctconv_grads {
            dy: &dy,
            x: pointer(&x),
            y: pointer(&y),
            weight: pointer(&weight),
            dx: pointer(&dx),
            dw: pointer(&dw),
            db: pointer(&db),
            output_size: pointer(&output_size),
            workspace: self.workspace.0.cast(),
            workspace_bytes: self.workspace.1,
            accumulate: i32::from(self.accumulate),
            begin: row(&rows.begin),
            end: row(&rows.end),
            x_begin: row(&rows.x_begin),
            x_shape: row(&rows.x_shape),
            ..sys::CTCONV_GRADS_INIT
        };
        let out = body(self.op.handle(), &grads);
        go_on_panicking();
        out
    }
}
