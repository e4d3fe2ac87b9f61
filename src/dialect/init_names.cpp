// SPDX-License-Identifier: Apache-2.0
// Looks a name up; reads a tensor argument of any numeric element type into doubles.
#include "src/dialect/init_names.h"

#include <cstring>

#include "src/base/half.h"
#include "src/base/show.h"

namespace ctconv {
namespace {

template <class T>
double load(const std::byte* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return static_cast<double>(v);
}

template <class T>
T bits(const std::byte* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

using Loader = double (*)(const std::byte*);

Loader loader_of(ElementType e) {
  if (e.lanes != 1) return nullptr;
  switch (e.code * 256 + e.bits) {
    case 2 * 256 + 16:
      return [](const std::byte* p) { return static_cast<double>(f16_to_f32(bits<uint16_t>(p))); };
    case 4 * 256 + 16:
      return [](const std::byte* p) { return static_cast<double>(bf16_to_f32(bits<uint16_t>(p))); };
    case 2 * 256 + 32:
      return load<float>;
    case 2 * 256 + 64:
      return load<double>;
    case 0 * 256 + 8:
      return load<int8_t>;
    case 0 * 256 + 16:
      return load<int16_t>;
    case 0 * 256 + 32:
      return load<int32_t>;
    case 0 * 256 + 64:
      return load<int64_t>;
    case 1 * 256 + 8:
    case 6 * 256 + 8:
      return load<uint8_t>;
    case 1 * 256 + 16:
      return load<uint16_t>;
    case 1 * 256 + 32:
      return load<uint32_t>;
    case 1 * 256 + 64:
      return load<uint64_t>;
    default:
      return nullptr;
  }
}

}  // namespace

bool init_by_name(std::span<const NamedInit> rows, std::string_view name, Initialiser* out) {
  for (const NamedInit& r : rows) {
    if (name != r.name) continue;
    *out = {.kind = r.kind, .a = r.a, .b = r.b, .lo = r.lo, .hi = r.hi, .fan = r.fan, .scale = r.scale};
    out->needs_axes = r.needs_axes;
    return true;
  }
  return false;
}

Status tensor_init(const std::string& name, const Value& value, const std::vector<int64_t>* shape, Code type, Code bad,
                   Initialiser* out) {
  const TensorView& t = value.tensor;
  const Loader load_one = loader_of(t.type);
  if (load_one == nullptr)
    return argument_error(type, name, value.show(), "a tensor of numbers", "has element type " + name_of(t.type));
  const std::vector<int64_t> given(t.dims().begin(), t.dims().end());
  if (shape != nullptr && given != *shape) {
    return argument_error(bad, name, value.show(), "a tensor of shape " + show_shape(*shape),
                          "has another shape than the parameter");
  }
  *out = {.kind = Initialiser::kTensor, .shape = given};
  const size_t bytes = static_cast<size_t>(bytes_of(t.type));
  const size_t count = value.bytes.size() / bytes;  // the copy is dense
  out->values.resize(count);
  for (size_t n = 0; n < count; ++n) out->values[n] = load_one(value.bytes.data() + n * bytes);
  return {};
}

}  // namespace ctconv
