// SPDX-License-Identifier: Apache-2.0
//! Tensors: borrowed views of slices, dense or strided, and one that owns its memory.
//!
//! In:  a slice, a shape, and for a strided view the place of its first element and a stride per axis (elements, any
//!      sign)
//! Out: `View` (read), `ViewMut` (written), `Tensor` (owned, dense); all are `Input`, the last two `Output`
//! Refuses: more than 8 axes, sizes beyond 63 bits, a dense view whose slice is shorter or longer than its shape, a
//!      strided one that reaches an element outside of its slice, a written one with a stride of 0. Whether any other
//!      written view meets itself is judged by the library (`Status::MISUSE_Y_OVERLAP`).

use crate::error::{Error, Result, Status};
use crate::{sys, Dtype, Element};
use std::alloc::{alloc_zeroed, Layout};
use std::marker::PhantomData;
use std::os::raw::c_void;

const MAX_NDIM: usize = sys::CTCONV_MAX_NDIM;

pub(crate) mod sealed {
    use super::*;

    /// A tensor without its lifetime and element type.
    #[derive(Clone, Copy, Debug)]
    pub struct Record {
        pub data: *mut c_void,
        pub dtype: Dtype,
        pub ndim: usize,
        pub shape: [i64; MAX_NDIM],
        pub strides: [i64; MAX_NDIM],
    }

    impl Record {
        /// The C record. It points into `self`.
        pub fn c(&self) -> sys::ctconv_tensor {
            let (dtype_code, dtype_bits) = self.dtype.code_and_bits();
            sys::ctconv_tensor {
                data: self.data,
                device_type: sys::CTCONV_DEVICE_CPU,
                device_id: 0,
                ndim: self.ndim as i32,
                dtype_code,
                dtype_bits,
                dtype_lanes: 1,
                shape: self.shape.as_ptr(),
                strides: self.strides.as_ptr(),
                byte_offset: 0,
            }
        }
    }

    pub trait Readable {
        fn record(&self) -> Record;
    }
    pub trait Writable: Readable {
        fn record_mut(&mut self) -> Record;
    }
}
use sealed::{Readable, Record, Writable};

/// What a call reads: [`View`], [`ViewMut`], [`Tensor`].
pub trait Input: Readable {
    /// The type of its elements.
    type Element: Element;
}

/// What a call writes: [`ViewMut`], [`Tensor`].
pub trait Output: Input + Writable {}

/// A borrowed tensor that is only read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    record: Record,
    slice: PhantomData<&'a [T]>,
}

/// A borrowed tensor that is written.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    record: Record,
    slice: PhantomData<&'a mut [T]>,
}

/// A dense row-major tensor that owns its elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<T> {
    data: Vec<T>,
    shape: Vec<usize>,
}

// SAFETY: the record's pointer stands for the slice that the marker names; it is used as that slice would be.
unsafe impl<T: Sync> Send for View<'_, T> {}
unsafe impl<T: Sync> Sync for View<'_, T> {}
unsafe impl<T: Send> Send for ViewMut<'_, T> {}
unsafe impl<T: Sync> Sync for ViewMut<'_, T> {}

fn malformed(argument: &str, value: String, range: &str) -> Error {
    Error::new(Status::MISUSE_TENSOR, argument, value, range.into())
}

/// Elements of a shape; refuses more axes than the library takes, and a product beyond 63 bits.
fn count_of(shape: &[usize]) -> Result<usize> {
    if shape.len() > MAX_NDIM {
        return Err(malformed("shape", format!("{} axes", shape.len()), "0 to 8 axes"));
    }
    let mut nonzero = shape.iter().filter(|n| **n > 0);
    let product = nonzero.try_fold(1i64, |all, n| i64::try_from(*n).ok().and_then(|n| all.checked_mul(n)));
    let product = product.ok_or_else(|| malformed("shape", format!("{shape:?}"), "at most 2^63 - 1 elements"))?;
    Ok(if shape.contains(&0) { 0 } else { product as usize })
}

