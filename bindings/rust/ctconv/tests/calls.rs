// SPDX-License-Identifier: Apache-2.0
//! The binding against the definition of the transposed convolution: element types, views, ways to call, gradients.

use ctconv::{Activation, Bf16, Desc, Element, Kind, Op, Reproducible, Status, Tensor, Value, View, ViewMut, F16};

// A 1-D layer whose stride, padding and dilation all matter.
const N: usize = 2;
const CI: usize = 3;
const CO: usize = 2;
const LEN: usize = 7;
const KERNEL: usize = 3;
const STRIDE: usize = 2;
const PAD: usize = 1;
const DILATION: usize = 2;
const OUT: usize = (LEN - 1) * STRIDE + DILATION * (KERNEL - 1) + 1 - 2 * PAD;

/// Small integers: every sum below is exact in every element type.
fn number(seed: usize, i: usize) -> f32 {
    ((i * 7 + seed * 3) % 5) as f32 - 2.0
}

fn numbers(seed: usize, count: usize) -> Vec<f32> {
    (0..count).map(|i| number(seed, i)).collect()
}

fn x() -> Vec<f32> {
    numbers(1, N * CI * LEN)
}
fn w() -> Vec<f32> {
    numbers(2, CI * CO * KERNEL)
}
fn b() -> Vec<f32> {
    numbers(3, CO)
}

/// Calls `each(n, ci, co, input, tap, output)` for every product of the layer.
fn products(mut each: impl FnMut(usize, usize, usize, usize, usize, usize)) {
    for (n, ci, co) in (0..N * CI * CO).map(|i| (i / CI / CO, i / CO % CI, i % CO)) {
        for (i, t) in (0..LEN * KERNEL).map(|i| (i / KERNEL, i % KERNEL)) {
            let place = i * STRIDE + t * DILATION;
            if (PAD..PAD + OUT).contains(&place) {
                each(n, ci, co, i, t, place - PAD);
            }
        }
    }
}

/// y by the definition.
fn expected() -> Vec<f32> {
    let (x, w, b) = (x(), w(), b());
    let mut y: Vec<f32> = (0..N * CO * OUT).map(|i| b[i / OUT % CO]).collect();
    products(|n, ci, co, i, t, o| {
        y[(n * CO + co) * OUT + o] += x[(n * CI + ci) * LEN + i] * w[(ci * CO + co) * KERNEL + t];
    });
    y
}

fn desc() -> Desc {
    Desc::new("torch.nn.ConvTranspose1d")
        .unwrap()
        .set("in_channels", CI)
        .set("out_channels", CO)
        .set("kernel_size", KERNEL)
        .set("stride", [STRIDE])
        .set("padding", PAD)
        .set("dilation", DILATION)
}

fn tensor<T: Element>(from: fn(f32) -> T, data: &[f32], shape: &[usize]) -> Tensor<T> {
    Tensor::new(data.iter().map(|v| from(*v)).collect(), shape).unwrap()
}

fn in_type<T: Element>(from: fn(f32) -> T, to: fn(T) -> f32) {
    let weight = tensor(from, &w(), &[CI, CO, KERNEL]);
    let bias = tensor(from, &b(), &[CO]);
    let op = Op::builder(&desc()).weight(&weight).bias(&bias).build().unwrap();
    let y = op.run(&tensor(from, &x(), &[N, CI, LEN])).unwrap();
    assert_eq!(y.shape(), [N, CO, OUT]);
    let y: Vec<f32> = y.data().iter().map(|v| to(*v)).collect();
    assert_eq!(y, expected(), "{}", T::DTYPE);
}

#[test]
fn every_element_type() {
    in_type::<f32>(|v| v, |v| v);
    in_type::<f64>(f64::from, |v| v as f32);
    in_type::<F16>(F16::from_f32, F16::to_f32);
    in_type::<Bf16>(Bf16::from_f32, Bf16::to_f32);
}

