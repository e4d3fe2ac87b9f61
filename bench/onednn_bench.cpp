// SPDX-License-Identifier: Apache-2.0
// bench_onednn: oneDNN's primitives as a contender, in a process of its own. Usage: bench_onednn THREADS
//
//   in (one command a line, on stdin) and out (one line each, flushed, on stdout; "error: ..." on a refusal):
//     version                                        ok VERSION RUNTIME
//     make PASS MODE TYPE RANK n cin cout g bias in.. out.. k.. s.. d.. lo.. hi.. FILE
//                                                    ok CREATE_S PACK_S EXTRA_BYTES IMPLEMENTATION
//     time CALLS                                     ok SECONDS              all calls together
//     fetch FILE                                     ok                      y, dx, or dw and db: dense, as FILE below
//     drop / quit
//   PASS  fwd: y by a deconvolution;  dgrad: dx by the convolution over dy, as oneDNN's deconvolution does it inside;
//         wgrad: dw and, with a bias, db by deconvolution backward weights: refused by a oneDNN built for inference
//   MODE  first: nc* in and out, oneDNN's own nc* implementation;  last: n*c in and out;
//         e2e: nc* in and out, reorders to and from an n*c primitive in every call
//   TYPE  f32, f16 or bf16: of every tensor
//   FILE: x (nc*), w (cin, cout/g, k..), b (cout, if bias); dgrad: dy, w; wgrad: x, dy; dense, one after another.
//   `make` replaces what was made before. hi is what is cropped at the end less the output padding; it may be negative.
//   fwd packs the weight once; dgrad and wgrad reorder it in every call, where the primitive wants it otherwise.
//   Scratchpad and results are allocated once; EXTRA_BYTES: packed weights, scratchpad, temporaries.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <sstream>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench/threads.h"
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_THREADPOOL
#include <oneapi/dnnl/dnnl_threadpool.hpp>
#include <oneapi/dnnl/dnnl_threadpool_iface.hpp>
#endif

