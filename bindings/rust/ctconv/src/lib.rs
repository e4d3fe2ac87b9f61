// SPDX-License-Identifier: Apache-2.0
//! Transposed convolution in 1, 2 and 3 dimensions, in the words of six frameworks: libctconv for Rust, safe.
//!
//! ```
//! use ctconv::{Desc, Op, Tensor};
//!
//! fn main() -> ctconv::Result<()> {
//!     let desc = Desc::new("torch.nn.ConvTranspose2d")?
//!         .set("in_channels", 3)
//!         .set("out_channels", 8)
//!         .set("kernel_size", 4)
//!         .set("stride", 2);
//!     let weight = desc.init_weight::<f32>(1)?;
//!     let bias = desc.init_bias::<f32>(2)?;
//!     let op = Op::builder(&desc).weight(&weight).maybe_bias(bias.as_ref()).build()?;
//!     let y = op.run(&Tensor::new(vec![1.0f32; 3 * 16 * 16], &[1, 3, 16, 16])?)?;
//!     assert_eq!(y.shape(), [1, 8, 34, 34]);
//!
//!     let refused = desc.set("stride", 0).validate().unwrap_err();
//!     assert_eq!(refused.status, ctconv::Status::VALUE_STRIDE);
//!     assert_eq!((refused.argument.as_str(), refused.value.as_str()), ("stride", "0"));
//!     Ok(())
//! }
//! ```
//!
//! [`Desc`] says what is asked, [`Op`] runs it; an op is `Sync`: any number of threads may run it at once. Tensors are
//! [`View`], [`ViewMut`] (borrowed, dense or strided) and [`Tensor`] (owned). Every failure is an [`Error`] with
//! status, argument, value and legal range. What this crate leaves out (CUDA tensors, an allocator) is in [`sys`].
#![warn(missing_docs)]
#![warn(unsafe_op_in_unsafe_fn)]

pub use ctconv_sys as sys;

mod backward;
mod desc;
mod element;
mod error;
mod info;
mod op;
mod options;
mod region;
mod runner;
#[rustfmt::skip]
mod status;
mod stream;
mod value;
mod view;

pub use backward::Backward;
pub use desc::{Desc, Spec};
pub use element::{Bf16, Dtype, Element, F16};
pub use error::{Error, Kind, Result, Status};
pub use info::{arguments, build_info, dialects, engines, version, Argument};
pub use op::{Call, Op};
pub use options::{Activation, OpBuilder, Reproducible};
pub use runner::Runner;
pub use stream::{Stream, StreamOptions};
pub use value::Value;
pub use view::{Input, Output, Tensor, View, ViewMut};
