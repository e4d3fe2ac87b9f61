// SPDX-License-Identifier: Apache-2.0
//! What is refused, by this crate and by the library: status, argument, value, legal range.

use ctconv::{Desc, Error, Kind, Op, Status, Tensor, View, ViewMut};

fn says<T: std::fmt::Debug>(result: Result<T, Error>, status: Status, part: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.status, status, "{error}");
    let text = error.to_string();
    assert!(text.starts_with(status.name()) && text.contains(part), "{text}");
}

fn op() -> Op {
    let desc = Desc::new("torch.nn.ConvTranspose1d").unwrap();
    let desc = desc.set("in_channels", 1).set("out_channels", 1).set("kernel_size", 2);
    Op::builder(&desc).weight(&Tensor::new(vec![1.0f32; 2], &[1, 1, 2]).unwrap()).build().unwrap()
}

#[test]
fn the_library_s_own_refusals() {
    let desc = Desc::new("torch.nn.ConvTranspose2d").unwrap().set("in_channels", 1).set("out_channels", 1);
    let desc = desc.set("kernel_size", 3).set("stride", [1, 0]);
    let error = desc.validate().unwrap_err();
    assert_eq!((error.status, error.kind(), error.element), (Status::VALUE_STRIDE, Kind::Value, Some(1)));
    assert_eq!((error.argument.as_str(), error.value.as_str()), ("stride", "(1, 0)"));
    assert!(error.range.contains('1') && !error.message.is_empty(), "{error:?}");
    says(Desc::new("torch.nn.ConvTranspose9d"), Status::MISUSE_DIALECT, "torch.nn.ConvTranspose");
    says(Desc::new("a\0b"), Status::MISUSE_DIALECT, "without NUL");
    let odd = || Desc::new("torch.nn.ConvTranspose2d").unwrap().set("in\0channels", 1);
    says(odd().validate(), Status::TYPE_ARGUMENT_NAME, "without NUL");
    says(Op::builder(&odd()).build(), Status::TYPE_ARGUMENT_NAME, "without NUL");
    let misspelt = Desc::new("torch.nn.ConvTranspose2d").unwrap().set("in_chanels", 1);
    says(misspelt.validate(), Status::TYPE_ARGUMENT_NAME, "in_chanels");
}

#[test]
fn shapes_and_types() {
    let op = op();
    let x = Tensor::new(vec![1.0f32; 3], &[1, 1, 3]).unwrap();
    says(op.execute(&x, &mut Tensor::<f32>::zeros(&[1, 1, 5]).unwrap()), Status::MISUSE_Y_SHAPE, "");
    says(op.execute(&x, &mut Tensor::<f64>::zeros(&[1, 1, 4]).unwrap()), Status::MISUSE_Y_DTYPE, "");
    says(op.run(&Tensor::new(vec![1.0f64; 3], &[1, 1, 3]).unwrap()), Status::TYPE_DTYPE_MISMATCH, "input: ");
    says(op.call(&x).run::<f64>(), Status::MISUSE_Y_DTYPE, "float32");
    says(op.run(&Tensor::new(vec![1.0f32; 3], &[3]).unwrap()), Status::SHAPE_INPUT_RANK, "");
    let small = &mut [0u8; 1][..];
    let bytes = op.call(&x).prepare().unwrap();
    if bytes > 1 {
        says(op.call(&x).workspace(small).run::<f32>(), Status::WORKSPACE_SIZE, "");
    }
}

#[test]
fn dense_views_have_their_slice_s_length() {
    let data = [0.0f32; 6];
    assert!(View::new(&data, &[2, 3]).is_ok());
    says(View::new(&data, &[2, 2]), Status::MISUSE_TENSOR, "6 elements");
    says(View::new(&data, &[2, 4]), Status::MISUSE_TENSOR, "8 elements");
    says(View::new(&data, &[1; 9]), Status::MISUSE_TENSOR, "9 axes");
    says(View::new(&data, &[usize::MAX, 2]), Status::MISUSE_TENSOR, "2^63");
    says(View::new(&data, &[1 << 40, 1 << 40]), Status::MISUSE_TENSOR, "2^63");
    says(Tensor::new(vec![0.0f32; 3], &[4]), Status::MISUSE_TENSOR, "4 elements");
    says(Tensor::<f64>::zeros(&[1 << 61]), Status::MISUSE_TENSOR, "bytes");
    says(Tensor::<f64>::zeros(&[1 << 58]), Status::NO_MEMORY, "bytes");
    assert!(View::new(&data[..0], &[0, 5]).is_ok());
}

#[test]
fn strided_views_stay_inside_their_slice() {
    let mut data = [0.0f32; 12];
    assert!(View::strided(&data, 0, &[3, 4], &[4, 1]).is_ok());
    assert!(View::strided(&data, 11, &[3, 4], &[-4, -1]).is_ok());
    assert!(View::strided(&data, 0, &[1000], &[0]).is_ok(), "a repeated element may be read");
    assert!(View::strided(&data, 99, &[0, 4], &[1 << 40, 1]).is_ok(), "no element is reached");
    says(View::strided(&data, 1, &[3, 4], &[4, 1]), Status::MISUSE_TENSOR, "from element 1 to element 12");
    says(View::strided(&data, 10, &[3, 4], &[-4, -1]), Status::MISUSE_TENSOR, "from element -1 to element 10");
    says(View::strided(&data, 0, &[2, 2], &[isize::MAX, isize::MAX]), Status::MISUSE_TENSOR, "inside the slice");
    says(View::strided(&data, 0, &[2, 2], &[isize::MIN, 1]), Status::MISUSE_TENSOR, "inside the slice");
    says(View::strided(&data, 0, &[3, 4], &[4]), Status::MISUSE_TENSOR, "2 axes");
    says(View::strided(&data, usize::MAX, &[1], &[1]), Status::MISUSE_TENSOR, "inside the slice");
    says(ViewMut::strided(&mut data, 0, &[2, 2], &[0, 1]), Status::MISUSE_Y_OVERLAP, "meet itself");
}

#[test]
fn a_written_view_that_meets_itself_is_refused_and_untouched() {
    let mut data = vec![-1.0f32; 64];
    let x = Tensor::new(vec![1.0f32; 6], &[2, 1, 3]).unwrap();
    let mut y = ViewMut::strided(&mut data, 0, &[2, 1, 4], &[2, 9, 1]).unwrap();
    says(op().execute(&x, &mut y), Status::MISUSE_Y_OVERLAP, "");
    assert!(data.iter().all(|v| *v == -1.0));
}
