// SPDX-License-Identifier: Apache-2.0
//! The caller's threads: results, misbehaviour, panics.

use ctconv::{Desc, Op, Runner, Status, Tensor};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

const WORKERS: usize = 3;
static ROUNDS: AtomicUsize = AtomicUsize::new(0);

/// A runner by one function.
struct By(fn(&(dyn Fn(usize) + Sync)));

impl Runner for By {
    fn workers(&self) -> usize {
        WORKERS
    }
    fn run(&self, work: &(dyn Fn(usize) + Sync)) {
        ROUNDS.fetch_add(1, Ordering::Relaxed);
        (self.0)(work)
    }
}

fn scoped(work: &(dyn Fn(usize) + Sync)) {
    std::thread::scope(|scope| {
        for w in 0..WORKERS {
            scope.spawn(move || work(w));
        }
    });
}

fn desc() -> Desc {
    let desc = Desc::new("torch.nn.ConvTranspose2d").unwrap();
    desc.set("in_channels", 16).set("out_channels", 16).set("kernel_size", 4).set("stride", 2)
}

fn op(runner: fn(&(dyn Fn(usize) + Sync))) -> Op {
    let desc = desc();
    let weight = desc.init_weight::<f32>(1).unwrap();
    Op::builder(&desc).weight(&weight).runner(Arc::new(By(runner))).engine("native").build().unwrap()
}

fn x() -> Tensor<f32> {
    let data = (0..4 * 16 * 32 * 32).map(|i| (i % 13) as f32 - 6.0).collect();
    Tensor::new(data, &[4, 16, 32, 32]).unwrap()
}

fn expected() -> Tensor<f32> {
    let desc = desc();
    let weight = desc.init_weight::<f32>(1).unwrap();
    Op::builder(&desc).weight(&weight).engine("native").threads(1).build().unwrap().run(&x()).unwrap()
}

#[test]
fn any_order_any_thread_same_bits() {
    let before = ROUNDS.load(Ordering::Relaxed);
    let expected = expected();
    assert!(op(scoped).run(&x()).unwrap() == expected);
    assert!(op(|work| (0..WORKERS).rev().for_each(work)).run(&x()).unwrap() == expected);
    assert!(op(|work| work(1)).run(&x()).unwrap() == expected, "one worker takes all");
    assert!(ROUNDS.load(Ordering::Relaxed) >= before + 3, "the runner was not asked");
}

#[test]
fn called_too_often_or_beyond_its_workers() {
    let expected = expected();
    let wild = |work: &(dyn Fn(usize) + Sync)| {
        std::thread::scope(|scope| {
            for i in 0..8 {
                scope.spawn(move || work(i % 2 * 999));
            }
        })
    };
    assert!(op(wild).run(&x()).unwrap() == expected);
}

#[test]
fn a_runner_that_runs_nothing_is_told() {
    assert_eq!(op(|_| {}).run(&x()).unwrap_err().status, Status::MISUSE_RUNNER);
}

#[test]
fn a_panic_goes_on_in_the_caller() {
    let op = op(|work| {
        work(0);
        panic!("the pool broke");
    });
    let payload = catch_unwind(AssertUnwindSafe(|| op.run(&x()))).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"the pool broke"));
    assert!(catch_unwind(AssertUnwindSafe(|| op.describe())).is_ok(), "kept from an earlier call");
}

#[test]
fn objects_cross_threads() {
    fn both<T: Send + Sync>() {}
    both::<Op>();
    both::<Desc>();
    both::<ctconv::View<'_, f32>>();
    both::<ctconv::ViewMut<'_, f32>>();
    both::<Tensor<f32>>();
    both::<ctconv::Error>();
}
