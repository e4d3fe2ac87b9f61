// SPDX-License-Identifier: Apache-2.0
// ctconv_desc_…: collecting arguments and asking the dialect about them.
#include <cstring>
#include <new>

#include "capi/op.h"
#include "src/base/overlap.h"
#include "src/base/utf8.h"
#include "src/dialect/initialise.h"
#include "src/problem/judge.h"

using namespace ctconv;

ctconv::Result<ctconv::Descriptor> ctconv_desc::interpret() const {
  if (failed_set) return Status(*failed_set);
  return ctconv::interpret(*dialect, args, version);
}

namespace {

// The dialects that share the first word of what was asked; where none does, the first words there are.
std::string known_dialects(std::string_view asked) {
  const auto family = [](std::string_view name) { return name.substr(0, name.find('.')); };
  std::string same, families;
  std::string_view last;
  for (const Dialect &d : dialects()) {
    if (family(d.name) == family(asked)) same += (same.empty() ? "" : ", ") + std::string(d.name);
    if (family(d.name) != last) families += (families.empty() ? "" : ", ") + std::string(last = family(d.name));
  }
  if (!same.empty()) return same;
  return "names that begin with " + families + " (ctconv_dialect_name lists all)";
}

Status set(ctconv_desc *desc, const char *name, const ctconv_value *value) {
  if (desc == nullptr) return null_argument("desc");
  if (name == nullptr) return null_argument("name");
  if (value == nullptr) return null_argument("value");
  Value copy;
  CTCONV_RETURN_IF_ERROR(read_value(*value, name, &copy));
  desc->args.set(name, std::move(copy));
  return {};
}

// Runs `body`; a failure is remembered in desc as well as returned.
template <class F>
ctconv_status remembered(ctconv_desc *desc, F &&body) noexcept {
  return guarded(nullptr, [&]() -> Status {
    const auto keep = [&](Status status) {
      if (desc != nullptr && !desc->failed_set) desc->failed_set = status.detail();
      return status;
    };
    try {
      Status status = body();
      return status.ok() ? Status() : keep(std::move(status));
    } catch (const std::bad_alloc &) {
      if (desc != nullptr && !desc->failed_set) {  // remembered without taking memory: the text fits inside a string
        desc->failed_set.emplace();
        desc->failed_set->code = Code::NO_MEMORY;
        desc->failed_set->message = "out of memory";
      }
      throw;
    }
  });
}

Status read_spec_input(const ctconv_tensor *x, TensorView *out) {
  return x != nullptr ? read_tensor(*x, "x", false, out) : Status();
}

Status initialise_into(const ctconv_desc *desc, uint64_t seed, const ctconv_tensor *out, bool weight) {
  if (desc == nullptr) return null_argument("desc");
  if (out == nullptr) return null_argument("out");
  TensorView view;
  CTCONV_RETURN_IF_ERROR(read_tensor(*out, "out", true, &view));
  if (!on_host(view)) {
    return argument_error(Code::MISUSE_TENSOR_DEVICE, "out", std::to_string(view.device_type), "host memory",
                          "lies on a device");
  }
  Span span;
  CTCONV_RETURN_IF_ERROR(span_of(view, "out", &span));
  CTCONV_RETURN_IF_ERROR(judge_self_overlap("out", view));
  auto d = desc->interpret();
  if (!d.ok()) return d.take_status();
  CTCONV_RETURN_IF_ERROR(judge_weights(*d, weight ? &view : nullptr, weight ? nullptr : &view, false));
  if (weight) return initialise_weight(*d, seed, view);
  auto specs = weight_specs(*d, nullptr);  // fans of the bias are the weight's; dialects whose weight needs x have none
  const std::span<const int64_t> shape =
      specs.ok() ? std::span<const int64_t>(specs->weight.shape.data(), static_cast<size_t>(specs->weight.ndim))
                 : std::span<const int64_t>();
  return initialise_bias(*d, seed, shape, view);
}

}  // namespace

