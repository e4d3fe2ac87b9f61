// SPDX-License-Identifier: Apache-2.0
//! The caller's threads in place of the library's pool.
//!
//! In:  a `Runner`: it calls `work(w)` for each worker w
//! Out: the C hook. Each worker takes the next index until none is left, so that no runner can run an index twice, two
//!      at once on one worker, or after the call; one that calls no worker at all is `Status::MISUSE_RUNNER`
//! A panic of the runner is carried over the C frames and goes on in the caller of `execute`.

use crate::sys;
use std::any::Any;
use std::cell::Cell;
use std::os::raw::c_void;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::Arc;

/// Threads that an op runs on, e.g. rayon's.
///
/// ```
/// struct Scoped;
/// impl ctconv::Runner for Scoped {
///     fn workers(&self) -> usize {
///         4
///     }
///     fn run(&self, work: &(dyn Fn(usize) + Sync)) {
///         std::thread::scope(|scope| {
///             for w in 1..self.workers() {
///                 scope.spawn(move || work(w));
///             }
///             work(0);
///         });
///     }
/// }
/// ```
///
/// With rayon, `run` is `self.pool.broadcast(|c| work(c.index()));`.
pub trait Runner: Send + Sync {
    /// How many workers there are; asked once, when the op is made.
    fn workers(&self) -> usize;
    /// Calls `work(w)` for each w below `workers`, as far as it likes at once. May be called from several threads at
    /// once: each call is a round of its own.
    fn run(&self, work: &(dyn Fn(usize) + Sync));
}

/// What `user` of the C hook points at.
pub(crate) struct Hook {
    runner: Arc<dyn Runner>,
    workers: usize,
}

impl Hook {
    /// Boxed, so that its place stays: the op keeps it as long as it lives.
    pub(crate) fn new(runner: Arc<dyn Runner>) -> Box<Hook> {
        let workers = runner.workers();
        Box::new(Hook { runner, workers })
    }

    pub(crate) fn c(&self) -> sys::ctconv_runner {
        sys::ctconv_runner {
            user: self as *const Hook as *mut c_void,
            workers: i32::try_from(self.workers).unwrap_or(i32::MAX),
            parallel_for: Some(parallel_for),
            ..sys::CTCONV_RUNNER_INIT
        }
    }
}

/// A task of the library: called from any thread, for as long as parallel_for runs.
struct Task {
    call: sys::ctconv_task_fn,
    data: *mut c_void,
}
// SAFETY: the library allows its tasks on any thread.
unsafe impl Sync for Task {}

impl Task {
    /// SAFETY: each index once, no two at once on one worker, before parallel_for returns.
    unsafe fn run(&self, index: i64, worker: usize) {
        // SAFETY: the caller's promise.
        unsafe { (self.call)(self.data, index, worker as i32) };
    }
}

thread_local! {
    static PANIC: Cell<Option<Box<dyn Any + Send>>> = const { Cell::new(None) };
}

/// After a call that may have run the hook on this thread.
pub(crate) fn go_on_panicking() {
    if let Some(payload) = PANIC.with(Cell::take) {
        resume_unwind(payload);
    }
}

unsafe extern "C" fn parallel_for(user: *mut c_void, count: i64, task: Option<sys::ctconv_task_fn>, data: *mut c_void) {
    // SAFETY: the op whose call this is keeps the hook.
    let hook = unsafe { &*(user as *const Hook) };
    let task = match task {
        Some(call) => Task { call, data },
        None => return,
    };
    let next = AtomicI64::new(0);
    let busy: Vec<AtomicBool> = (0..hook.workers).map(|_| AtomicBool::new(false)).collect();
    let work = |worker: usize| {
        if worker >= busy.len() || busy[worker].swap(true, Ordering::Acquire) {
            return;
        }
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            // SAFETY: the counter gives each index once; `busy` keeps others off this worker; `run` borrows `work`, so
            // that it is over when `run` returns.
            unsafe { task.run(index, worker) };
        }
        busy[worker].store(false, Ordering::Release);
    };
    let done = catch_unwind(AssertUnwindSafe(|| hook.runner.run(&work)));
    if let Err(payload) = done {
        PANIC.with(|kept| kept.set(Some(payload)));
    }
}