fn dense_strides(shape: &[usize]) -> [i64; MAX_NDIM] {
    let mut strides = [0; MAX_NDIM];
    let mut step = 1;
    for (stride, extent) in strides[..shape.len()].iter_mut().zip(shape).rev() {
        *stride = step;
        step *= (*extent).max(1) as i64; // count_of has checked the product
    }
    strides
}

/// The lowest and the highest place that a view reaches, from its first element; None: it reaches none.
fn reach(shape: &[usize], strides: &[isize]) -> Option<(i128, i128)> {
    let (mut low, mut high) = (0, 0);
    for (extent, stride) in shape.iter().zip(strides) {
        if *extent == 0 {
            return None;
        }
        let end = (*extent as i128 - 1) * *stride as i128;
        low += end.min(0);
        high += end.max(0);
    }
    Some((low, high))
}

fn dense<T: Element>(data: *mut T, length: usize, shape: &[usize]) -> Result<Record> {
    let count = count_of(shape)?;
    if length != count {
        let value = format!("a slice of {length} elements");
        return Err(malformed("data", value, &format!("{count} elements, as shape {shape:?} has")));
    }
    Ok(record_of(data, shape, dense_strides(shape)))
}

fn strided<T: Element>(
    data: *mut T,
    length: usize,
    first: usize,
    shape: &[usize],
    strides: &[isize],
) -> Result<Record> {
    count_of(shape)?;
    if strides.len() != shape.len() {
        let value = format!("{} of them", strides.len());
        return Err(malformed("strides", value, &format!("one for each of the {} axes", shape.len())));
    }
    let mut place = data;
    if let Some((low, high)) = reach(shape, strides) {
        let (low, high) = (low + first as i128, high + first as i128);
        if low < 0 || high >= length as i128 {
            let value = format!("a view from element {low} to element {high}");
            return Err(malformed("strides", value, &format!("a view inside the slice of {length} elements")));
        }
        // SAFETY: `first` lies between low and high, so inside the slice.
        place = unsafe { data.add(first) };
    }
    let mut kept = [0; MAX_NDIM];
    for (k, stride) in kept.iter_mut().zip(strides) {
        *k = *stride as i64;
    }
    Ok(record_of(place, shape, kept))
}

fn record_of<T: Element>(data: *mut T, shape: &[usize], strides: [i64; MAX_NDIM]) -> Record {
    let mut kept = [0; MAX_NDIM];
    for (k, extent) in kept.iter_mut().zip(shape) {
        *k = *extent as i64;
    }
    Record { data: data.cast(), dtype: T::DTYPE, ndim: shape.len(), shape: kept, strides }
}

fn shape_of(record: &Record) -> Vec<usize> {
    record.shape[..record.ndim].iter().map(|n| *n as usize).collect()
}

impl<'a, T: Element> View<'a, T> {
    /// Dense row-major; the slice has just the elements of the shape.
    pub fn new(data: &'a [T], shape: &[usize]) -> Result<Self> {
        let record = dense(data.as_ptr() as *mut T, data.len(), shape)?;
        Ok(View { record, slice: PhantomData })
    }

    /// Any strided part of a slice: `first` is the place of element (0, 0, ...), strides count elements.
    ///
    /// ```
    /// # fn main() -> ctconv::Result<()> {
    /// // Channels-last data seen as (1, channels, height, width).
    /// let data = [0.0f32; 4 * 5 * 3];
    /// let x = ctconv::View::strided(&data, 0, &[1, 3, 4, 5], &[60, 1, 15, 3])?;
    /// # assert_eq!(x.shape(), [1, 3, 4, 5]);
    /// # Ok(()) }
    /// ```
    pub fn strided(data: &'a [T], first: usize, shape: &[usize], strides: &[isize]) -> Result<Self> {
        let record = strided(data.as_ptr() as *mut T, data.len(), first, shape, strides)?;
        Ok(View { record, slice: PhantomData })
    }

    /// Its extents.
    pub fn shape(&self) -> Vec<usize> {
        shape_of(&self.record)
    }
}

