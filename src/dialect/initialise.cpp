// SPDX-License-Identifier: Apache-2.0
// One pass over the logical elements; what each kind of initialiser draws. See initialise.h.
#include "src/dialect/initialise.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "src/base/half.h"
#include "src/base/normal.h"
#include "src/base/philox.h"

namespace ctconv {
namespace {

constexpr uint32_t kWeightStream = 0, kBiasStream = 1;
// A cut normal is drawn until it falls inside; a cut that leaves less than about 1e-3 ends at the nearer bound.
constexpr uint32_t kAttempts = 4096;

struct Fans {
  double in = 1, out = 1, in_channels = 1, out_channels = 1;
};

double product(std::span<const int64_t> dims) {
  double p = 1;
  for (int64_t d : dims) p *= static_cast<double>(d);
  return p;
}

// fan_in counts what the weight calls output channels, fan_out the input channels: the packages name the axes of a
// transposed weight as if it were that of a forward convolution.
Fans fans_of(const Descriptor& d, std::span<const int64_t> w) {
  Fans f;
  if (w.empty()) return f;
  if (w.size() == 1) {  // a vector with fans: Keras counts its length both ways
    f.in = f.out = static_cast<double>(w[0]);
    return f;
  }
  const WeightAxes axes = weight_axes(d.weight_order, d.groups, d.rank);
  const double taps = product(w.subspan(static_cast<size_t>(axes.tap), static_cast<size_t>(d.rank)));
  f.in = static_cast<double>(at(w, axes.out)) * taps;
  f.out = static_cast<double>(at(w, axes.in)) * taps;
  const double kernel = product(d.kernel);
  f.in_channels = static_cast<double>(d.in_channels) * kernel;
  f.out_channels = static_cast<double>(d.out_channels) * kernel;
  return f;
}

double fan(const Fans& f, Initialiser::Fan which) {
  static_assert(Initialiser::kNoFan == 0 && Initialiser::kFanSum == 3 && Initialiser::kOutChannels == 5);
  const double all[] = {1, f.in, f.out, f.in + f.out, f.in_channels, f.out_channels};
  return all[which];
}

void store(const TensorView& out, Dtype type, int64_t offset, double value) {
  auto* base = static_cast<std::byte*>(out.data) + offset * static_cast<int64_t>(size_of(type));
  const auto narrow = static_cast<float>(value);
  const uint16_t half = type == Dtype::kF16 ? f32_to_f16(narrow) : f32_to_bf16(narrow);
  if (type == Dtype::kF64) {
    std::memcpy(base, &value, sizeof value);
  } else if (type == Dtype::kF32) {
    std::memcpy(base, &narrow, sizeof narrow);
  } else {
    std::memcpy(base, &half, sizeof half);
  }
}

bool is_float(ElementType type) { return type.code == 2 || type.code == 4; }

// draw(i) for every logical element i, row-major.
template <class Draw>
Status fill(const TensorView& out, const Draw& draw) {
  Dtype type;
  if (!to_dtype(out.type, &type) || !is_float(out.type)) {
    return Status(Code::TYPE_INPUT_DTYPE,
                  "parameters are float16, bfloat16, float32 or float64, not " + name_of(out.type));
  }
  int64_t count = 1;
  for (int64_t d : out.dims()) count *= d;
  std::array<int64_t, kMaxNdim> at{};
  int64_t offset = 0;
  for (int64_t i = 0; i < count; ++i) {
    store(out, type, offset, draw(static_cast<uint64_t>(i)));
    for (int n = out.ndim - 1; n >= 0; --n) {
      const auto k = static_cast<size_t>(n);
      offset += out.strides[k];
      if (++at[k] < out.shape[k]) break;
      offset -= out.strides[k] * at[k];
      at[k] = 0;
    }
  }
  return {};
}

double cut_normal(const PhiloxStream& stream, uint64_t i, double mean, double sigma, double lo, double hi) {
  double v = mean;
  for (uint32_t attempt = 0; attempt < kAttempts; ++attempt) {
    v = std::fma(sigma, normal_quantile(unit_open(stream.word(i, attempt))), mean);
    if (v >= lo && v <= hi) return v;
  }
  return v < lo ? lo : hi;
}

// groups * min(rows / groups, columns) ones at the middle tap, as the package places them with one group.
Status fill_dirac(const TensorView& out) {
  const auto shape = out.dims();
  int64_t taps = 1, middle = 0;
  for (size_t n = 2; n < shape.size(); ++n) {
    taps *= shape[n];
    middle = middle * shape[n] + shape[n] / 2;
  }
  const int64_t columns = shape[1];
  return fill(out, [&](uint64_t i) {
    const auto index = static_cast<int64_t>(i);
    const int64_t tap = index % taps, column = index / taps % columns, row = index / taps / columns;
    return row == column && tap == middle ? 1.0 : 0.0;
  });
}

// Rows (or columns, whichever are fewer) orthonormal: modified Gram-Schmidt, done twice, on normal draws of shape
// (shape[0], rest).
Status fill_orthogonal(const TensorView& out, const PhiloxStream& stream) {
  const auto shape = out.dims();
  int64_t rest = 1;
  for (size_t n = 1; n < shape.size(); ++n) rest *= shape[n];
  const int64_t rows = shape.empty() ? 0 : shape[0], vectors = std::min(rows, rest), length = std::max(rows, rest);
  std::vector<double> v;
  try {
    v.resize(static_cast<size_t>(vectors * length));
  } catch (const std::bad_alloc&) {
    return Status(Code::NO_MEMORY, "orthogonal: no memory for a copy of the weight");
  }
  for (size_t i = 0; i < v.size(); ++i) v[i] = normal_quantile(unit_open(stream.word(i)));
  const auto row = [&](int64_t n) { return v.data() + n * length; };
  const auto dot = [&](const double* a, const double* b) {
    double s = 0;
    for (int64_t k = 0; k < length; ++k) s = std::fma(a[k], b[k], s);
    return s;
  };
  for (int64_t n = 0; n < vectors; ++n) {
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t m = 0; m < n; ++m) {
        const double along = dot(row(n), row(m));
        for (int64_t k = 0; k < length; ++k) row(n)[k] = std::fma(-along, row(m)[k], row(n)[k]);
      }
    }
    const double norm = std::sqrt(dot(row(n), row(n)));
    for (int64_t k = 0; k < length; ++k) row(n)[k] /= norm;
  }
  return fill(out, [&](uint64_t i) {
    const auto index = static_cast<int64_t>(i);
    const int64_t r = index / rest, c = index % rest;
    return rows <= rest ? row(r)[c] : row(c)[r];
  });
}