fn op() -> Op {
    let weight = tensor(|v| v, &w(), &[CI, CO, KERNEL]);
    let bias = tensor(|v| v, &b(), &[CO]);
    Op::builder(&desc()).weight(&weight).bias(&bias).build().unwrap()
}

#[test]
fn strided_views_of_larger_tensors() {
    // x: channels-last and backwards in memory; y: the two last of four channels, every second element of a row.
    let dense = x();
    let mut memory = vec![f32::NAN; N * LEN * CI + 3];
    for (i, value) in dense.iter().enumerate() {
        let (n, c, l) = (i / LEN / CI, i / LEN % CI, i % LEN);
        memory[3 + (n * LEN + (LEN - 1 - l)) * CI + c] = *value;
    }
    let first = 3 + (LEN - 1) * CI;
    let strides = [(LEN * CI) as isize, 1, -(CI as isize)];
    let x = View::strided(&memory, first, &[N, CI, LEN], &strides).unwrap();
    let mut room = vec![-77.0f32; N * 4 * OUT * 2];
    let strides = [(4 * OUT * 2) as isize, (OUT * 2) as isize, 2];
    let mut y = ViewMut::strided(&mut room, 2 * OUT * 2, &[N, CO, OUT], &strides).unwrap();
    op().execute(&x, &mut y).unwrap();
    let expected = expected();
    for (i, value) in room.iter().enumerate() {
        let (n, c, o) = (i / (8 * OUT), i / (2 * OUT) % 4, i % (2 * OUT));
        let inside = c >= 2 && o % 2 == 0;
        let wanted = if inside { expected[(n * CO + c - 2) * OUT + o / 2] } else { -77.0 };
        assert_eq!(*value, wanted, "image {n}, channel {c}, place {o}");
    }
}

#[test]
fn weight_with_the_call_and_a_workspace() {
    let op = Op::builder(&desc()).build().unwrap();
    let (weight, bias) = (tensor(|v| v, &w(), &[CI, CO, KERNEL]), tensor(|v| v, &b(), &[CO]));
    let x = tensor(|v| v, &x(), &[N, CI, LEN]);
    let bytes = op.call(&x).weight(&weight).bias(&bias).prepare().unwrap();
    let mut memory = vec![0u8; bytes];
    let call = op.call(&x).weight(&weight).bias(&bias).workspace(&mut memory);
    let y: Tensor<f32> = call.run().unwrap();
    assert_eq!(y.data(), expected());
    assert!(call.describe().unwrap().starts_with("engine: "));
    assert!(op.describe().unwrap().contains("torch.nn.ConvTranspose1d"));
    assert_eq!(op.run(&x).unwrap_err().status, Status::MISUSE_WEIGHT_MISSING);
}

#[test]
fn output_size_is_the_call_s_own_argument() {
    let op = op();
    let x = tensor(|v| v, &x(), &[N, CI, LEN]);
    assert_eq!(op.call(&x).output_size([OUT + 1]).output_spec().unwrap().shape, [N, CO, OUT + 1]);
    let refused = op.call(&x).output_size([OUT + 2]).output_spec().unwrap_err();
    assert_eq!(refused.status, Status::VALUE_OUTPUT_SIZE_RANGE);
}

