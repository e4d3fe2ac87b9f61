// SPDX-License-Identifier: Apache-2.0
//! Element types.
//!
//! In:  f32, f64, and the 16-bit types as newtypes of their bits: `F16` (IEEE binary16), `Bf16` (bfloat16)
//! Out: `Dtype`, what the library calls them; conversions to and from f32, rounded to the nearest, ties to even

use crate::sys;

/// An element type of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE binary16: [`F16`].
    Float16,
    /// bfloat16: [`Bf16`].
    Bfloat16,
    /// `f32`.
    Float32,
    /// `f64`.
    Float64,
}

impl Dtype {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        usize::from(self.code_and_bits().1) / 8
    }

    pub(crate) fn code_and_bits(self) -> (u8, u8) {
        match self {
            Dtype::Float16 => (sys::CTCONV_DTYPE_FLOAT, 16),
            Dtype::Bfloat16 => (sys::CTCONV_DTYPE_BFLOAT, 16),
            Dtype::Float32 => (sys::CTCONV_DTYPE_FLOAT, 32),
            Dtype::Float64 => (sys::CTCONV_DTYPE_FLOAT, 64),
        }
    }

    /// None for a type that the library computes nothing in.
    pub(crate) fn of(code: u8, bits: u8) -> Option<Dtype> {
        let all = [Dtype::Float16, Dtype::Bfloat16, Dtype::Float32, Dtype::Float64];
        all.into_iter().find(|d| d.code_and_bits() == (code, bits))
    }
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Dtype::Float16 => "float16",
            Dtype::Bfloat16 => "bfloat16",
            Dtype::Float32 => "float32",
            Dtype::Float64 => "float64",
        })
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for super::F16 {}
    impl Sealed for super::Bf16 {}
}

/// A type that tensors hold: `f32`, `f64`, [`F16`], [`Bf16`].
pub trait Element: sealed::Sealed + Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// What the library calls it.
    const DTYPE: Dtype;
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::Float32;
}
impl Element for f64 {
    const DTYPE: Dtype = Dtype::Float64;
}
impl Element for F16 {
    const DTYPE: Dtype = Dtype::Float16;
}
impl Element for Bf16 {
    const DTYPE: Dtype = Dtype::Bfloat16;
}

/// The bits of an IEEE binary16 number. Equality compares bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct F16(pub u16);

/// The bits of a bfloat16 number. Equality compares bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Bf16(pub u16);

impl Bf16 {
    /// The nearest bfloat16, ties to even; NaN stays NaN.
    pub fn from_f32(value: f32) -> Bf16 {
        let bits = value.to_bits();
        if value.is_nan() {
            return Bf16((bits >> 16) as u16 | 0x40);
        }
        Bf16((bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16)
    }

    /// Exact.
    pub fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
}

impl F16 {
    /// The nearest binary16, ties to even; beyond 65504 infinity; NaN stays NaN.
    pub fn from_f32(value: f32) -> F16 {
        let sign = (value.to_bits() >> 16 & 0x8000) as u16;
        let bits = value.to_bits() & 0x7fff_ffff;
        if value.is_nan() {
            return F16(sign | 0x7e00);
        }
        if bits < 0x3880_0000 {
            // Below 2^-14: a multiple of 2^-24. Adding 0.5 leaves just these places, rounded as floats round.
            let rounded = (f32::from_bits(bits) + 0.5).to_bits() - 0.5f32.to_bits();
            return F16(sign | rounded as u16);
        }
        let rounded = (bits + 0xfff + (bits >> 13 & 1)) >> 13;
        let infinity = 0x7c00;
        F16(sign | rounded.saturating_sub(112 << 10).min(infinity) as u16)
    }

    /// Exact.
    pub fn to_f32(self) -> f32 {
        let magnitude = u32::from(self.0 & 0x7fff);
        let value = match magnitude {
            0..=0x3ff => magnitude as f32 * (1.0 / 16_777_216.0),
            0x7c00.. => f32::from_bits(0x7f80_0000 | magnitude << 13),
            _ => f32::from_bits((magnitude << 13) + (112 << 23)),
        };
        if self.0 & 0x8000 != 0 {
            -value
        } else {
            value
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives() {
        for bits in 0..=u16::MAX {
            let (half, brain) = (F16(bits), Bf16(bits));
            if half.to_f32().is_nan() {
                assert!(F16::from_f32(half.to_f32()).to_f32().is_nan());
            } else {
                assert_eq!(F16::from_f32(half.to_f32()), half);
            }
            if brain.to_f32().is_nan() {
                assert!(Bf16::from_f32(brain.to_f32()).to_f32().is_nan());
            } else {
                assert_eq!(Bf16::from_f32(brain.to_f32()), brain);
            }
        }
    }

    #[test]
    fn known_numbers() {
        let halves = [(1.0, 0x3c00), (-2.0, 0xc000), (65504.0, 0x7bff), (f32::INFINITY, 0x7c00), (-0.0, 0x8000)];
        for (value, bits) in halves {
            assert_eq!(F16::from_f32(value), F16(bits), "{value}");
            assert_eq!(F16(bits).to_f32().to_bits(), value.to_bits(), "{value}");
        }
        assert_eq!(F16::from_f32(65519.9), F16(0x7bff));
        assert_eq!(F16::from_f32(65520.0), F16(0x7c00));
        assert_eq!(F16::from_f32(1e30), F16(0x7c00));
        assert_eq!(F16::from_f32(1.0 / 16_777_216.0), F16(1));
        assert_eq!(F16::from_f32(1e-9), F16(0));
        assert_eq!(Bf16::from_f32(1.0), Bf16(0x3f80));
        assert_eq!(Bf16::from_f32(f32::MAX), Bf16(0x7f80));
    }

    #[test]
    fn halfway_goes_to_even() {
        for bits in (0..0x7bffu16).chain(0x8000..0xfbff) {
            let (low, high) = (F16(bits), F16(bits + 1));
            let even = if bits & 1 == 0 { low } else { high };
            assert_eq!(F16::from_f32((low.to_f32() + high.to_f32()) / 2.0), even, "{bits:#x}");
        }
        for bits in (0..0x7f7fu16).chain(0x8000..0xff7f) {
            let (low, high) = (Bf16(bits), Bf16(bits + 1));
            let even = if bits & 1 == 0 { low } else { high };
            let middle = f32::from_bits((u32::from(bits) << 16) + 0x8000);
            assert_eq!(Bf16::from_f32(middle), even, "{bits:#x}");
        }
    }
}
