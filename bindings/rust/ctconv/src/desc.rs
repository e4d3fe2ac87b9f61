// SPDX-License-Identifier: Apache-2.0
//! Descriptors: what is asked, in the words of one documented operator.
//!
//! In:  a dialect's name, arguments by that operator's own names
//! Out: the judgement of all arguments, the shapes of weight and bias, weights by the dialect's initialiser

use crate::error::{checked, Error, Result, Status};
use crate::{sys, Dtype, Element, Input, Output, Tensor, Value};
use std::ffi::CString;
use std::ptr::{null, null_mut};

/// What is asked: a dialect with its arguments.
///
/// ```
/// # fn main() -> ctconv::Result<()> {
/// let desc = ctconv::Desc::new("torch.nn.ConvTranspose2d")?
///     .set("in_channels", 3)
///     .set("out_channels", 8)
///     .set("kernel_size", [4, 4])
///     .set("stride", 2);
/// desc.validate()?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Desc {
    handle: *mut sys::ctconv_desc,
    fault: Option<Error>, // of a set that never reached the library
}

// SAFETY: the C object is changed through &mut alone, and reading it is allowed from any thread.
unsafe impl Send for Desc {}
unsafe impl Sync for Desc {}

impl Drop for Desc {
    fn drop(&mut self) {
        // SAFETY: ours, released once.
        unsafe { sys::ctconv_desc_destroy(self.handle) }
    }
}

/// A shape and an element type that the library answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Extents.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: Dtype,
}

impl Spec {
    /// None for a tensor that there is not.
    pub(crate) fn of(spec: &sys::ctconv_spec) -> Option<Spec> {
        let ndim = usize::try_from(spec.ndim).ok().filter(|n| *n > 0)?;
        let shape = spec.shape[..ndim].iter().map(|n| *n as usize).collect();
        let dtype = Dtype::of(spec.dtype_code, spec.dtype_bits)?;
        Some(Spec { shape, dtype })
    }

    /// A tensor of zeros; refuses another element type.
    pub(crate) fn zeros<T: Element>(&self, argument: &str) -> Result<Tensor<T>> {
        if self.dtype != T::DTYPE {
            let value = format!("a tensor of {}", T::DTYPE);
            return Err(Error::new(Status::MISUSE_Y_DTYPE, argument, value, self.dtype.to_string()));
        }
        Tensor::zeros(&self.shape)
    }
}

pub(crate) const NO_SPEC: sys::ctconv_spec =
    sys::ctconv_spec { ndim: 0, dtype_code: 0, dtype_bits: 0, dtype_lanes: 0, shape: [0; sys::CTCONV_MAX_NDIM] };

/// A name as C takes it; refuses one with a NUL inside.
pub(crate) fn c_string(what: &str, text: &str, status: Status) -> Result<CString> {
    CString::new(text).map_err(|_| Error::new(status, what, format!("{text:?}"), "a text without NUL".into()))
}

impl Desc {
    /// A new, empty descriptor of a dialect: [`crate::dialects`] lists them. `Status::MISUSE_DIALECT` where the name is
    /// unknown; the message lists the nearest names.
    pub fn new(dialect: &str) -> Result<Desc> {
        let name = c_string("dialect", dialect, Status::MISUSE_DIALECT)?;
        let mut handle = null_mut();
        // SAFETY: a NUL-ended string and two places to write to.
        checked(|e| unsafe { sys::ctconv_desc_create(name.as_ptr(), &mut handle, e) })?;
        Ok(Desc { handle, fault: None })
    }

