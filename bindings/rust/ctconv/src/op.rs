// SPDX-License-Identifier: Apache-2.0
//! Ops: a descriptor with its weight, ready to run from any number of threads.
//!
//! In:  tensors of one execution: x, and what the dialect takes with the call
//! Out: y in the caller's memory or in a new tensor; its shape; the plan's workspace; the facts about what runs

use crate::desc::NO_SPEC;
use crate::error::{checked, Error, Result, Status};
use crate::options::OpBuilder;
use crate::region::Region;
use crate::runner::{go_on_panicking, Hook};
use crate::view::sealed::Record;
use crate::{sys, Backward, Desc, Input, Output, Spec, Tensor, Value};
use std::marker::PhantomData;
use std::os::raw::c_char;
use std::ptr::{null, null_mut};

/// A descriptor with its weight, ready to run.
///
/// ```
/// # fn main() -> ctconv::Result<()> {
/// use ctconv::{Desc, Op, Tensor};
/// let desc = Desc::new("torch.nn.ConvTranspose2d")?
///     .set("in_channels", 1)
///     .set("out_channels", 1)
///     .set("kernel_size", 2)
///     .set("stride", 2);
/// let weight = Tensor::new(vec![1.0f32; 4], &[1, 1, 2, 2])?;
/// let op = Op::builder(&desc).weight(&weight).build()?;
/// let y = op.run(&Tensor::new(vec![1.0f32, 2.0, 3.0, 4.0], &[1, 1, 2, 2])?)?;
/// assert_eq!(y.shape(), [1, 1, 4, 4]);
/// assert_eq!(y.data()[..4], [1.0, 1.0, 2.0, 2.0]);
/// # Ok(()) }
/// ```
pub struct Op {
    handle: *mut sys::ctconv_op,
    _hook: Option<Box<Hook>>, // dropped after the handle's destroy, in Drop
}

// SAFETY: the C object may be executed from any number of threads at once; it is destroyed with exclusive access.
unsafe impl Send for Op {}
unsafe impl Sync for Op {}

impl Drop for Op {
    fn drop(&mut self) {
        // SAFETY: ours, released once (null is fine); fields are dropped after this.
        unsafe { sys::ctconv_destroy(self.handle) }
    }
}

impl std::fmt::Debug for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Op({:?})", self.describe().unwrap_or_default())
    }
}

impl Op {
    /// An op of this descriptor: weight, bias and options come next, then `build`.
    pub fn builder(desc: &Desc) -> OpBuilder<'_> {
        OpBuilder::new(desc)
    }

    pub(crate) fn of(handle: *mut sys::ctconv_op, hook: Option<Box<Hook>>) -> Op {
        Op { handle, _hook: hook }
    }

    pub(crate) fn handle(&self) -> *const sys::ctconv_op {
        self.handle
    }

    /// A call that carries more than x and y.
    pub fn call<'a>(&'a self, x: &'a impl Input) -> Call<'a> {
        Call {
            op: self,
            x: x.record(),
            weight: None,
            bias: None,
            output_size: None,
            workspace: (null_mut(), 0),
            region: Region::default(),
            tensors: PhantomData,
        }
    }

    /// Gradients: see [`Backward`].
    pub fn backward<'a>(&'a self, dy: &'a impl Input) -> Backward<'a> {
        Backward::new(self, dy.record())
    }

    /// Computes y into the caller's memory.
    pub fn execute(&self, x: &impl Input, y: &mut impl Output) -> Result<()> {
        self.call(x).execute(y)
    }

    /// Computes y into a new tensor.
    pub fn run<X: Input>(&self, x: &X) -> Result<Tensor<X::Element>> {
        self.call(x).run()
    }

    /// The shape and element type of y.
    pub fn output_spec(&self, x: &impl Input) -> Result<Spec> {
        self.call(x).output_spec()
    }

    /// Facts about the op as a whole, as `key: value` lines.
    pub fn describe(&self) -> Result<String> {
        text_of(|to, cap, needed, e| {
            // SAFETY: a live op; no call.
            unsafe { sys::ctconv_describe(self.handle, null(), to, cap, needed, e) }
        })
    }
}

/// One execution: x, and what comes with it.
#[must_use]
pub struct Call<'a> {
    op: &'a Op,
    x: Record,
    weight: Option<Record>,
    bias: Option<Record>,
    output_size: Option<Value>,
    workspace: (*mut u8, usize),
    region: Region,
    tensors: PhantomData<&'a mut ()>,
}

impl<'a> Call<'a> {
    /// The weight of an op that was built without one.
    pub fn weight(mut self, weight: &'a impl Input) -> Self {
        self.weight = Some(weight.record());
        self
    }

    /// The bias that goes with it.
    pub fn bias(mut self, bias: &'a impl Input) -> Self {
        self.bias = Some(bias.record());
        self
    }

    /// The dialect's own call argument; `Status::TYPE_ARGUMENT_NAME` where it has none.
    pub fn output_size(mut self, size: impl Into<Value>) -> Self {
        self.output_size = Some(size.into());
        self
    }

    /// Memory of the caller's, at least [`Call::prepare`]'s bytes; without it the op keeps its own.
    pub fn workspace(mut self, memory: &'a mut [u8]) -> Self {
        self.workspace = (memory.as_mut_ptr(), memory.len());
        self
    }