impl<'a, T: Element> ViewMut<'a, T> {
    /// Dense row-major; the slice has just the elements of the shape.
    pub fn new(data: &'a mut [T], shape: &[usize]) -> Result<Self> {
        let record = dense(data.as_mut_ptr(), data.len(), shape)?;
        Ok(ViewMut { record, slice: PhantomData })
    }

    /// Any strided part of a slice that does not meet itself, e.g. some channels of a larger tensor.
    pub fn strided(data: &'a mut [T], first: usize, shape: &[usize], strides: &[isize]) -> Result<Self> {
        let record = strided(data.as_mut_ptr(), data.len(), first, shape, strides)?;
        let repeats = shape.iter().zip(strides).any(|(extent, stride)| *extent > 1 && *stride == 0);
        if repeats && !shape.contains(&0) {
            let value = format!("{strides:?}");
            let range = "no 0 on an axis of 2 or more: what is written may not meet itself";
            return Err(Error::new(Status::MISUSE_Y_OVERLAP, "strides", value, range.into()));
        }
        Ok(ViewMut { record, slice: PhantomData })
    }

    /// Its extents.
    pub fn shape(&self) -> Vec<usize> {
        shape_of(&self.record)
    }
}

impl<T: Element> Tensor<T> {
    /// Takes over a vector that has just the elements of the shape.
    pub fn new(data: Vec<T>, shape: &[usize]) -> Result<Self> {
        dense(data.as_ptr() as *mut T, data.len(), shape)?;
        Ok(Tensor { data, shape: shape.to_vec() })
    }

    /// All elements 0. Status::NO_MEMORY where there is none.
    pub fn zeros(shape: &[usize]) -> Result<Self> {
        let count = count_of(shape)?;
        let layout = Layout::array::<T>(count);
        let layout = layout.map_err(|_| malformed("shape", format!("{shape:?}"), "at most 2^63 - 1 bytes"))?;
        if count == 0 {
            return Ok(Tensor { data: Vec::new(), shape: shape.to_vec() });
        }
        // SAFETY: the layout is not empty. Zero bits are a number in every Element. The vector gives the memory back to
        // the allocator it is from, with this layout. vec![] would do the same but abort where there is no memory.
        let data = unsafe {
            let memory = alloc_zeroed(layout).cast::<T>();
            if memory.is_null() {
                let value = format!("{} bytes", layout.size());
                return Err(Error::new(Status::NO_MEMORY, "shape", value, "what this machine has".into()));
            }
            Vec::from_raw_parts(memory, count, count)
        };
        Ok(Tensor { data, shape: shape.to_vec() })
    }

    /// Its extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    /// Its elements, row-major.
    pub fn data(&self) -> &[T] {
        &self.data
    }
    /// Its elements, row-major.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }
    /// Its elements as a vector.
    pub fn into_data(self) -> Vec<T> {
        self.data
    }
    /// A view of all of it.
    pub fn view(&self) -> View<'_, T> {
        View { record: self.record(), slice: PhantomData }
    }
    /// A written view of all of it.
    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        ViewMut { record: self.record_mut(), slice: PhantomData }
    }
}

impl<T: Element> Readable for View<'_, T> {
    fn record(&self) -> Record {
        self.record
    }
}
impl<T: Element> Input for View<'_, T> {
    type Element = T;
}

impl<T: Element> Readable for ViewMut<'_, T> {
    fn record(&self) -> Record {
        self.record
    }
}
impl<T: Element> Writable for ViewMut<'_, T> {
    fn record_mut(&mut self) -> Record {
        self.record
    }
}
impl<T: Element> Input for ViewMut<'_, T> {
    type Element = T;
}
impl<T: Element> Output for ViewMut<'_, T> {}

impl<T: Element> Readable for Tensor<T> {
    fn record(&self) -> Record {
        record_of(self.data.as_ptr() as *mut T, &self.shape, dense_strides(&self.shape))
    }
}
impl<T: Element> Writable for Tensor<T> {
    fn record_mut(&mut self) -> Record {
        record_of(self.data.as_mut_ptr(), &self.shape, dense_strides(&self.shape))
    }
}
impl<T: Element> Input for Tensor<T> {
    type Element = T;
}
impl<T: Element> Output for Tensor<T> {}
