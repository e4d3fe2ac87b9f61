// SPDX-License-Identifier: Apache-2.0
// Arrays: memory, conversions of 16-bit types, generated numbers, the source notation of the command line.
#include "tools/cli/array.h"

#include <unistd.h>

#include <cmath>
#include <cstring>

#include "tools/cli/fault.h"
#include "tools/cli/npy.h"

namespace cli {
namespace {

// Round a float to the upper 16 bits of its pattern, or to IEEE half; to nearest even, like the hardware.
uint16_t to_bfloat16(float value) {
  uint32_t u;
  std::memcpy(&u, &value, 4);
  if (std::isnan(value)) return static_cast<uint16_t>((u >> 16) | 0x40);
  return static_cast<uint16_t>((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

uint16_t to_float16(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return sign | 0x7e00;
  const double a = std::fabs(value);
  if (a >= 65520.0) return sign | 0x7c00;  // halfway to 2^16 and beyond
  int exponent;
  std::frexp(a, &exponent);
  // a = m * 2^(step) with m below 2^11; below 2^-14 the step stays that of the subnormals.
  const int step = std::max(exponent - 11, -24);
  const auto m = static_cast<uint32_t>(std::nearbyint(std::ldexp(a, -step)));
  if (m == 0) return sign;
  // m in 2^10..2^11 is normal: exponent field step + 25, whose hidden bit the addition carries.
  return static_cast<uint16_t>(sign | (m + (static_cast<uint32_t>(step + 24) << 10)));
}

double from_float16(uint16_t h) {
  const int exponent = (h >> 10) & 31, mantissa = h & 1023;
  const double a = exponent == 31 ? (mantissa ? NAN : INFINITY)
                   : exponent     ? std::ldexp(1024 + mantissa, exponent - 25)
                                  : std::ldexp(mantissa, -24);
  return (h & 0x8000) ? -a : a;
}

uint64_t splitmix64(uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

Array::Array(ctconv::Dtype type, std::vector<int64_t> shape, bool fortran)
    : Array(type, std::move(shape), fortran, false) {}

Array Array::blank(ctconv::Dtype type, std::vector<int64_t> shape) {
  return Array(type, std::move(shape), false, true);
}

Array::Array(ctconv::Dtype type, std::vector<int64_t> shape, bool fortran, bool blank)
    : type_(type), shape_(std::move(shape)), fortran_(fortran) {
  if (shape_.size() > CTCONV_MAX_NDIM) throw Fault("ARRAY", "a tensor has at most 8 axes, not " + text_of(shape_));
  size_t n = 1;
  bool empty = false;
  for (int64_t extent : shape_) {
    if (extent < 0) throw Fault("ARRAY", "negative extent in " + text_of(shape_));
    if (extent == 0) empty = true;
    if (extent > 0 && __builtin_mul_overflow(n, static_cast<size_t>(extent), &n))
      throw Fault("ARRAY", text_of(shape_) + " has too many elements");
  }
  elements_ = empty ? 0 : n;
  if (__builtin_mul_overflow(elements_, type_.bytes(), &bytes_) || bytes_ > PTRDIFF_MAX - 64)
    throw Fault("ARRAY", text_of(shape_) + " has too many bytes");
  if (fortran_) {
    int64_t step = 1;
    for (int64_t extent : shape_) {
      strides_.push_back(step);
      step *= extent;
    }
  }
  // 64: a cache line, so that timings do not depend on where malloc put the data.
  data_.reset(blank ? std::calloc(bytes_ + 64, 1) : std::aligned_alloc(64, (bytes_ + 64) / 64 * 64));
  if (!data_) throw Fault("ARRAY", "no memory for " + text_of(shape_) + " (" + std::to_string(bytes_) + " bytes)");
}

double Array::get(size_t i) const {
  if (type_ == ctconv::kFloat64) return static_cast<const double*>(data())[i];
  if (type_ == ctconv::kFloat32) return static_cast<const float*>(data())[i];
  const uint16_t h = static_cast<const uint16_t*>(data())[i];
  if (type_ == ctconv::kFloat16) return from_float16(h);
  const uint32_t u = static_cast<uint32_t>(h) << 16;
  float f;
  std::memcpy(&f, &u, 4);
  return f;
}

void Array::set(size_t i, double value) {
  if (type_ == ctconv::kFloat64) {
    static_cast<double*>(data())[i] = value;
  } else if (type_ == ctconv::kFloat32) {
    static_cast<float*>(data())[i] = static_cast<float>(value);
  } else {
    static_cast<uint16_t*>(data())[i] =
        type_ == ctconv::kFloat16 ? to_float16(value) : to_bfloat16(static_cast<float>(value));
  }
}

std::string name_of(ctconv::Dtype type) {
  if (type == ctconv::kBfloat16) return "bfloat16";
  return "float" + std::to_string(type.bits);
}

bool parse_dtype(const std::string& text, ctconv::Dtype* type) {
  const struct {
    const char *name, *short_name;
    ctconv::Dtype type;
  } known[] = {{"float16", "f16", ctconv::kFloat16},
               {"bfloat16", "bf16", ctconv::kBfloat16},
               {"float32", "f32", ctconv::kFloat32},
               {"float64", "f64", ctconv::kFloat64}};
  for (const auto& k : known) {
    if (text != k.name && text != k.short_name) continue;
    *type = k.type;
    return true;
  }
  return false;
}

std::string text_of(const std::vector<int64_t>& shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + (shape.size() == 1 ? ",)" : ")");
}

void fill_random(Array& array, uint64_t seed) {
  const uint64_t key = splitmix64(seed);
  for (size_t i = 0; i < array.elements(); ++i)
    array.set(i, static_cast<double>(splitmix64(key + i) >> 40) * 0x1p-23 - 1.0);
}

void fill_constant(Array& array, double value) {
  for (size_t i = 0; i < array.elements(); ++i) array.set(i, value);
}

namespace {

bool parse_shape(const std::string& text, std::vector<int64_t>* shape) {
  if (text.empty() || text.find_first_not_of("0123456789,x") != std::string::npos) return false;
  std::vector<int64_t> out;
  size_t at = 0;
  while (at <= text.size()) {
    const size_t end = std::min(text.find_first_of(",x", at), text.size());
    const std::string item = text.substr(at, end - at);
    if (item.empty()) return false;
    if (item.size() > 18) throw Fault("OPTION", "extent " + item + " is too large");
    out.push_back(std::stoll(item));
    at = end + 1;
  }
  if (out.size() > CTCONV_MAX_NDIM) throw Fault("OPTION", "a tensor has at most 8 axes: " + text);
  *shape = out;
  return true;
}

// "1,3,a,16" and "1,3,-4,16" are shapes with a mistake in them, unless a file has that name.
void refuse_bad_shape(const std::string& text) {
  const size_t comma = text.find(',');
  if (comma == std::string::npos || text.find_first_of("/.") != std::string::npos) return;
  if ((text[0] < '0' || text[0] > '9') && text[0] != '-') return;
  if (access(text.c_str(), F_OK) == 0) return;
  throw Fault("OPTION", "'" + text + "' is no shape: whole numbers joined by commas are expected, e.g. 1,3,16,16");
}

}  // namespace

Source parse_source(const std::string& text) {
  Source s;
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(':', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  size_t next = 0;
  const std::pair<const char*, Source::Kind> kinds[] = {
      {"random", Source::kRandom}, {"ones", Source::kOnes}, {"zeros", Source::kZeros}, {"none", Source::kNone}};
  for (const auto& [word, kind] : kinds)
    if (parts[0] == word) {
      s.kind = kind;
      next = 1;
    }
  if (next < parts.size() && parse_shape(parts[next], &s.shape)) {
    ++next;
    if (s.kind == Source::kDefault) s.kind = Source::kRandom;
  }
  if (next > 0 && next < parts.size() && parse_dtype(parts[next], &s.type)) {
    ++next;
    s.has_dtype = true;
  }
  if (next == parts.size() && next > 0) return s;
  if (next > 0)
    throw Fault("OPTION", "'" + text + "': '" + parts[next] +
                              "' is neither a shape nor an element type; expected FILE.npy, or "
                              "[random|ones|zeros][:1,3,16,16][:float16|bfloat16|float32|float64]");
  refuse_bad_shape(text);
  s = Source();
  s.kind = Source::kFile;
  s.path = text;
  return s;
}

Array load(const Source& source, uint64_t seed, const std::vector<int64_t>& shape, ctconv::Dtype type) {
  if (source.kind == Source::kFile) return read_npy(source.path);
  const auto& wanted = source.shape.empty() ? shape : source.shape;
  if (wanted.empty()) throw Fault("OPTION", "a generated tensor needs a shape here, e.g. random:1,3,16,16");
  Array out(source.has_dtype ? source.type : type, wanted);
  if (source.kind == Source::kOnes)
    fill_constant(out, 1);
  else if (source.kind == Source::kZeros)
    fill_constant(out, 0);
  else
    fill_random(out, seed);
  return out;
}

}  // namespace cli