Status fill_by(const Descriptor& desc, const Initialiser& init, const PhiloxStream& stream,
               std::span<const int64_t> weight_shape, const TensorView& out, const char* what, Code bad) {
  const bool scaled = init.fan != Initialiser::kNoFan;
  const double width = scaled ? std::sqrt(init.scale / fan(fans_of(desc, weight_shape), init.fan)) : 0;
  switch (init.kind) {
    case Initialiser::kNoParameter:
      return Status(Code::UNSUPPORTED_INIT, desc.dialect + " has no " + what + " of its own to initialise");
    case Initialiser::kConstant:
      return fill(out, [&](uint64_t) { return init.a; });
    case Initialiser::kUniform: {
      const double lo = scaled ? -width : init.a, hi = scaled ? width : init.b;
      return fill(out, [&](uint64_t i) { return std::fma(hi - lo, unit_half_open(stream.word(i)), lo); });
    }
    case Initialiser::kNormal: {
      const double sigma = scaled ? width : init.b;
      return fill(out, [&](uint64_t i) { return std::fma(sigma, normal_quantile(unit_open(stream.word(i))), init.a); });
    }
    case Initialiser::kTruncatedNormal: {
      const double sigma = scaled ? width : init.b, unit = scaled ? width : 1;
      return fill(out,
                  [&](uint64_t i) { return cut_normal(stream, i, init.a, sigma, init.lo * unit, init.hi * unit); });
    }
    case Initialiser::kTensor: {
      const auto shape = out.dims();
      if (!std::equal(shape.begin(), shape.end(), init.shape.begin(), init.shape.end())) {
        return Status(
            bad, std::string("the tensor given to initialise the ") + what + " has another shape than the parameter");
      }
      return fill(out, [&](uint64_t i) { return init.values[i]; });
    }
    case Initialiser::kDirac:
      return fill_dirac(out);
    case Initialiser::kOrthogonal:
      break;
  }
  return fill_orthogonal(out, stream);
}

}  // namespace

Status initialise_weight(const Descriptor& desc, uint64_t seed, const TensorView& out) {
  return fill_by(desc, desc.weight_init, PhiloxStream(seed, kWeightStream), out.dims(), out, "weight",
                 Code::VALUE_WEIGHT_INIT);
}

Status initialise_bias(const Descriptor& desc, uint64_t seed, std::span<const int64_t> weight_shape,
                       const TensorView& out) {
  const Initialiser& init = desc.bias_init;
  // A rule stated in fans or axes has no meaning for a vector; the packages fail there too.
  if (init.kind == Initialiser::kDirac || init.kind == Initialiser::kOrthogonal || init.needs_axes) {
    return Status(Code::UNSUPPORTED_INIT, desc.dialect + ": the bias is a vector, but its initialiser needs two axes");
  }
  if (desc.bias_fans_are_its_own) weight_shape = out.dims();
  return fill_by(desc, init, PhiloxStream(seed, kBiasStream), weight_shape, out, "bias", Code::VALUE_BIAS_INIT);
}

}  // namespace ctconv
