// SPDX-License-Identifier: Apache-2.0
// The threads of one oneDNN call: our Runner behind oneDNN's threadpool interface.
//
//   in:  a Runner and the number of threads the plan was made for
//   out: a stream, and whether the runner kept its word
//   oneDNN built with another runtime (OMP, TBB, SEQ) brings its own threads: the Runner is then ignored.
//
// With the threadpool runtime oneDNN keeps the active pool in a thread-local of the calling thread while parallel_for
// runs. A runner whose waiting thread may start another call (work stealing) would find it changed. So onednn.cpp
// refuses a caller's own runner with more than one worker; our pool never runs anything else on a waiting thread.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include "src/base/runner.h"

#define CTCONV_ONEDNN_THREADPOOL (DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_THREADPOOL)
#if CTCONV_ONEDNN_THREADPOOL
#include <oneapi/dnnl/dnnl_threadpool.hpp>
#include <oneapi/dnnl/dnnl_threadpool_iface.hpp>
#endif

namespace ctconv::onednn {

// For describe: whose threads do the work.
constexpr const char* runtime_name() {
#if CTCONV_ONEDNN_THREADPOOL
  return "threadpool over the runner";
#elif DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
  return "oneDNN's own OpenMP threads, runner ignored";
#elif DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_TBB
  return "oneDNN's own TBB threads, runner ignored";
#else
  return "one thread (sequential oneDNN), runner ignored";
#endif
}

#if CTCONV_ONEDNN_THREADPOOL

class RunnerThreads final : public dnnl::threadpool_interop::threadpool_iface {
 public:
  RunnerThreads(const Runner& runner, int32_t threads) : runner_(runner), threads_(threads) {}

  int get_num_threads() const override { return threads_; }
  bool get_in_parallel() const override { return inside_; }
  uint64_t get_flags() const override { return 0; }
  void parallel_for(int n, const std::function<void(int, int)>& task) override {
    const bool counted = runner_(n, [&](int64_t i, int32_t) {
      const bool before = std::exchange(inside_, true);  // only while a task runs, and tasks run no hook
      task(static_cast<int>(i), n);
      inside_ = before;
    });
    if (!counted) broken_ = true;
  }

  bool broken() const { return broken_; }

 private:
  inline static thread_local bool inside_ = false;
  const Runner& runner_;
  int32_t threads_;
  bool broken_ = false;
};

// While a plan is made oneDNN takes its number of threads from a thread-local: set for a scope, then put back.
class PlanThreads {
 public:
  explicit PlanThreads(int32_t threads) {
    dnnl_threadpool_interop_get_max_concurrency(&before_);
    dnnl_threadpool_interop_set_max_concurrency(threads);
  }
  ~PlanThreads() { dnnl_threadpool_interop_set_max_concurrency(before_); }
  PlanThreads(const PlanThreads&) = delete;
  PlanThreads& operator=(const PlanThreads&) = delete;

 private:
  int before_ = 1;
};

class Call {
 public:
  Call(const dnnl::engine& engine, const Runner& runner, int32_t threads)
      : threads_(runner, threads), stream_(dnnl::threadpool_interop::make_stream(engine, &threads_)) {}
  const dnnl::stream& stream() const { return stream_; }
  bool broken() const { return threads_.broken(); }

 private:
  RunnerThreads threads_;
  dnnl::stream stream_;
};

#else

struct PlanThreads {
  explicit PlanThreads(int32_t) {}
  ~PlanThreads() {}
};

class Call {
 public:
  Call(const dnnl::engine& engine, const Runner&, int32_t) : stream_(engine) {}
  const dnnl::stream& stream() { return stream_; }
  bool broken() { return false; }

 private:
  dnnl::stream stream_;
};

#endif

}  // namespace ctconv::onednn