namespace {

using dnnl::memory;
using Dims = memory::dims;
using Desc = memory::desc;
using Tag = memory::format_tag;

memory::data_type type_of(const std::string& name) {
  if (name == "f32") return memory::data_type::f32;
  if (name == "f16") return memory::data_type::f16;
  if (name == "bf16") return memory::data_type::bf16;
  throw std::runtime_error("TYPE must be f32, f16 or bf16");
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_THREADPOOL
class Pool final : public dnnl::threadpool_interop::threadpool_iface {
 public:
  explicit Pool(int threads) : team_(threads) {}
  int get_num_threads() const override { return team_.size(); }
  bool get_in_parallel() const override { return inside_; }
  uint64_t get_flags() const override { return 0; }
  void parallel_for(int n, const std::function<void(int, int)>& task) override {
    if (inside_ || n == 1) {
      for (int i = 0; i < n; ++i) task(i, n);
      return;
    }
    team_.run([&](int member, int members) {
      inside_ = true;
      for (int i = member; i < n; i += members) task(i, n);
      inside_ = false;
    });
  }

 private:
  inline static thread_local bool inside_ = false;
  bench::Team team_;
};
#endif

class Threads {
 public:
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_THREADPOOL
  Threads(const dnnl::engine& engine, int threads)
      : pool_(threads), stream(dnnl::threadpool_interop::make_stream(engine, &pool_)) {
    dnnl_threadpool_interop_set_max_concurrency(threads);
  }
  static const char* runtime() { return "threadpool"; }

 private:
  Pool pool_;

 public:
#else  // the caller sets OMP_NUM_THREADS
  Threads(const dnnl::engine& engine, int) : stream(engine) {}
  static const char* runtime() { return DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP ? "omp" : "other"; }
#endif
  dnnl::stream stream;
};

// One step of a call: a primitive and its arguments.
struct Step {
  dnnl::primitive primitive;
  std::unordered_map<int, memory> args;
};

// The words of `make` behind the verb.
struct Words {
  std::string which_pass, mode, type, file;
  size_t rank = 0;
  memory::dim n = 0, cin = 0, cout = 0, groups = 0, with_bias = 0;
  Dims in, out, k, s, dilation, lo, hi;  // dilation as oneDNN counts it, from 0

  explicit Words(std::istringstream& words) {
    words >> which_pass >> mode >> type >> rank >> n >> cin >> cout >> groups >> with_bias;
    if (rank < 1 || rank > 3 || groups < 1) throw std::runtime_error("rank or groups");
    for (Dims* axes : {&in, &out, &k, &s, &dilation, &lo, &hi}) {
      axes->resize(rank);
      for (auto& e : *axes) words >> e;
    }
    for (auto& e : dilation) e -= 1;
    words >> file;
    const bool known = which_pass == "fwd" || which_pass == "dgrad" || which_pass == "wgrad";
    if (!words || !known || (mode != "first" && mode != "last" && mode != "e2e")) {
      throw std::runtime_error("malformed make");
    }
  }
  bool last() const { return mode == "last"; }
  bool e2e() const { return mode == "e2e"; }
};

// One tensor of maps, in both layouts.
struct Maps {
  Desc first, last;
  Maps(memory::dim n, memory::dim channels, const Dims& extents, memory::data_type type) {
    Dims dims = {n, channels};
    dims.insert(dims.end(), extents.begin(), extents.end());
    const Tag firsts[] = {Tag::ncw, Tag::nchw, Tag::ncdhw}, lasts[] = {Tag::nwc, Tag::nhwc, Tag::ndhwc};
    first = Desc(dims, type, firsts[extents.size() - 1]);
    last = Desc(dims, type, lasts[extents.size() - 1]);
  }
};

// The weight as the layer has it, dense (g, cin/g, cout/g, k..): named with its output channels in front, as a
// deconvolution does, or with its input channels in front, as the convolution over dy does.
Desc weight_of(const Words& w, memory::data_type type, bool output_first) {
  memory::dim taps = 1;
  for (const memory::dim k : w.k) taps *= k;
  const memory::dim ci = w.cin / w.groups, co = w.cout / w.groups;
  Dims dims = output_first ? Dims{co, ci} : Dims{ci, co};
  Dims strides = output_first ? Dims{taps, co * taps} : Dims{co * taps, taps};
  memory::dim step = taps;
  for (const memory::dim k : w.k) {
    dims.push_back(k);
    strides.push_back(step /= k);
  }
  if (w.groups > 1) {
    dims.insert(dims.begin(), w.groups);
    strides.insert(strides.begin(), ci * co * taps);
  }
  return Desc(dims, type, strides);
}

class Layer {
 public:
  Layer(const dnnl::engine& engine, const dnnl::stream& stream, std::istringstream& words)
      : engine_(engine),
        stream_(stream),
        words_(words),
        type_(type_of(words_.type)),
        x_(words_.n, words_.cin, words_.in, type_),
        y_(words_.n, words_.cout, words_.out, type_),
        data_(words_.file, std::ios::binary) {
    attr_.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (words_.which_pass == "fwd") forward();
    if (words_.which_pass == "dgrad") data_gradient();
    if (words_.which_pass == "wgrad") weight_gradient();
    steps_.insert(steps_.end(), closing_.begin(), closing_.end());
  }

  double time(long calls) {
    const double start = now();
    for (long i = 0; i < calls; ++i) {
      for (Step& step : steps_) step.primitive.execute(stream_, step.args);
    }
    stream_.wait();
    return now() - start;
  }

  void fetch(const std::string& file) {
    std::ofstream data(file, std::ios::binary);
    for (const auto& [held, wanted] : results_) {
      const memory result = held.get_desc() == wanted ? held : converted(held, wanted);
      data.write(static_cast<const char*>(result.get_data_handle()), static_cast<std::streamsize>(wanted.get_size()));
    }
    if (!data.flush()) throw std::runtime_error("cannot write " + file);
  }

  std::string implementation;
  double create_seconds = 0, pack_seconds = 0;
  size_t extra_bytes = 0;

 private:
  const Desc& inner(const Maps& maps) const { return words_.mode == "first" ? maps.first : maps.last; }
  Desc any(const Desc& weight) const { return Desc(weight.get_dims(), type_, Tag::any); }
  Desc bias() const { return words_.with_bias ? Desc({words_.cout}, type_, Tag::a) : Desc(); }

  memory load(const Desc& desc) {
    memory m(desc, engine_);
    data_.read(static_cast<char*>(m.get_data_handle()), static_cast<std::streamsize>(desc.get_size()));
    if (!data_) throw std::runtime_error("the file is too short");
    return m;
  }

  // Maps from the file as the primitive reads them. last: the caller's lie so; e2e: reordered in every call.
  memory taken(const Maps& maps) {
    const memory given = load(maps.first);
    return words_.last() ? converted(given, maps.last) : words_.e2e() ? before(given, maps.last) : given;
  }

  // Maps that the primitive writes. e2e: reordered in every call.
  memory made(const Maps& maps) { return result(maps.first, words_.last() ? maps.last : maps.first, inner(maps)); }

  // What the caller gets as `given`, and fetch as `wanted`, made by the primitive as `inside`.
  memory result(const Desc& wanted, const Desc& given, const Desc& inside) {
    memory outer(given, engine_);
    results_.push_back({outer, wanted});
    if (given == inside) return outer;
    memory within(inside, engine_);
    extra_bytes += inside.get_size();
    closing_.push_back({dnnl::reorder(within, outer), {{DNNL_ARG_FROM, within}, {DNNL_ARG_TO, outer}}});
    return within;
  }

  // The same numbers in another layout, reordered in every call.
  memory before(const memory& given, const Desc& inside) {
    if (given.get_desc() == inside) return given;
    memory within(inside, engine_);
    extra_bytes += inside.get_size();
    steps_.push_back({dnnl::reorder(given, within), {{DNNL_ARG_FROM, given}, {DNNL_ARG_TO, within}}});
    return within;
  }

  memory converted(memory from, const Desc& to) {
    memory m(to, engine_);
    dnnl::reorder(from, m).execute(stream_, from, m);
    stream_.wait();
    return m;
  }

  // The primitive of a descriptor that `describe` makes, and the seconds of both.
  template <class Primitive, class Describe>
  typename Primitive::primitive_desc create(Describe&& describe, dnnl::primitive* primitive) {
    const double start = now();
    typename Primitive::primitive_desc pd = describe();
    *primitive = Primitive(pd);
    create_seconds = now() - start;
    implementation = pd.impl_info_str();
    return pd;
  }

  void add(const dnnl::primitive& primitive, const Desc& scratchpad, std::unordered_map<int, memory> args) {
    const memory scratch(scratchpad, engine_);
    extra_bytes += scratchpad.get_size();
    args.emplace(DNNL_ARG_SCRATCHPAD, scratch);
    steps_.push_back({primitive, std::move(args)});
  }

  dnnl::deconvolution_forward::primitive_desc deconvolution(dnnl::prop_kind kind) const {
    return {engine_,
            kind,
            dnnl::algorithm::deconvolution_direct,
            inner(x_),
            any(weight_of(words_, type_, true)),
            bias(),
            inner(y_),
            words_.s,
            words_.dilation,
            words_.lo,
            words_.hi,
            attr_};
  }

  // The weight is packed once, before.
  void forward() {
    const memory x = taken(x_), w = load(weight_of(words_, type_, true));
    const memory b = words_.with_bias ? load(bias()) : memory();
    dnnl::primitive primitive;
    const auto pd = create<dnnl::deconvolution_forward>(
        [&] { return deconvolution(dnnl::prop_kind::forward_inference); }, &primitive);
    const double start = now();
    const memory packed = pd.weights_desc() == w.get_desc() ? w : converted(w, pd.weights_desc());
    pack_seconds = now() - start;
    extra_bytes += packed.get_desc().get_size();
    std::unordered_map<int, memory> args = {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DST, made(y_)}};
    if (words_.with_bias) args.emplace(DNNL_ARG_BIAS, b);
    add(primitive, pd.scratchpad_desc(), std::move(args));
  }

  // dx is the convolution of dy with the weight as it lies.
  void data_gradient() {
    const memory dy = taken(y_), w = load(weight_of(words_, type_, false));
    dnnl::primitive primitive;
    const auto pd = create<dnnl::convolution_forward>(
        [&] {
          return dnnl::convolution_forward::primitive_desc(
              engine_, dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, inner(y_),
              any(w.get_desc()), inner(x_), words_.s, words_.dilation, words_.lo, words_.hi, attr_);
        },
        &primitive);
    const memory weight = before(w, pd.weights_desc());
    add(primitive, pd.scratchpad_desc(), {{DNNL_ARG_SRC, dy}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DST, made(x_)}});
  }

