// SPDX-License-Identifier: Apache-2.0
//! Streams: a 1-D op over signals that never end.
//!
//! In:  inputs in any portions, (n, in_channels, length) or in the dialect's own order
//! Out: the outputs that are known by them; all together they are y of one whole call, to the bit

use crate::error::{checked, Result};
use crate::op::text_of;
use crate::runner::go_on_panicking;
use crate::{sys, Input, Op, Output};
use std::marker::PhantomData;
use std::ptr::{null, null_mut};

/// A 1-D op over `n` signals that never end.
///
/// ```
/// # fn main() -> ctconv::Result<()> {
/// use ctconv::{Desc, Op, Tensor, View};
/// let desc = Desc::new("torch.nn.ConvTranspose1d")?
///     .set("in_channels", 1)
///     .set("out_channels", 1)
///     .set("kernel_size", 3);
/// let op = Op::builder(&desc).weight(&Tensor::new(vec![1.0f32, 10.0, 100.0], &[1, 1, 3])?).build()?;
/// let mut stream = op.stream(1)?;
/// let mut heard = Vec::new();
/// for x in [[1.0f32, 2.0], [3.0, 4.0]] {
///     let x = View::new(&x, &[1, 1, 2])?;
///     let mut y = Tensor::<f32>::zeros(&[1, 1, stream.coming(&x)?])?;
///     stream.push(&x, &mut y)?;
///     heard.extend_from_slice(y.data());
/// }
/// let mut rest = Tensor::<f32>::zeros(&[1, 1, stream.left()?])?;
/// stream.flush(&mut rest)?;
/// heard.extend_from_slice(rest.data());
/// assert_eq!(heard, [1.0, 12.0, 123.0, 234.0, 340.0, 400.0]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Stream<'op> {
    handle: *mut sys::ctconv_stream,
    op: PhantomData<&'op Op>, // outlives its streams
}

// SAFETY: the C object belongs to one thread at a time; what changes it takes &mut. Asking alone is not for several
// threads at once, so it is not Sync.
unsafe impl Send for Stream<'_> {}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, released once.
        unsafe { sys::ctconv_stream_destroy(self.handle) }
    }
}

/// How a stream runs: [`Op::stream_with`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// The most inputs computed at once; 0: chosen; at most 65,536.
    pub chunk: usize,
    /// Whether the op's own threads compute; otherwise the calling thread does alone, in bounded time.
    pub parallel: bool,
}

impl Op {
    /// A stream of `n` signals with every default.
    pub fn stream(&self, n: usize) -> Result<Stream<'_>> {
        self.stream_with(n, StreamOptions::default())
    }

    /// A stream of `n` signals. `Status::UNSUPPORTED_STREAM` for an op of more than one spatial axis.
    pub fn stream_with(&self, n: usize, options: StreamOptions) -> Result<Stream<'_>> {
        let options = sys::ctconv_stream_options {
            chunk: i64::try_from(options.chunk).unwrap_or(i64::MAX),
            parallel: i32::from(options.parallel),
            ..sys::CTCONV_STREAM_OPTIONS_INIT
        };
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        let mut handle = null_mut();
        // SAFETY: a live op, which the result borrows; a record that is read here alone.
        let done = checked(|e| unsafe { sys::ctconv_stream_create(self.handle(), n, &options, &mut handle, e) });
        go_on_panicking();
        done.map(|()| Stream { handle, op: PhantomData })
    }
}

impl<'op> Stream<'op> {
    /// Outputs that x makes known; nothing is appended.
    pub fn coming(&self, x: &impl Input) -> Result<usize> {
        self.pushed(x, null())
    }

    /// Appends x and writes the outputs that are known by it to the first positions of y; answers how many they are.
    /// y has n and out_channels and at least so many positions.
    pub fn push(&mut self, x: &impl Input, y: &mut impl Output) -> Result<usize> {
        let y = y.record_mut();
        self.pushed(x, &y.c())
    }

    /// Outputs that a flush would write.
    pub fn left(&self) -> Result<usize> {
        self.flushed(null())
    }

    /// Writes what is left of y; the stream is then as new.
    pub fn flush(&mut self, y: &mut impl Output) -> Result<usize> {
        let y = y.record_mut();
        self.flushed(&y.c())
    }

    /// Forgets every input.
    pub fn reset(&mut self) -> Result<()> {
        // SAFETY: a live stream.
        checked(|e| unsafe { sys::ctconv_stream_reset(self.handle, e) })
    }

    /// A second stream that goes on from here; `Status::NO_MEMORY` where there is none.
    pub fn try_clone(&self) -> Result<Stream<'op>> {
        let mut handle = null_mut();
        // SAFETY: a live stream.
        checked(|e| unsafe { sys::ctconv_stream_clone(self.handle, &mut handle, e) })?;
        Ok(Stream { handle, op: PhantomData })
    }

    /// By how many outputs y lags behind inputs times stride; below 0 where outputs come before the first input's own.
    pub fn delay(&self) -> Result<i64> {
        let mut outputs = 0;
        // SAFETY: a live stream.
        checked(|e| unsafe { sys::ctconv_stream_delay(self.handle, &mut outputs, e) })?;
        Ok(outputs)
    }

    /// What it holds, as `key: value` lines: inputs and outputs so far, delay, history, chunk, warm_up, bytes.
    pub fn describe(&self) -> Result<String> {
        // SAFETY: a live stream.
        text_of(|to, cap, needed, e| unsafe { sys::ctconv_stream_describe(self.handle, to, cap, needed, e) })
    }

    fn pushed(&self, x: &impl Input, y: *const sys::ctconv_tensor) -> Result<usize> {
        let x = x.record();
        let mut written = 0;
        // SAFETY: a live stream; x and y live through the call, y (null: only asked) is the caller's to write.
        let done = checked(|e| unsafe { sys::ctconv_stream_push(self.handle, &x.c(), y, &mut written, e) });
        go_on_panicking();
        done.map(|()| written as usize)
    }

    fn flushed(&self, y: *const sys::ctconv_tensor) -> Result<usize> {
        let mut written = 0;
        // SAFETY: as above.
        let done = checked(|e| unsafe { sys::ctconv_stream_flush(self.handle, y, &mut written, e) });
        go_on_panicking();
        done.map(|()| written as usize)
    }
}
