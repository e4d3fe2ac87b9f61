// SPDX-License-Identifier: Apache-2.0
//! One argument as a caller's language gives it: None, bool, int, float, string, tuple or list, each its own type.
//!
//! In:  Rust values, by `From`: numbers, strings, arrays and vectors (tuples), `Option` (`None`)
//! Out: the C record, which borrows from the value and from a store of nested items

use crate::sys;

/// One argument. A bool is not an int and a list is not a tuple: documented TypeErrors depend on it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Python's None.
    None,
    /// A bool.
    Bool(bool),
    /// An int; what is beyond 64 bits is passed saturated.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Str(String),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A list.
    List(Vec<Value>),
}

impl Value {
    /// A list of these items; arrays and vectors become tuples.
    pub fn list<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Value {
        Value::List(items.into_iter().map(Into::into).collect())
    }

    /// The C record; valid while `self` and `store` live.
    pub(crate) fn c(&self, store: &mut Vec<Box<[sys::ctconv_value]>>) -> sys::ctconv_value {
        let mut out = sys::ctconv_value {
            tag: sys::CTCONV_VALUE_NONE,
            reserved: 0,
            i: 0,
            f: 0.0,
            text: std::ptr::null(),
            items: std::ptr::null(),
            tensor: std::ptr::null(),
        };
        match self {
            Value::None => {}
            Value::Bool(b) => {
                out.tag = sys::CTCONV_VALUE_BOOL;
                out.i = i64::from(*b);
            }
            Value::Int(i) => {
                out.tag = sys::CTCONV_VALUE_INT;
                out.i = *i;
            }
            Value::Float(f) => {
                out.tag = sys::CTCONV_VALUE_FLOAT;
                out.f = *f;
            }
            Value::Str(text) => {
                out.tag = sys::CTCONV_VALUE_STRING;
                out.i = text.len() as i64;
                out.text = text.as_ptr().cast();
            }
            Value::Tuple(items) | Value::List(items) => {
                let tuple = matches!(self, Value::Tuple(_));
                out.tag = if tuple { sys::CTCONV_VALUE_TUPLE } else { sys::CTCONV_VALUE_LIST };
                let records: Vec<_> = items.iter().map(|item| item.c(store)).collect();
                out.i = records.len() as i64;
                store.push(records.into_boxed_slice());
                out.items = store[store.len() - 1].as_ptr();
            }
        }
        out
    }
}

macro_rules! from_int {
    ($($int:ty)*) => {$(
        impl From<$int> for Value {
            fn from(value: $int) -> Value {
                // Saturated where it does not fit.
                Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
            }
        }
    )*};
}
from_int!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}
impl From<f32> for Value {
    fn from(value: f32) -> Value {
        Value::Float(f64::from(value))
    }
}
impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Float(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Str(value.into())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Str(value)
    }
}
impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Value {
        Value::Tuple(items.into_iter().map(Into::into).collect())
    }
}
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        Value::Tuple(items.into_iter().map(Into::into).collect())
    }
}
impl<T: Into<Value> + Clone> From<&[T]> for Value {
    fn from(items: &[T]) -> Value {
        Value::Tuple(items.iter().cloned().map(Into::into).collect())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::None, Into::into)
    }
}