  void weight_gradient() {
    const memory x = taken(x_), dy = taken(y_);
    const Desc lies = weight_of(words_, type_, true);
    dnnl::primitive primitive;
    const auto pd = create<dnnl::deconvolution_backward_weights>(
        [&] {
          return dnnl::deconvolution_backward_weights::primitive_desc(
              engine_, dnnl::algorithm::deconvolution_direct, inner(x_), any(lies), bias(), inner(y_), words_.s,
              words_.dilation, words_.lo, words_.hi, deconvolution(dnnl::prop_kind::forward_training), attr_);
        },
        &primitive);
    const memory dw = result(lies, lies, pd.diff_weights_desc());
    std::unordered_map<int, memory> args = {{DNNL_ARG_SRC, x}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_WEIGHTS, dw}};
    if (words_.with_bias) args.emplace(DNNL_ARG_DIFF_BIAS, result(bias(), bias(), bias()));
    add(primitive, pd.scratchpad_desc(), std::move(args));
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  Words words_;
  memory::data_type type_;
  Maps x_, y_;
  std::ifstream data_;
  dnnl::primitive_attr attr_;
  std::vector<Step> steps_, closing_;
  std::vector<std::pair<memory, Desc>> results_;  // as the caller gets it; as fetch writes it
};

std::string obey(const std::string& line, const dnnl::engine& engine, const dnnl::stream& stream,
                 std::unique_ptr<Layer>& layer) {
  std::istringstream words(line);
  std::string verb, file;
  std::ostringstream out;
  out << "ok";
  words >> verb;
  if (verb == "version") {
    const dnnl_version_t* v = dnnl_version();
    out << ' ' << v->major << '.' << v->minor << '.' << v->patch << ' ' << Threads::runtime();
  } else if (verb == "make") {
    layer.reset();
    layer = std::make_unique<Layer>(engine, stream, words);
    out << ' ' << layer->create_seconds << ' ' << layer->pack_seconds << ' ' << layer->extra_bytes << ' '
        << layer->implementation;
  } else if (verb == "drop") {
    layer.reset();
  } else if (layer == nullptr) {
    return "error: nothing was made";
  } else if (verb == "time") {
    long calls = 0;
    if (!(words >> calls) || calls < 1) return "error: time CALLS";
    out.precision(9);
    out << ' ' << layer->time(calls);
  } else if (verb == "fetch" && words >> file) {
    layer->fetch(file);
  } else {
    return "error: unknown command " + verb;
  }
  return out.str();
}

void serve(int threads) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  Threads team(engine, threads);
  std::unique_ptr<Layer> layer;
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    std::string answer;
    try {
      answer = obey(line, engine, team.stream, layer);
    } catch (const std::exception& error) {
      layer.reset();
      answer = std::string("error: ") + error.what();
    }
    std::cout << answer << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  if (threads < 1 || threads > 1024) {
    std::fprintf(stderr, "usage: bench_onednn THREADS\n");
    return 2;
  }
  try {
    serve(threads);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_onednn: %s\n", error.what());
    return 1;
  }
  return 0;
}
