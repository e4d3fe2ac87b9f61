// Reading the caller's records; see records.h.
#include "capi/records.h"

#include <algorithm>

#include "src/base/checked.h"
#include "src/base/show.h"

namespace ctconv {
namespace {

static_assert(kDeviceCpu == CTCONV_DEVICE_CPU && kDeviceCuda == CTCONV_DEVICE_CUDA);
static_assert(kDeviceCudaHost == CTCONV_DEVICE_CUDA_HOST && kDeviceCudaManaged == CTCONV_DEVICE_CUDA_MANAGED);

constexpr int kDeepest = 8;
constexpr int64_t kMostText = 1 << 20, kMostItems = 1 << 20;

Status misuse(Code code, const char* name, std::string value, std::string range, std::string reason) {
  return argument_error(code, name, std::move(value), std::move(range), std::move(reason));
}

Status bad_value(const char* name, std::string value, std::string range, const char* reason) {
  return misuse(Code::MISUSE_VALUE, name, std::move(value), std::move(range), std::string("ctconv_value ") + reason);
}

}  // namespace

Status wrong_struct_size(const char* record, size_t size, size_t first) {
  return misuse(Code::MISUSE_STRUCT_SIZE, record, std::to_string(size),
                std::to_string(first) + " to " + std::to_string(kLargestRecord),
                "struct_size is not one this library can read (use the CTCONV_..._INIT macro)");
}

Status unknown_field(const char* record) {
  return Status(Status::Detail{
      .code = Code::MISUSE_UNKNOWN_FIELD,
      .argument = record,
      .message = std::string(record) + ": a field this library does not know, or a reserved one, is not zero"});
}

Status read_tensor(const ctconv_tensor& in, const char* name, bool needs_data, TensorView* out) {
  if (in.ndim < 0 || in.ndim > kMaxNdim)
    return misuse(Code::MISUSE_TENSOR, name, std::to_string(in.ndim), "0 to 8", "ndim is out of range");
  if (in.ndim > 0 && in.shape == nullptr) return null_argument((std::string(name) + ".shape").c_str());
  if (in.dtype_bits == 0 || in.dtype_lanes == 0) {
    return misuse(Code::MISUSE_TENSOR, name,
                  std::to_string(in.dtype_bits) + " bits, " + std::to_string(in.dtype_lanes) + " lanes", "both above 0",
                  "element type is incomplete");
  }
  TensorView& t = *out;
  t = {};
  t.type = {in.dtype_code, in.dtype_bits, in.dtype_lanes};
  t.device_type = in.device_type;
  t.device_id = in.device_id;
  t.ndim = in.ndim;
  int64_t step = 1;
  bool empty = false;
  for (int a = in.ndim; a-- > 0;) {
    const auto at = static_cast<size_t>(a);
    if (in.shape[a] < 0)
      return misuse(Code::MISUSE_TENSOR, name, std::to_string(in.shape[a]), ">= 0", "an extent is negative");
    t.shape[at] = in.shape[a];
    t.strides[at] = in.strides != nullptr ? in.strides[a] : step;
    empty = empty || in.shape[a] == 0;
    const Checked next = Checked(step) * std::max<int64_t>(in.shape[a], 1);
    step = next.ok() ? next.value() : INT64_MAX;
  }
  if (in.data != nullptr) {
    t.data = static_cast<char*>(in.data) + in.byte_offset;
    const auto alignment = static_cast<uint64_t>(std::min<int64_t>(bytes_of(t.type), 8));
    if ((alignment & (alignment - 1)) == 0 && reinterpret_cast<uintptr_t>(t.data) % alignment != 0) {
      return misuse(Code::MISUSE_ALIGNMENT, name,
                    "an address off by " + std::to_string(reinterpret_cast<uintptr_t>(t.data) % alignment),
                    "a multiple of " + std::to_string(alignment) + " bytes",
                    "data is not aligned to its element type " + name_of(t.type));
    }
  } else if (needs_data && !empty) {
    return null_argument((std::string(name) + ".data").c_str());
  }
  return {};
}

Status read_value(const ctconv_value& in, const char* name, Value* out, int depth) {
  if (depth > kDeepest) return bad_value(name, "more than 8 levels", "at most 8 levels", "is nested too deep");
  if (in.reserved != 0) return unknown_field("ctconv_value");
  Value& v = *out;
  v.i = in.i;
  v.f = in.f;
  switch (in.tag) {
    case CTCONV_VALUE_NONE:
      v.tag = Value::kNone;
      break;
    case CTCONV_VALUE_BOOL:
      if (in.i != 0 && in.i != 1) return bad_value(name, std::to_string(in.i), "0 or 1", "is a bool out of range");
      v.tag = Value::kBool;
      break;
    case CTCONV_VALUE_INT:
      v.tag = Value::kInt;
      break;
    case CTCONV_VALUE_FLOAT:
      v.tag = Value::kFloat;
      break;
    case CTCONV_VALUE_STRING:
    case CTCONV_VALUE_OTHER:
      if (in.i < 0 || in.i > kMostText)
        return bad_value(name, std::to_string(in.i) + " bytes", "0 to 2^20 bytes", "has a text length out of range");
      if (in.text == nullptr && in.i > 0)
        return bad_value(name, "NULL", "a pointer to " + std::to_string(in.i) + " bytes", "has a NULL text");
      v.tag = in.tag == CTCONV_VALUE_STRING ? Value::kString : Value::kOther;
      if (in.i > 0) v.text.assign(in.text, static_cast<size_t>(in.i));
      break;
    case CTCONV_VALUE_TUPLE:
    case CTCONV_VALUE_LIST:
      if (in.i < 0 || in.i > kMostItems)
        return bad_value(name, std::to_string(in.i) + " items", "0 to 2^20 items", "has an item count out of range");
      if (in.items == nullptr && in.i > 0)
        return bad_value(name, "NULL", "a pointer to " + std::to_string(in.i) + " values", "has NULL items");
      v.tag = in.tag == CTCONV_VALUE_TUPLE ? Value::kTuple : Value::kList;
      v.items.resize(static_cast<size_t>(in.i));
      for (int64_t n = 0; n < in.i; ++n)
        CTCONV_RETURN_IF_ERROR(read_value(in.items[n], name, &v.items[static_cast<size_t>(n)], depth + 1));
      break;
    case CTCONV_VALUE_TENSOR: {
      if (in.tensor == nullptr) return bad_value(name, "NULL", "a ctconv_tensor", "has a NULL tensor");
      v.tag = Value::kTensor;
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
      v.bytes.resize(static_cast<size_t>(bytes.value()));
      copy_dense(t, v.bytes.data());
      lie_dense(&t, nullptr);  // the values are in bytes, wherever this Value moves
      v.tensor = t;
      break;
    }
    default:
      return bad_value(name, std::to_string(in.tag), "0 to 8", "has an unknown tag");
  }
  return {};
}

void write_spec(const TensorSpec& from, ctconv_spec* to) {
  std::memset(to, 0, sizeof *to);
  to->ndim = from.ndim;
  to->dtype_code = from.type.code;
  to->dtype_bits = from.type.bits;
  to->dtype_lanes = from.type.lanes;
  for (int a = 0; a < from.ndim; ++a) to->shape[a] = from.shape[static_cast<size_t>(a)];
}

}  // namespace ctconv