    /// Sets one argument by the dialect's own name. Judges nothing: [`Desc::validate`] and what makes use of the
    /// descriptor judge all arguments, in the documented order, and answer a failed set too.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Desc {
        self.change(name, value);
        self
    }

    /// As [`Desc::set`], in place.
    pub fn change(&mut self, name: &str, value: impl Into<Value>) -> &mut Desc {
        let value = value.into();
        let mut store = Vec::new();
        let record = value.c(&mut store);
        // SAFETY: the record and all it points at live through the call, which copies them.
        self.put(name, |desc, name| unsafe { sys::ctconv_desc_set(desc, name, &record) })
    }

    /// Sets an argument that is a tensor, e.g. `weight_init`; it is copied.
    #[must_use]
    pub fn set_tensor(mut self, name: &str, value: &impl Input) -> Desc {
        let record = value.record();
        let tensor = record.c();
        // SAFETY: as above.
        self.put(name, |desc, name| unsafe { sys::ctconv_desc_set_tensor(desc, name, &tensor) });
        self
    }

    fn put(
        &mut self,
        name: &str,
        set: impl FnOnce(*mut sys::ctconv_desc, *const std::os::raw::c_char) -> i32,
    ) -> &mut Desc {
        match c_string("name", name, Status::TYPE_ARGUMENT_NAME) {
            Ok(text) => {
                set(self.handle, text.as_ptr()); // a failed set is remembered by the library
            }
            Err(fault) => self.fault = self.fault.take().or(Some(fault)),
        }
        self
    }

    /// The C object, unless a set failed before it reached it.
    pub(crate) fn handle(&self) -> Result<*const sys::ctconv_desc> {
        self.fault.clone().map_or(Ok(self.handle as *const _), Err)
    }

    /// Judges every argument that needs no tensor, in the dialect's documented order; the first fault is returned.
    pub fn validate(&self) -> Result<()> {
        let desc = self.handle()?;
        // SAFETY: a live descriptor.
        checked(|e| unsafe { sys::ctconv_desc_validate(desc, e) })
    }

    /// The shapes of weight and bias to allocate; no bias where the arguments say there is none.
    /// `Status::UNSUPPORTED_WEIGHT_SPEC` where they do not follow from the arguments (onnx, paddle.nn.functional).
    pub fn weight_spec(&self) -> Result<(Spec, Option<Spec>)> {
        self.spec(null())
    }

    /// The same where they depend on x: paddle.static.nn with output_size, keras.
    pub fn weight_spec_for(&self, x: &impl Input) -> Result<(Spec, Option<Spec>)> {
        let record = x.record();
        self.spec(&record.c())
    }

    fn spec(&self, x: *const sys::ctconv_tensor) -> Result<(Spec, Option<Spec>)> {
        let desc = self.handle()?;
        let (mut weight, mut bias) = (NO_SPEC, NO_SPEC);
        // SAFETY: a live descriptor, x null or a record that lives through the call, places to write to.
        checked(|e| unsafe { sys::ctconv_desc_weight_spec(desc, x, &mut weight, &mut bias, e) })?;
        let none = Error::new(Status::INTERNAL, "weight", "no shape".into(), "a shape".into());
        Ok((Spec::of(&weight).ok_or(none)?, Spec::of(&bias)))
    }

    /// A new weight by the dialect's initialiser. The same seed gives the same bits on every machine.
    pub fn init_weight<T: Element>(&self, seed: u64) -> Result<Tensor<T>> {
        let (weight, _) = self.weight_spec()?;
        let mut out = Tensor::zeros(&weight.shape)?;
        self.init_weight_into(seed, &mut out)?;
        Ok(out)
    }

    /// A new bias by the dialect's initialiser; None where the arguments say there is none.
    pub fn init_bias<T: Element>(&self, seed: u64) -> Result<Option<Tensor<T>>> {
        let bias = match self.weight_spec()?.1 {
            Some(bias) => bias,
            None => return Ok(None),
        };
        let mut out = Tensor::zeros(&bias.shape)?;
        self.init_bias_into(seed, &mut out)?;
        Ok(Some(out))
    }

    /// Fills the caller's tensor, of the weight's shape, by the dialect's initialiser.
    pub fn init_weight_into(&self, seed: u64, out: &mut impl Output) -> Result<()> {
        let (desc, record) = (self.handle()?, out.record_mut());
        // SAFETY: a live descriptor; the record's memory is the caller's to write.
        checked(|e| unsafe { sys::ctconv_init_weight(desc, seed, &record.c(), e) })
    }

    /// Fills the caller's tensor, of the bias's shape, by the dialect's initialiser.
    pub fn init_bias_into(&self, seed: u64, out: &mut impl Output) -> Result<()> {
        let (desc, record) = (self.handle()?, out.record_mut());
        // SAFETY: as above.
        checked(|e| unsafe { sys::ctconv_init_bias(desc, seed, &record.c(), e) })
    }
}
