// Every layer, element type, order of axes and kernel that can, against f64 on the CPU; each plan runs twice.
//
//   fresh random data; y, its guards and the workspace hold NaN patterns before each run
//   bound per element: (K + 2) u_acc S + u_in S + u_out |y|, S = sum |x w| + |b|, K = products of the element at most
//     u_acc 2^-23 (2^-52 in f64), u_in 2^-10 with TF32 else 0, u_out two roundings of the stored type
//   strict f32 data has 24 bits, so a TF32 plan that slipped in breaks the bound; half types get data they hold exactly
#include <cstdio>
#include <random>

#include "tests/cuda/gpu/device_memory.h"
#include "tests/cuda/gpu/reference64.h"
#include "tests/cuda/gpu/run.h"

namespace ctconv::cuda::testing {
namespace {

struct Data {
  std::vector<float> x, w, bias;
  Truth truth;
};

Data make_data(const ctconv_cuda_problem& p, uint64_t seed, bool eight_bits, int64_t sample) {
  Random r(seed);
  std::uniform_real_distribution<float> real(-1, 1);
  const auto value = [&] { return eight_bits ? static_cast<float>(draw(r, -127, 127)) / 64.0f : real(r); };
  Data d;
  d.x.resize(static_cast<size_t>(input_elements(p)));
  d.w.resize(static_cast<size_t>(weight_elements(p)));
  d.bias.resize(static_cast<size_t>(channels_out(p)));
  for (auto* v : {&d.x, &d.w, &d.bias}) {
    for (float& e : *v) e = value();
  }
  d.truth = truth_of(p, d.x, d.w, d.bias, sample);
  return d;
}

// Dense values in n, c, d, h, w order to the problem's strides and type.
template <class T>
std::vector<T> lay_out(const std::vector<float>& dense, const int64_t (&extent)[5], const int64_t (&stride)[5]) {
  std::vector<T> out(static_cast<size_t>(span_of(extent, stride)));
  size_t e = 0;
  for (int64_t n = 0; n < extent[0]; ++n)
    for (int64_t c = 0; c < extent[1]; ++c)
      for (int64_t d = 0; d < extent[2]; ++d)
        for (int64_t h = 0; h < extent[3]; ++h)
          for (int64_t w = 0; w < extent[4]; ++w)
            out[static_cast<size_t>(n * stride[0] + c * stride[1] + d * stride[2] + h * stride[3] + w * stride[4])] =
                narrow<T>(static_cast<Accumulator<T>>(dense[e++]));
  return out;
}

struct Bound {
  double acc, in, out;
};
Bound bound_of(int32_t dtype, bool tf32) {
  switch (dtype) {
    case CTCONV_CUDA_F64:
      return {0x1p-52, 0, 0x1p-52};
    case CTCONV_CUDA_F32:
      return {0x1p-23, tf32 ? 0x1p-9 : 0, 0x1p-23};
    case CTCONV_CUDA_F16:
      return {0x1p-23, 0, 0x1p-10};
    default:
      return {0x1p-23, 0, 0x1p-7};
  }
}

template <class T>
void one(Run& run, const Layer& layer, const Data& data, bool last, bool tf32, const char* kernel) {
  const ctconv_cuda_problem p = problem_of(layer, dtype_of<T>(), last);
  ctconv_cuda_options o{};
  o.allow_tf32 = tf32, o.workspace_limit = SIZE_MAX, o.kernel = kernel, o.reproducible = CTCONV_CUDA_DETERMINISTIC;
  const std::string name = layer.id + " " + dtype_name(p.dtype) + (last ? " last " : " first ") +
                           (tf32 ? "tf32 " : "") + (kernel ? kernel : "auto");
  auto planned = run.module->plan(run.ordinal, p, o);
  if (!planned.ok()) {
    const Code code = planned.status().code();
    if (kernel && (code == Code::UNSUPPORTED_ENGINE || code == Code::DEVICE_NO_PLAN))
      return;  // its own "can you?" says no
    run.check(false, name + ": " + planned.status().detail().message);
    return;
  }
  const CudaPlan& plan = **planned;
  int64_t ex[5], ey[5];
  extents_of(p, false, ex), extents_of(p, true, ey);
  const std::vector<T> x = lay_out<T>(data.x, ex, p.x);
  std::vector<T> w(data.w.size()), bias(data.bias.size());
  for (size_t i = 0; i < w.size(); ++i) w[i] = narrow<T>(static_cast<Accumulator<T>>(data.w[i]));
  for (size_t i = 0; i < bias.size(); ++i) bias[i] = narrow<T>(static_cast<Accumulator<T>>(data.bias[i]));
  Guarded dx(x.size() * sizeof(T)), dw(w.size() * sizeof(T)), db(bias.size() * sizeof(T)),
      dy(static_cast<size_t>(span_of(ey, p.y)) * sizeof(T));
  Guarded packed(std::max<size_t>(plan.packed_bytes(), 16)), workspace(std::max<size_t>(plan.workspace_bytes(), 16));
  dx.write(x.data()), dw.write(w.data()), db.write(bias.data());
  if (plan.packed_bytes()) must(plan.pack(dw.data(), packed.data(), nullptr), "pack");
  const ctconv_cuda_call call{dx.data(), dw.data(), plan.packed_bytes() ? packed.data() : nullptr,
                              db.data(), dy.data(), workspace.data(),
                              nullptr};
  must(plan.execute(call), name.c_str());
  must(cudaDeviceSynchronize(), name.c_str());
  const std::vector<T> y = dy.read<T>();
  run.check(dy.guards_whole() && workspace.guards_whole(), name + ": wrote outside y or workspace");
  dy.poison(), workspace.poison();
  must(plan.execute(call), name.c_str());
  must(cudaDeviceSynchronize(), name.c_str());
  const std::vector<T> again = dy.read<T>();
  run.check(std::memcmp(y.data(), again.data(), y.size() * sizeof(T)) == 0, name + ": two runs differ");

  const Bound bound = bound_of(p.dtype, tf32 && !(kernel && std::strcmp(kernel, "direct") == 0));
  const double products = static_cast<double>(p.ci) * static_cast<double>(p.axis[0].k * p.axis[1].k * p.axis[2].k);
  double worst = 0;
  int64_t wrong = 0, seen = 0;
  size_t e = 0;
  for_each_output(p, [&](int64_t at, bool, int64_t, int64_t, int64_t, int64_t, int64_t) {
    const double truth = data.truth.y[e], scale = data.truth.scale[e];
    ++e;
    const auto got = static_cast<double>(widen(y[static_cast<size_t>(at)]));
    if (!std::isfinite(got)) ++wrong;  // poison left behind counts everywhere, also where no truth was computed
    if (std::isnan(truth)) return;
    ++seen;
    const double allowed = ((products + 2) * bound.acc + bound.in) * scale +
                           bound.out * (std::fabs(truth) + scale * bound.acc) + 1e-30 +
                           (p.dtype == CTCONV_CUDA_F16 ? 0x1p-24 : 0);
    const double error = std::fabs(got - truth);
    if (!(error <= allowed)) ++wrong;
    worst = std::max(worst, error / allowed);
  });
  run.check(wrong == 0, name + ": " + std::to_string(wrong) + " of " + std::to_string(seen) +
                            " elements outside the bound, worst " + std::to_string(worst) + " of it; " +
                            plan.describe());
  run.report["correct"].push_back(
      {{"case", name}, {"elements", seen}, {"wrong", wrong}, {"worst_of_bound", worst}, {"plan", plan.describe()}});
}

}  // namespace

void run_correct(Run& run) {
  for (const Layer& layer : run.layers) {
    if (!run.wanted(layer)) continue;
    const double flop = 2.0 * static_cast<double>(input_elements(layer.p)) * static_cast<double>(layer.p.co) *
                        static_cast<double>(layer.p.axis[0].k * layer.p.axis[1].k * layer.p.axis[2].k);
    if (run.quick && flop > 3e7) continue;
    const int64_t sample =
        std::max<int64_t>(1, static_cast<int64_t>(flop / 1e9));  // about 1 GFLOP of f64 a layer on the CPU
    const Data real = make_data(problem_of(layer, CTCONV_CUDA_F32, false), run.seed, false, sample);
    const Data coarse = make_data(problem_of(layer, CTCONV_CUDA_F32, false), run.seed + 1, true, sample);
    for (const bool last : {false, true}) {
      std::vector<const char*> kernels = kernel_names();
      kernels.push_back(nullptr);
      for (const char* kernel : kernels) {
        one<float>(run, layer, real, last, false, kernel);
        one<float>(run, layer, real, last, true, kernel);
        one<F16>(run, layer, coarse, last, false, kernel);
        one<Bf16>(run, layer, coarse, last, false, kernel);
        one<double>(run, layer, real, last, false, kernel);
      }
    }
    std::printf("%-28s correct so far, %d failures\n", layer.id.c_str(), run.failures);
    std::fflush(stdout);
  }
}

}  // namespace ctconv::cuda::testing