    /// The box from `begin` to before `end` of the whole output, an entry for each spatial axis: y has its shape.
    pub fn region(mut self, begin: &[usize], end: &[usize]) -> Self {
        self.region.set(begin, end);
        self
    }

    /// x is a window that begins here of a whole x; [`Call::region_window`] says which window a region reads.
    pub fn window_at(mut self, x_begin: &[usize]) -> Self {
        self.region.set_window(x_begin);
        self
    }

    /// The shape of the whole x, where a size depends on its extents (SAME pads, an output size).
    pub fn whole_shape(mut self, x_shape: &[usize]) -> Self {
        self.region.set_whole(x_shape);
        self
    }

    /// The window of x that the region reads: its begin and end on each spatial axis. x may be any tensor of the whole
    /// x's shape; it is not read.
    pub fn region_window(&self) -> Result<(Vec<usize>, Vec<usize>)> {
        let mut window = [[0i64; sys::CTCONV_MAX_NDIM]; 2];
        let [begin, end] = &mut window;
        // SAFETY: as above; an entry for each spatial axis is written, and a tensor has at most 8 axes.
        self.with(None, |op, call| {
            checked(|e| unsafe { sys::ctconv_region_window(op, call, begin.as_mut_ptr(), end.as_mut_ptr(), e) })
        })?;
        let axes = self.region.axes();
        let of = |row: &[i64]| row[..axes].iter().map(|n| *n as usize).collect();
        Ok((of(&window[0]), of(&window[1])))
    }

    /// Computes y into the caller's memory.
    pub fn execute(&self, y: &mut impl Output) -> Result<()> {
        let y = y.record_mut();
        // SAFETY: the record and all it points at live through the call; y is the caller's to write.
        self.with(Some(&y), |op, call| checked(|e| unsafe { sys::ctconv_execute(op, call, e) }))
    }

    /// Computes y into a new tensor.
    pub fn run<T: crate::Element>(&self) -> Result<Tensor<T>> {
        let mut y = self.output_spec()?.zeros("y")?;
        self.execute(&mut y)?;
        Ok(y)
    }

    /// The shape and element type of y. No data is touched, no engine asked.
    pub fn output_spec(&self) -> Result<Spec> {
        let mut y = NO_SPEC;
        // SAFETY: as above.
        self.with(None, |op, call| checked(|e| unsafe { sys::ctconv_output_spec(op, call, &mut y, e) }))?;
        Spec::of(&y).ok_or_else(|| Error::new(Status::INTERNAL, "y", "no shape".into(), "a shape".into()))
    }

    /// Builds the plan ahead of time, for a dense y; answers the bytes of workspace that its executions need.
    pub fn prepare(&self) -> Result<usize> {
        let mut bytes = 0;
        // SAFETY: as above.
        self.with(None, |op, call| checked(|e| unsafe { sys::ctconv_prepare(op, call, &mut bytes, e) }))?;
        Ok(bytes)
    }

    /// What will run, as `key: value` lines: engine, form, why, bits, problem, flop, bytes, ...
    pub fn describe(&self) -> Result<String> {
        self.with(None, |op, call| {
            // SAFETY: as above.
            text_of(|to, cap, needed, e| unsafe { sys::ctconv_describe(op, call, to, cap, needed, e) })
        })
    }

    /// Hands the C record to `body`; it lives as long.
    fn with<R>(
        &self,
        y: Option<&Record>,
        body: impl FnOnce(*const sys::ctconv_op, *const sys::ctconv_call) -> Result<R>,
    ) -> Result<R> {
        let rows = self.region.rows(self.x.ndim)?;
        let (x, y) = (self.x.c(), y.map(Record::c));
        let (weight, bias) = (self.weight.as_ref().map(Record::c), self.bias.as_ref().map(Record::c));
        let mut store = Vec::new();
        let output_size = self.output_size.as_ref().map(|value| value.c(&mut store));
        let call = sys::ctconv_call {
            x: &x,
            y: pointer(&y),
            weight: pointer(&weight),
            bias: pointer(&bias),
            output_size: pointer(&output_size),
            workspace: self.workspace.0.cast(),
            workspace_bytes: self.workspace.1,
            begin: row(&rows.begin),
            end: row(&rows.end),
            x_begin: row(&rows.x_begin),
            x_shape: row(&rows.x_shape),
            ..sys::CTCONV_CALL_INIT
        };
        let out = body(self.op.handle, &call);
        go_on_panicking();
        out
    }
}

/// Null for None.
pub(crate) fn row(row: &Option<[i64; sys::CTCONV_MAX_NDIM]>) -> *const i64 {
    row.as_ref().map_or(null(), |r| r.as_ptr())
}

/// Null for None.
pub(crate) fn pointer<T>(record: &Option<T>) -> *const T {
    record.as_ref().map_or(null(), |r| r as *const T)
}

/// What `write` writes, asked for its size first.
pub(crate) fn text_of(write: impl Fn(*mut c_char, usize, *mut usize, *mut sys::ctconv_error) -> i32) -> Result<String> {
    let mut needed = 0;
    checked(|e| write(null_mut(), 0, &mut needed, e))?;
    loop {
        let mut text = vec![0u8; needed];
        checked(|e| write(text.as_mut_ptr().cast(), text.len(), &mut needed, e))?;
        if needed <= text.len() {
            text.truncate(needed.saturating_sub(1)); // the NUL
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
        // Another thread's call made it longer meanwhile.
    }
}
