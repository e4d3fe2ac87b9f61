// SPDX-License-Identifier: Apache-2.0
// See case.h.
#include "tests/dialect/case.h"

#include <fstream>
#include <stdexcept>

namespace ctconv::test {

namespace {

struct Type {
  const char* name;
  uint8_t code, bits;
};
constexpr Type kTypes[] = {
    {"float32", 2, 32}, {"float16", 2, 16}, {"bfloat16", 4, 16}, {"float64", 2, 64}, {"int8", 0, 8},
    {"int32", 0, 32},   {"int64", 0, 64},   {"uint8", 1, 8},     {"bool", 6, 8},     {"complex64", 5, 64},
};
const Type& type_named(const std::string& name) {
  for (const Type& t : kTypes) {
    if (name == t.name) return t;
  }
  throw std::runtime_error("unknown dtype " + name);
}

Shape shape_of(const Json& json) {
  Shape s;
  for (const auto& v : json) s.push_back(v.get<int64_t>());
  return s;
}

Shape shape_of(const ctconv_spec& spec) { return Shape(spec.shape, spec.shape + spec.ndim); }

// Element i of the tensors is ((a*i + b) mod m) - c, as the golden file says; only float32.
void fill(Dense* t, int64_t a, int64_t b, int64_t m, int64_t c) {
  auto* p = reinterpret_cast<float*>(t->bytes.data());
  for (int64_t i = 0; i < t->count(); ++i) p[i] = static_cast<float>((a * i + b) % m - c);
}

}  // namespace

void JsonValue::build(const Json& json, ctconv_value* out) {
  if (json.is_null()) return;
  if (json.is_boolean()) {
    out->tag = CTCONV_VALUE_BOOL;
    out->i = json.get<bool>();
  } else if (json.is_number_integer()) {
    out->tag = CTCONV_VALUE_INT;
    out->i = json.get<int64_t>();
  } else if (json.is_number_float()) {
    out->tag = CTCONV_VALUE_FLOAT;
    out->f = json.get<double>();
  } else if (json.is_string()) {
    out->tag = CTCONV_VALUE_STRING;
    texts_.push_back(json.get<std::string>());
    out->text = texts_.back().c_str();
    out->i = static_cast<int64_t>(texts_.back().size());
  } else if (json.is_object() && json.contains("$tensor")) {
    const Json& t = json["$tensor"];
    const Type& type = type_named(t.value("dtype", "float32"));
    shapes_.push_back(shape_of(t["shape"]));
    size_t bytes = type.bits / 8;
    for (int64_t d : shapes_.back()) bytes *= static_cast<size_t>(d);
    bytes_.emplace_back(bytes);
    tensors_.push_back(ctconv_tensor{.data = bytes_.back().data(),
                                     .device_type = 1,
                                     .ndim = static_cast<int32_t>(shapes_.back().size()),
                                     .dtype_code = type.code,
                                     .dtype_bits = type.bits,
                                     .dtype_lanes = 1,
                                     .shape = shapes_.back().data()});
    out->tag = CTCONV_VALUE_TENSOR;
    out->tensor = &tensors_.back();
  } else if (json.is_object() && json.contains("$other")) {
    out->tag = CTCONV_VALUE_OTHER;
    texts_.push_back(json["$other"].get<std::string>());
    out->text = texts_.back().c_str();
    out->i = static_cast<int64_t>(texts_.back().size());
  } else {
    const bool list = json.is_object();
    const Json& sequence = list ? json["$list"] : json;
    out->tag = list ? CTCONV_VALUE_LIST : CTCONV_VALUE_TUPLE;
    out->i = static_cast<int64_t>(sequence.size());
    auto& items = items_.emplace_back(sequence.size());
    for (size_t n = 0; n < sequence.size(); ++n) build(sequence[n], &items[n]);
    out->items = items.data();
  }
}

Dense::Dense(Shape s, const std::string& dtype) : shape(std::move(s)) {
  const Type& t = type_named(dtype);
  code = t.code;
  bits = t.bits;
  bytes.resize(static_cast<size_t>(count()) * bits / 8);
}

int64_t Dense::count() const {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

ctconv_tensor Dense::record() const {
  return {.data = const_cast<unsigned char*>(bytes.data()),
          .device_type = 1,
          .ndim = static_cast<int32_t>(shape.size()),
          .dtype_code = code,
          .dtype_bits = bits,
          .dtype_lanes = 1,
          .shape = shape.data()};
}

Outcome run(const Case& c) {
  Outcome out;
  const auto failed = [&](const char* step, ctconv_status status) {
    out.step = step;
    out.status = status;
    return status != CTCONV_OK;
  };
  ctconv_desc* raw = nullptr;
  if (failed("desc_create", ctconv_desc_create(c.dialect.c_str(), &raw, &out.error))) return out;
  const std::unique_ptr<ctconv_desc, void (*)(ctconv_desc*)> desc(raw, ctconv_desc_destroy);
  for (const auto& [name, json] : c.args.items()) {
    if (failed("desc_set", ctconv_desc_set(raw, name.c_str(), JsonValue(json).get()))) return out;
  }
  if (failed("desc_validate", ctconv_desc_validate(raw, &out.error))) return out;
  if (!c.with_weight) return out;

  const std::string x_type = c.call.value("input_dtype", "float32"), w_type = c.call.value("weight_dtype", "float32");
  Dense x(c.input_shape, x_type);
  ctconv_tensor x_record = x.record();
  // Shapes are asked for in the weight's element type, as the weight will have.
  const Dense shape_only(c.input_shape, w_type);
  const ctconv_tensor shape_record = shape_only.record();
  Shape weight_shape;
  ctconv_spec weight_spec{}, bias_spec{};
  const ctconv_status spec_status = ctconv_desc_weight_spec(raw, &shape_record, &weight_spec, &bias_spec, &out.error);
  if (spec_status == CTCONV_OK) {
    out.weight_spec = weight_shape = shape_of(weight_spec);
    out.bias_spec = shape_of(bias_spec);
  }
  if (c.call.contains("weight_shape")) {
    weight_shape = shape_of(c.call["weight_shape"]);
  } else if (failed("weight_spec", spec_status)) {
    return out;
  }
  Dense w(weight_shape, w_type), b;
  const bool bias = c.call.contains("bias_shape") && !c.call["bias_shape"].is_null();
  if (bias) b = Dense(shape_of(c.call["bias_shape"]), c.call.value("bias_dtype", w_type));
  if (c.golden_fill) {
    fill(&x, 7, 3, 13, 6);
    fill(&w, 5, 1, 11, 5);
    if (bias) fill(&b, 3, 2, 7, 3);
  }
  ctconv_tensor w_record = w.record(), b_record = b.record();
  if (c.weights_in_call) w_record.device_type = b_record.device_type = c.device_type;
  x_record.device_type = c.device_type;

  ctconv_options options = CTCONV_OPTIONS_INIT;
  if (!c.engine.empty()) options.engine = c.engine.c_str();
  const std::string device = c.call.value("device", "");
  if (!device.empty()) options.device = device.c_str();
  ctconv_op* raw_op = nullptr;
  const bool now = !c.weights_in_call;
  if (failed("create", ctconv_create(raw, now ? &w_record : nullptr, now && bias ? &b_record : nullptr, &options,
                                     &raw_op, &out.error)))
    return out;
  const std::unique_ptr<ctconv_op, void (*)(ctconv_op*)> op(raw_op, ctconv_destroy);

  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &x_record;
  if (!now) {
    call.weight = &w_record;
    call.bias = bias ? &b_record : nullptr;
  }
  std::unique_ptr<JsonValue> size;
  if (c.call.contains("output_size")) {
    size = std::make_unique<JsonValue>(c.call["output_size"]);
    call.output_size = size->get();
  }
  ctconv_spec y_spec{};
  if (failed("output_spec", ctconv_output_spec(raw_op, &call, &y_spec, &out.error))) return out;
  out.output_shape = shape_of(y_spec);
  if (!c.execute) return out;
  out.y = Dense(out.output_shape, x_type);
  ctconv_tensor y_record = out.y.record();
  y_record.device_type = c.device_type;
  call.y = &y_record;
  failed("execute", ctconv_execute(raw_op, &call, &out.error));
  return out;
}

std::string name_of(ctconv_status status) { return ctconv_status_name(status); }

Json read_json(const std::string& file) {
  std::ifstream in(std::string(CTCONV_TEST_DATA) + "/" + file);
  if (!in) throw std::runtime_error("cannot open " + file);
  return Json::parse(in);
}

Shape shape(const Json& json) {
  Shape s;
  for (const auto& v : json) s.push_back(v.get<int64_t>());
  return s;
}

namespace {
Json merged(Json base, const Json& more) {
  for (const auto& [name, value] : more.items()) {
    if (value.is_object() && value.contains("$unset")) {
      base.erase(name);
    } else {
      base[name] = value;
    }
  }
  return base;
}

}  // namespace

Case call_of(const Json& base, const Json& row, const char* set, const char* call, const char* input_shape) {
  const Json none = Json::object();
  Case c{.dialect = row["dialect"],
         .args = merged(base["args"], row.value(set, none)),
         .input_shape = shape(row.contains(input_shape) ? row[input_shape] : base["input_shape"]),
         .call = merged(base.value("call", none), row.value(call, none))};
  return c;
}

}  // namespace ctconv::test
