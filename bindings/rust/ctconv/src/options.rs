// SPDX-License-Identifier: Apache-2.0
//! How an op runs.
//!
//! In:  a descriptor, a weight and a bias (or none: they come with every call), options
//! Out: `OpBuilder`, whose `build` answers the op. Nothing is judged before.
//! Left to ctconv-sys: devices other than the CPU, an allocator, borrowed weights.

use crate::desc::c_string;
use crate::error::{checked, Result, Status};
use crate::runner::{go_on_panicking, Hook};
use crate::view::sealed::Record;
use crate::{sys, Desc, Input, Op, Runner};
use std::marker::PhantomData;
use std::ptr::null;
use std::sync::Arc;

/// What is done to y after the bias.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// y.
    None,
    /// max(y, 0).
    Relu,
    /// y below 0 times this slope.
    LeakyRelu(f64),
    /// tanh(y).
    Tanh,
    /// 1 / (1 + exp(-y)).
    Sigmoid,
    /// From the first bound to the second.
    Clip(f64, f64),
}

/// Which bits are promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reproducible {
    /// Whatever is fastest at full precision.
    Any,
    /// The reference's bits: on every machine, for any number of threads.
    Reference,
    /// The reference's or stable ones: the same on every machine.
    Stable,
}

/// Makes an [`Op`]: [`Op::builder`].
#[must_use]
pub struct OpBuilder<'a> {
    desc: &'a Desc,
    weight: Option<Record>,
    bias: Option<Record>,
    engine: Option<String>,
    runner: Option<Arc<dyn Runner>>,
    options: sys::ctconv_options,
    tensors: PhantomData<&'a ()>,
}

impl<'a> OpBuilder<'a> {
    pub(crate) fn new(desc: &'a Desc) -> OpBuilder<'a> {
        OpBuilder {
            desc,
            weight: None,
            bias: None,
            engine: None,
            runner: None,
            options: sys::CTCONV_OPTIONS_INIT,
            tensors: PhantomData,
        }
    }

    /// The weight, in the dialect's shape, any strides; copied. Without one it comes with every call.
    pub fn weight(mut self, weight: &'a impl Input) -> Self {
        self.weight = Some(weight.record());
        self
    }

    /// The bias; copied. Without one here or with the call none is added.
    pub fn bias(mut self, bias: &'a impl Input) -> Self {
        self.bias = Some(bias.record());
        self
    }

    /// The bias as [`Desc::init_bias`] answers it.
    pub fn maybe_bias(self, bias: Option<&'a impl Input>) -> Self {
        match bias {
            Some(bias) => self.bias(bias),
            None => self,
        }
    }

    /// "auto" (default), or one of [`crate::engines`]: that engine or a refusal.
    pub fn engine(mut self, name: &str) -> Self {
        self.engine = Some(name.into());
        self
    }

    /// Threads, at most 4,096; 0 (default): all cores the process may use, or all workers of the runner.
    pub fn threads(mut self, threads: usize) -> Self {
        self.options.threads = i32::try_from(threads).unwrap_or(i32::MAX);
        self
    }

    /// The caller's threads in place of the library's pool.
    pub fn runner(mut self, runner: Arc<dyn Runner>) -> Self {
        self.runner = Some(runner);
        self
    }

    /// What is done to y after the bias.
    pub fn activation(mut self, activation: Activation) -> Self {
        let (number, alpha, beta) = match activation {
            Activation::None => (sys::CTCONV_ACTIVATION_NONE, 0.0, 0.0),
            Activation::Relu => (sys::CTCONV_ACTIVATION_RELU, 0.0, 0.0),
            Activation::LeakyRelu(slope) => (sys::CTCONV_ACTIVATION_LEAKY_RELU, slope, 0.0),
            Activation::Tanh => (sys::CTCONV_ACTIVATION_TANH, 0.0, 0.0),
            Activation::Sigmoid => (sys::CTCONV_ACTIVATION_SIGMOID, 0.0, 0.0),
            Activation::Clip(low, high) => (sys::CTCONV_ACTIVATION_CLIP, low, high),
        };
        self.options.activation = number;
        self.options.activation_alpha = alpha;
        self.options.activation_beta = beta;
        self
    }

    /// Which bits are promised.
    pub fn reproducible(mut self, bits: Reproducible) -> Self {
        self.options.reproducible = match bits {
            Reproducible::Any => 0,
            Reproducible::Reference => 1,
            Reproducible::Stable => 2,
        };
        self
    }

    /// Whether operands may be rounded below their own type, e.g. f32 to bf16.
    pub fn reduced_math(mut self, allowed: bool) -> Self {
        self.options.math = i32::from(allowed);
        self
    }

    /// Whether a new plan times the engines instead of estimating them, and remembers.
    pub fn measure(mut self, measure: bool) -> Self {
        self.options.tuning = if measure { sys::CTCONV_TUNING_MEASURE } else { sys::CTCONV_TUNING_NONE };
        self
    }

    /// Plans held, least recently used goes first; 0 (default): 32; at most 65,536.
    pub fn plan_limit(mut self, plans: usize) -> Self {
        self.options.plan_limit = i32::try_from(plans).unwrap_or(i32::MAX);
        self
    }

    /// No plan needs more bytes of workspace than this; 0 (default): no limit.
    pub fn workspace_limit(mut self, bytes: usize) -> Self {
        self.options.workspace_limit = bytes;
        self
    }

    /// Judges everything that needs no x, and packs the weight.
    pub fn build(self) -> Result<Op> {
        let mut options = self.options;
        let engine = self.engine.as_deref().map(|name| c_string("engine", name, Status::MISUSE_ENGINE));
        let engine = engine.transpose()?;
        options.engine = engine.as_ref().map_or(null(), |name| name.as_ptr());
        let hook = self.runner.map(Hook::new);
        let runner = hook.as_ref().map(|hook| hook.c());
        options.runner = runner.as_ref().map_or(null(), |r| r as *const _);
        let desc = self.desc.handle()?;
        let weight = self.weight.as_ref().map(Record::c);
        let bias = self.bias.as_ref().map(Record::c);
        let weight = weight.as_ref().map_or(null(), |t| t as *const _);
        let bias = bias.as_ref().map_or(null(), |t| t as *const _);
        let mut handle = std::ptr::null_mut();
        // SAFETY: all records live through the call, which copies them; the op keeps the hook that `user` points at.
        let done = checked(|e| unsafe { sys::ctconv_create(desc, weight, bias, &options, &mut handle, e) });
        let op = Op::of(handle, hook);
        go_on_panicking();
        done.map(|()| op)
    }
}