extern "C" {

ctconv_status ctconv_desc_create(const char *dialect, ctconv_desc **desc, ctconv_error *error) {
  if (desc != nullptr) *desc = nullptr;
  return guarded(error, [&]() -> Status {
    if (dialect == nullptr) return null_argument("dialect");
    if (desc == nullptr) return null_argument("desc");
    std::string_view version;
    const Dialect *found = find_dialect(dialect, &version);
    if (found == nullptr) {
      const std::string known = known_dialects(dialect);
      const std::string asked = '"' + std::string(cut_utf8(dialect, 60)) + '"';
      return Status(Status::Detail{.code = Code::MISUSE_DIALECT,
                                   .argument = "dialect",
                                   .value = asked,
                                   .range = known,
                                   .message = "dialect " + asked + " is unknown; known: " + known});
    }
    auto made = std::make_unique<ctconv_desc>();
    made->dialect = found;
    made->version = version;
    *desc = made.release();
    return {};
  });
}

ctconv_status ctconv_desc_set(ctconv_desc *desc, const char *name, const ctconv_value *value) {
  return remembered(desc, [&] { return set(desc, name, value); });
}

ctconv_status ctconv_desc_set_int(ctconv_desc *desc, const char *name, int64_t value) {
  ctconv_value v = {};
  v.tag = CTCONV_VALUE_INT;
  v.i = value;
  return ctconv_desc_set(desc, name, &v);
}

ctconv_status ctconv_desc_set_ints(ctconv_desc *desc, const char *name, const int64_t *values, size_t count) {
  return remembered(desc, [&]() -> Status {
    if (values == nullptr && count > 0) return null_argument("values");
    if (count > (size_t{1} << 20)) {
      return argument_error(Code::MISUSE_VALUE, name != nullptr ? name : "count", std::to_string(count) + " items",
                            "0 to 2^20 items", "has an item count out of range");
    }
    std::vector<ctconv_value> items(count);
    for (size_t n = 0; n < count; ++n) {
      items[n].tag = CTCONV_VALUE_INT;
      items[n].i = values[n];
    }
    ctconv_value v = {};
    v.tag = CTCONV_VALUE_TUPLE;
    v.i = static_cast<int64_t>(count);
    v.items = items.data();
    return set(desc, name, &v);
  });
}

ctconv_status ctconv_desc_set_float(ctconv_desc *desc, const char *name, double value) {
  ctconv_value v = {};
  v.tag = CTCONV_VALUE_FLOAT;
  v.f = value;
  return ctconv_desc_set(desc, name, &v);
}

ctconv_status ctconv_desc_set_bool(ctconv_desc *desc, const char *name, int32_t value) {
  ctconv_value v = {};
  v.tag = CTCONV_VALUE_BOOL;
  v.i = value != 0;
  return ctconv_desc_set(desc, name, &v);
}

ctconv_status ctconv_desc_set_string(ctconv_desc *desc, const char *name, const char *value) {
  return remembered(desc, [&]() -> Status {
    if (value == nullptr) return null_argument("value");
    ctconv_value v = {};
    v.tag = CTCONV_VALUE_STRING;
    v.i = static_cast<int64_t>(std::strlen(value));
    v.text = value;
    return set(desc, name, &v);
  });
}

ctconv_status ctconv_desc_set_none(ctconv_desc *desc, const char *name) {
  const ctconv_value v = {};
  return ctconv_desc_set(desc, name, &v);
}

ctconv_status ctconv_desc_set_tensor(ctconv_desc *desc, const char *name, const ctconv_tensor *value) {
  return remembered(desc, [&]() -> Status {
    if (value == nullptr) return null_argument("value");
    ctconv_value v = {};
    v.tag = CTCONV_VALUE_TENSOR;
    v.tensor = value;
    return set(desc, name, &v);
  });
}

ctconv_status ctconv_desc_validate(const ctconv_desc *desc, ctconv_error *error) {
  return guarded(error, [&]() -> Status {
    if (desc == nullptr) return null_argument("desc");
    return desc->interpret().take_status();
  });
}

ctconv_status ctconv_desc_weight_spec(const ctconv_desc *desc, const ctconv_tensor *x, ctconv_spec *weight,
                                      ctconv_spec *bias, ctconv_error *error) {
  for (ctconv_spec *spec : {weight, bias}) {
    if (spec != nullptr) std::memset(spec, 0, sizeof *spec);
  }
  return guarded(error, [&]() -> Status {
    if (desc == nullptr) return null_argument("desc");
    TensorView view;
    CTCONV_RETURN_IF_ERROR(read_spec_input(x, &view));
    auto d = desc->interpret();
    if (!d.ok()) return d.take_status();
    auto specs = weight_specs(*d, x != nullptr ? &view : nullptr);
    if (!specs.ok()) return specs.take_status();
    if (weight != nullptr) write_spec(specs->weight, weight);
    if (bias != nullptr) write_spec(specs->bias, bias);
    return {};
  });
}

ctconv_status ctconv_init_weight(const ctconv_desc *desc, uint64_t seed, const ctconv_tensor *out,
                                 ctconv_error *error) {
  return guarded(error, [&] { return initialise_into(desc, seed, out, true); });
}

ctconv_status ctconv_init_bias(const ctconv_desc *desc, uint64_t seed, const ctconv_tensor *out, ctconv_error *error) {
  return guarded(error, [&] { return initialise_into(desc, seed, out, false); });
}

void ctconv_desc_destroy(ctconv_desc *desc) { delete desc; }

}  // extern "C"