#[test]
fn gradients() {
    let (xs, ws) = (x(), w());
    let gradient = numbers(4, N * CO * OUT);
    let mut want_dx = vec![0.0; xs.len()];
    let mut want_dw = vec![0.0; ws.len()];
    products(|n, ci, co, i, t, o| {
        let dy = gradient[(n * CO + co) * OUT + o];
        want_dx[(n * CI + ci) * LEN + i] += dy * ws[(ci * CO + co) * KERNEL + t];
        want_dw[(ci * CO + co) * KERNEL + t] += dy * xs[(n * CI + ci) * LEN + i];
    });
    let want_db: Vec<f32> =
        (0..CO).map(|c| (0..N).flat_map(|n| &gradient[(n * CO + c) * OUT..][..OUT]).sum()).collect();
    let op = op();
    let (x, dy) = (tensor(|v| v, &xs, &[N, CI, LEN]), tensor(|v| v, &gradient, &[N, CO, OUT]));
    let mut dx = Tensor::<f32>::zeros(&[N, CI, LEN]).unwrap();
    let mut dw = Tensor::<f32>::zeros(&[CI, CO, KERNEL]).unwrap();
    let mut db = Tensor::new(vec![100.0f32; CO], &[CO]).unwrap();
    let call = op.backward(&dy).x(&x).dx(&mut dx).dw(&mut dw);
    assert!(call.describe().unwrap().contains("dx.engine: "));
    assert!(call.prepare().is_ok());
    call.execute().unwrap();
    op.backward(&dy).x(&x).db(&mut db).accumulate(true).execute().unwrap();
    assert_eq!((dx.data(), dw.data()), (&want_dx[..], &want_dw[..]));
    assert_eq!(db.data(), want_db.iter().map(|v| v + 100.0).collect::<Vec<_>>());
}

#[test]
fn sixteen_bits_may_keep_their_gradients_in_f32() {
    let weight = tensor(Bf16::from_f32, &w(), &[CI, CO, KERNEL]);
    let op = Op::builder(&desc()).weight(&weight).build().unwrap();
    let dy = tensor(Bf16::from_f32, &numbers(4, N * CO * OUT), &[N, CO, OUT]);
    let x = tensor(Bf16::from_f32, &x(), &[N, CI, LEN]);
    let mut db = Tensor::<f32>::zeros(&[CO]).unwrap();
    op.backward(&dy).x(&x).db(&mut db).execute().unwrap();
    let sum: f32 = numbers(4, N * CO * OUT).iter().sum();
    assert_eq!(db.data().iter().sum::<f32>(), sum);
}

#[test]
fn threads_share_an_op() {
    let op = op();
    let x = tensor(|v| v, &x(), &[N, CI, LEN]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(op.run(&x).unwrap().data(), expected());
                }
            });
        }
    });
}

#[test]
fn options_reach_the_library() {
    let weight = tensor(|v| v, &w(), &[CI, CO, KERNEL]);
    let x = tensor(|v| v, &x(), &[N, CI, LEN]);
    let desc = desc();
    let build = || Op::builder(&desc).weight(&weight);
    let forced = build().engine("reference").threads(1).build().unwrap();
    assert!(forced.call(&x).describe().unwrap().starts_with("engine: reference\n"));
    let exact = build().reproducible(Reproducible::Reference).plan_limit(2).build().unwrap();
    assert!(exact.call(&x).describe().unwrap().contains("bits: reference\n"));
    let relu = build().activation(Activation::Relu).build().unwrap().run(&x).unwrap();
    let clip = build().activation(Activation::Clip(-1.0, 1.0)).build().unwrap().run(&x).unwrap();
    let plain = build().build().unwrap().run(&x).unwrap();
    for ((relu, clip), plain) in relu.data().iter().zip(clip.data()).zip(plain.data()) {
        assert_eq!((*relu, *clip), (plain.max(0.0), plain.clamp(-1.0, 1.0)));
    }
    assert_eq!(build().engine("onednnn").build().unwrap_err().status, Status::MISUSE_ENGINE);
    assert_eq!(build().threads(5000).build().unwrap_err().kind(), Kind::Misuse);
    assert_eq!(build().engine("a\0b").build().unwrap_err().status, Status::MISUSE_ENGINE);
}

