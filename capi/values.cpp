// SPDX-License-Identifier: Apache-2.0
// Reading a ctconv_value: a deep copy, judged level by level; see records.h.
#include "capi/records.h"
#include "src/base/checked.h"
#include "src/base/show.h"

namespace ctconv {
namespace {

constexpr int kDeepest = 8;
constexpr int64_t kMostText = 1 << 20, kMostItems = 1 << 20;

// What a value may still hold: items of all levels together, and what they point at. Few arrays that many lists share
// would be copied over and over.
struct Room {
  int64_t items = kMostItems, bytes = int64_t{1} << 26;
};
Status read_one(const ctconv_value& in, const char* name, Value* out, int depth, Room* room);

Status bad_value(const char* name, std::string value, std::string range, const char* reason) {
  return argument_error(Code::MISUSE_VALUE, name, std::move(value), std::move(range),
                        std::string("ctconv_value ") + reason);
}

Status take_bytes(const char* name, int64_t bytes, int depth, Room* room) {
  if (depth == 0) return {};  // a value of its own
  if (bytes > room->bytes) {
    return bad_value(name, "more than 2^26 bytes", "at most 2^26 bytes in the items", "holds too many bytes in all");
  }
  room->bytes -= bytes;
  return {};
}

Status read_text(const ctconv_value& in, const char* name, Value* out, int depth, Room* room) {
  if (in.i < 0 || in.i > kMostText) {
    return bad_value(name, std::to_string(in.i) + " bytes", "0 to 2^20 bytes", "has a text length out of range");
  }
  if (in.text == nullptr && in.i > 0) {
    return bad_value(name, "NULL", "a pointer to " + std::to_string(in.i) + " bytes", "has a NULL text");
  }
  CTCONV_RETURN_IF_ERROR(take_bytes(name, in.i, depth, room));
  out->tag = in.tag == CTCONV_VALUE_STRING ? Value::kString : Value::kOther;
  if (in.i > 0) out->text.assign(in.text, static_cast<size_t>(in.i));
  return {};
}

Status read_items(const ctconv_value& in, const char* name, Value* out, int depth, Room* room) {
  if (in.i < 0 || in.i > kMostItems) {
    return bad_value(name, std::to_string(in.i) + " items", "0 to 2^20 items", "has an item count out of range");
  }
  if (in.items == nullptr && in.i > 0) {
    return bad_value(name, "NULL", "a pointer to " + std::to_string(in.i) + " values", "has NULL items");
  }
  if (in.i > room->items) {
    return bad_value(name, "more than 2^20 items", "at most 2^20 items in all", "has too many items in all its levels");
  }
  room->items -= in.i;
  out->tag = in.tag == CTCONV_VALUE_TUPLE ? Value::kTuple : Value::kList;
  const auto count = static_cast<size_t>(in.i);
  out->items.resize(count);
  for (size_t n = 0; n < count; ++n) {
    CTCONV_RETURN_IF_ERROR(read_one(in.items[n], name, &out->items[n], depth + 1, room));
  }
  return {};
}

Status read_values_of(const ctconv_value& in, const char* name, Value* out, int depth, Room* room) {
  if (in.tensor == nullptr) return bad_value(name, "NULL", "a ctconv_tensor", "has a NULL tensor");
  out->tag = Value::kTensor;
  TensorView t;
  CTCONV_RETURN_IF_ERROR(read_tensor(*in.tensor, name, true, &t));
  if (!on_host(t)) {
    return bad_value(name, "device type " + std::to_string(t.device_type), "host memory (1, or 3 pinned)",
                     "is a tensor outside host memory");
  }
  Span span;
  CTCONV_RETURN_IF_ERROR(span_of(t, name, &span));
  const Checked bytes = Checked(count_of(t)) * bytes_of(t.type);
  if (!bytes.ok()) return bad_value(name, show_shape(t), "below 2^63 bytes", "is a tensor beyond 63 bits");
  CTCONV_RETURN_IF_ERROR(take_bytes(name, bytes.value(), depth, room));
  out->bytes.resize(static_cast<size_t>(bytes.value()));
  copy_dense(t, out->bytes.data());
  lie_dense(&t, nullptr);  // the values are in bytes, wherever this Value moves
  out->tensor = t;
  return {};
}

Status read_one(const ctconv_value& in, const char* name, Value* out, int depth, Room* room) {
  if (depth > kDeepest) return bad_value(name, "more than 8 levels", "at most 8 levels", "is nested too deep");
  if (in.reserved != 0) return unknown_field("ctconv_value");
  out->i = in.i;
  out->f = in.f;
  switch (in.tag) {
    case CTCONV_VALUE_NONE:
      out->tag = Value::kNone;
      return {};
    case CTCONV_VALUE_BOOL:
      if (in.i != 0 && in.i != 1) return bad_value(name, std::to_string(in.i), "0 or 1", "is a bool out of range");
      out->tag = Value::kBool;
      return {};
    case CTCONV_VALUE_INT:
      out->tag = Value::kInt;
      return {};
    case CTCONV_VALUE_FLOAT:
      out->tag = Value::kFloat;
      return {};
    case CTCONV_VALUE_STRING:
    case CTCONV_VALUE_OTHER:
      return read_text(in, name, out, depth, room);
    case CTCONV_VALUE_TUPLE:
    case CTCONV_VALUE_LIST:
      return read_items(in, name, out, depth, room);
    case CTCONV_VALUE_TENSOR:
      return read_values_of(in, name, out, depth, room);
    default:
      return bad_value(name, std::to_string(in.tag), "0 to 8", "has an unknown tag");
  }
}

}  // namespace

Status read_value(const ctconv_value& in, const char* name, Value* out) {
  Room room;
  return read_one(in, name, out, 0, &room);
}

}  // namespace ctconv
