// bench_onednn: oneDNN's deconvolution primitive as a contender, in a process of its own. Usage: bench_onednn THREADS
//
//   in (one command a line, on stdin) and out (one line each, flushed, on stdout; "error: ..." on a refusal):
//     version                                        ok VERSION RUNTIME
//     make MODE TYPE RANK n cin cout g bias in.. out.. k.. s.. d.. lo.. hi.. FILE
//                                                    ok CREATE_S PACK_S EXTRA_BYTES IMPLEMENTATION
//     time CALLS                                     ok SECONDS              all calls together
//     fetch FILE                                     ok                      y, dense, channels-first
//     drop / quit
//   MODE  first: nc* in and out, oneDNN's own nc* implementation;  last: n*c in and out;
//         e2e: nc* in and out, reorders to and from an n*c primitive in every call
//   TYPE  f32, f16 or bf16: of x, w, b and y
//   FILE: x (nc*), w (cin, cout/g, k..), b (cout, if bias), dense, one after another.
//   `make` replaces what was made before. hi is what is cropped at the end less the output padding; it may be negative.
//   Weights are packed once, scratchpad and y are allocated once; EXTRA_BYTES: packed weights, scratchpad, temporaries.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <sstream>
#include <string>
#include <unordered_map>

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

class Layer {
 public:
  Layer(const dnnl::engine& engine, const dnnl::stream& stream, std::istringstream& words)
      : engine_(engine), stream_(stream) {
    std::string mode, type_name, file;
    size_t rank = 0;
    memory::dim n = 0, cin = 0, cout = 0, groups = 0, with_bias = 0;
    words >> mode >> type_name >> rank >> n >> cin >> cout >> groups >> with_bias;
    if (rank < 1 || rank > 3 || groups < 1) throw std::runtime_error("rank or groups");
    const auto axes = [&] {
      Dims v(rank);
      for (auto& e : v) words >> e;
      return v;
    };
    const Dims in = axes(), out = axes(), k = axes(), s = axes(), d = axes(), lo = axes(), hi = axes();
    words >> file;
    if (!words || (mode != "first" && mode != "last" && mode != "e2e")) throw std::runtime_error("malformed make");

    const memory::data_type type = type_of(type_name);
    Dims xd = {n, cin}, yd = {n, cout}, wd = {cout / groups, cin / groups}, ws;
    memory::dim taps = 1;
    for (size_t a = 0; a < rank; ++a) {
      xd.push_back(in[a]);
      yd.push_back(out[a]);
      wd.push_back(k[a]);
      taps *= k[a];
    }
    ws = {taps, cout / groups * taps};  // w lies (g, cin/g, cout/g, k..); oneDNN names it (g, cout/g, cin/g, k..)
    for (size_t a = 0, step = static_cast<size_t>(taps); a < rank; ++a)
      ws.push_back(static_cast<memory::dim>(step /= static_cast<size_t>(k[a])));
    if (groups > 1) {
      wd.insert(wd.begin(), groups);
      ws.insert(ws.begin(), cin / groups * (cout / groups) * taps);
    }
    Dims dilation = d;
    for (auto& e : dilation) e -= 1;

    const Desc x_first(xd, type, first(rank)), x_last(xd, type, last(rank)), y_first(yd, type, first(rank)),
        y_last(yd, type, last(rank));
    const bool planes = mode == "first";
    const Desc x_inner = planes ? x_first : x_last, y_inner = planes ? y_first : y_last, w_user(wd, type, ws);
    const Desc b_desc = with_bias ? Desc({cout}, type, Tag::a) : Desc();

    std::ifstream data(file, std::ios::binary);
    const auto load = [&](const Desc& desc) {
      memory m(desc, engine_);
      data.read(static_cast<char*>(m.get_data_handle()), static_cast<std::streamsize>(desc.get_size()));
      if (!data) throw std::runtime_error("the file is too short");
      return m;
    };
    memory x = load(x_first), w = load(w_user), b = with_bias ? load(b_desc) : memory();

    double start = now();
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::deconvolution_forward::primitive_desc pd(
        engine_, dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct, x_inner,
        Desc(wd, type, Tag::any), b_desc, y_inner, s, dilation, lo, hi, attr);
    implementation = pd.impl_info_str();
    const dnnl::deconvolution_forward primitive(pd);
    create_seconds = now() - start;

    if (mode == "last") x = converted(x, x_last);  // the caller's x lies so: outside every measure
    start = now();
    memory packed = pd.weights_desc() == w_user ? w : converted(w, pd.weights_desc());
    pack_seconds = now() - start;
    memory scratch(pd.scratchpad_desc(), engine_);
    extra_bytes = packed.get_desc().get_size() + scratch.get_desc().get_size();
    memory x_inside = x;
    y_ = memory(mode == "last" ? y_last : y_first, engine_);
    memory y_inside = y_;
    if (mode == "e2e") {
      x_inside = memory(x_last, engine_);
      y_inside = memory(y_last, engine_);
      extra_bytes += x_last.get_size() + y_last.get_size();
      steps_.push_back({dnnl::reorder(x, x_inside), {{DNNL_ARG_FROM, x}, {DNNL_ARG_TO, x_inside}}});
    }
    Step main = {primitive,
                 {{DNNL_ARG_SRC, x_inside},
                  {DNNL_ARG_WEIGHTS, packed},
                  {DNNL_ARG_DST, y_inside},
                  {DNNL_ARG_SCRATCHPAD, scratch}}};
    if (with_bias) main.args.emplace(DNNL_ARG_BIAS, b);
    steps_.push_back(main);
    if (mode == "e2e") steps_.push_back({dnnl::reorder(y_inside, y_), {{DNNL_ARG_FROM, y_inside}, {DNNL_ARG_TO, y_}}});
    y_first_ = y_first;
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
    const memory y = y_.get_desc() == y_first_ ? y_ : converted(y_, y_first_);
    std::ofstream data(file, std::ios::binary);
    data.write(static_cast<const char*>(y.get_data_handle()), static_cast<std::streamsize>(y_first_.get_size()));
    if (!data.flush()) throw std::runtime_error("cannot write " + file);
  }

  std::string implementation;
  double create_seconds = 0, pack_seconds = 0;
  size_t extra_bytes = 0;

 private:
  static Tag first(size_t rank) { return rank == 1 ? Tag::ncw : rank == 2 ? Tag::nchw : Tag::ncdhw; }
  static Tag last(size_t rank) { return rank == 1 ? Tag::nwc : rank == 2 ? Tag::nhwc : Tag::ndhwc; }
  memory converted(memory from, const Desc& to) {
    memory m(to, engine_);
    dnnl::reorder(from, m).execute(stream_, from, m);
    stream_.wait();
    return m;
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  memory y_;
  Desc y_first_;
  std::vector<Step> steps_;
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

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  if (threads < 1 || threads > 1024) {
    std::fprintf(stderr, "usage: bench_onednn THREADS\n");
    return 2;
  }
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
  return 0;
}