#[test]
fn values_keep_their_sort() {
    let sort = |value: Value| desc().set("in_channels", value).validate();
    assert_eq!(sort(true.into()).unwrap_err().status, Status::TYPE_IN_CHANNELS);
    assert_eq!(sort(1.0.into()).unwrap_err().status, Status::TYPE_IN_CHANNELS);
    assert_eq!(sort("3".into()).unwrap_err().value, "\"3\"");
    assert_eq!(sort(None::<i32>.into()).unwrap_err().status, Status::TYPE_IN_CHANNELS);
    assert_eq!(Value::from(u64::MAX), Value::Int(i64::MAX));
    assert_eq!(Value::list([1, 2]), Value::List(vec![1.into(), 2.into()]));
    assert_eq!(Value::from(vec![1, 2]), Value::from([1, 2]));
    // MindSpore takes a tuple and refuses a list of the same numbers.
    let mindspore = |kernel: Value| {
        let desc = Desc::new("mindspore.nn.Conv2dTranspose").unwrap();
        desc.set("in_channels", 1).set("out_channels", 1).set("kernel_size", kernel).validate()
    };
    assert!(mindspore([3, 3].into()).is_ok());
    assert_eq!(mindspore(Value::list([3, 3])).unwrap_err().kind(), Kind::Type);
}

#[test]
fn weights_by_the_dialect() {
    let desc = desc();
    let (weight, bias) = desc.weight_spec().unwrap();
    assert_eq!((weight.shape, bias.unwrap().shape), (vec![CI, CO, KERNEL], vec![CO]));
    let one = desc.init_weight::<f32>(1).unwrap();
    assert_eq!(one, desc.init_weight(1).unwrap());
    assert_ne!(one, desc.init_weight(2).unwrap());
    let bound = 1.0 / ((CO * KERNEL) as f32).sqrt();
    assert!(one.data().iter().all(|v| v.abs() <= bound) && one.data().iter().any(|v| v.abs() > bound / 2.0));
    assert!(desc.set("bias", false).init_bias::<f32>(1).unwrap().is_none());
}

/// The whole of a 2-D call, box by box, each from the window of x that it reads.
#[test]
fn regions() {
    let desc = Desc::new("torch.nn.ConvTranspose2d").unwrap();
    let desc = desc.set("in_channels", 2).set("out_channels", 3).set("kernel_size", 3).set("stride", 2);
    let weight = desc.init_weight::<f32>(1).unwrap();
    let op = Op::builder(&desc).weight(&weight).reproducible(Reproducible::Reference).build().unwrap();
    let x = Tensor::new(numbers(5, 2 * 6 * 8), &[1, 2, 6, 8]).unwrap();
    let weight_shape = &[2, 3, 3, 3];
    let whole = op.run(&x).unwrap();
    assert_eq!(whole.shape(), [1, 3, 13, 17]);
    for (h, w) in [(0, 0), (0, 9), (6, 0), (6, 9)] {
        let (begin, end) = ([h, w], [(h + 7).min(13), (w + 9).min(17)]);
        let (from, to) = op.call(&x).region(&begin, &end).region_window().unwrap();
        assert!(from.iter().zip(&to).all(|(a, b)| a < b), "{from:?} {to:?}");
        let first = from[0] * 8 + from[1];
        let shape = [1, 2, to[0] - from[0], to[1] - from[1]];
        let window = View::strided(x.data(), first, &shape, &[96, 48, 8, 1]).unwrap();
        let part: Tensor<f32> = op.call(&window).region(&begin, &end).window_at(&from).run().unwrap();
        let same: Tensor<f32> = op.call(&x).region(&begin, &end).run().unwrap();
        assert_eq!(part, same);
        let (rows, columns) = (end[0] - h, end[1] - w);
        for (i, v) in part.data().iter().enumerate() {
            let (c, r, k) = (i / columns / rows, i / columns % rows, i % columns);
            assert_eq!(*v, whole.data()[(c * 13 + h + r) * 17 + w + k]);
        }
    }
    // Gradients through one box are those of a dy that is zero elsewhere.
    let mut dy = vec![0.0f32; 3 * 13 * 17];
    let box_dy = Tensor::new(numbers(6, 3 * 4 * 5), &[1, 3, 4, 5]).unwrap();
    for (i, v) in box_dy.data().iter().enumerate() {
        let (c, r, k) = (i / 20, i / 5 % 4, i % 5);
        dy[(c * 13 + 2 + r) * 17 + 3 + k] = *v;
    }
    let dy = Tensor::new(dy, &[1, 3, 13, 17]).unwrap();
    let (mut part, mut all) =
        (Tensor::<f32>::zeros(weight_shape).unwrap(), Tensor::<f32>::zeros(weight_shape).unwrap());
    op.backward(&box_dy).x(&x).dw(&mut part).region(&[2, 3], &[6, 8]).execute().unwrap();
    op.backward(&dy).x(&x).dw(&mut all).execute().unwrap();
    assert_eq!(part, all);
    let refused = |begin: &[usize], end: &[usize]| op.call(&x).region(begin, end).output_spec().unwrap_err();
    for (begin, end) in [(&[0, 0][..], &[14, 17][..]), (&[3, 3], &[3, 4]), (&[0], &[1]), (&[0; 4], &[1; 4]), (&[], &[])]
    {
        assert_eq!(refused(begin, end).status, Status::MISUSE_REGION, "{begin:?} {end:?}");
    }
    assert_eq!(
        refused(&[0], &[1]).to_string(),
        "CTCONV_ERR_MISUSE_REGION: begin: got [0]; legal is an entry for each spatial axis: 2, or 3 without a batch \
         axis; x has 4 axes"
    );
    assert_eq!(refused(&[0, 0], &[1]).range, "2 entries, as begin has");
    let shaped = op.call(&x).region(&[0, 0], &[1, 1]).window_at(&[0, 0]).whole_shape(&[5]).output_spec().unwrap_err();
    assert_eq!((&shaped.argument[..], &shaped.range[..]), ("x_shape", "an entry for each axis of x; x has 4 axes"));
    assert_eq!(op.call(&x).region_window().unwrap_err().status, Status::MISUSE_NULL);
}

/// A signal in portions is the signal at once.
#[test]
fn streams() {
    let op = op();
    let x = x();
    let whole = Tensor::new(expected(), &[N, CO, OUT]).unwrap();
    let mut stream = op.stream(N).unwrap();
    let heard = |stream: &mut ctconv::Stream, out: &mut Vec<Vec<f32>>, from: usize, to: usize| {
        let strides = [(CI * LEN) as isize, LEN as isize, 1];
        let part = View::strided(&x, from, &[N, CI, to - from], &strides).unwrap();
        let coming = stream.coming(&part).unwrap();
        let mut y = Tensor::<f32>::zeros(&[N, CO, coming]).unwrap();
        assert_eq!(stream.push(&part, &mut y).unwrap(), coming);
        append(out, &y);
    };
    fn append(out: &mut [Vec<f32>], y: &Tensor<f32>) {
        let length = y.shape()[2];
        for (row, out) in out.iter_mut().enumerate() {
            out.extend_from_slice(&y.data()[row * length..][..length]);
        }
    }
    let mut out = vec![Vec::new(); N * CO];
    heard(&mut stream, &mut out, 0, 3);
    assert!(stream.delay().unwrap() >= 0);
    assert!(stream.describe().unwrap().contains("inputs: 3\n"), "{}", stream.describe().unwrap());
    let mut twin = stream.try_clone().unwrap();
    let mut other = out.clone();
    heard(&mut stream, &mut out, 3, LEN);
    heard(&mut twin, &mut other, 3, 5);
    heard(&mut twin, &mut other, 5, LEN);
    for (stream, out) in [(&mut stream, &mut out), (&mut twin, &mut other)] {
        let mut rest = Tensor::<f32>::zeros(&[N, CO, stream.left().unwrap()]).unwrap();
        stream.flush(&mut rest).unwrap();
        append(out, &rest);
        assert_eq!(out.concat(), whole.data());
        stream.reset().unwrap();
    }
    assert_eq!(op.stream(0).unwrap_err().status, Status::MISUSE_OPTION);
}
