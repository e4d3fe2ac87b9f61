/* SPDX-License-Identifier: Apache-2.0 */
// Errors, element types and tensors of libctconv's C++17 wrapper; ctconv.hpp includes it.
//
//   in:   pointers, vectors, arrays or spans (C++20) with a shape, and strides in elements where not dense row-major
//   out:  ConstTensor and Tensor, which borrow; Array, which owns
//   Refuses by std::invalid_argument: more than 8 axes; strides of another length than the shape; a container that is
//   shorter or longer than a dense view of it, or that a strided view leaves; an Array read as another element type.
//   A bare pointer is taken at its word.
#ifndef CTCONV_TENSOR_HPP_
#define CTCONV_TENSOR_HPP_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#if __cplusplus >= 202002L
#include <span>
#endif
#if defined(__STDCPP_FLOAT16_T__) || defined(__STDCPP_BFLOAT16_T__)
#include <stdfloat>
#endif

#include "ctconv.h"

namespace ctconv {
inline namespace cxx {  // symbols of their own: a program may hold another `ctconv` inside

// ---- errors -------------------------------------------------------------------------------------

// What a call refused: what() is "CTCONV_ERR_...: message".
class error : public std::runtime_error {
 public:
  explicit error(const ctconv_error& e)
      : std::runtime_error(std::string(ctconv_status_name(e.status)) + ": " +
                           (e.message[0] ? e.message : ctconv_status_text(e.status))),
        record_(e) {}

  ctconv_status status() const noexcept { return record_.status; }
  int32_t kind() const noexcept { return record_.kind; }  // 1 TypeError, 2 ValueError, 3 ShapeError, 4 unsupported, ...
  const char* name() const noexcept { return ctconv_status_name(record_.status); }
  const ctconv_error& record() const noexcept { return record_; }

 private:
  ctconv_error record_;
};

inline void check(ctconv_status status, ctconv_error& e) {
  if (status == CTCONV_OK) return;
  e.status = status;
  e.kind = ctconv_status_kind(status);
  throw error(e);
}
inline void check(ctconv_status status) {
  ctconv_error e = CTCONV_ERROR_INIT;
  check(status, e);
}

// ---- element types and tensors ------------------------------------------------------------------

struct Dtype {
  uint8_t code = CTCONV_DTYPE_FLOAT, bits = 32;
  constexpr std::size_t bytes() const { return bits / 8u; }
  friend constexpr bool operator==(Dtype a, Dtype b) { return a.code == b.code && a.bits == b.bits; }
  friend constexpr bool operator!=(Dtype a, Dtype b) { return !(a == b); }
};
inline constexpr Dtype kFloat16{CTCONV_DTYPE_FLOAT, 16}, kBfloat16{CTCONV_DTYPE_BFLOAT, 16},
    kFloat32{CTCONV_DTYPE_FLOAT, 32}, kFloat64{CTCONV_DTYPE_FLOAT, 64};

inline Dtype dtype_of(const ctconv_spec& s) { return {s.dtype_code, s.dtype_bits}; }
inline std::vector<int64_t> shape_of(const ctconv_spec& s) { return {s.shape, s.shape + s.ndim}; }

// Number of elements; 1 for an empty shape. The library has checked that a spec's product fits.
inline std::size_t elements(const std::vector<int64_t>& shape) {
  std::size_t n = 1;
  for (int64_t e : shape) n *= static_cast<std::size_t>(e);
  return n;
}
inline std::size_t elements(const ctconv_spec& s) { return elements(shape_of(s)); }

// A borrowed tensor that is only read: x, weight, bias. Remembers shape and strides, never owns data.
// No strides: dense row-major.
class ConstTensor {
 public:
  ConstTensor(const void* data, Dtype type, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides = {})
      : data_(data), type_(type), ndim_(static_cast<int32_t>(shape.size())), strided_(!strides.empty()) {
    if (shape.size() > CTCONV_MAX_NDIM || (strided_ && strides.size() != shape.size()))
      throw std::invalid_argument("ctconv tensor: more than 8 axes, or strides of another length than shape");
    for (std::size_t i = 0; i < shape.size(); ++i) {
      shape_[i] = shape[i];
      strides_[i] = strided_ ? strides[i] : 0;
    }
  }
  ConstTensor& on_device(int32_t device_type, int32_t device_id = 0) {
    device_type_ = device_type;
    device_id_ = device_id;
    return *this;
  }
  std::vector<int64_t> shape() const { return {shape_.begin(), shape_.begin() + ndim_}; }
  Dtype dtype() const { return type_; }

  // The C record; it points into *this. Its data is not const, but the library writes only what is passed as an output.
  ctconv_tensor c() const {
    const int64_t* strides = strided_ ? strides_.data() : nullptr;
    void* data = const_cast<void*>(data_);
    return {data, device_type_, device_id_, ndim_, type_.code, type_.bits, 1, shape_.data(), strides, 0};
  }

 private:
  const void* data_;
  Dtype type_;
  int32_t ndim_, device_type_ = CTCONV_DEVICE_CPU, device_id_ = 0;
  bool strided_;
  std::array<int64_t, CTCONV_MAX_NDIM> shape_{}, strides_{};
};

// A borrowed tensor that may be written: y, and what init_weight and init_bias fill. It serves as an input too.
class Tensor : public ConstTensor {
 public:
  Tensor(void* data, Dtype type, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides = {})
      : ConstTensor(data, type, shape, strides) {}
  Tensor& on_device(int32_t device_type, int32_t device_id = 0) {
    ConstTensor::on_device(device_type, device_id);
    return *this;
  }
};

// A view of const data is a ConstTensor: it does not compile where the library would write.
template <class T>
using View = std::conditional_t<std::is_const_v<T>, ConstTensor, Tensor>;

// The element type of a C++ type. For a 16-bit type of your own:
//   template <> struct ctconv::Element<my::half> : ctconv::IsElement<ctconv::Float16> {};
struct Float16 {
  uint16_t bits;  // IEEE binary16
};
struct Bfloat16 {
  uint16_t bits;
};
template <class T>
struct IsElement;
template <>
struct IsElement<float> {
  static constexpr Dtype dtype = kFloat32;
};
template <>
struct IsElement<double> {
  static constexpr Dtype dtype = kFloat64;
};
template <>
struct IsElement<Float16> {
  static constexpr Dtype dtype = kFloat16;
};
template <>
struct IsElement<Bfloat16> {
  static constexpr Dtype dtype = kBfloat16;
};
template <class T>
struct Element : IsElement<T> {};
#if defined(__STDCPP_FLOAT16_T__)
template <>
struct Element<std::float16_t> : IsElement<Float16> {};
#endif
#if defined(__STDCPP_BFLOAT16_T__)
template <>
struct Element<std::bfloat16_t> : IsElement<Bfloat16> {};
#endif
template <class T>
inline constexpr Dtype dtype_for = Element<std::remove_cv_t<T>>::dtype;

// What the library writes or reads through a pointer that it is given: nothing is checked.
template <class T>
View<T> view(T* data, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides = {}) {
  static_assert(sizeof(T) * 8 == dtype_for<T>.bits, "an element has the size that its type says");
  return View<T>(data, dtype_for<T>, shape, strides);
}
template <class T, class Spec, std::enable_if_t<std::is_same_v<Spec, ctconv_spec>, int> = 0>
View<T> view(T* data, const Spec& spec) {
  return view(data, shape_of(spec));
}

// Throws where a view leaves the `size` elements behind its pointer. Without strides it has just these elements.
inline void check_view(std::size_t size, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  uint64_t count = 1, room = size == 0 ? 0 : size - 1;
  bool empty = false, inside = strides.empty() || size > 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const uint64_t extent = static_cast<uint64_t>(shape[i]);
    if (shape[i] < 0) throw std::invalid_argument("ctconv view: an extent is below 0");
    empty = empty || extent == 0;
    if (strides.empty()) {
      inside = inside && (extent < 2 || count <= size / extent);
      count *= extent;
    } else if (i < strides.size() && extent > 0) {
      const uint64_t stride = static_cast<uint64_t>(strides[i]);
      inside = inside && strides[i] >= 0 && (stride == 0 || extent - 1 <= room / stride);
      room -= (extent - 1) * stride;
    }
  }
  if (empty ? strides.empty() && size != 0 : !inside || (strides.empty() && count != size))
    throw std::invalid_argument(strides.empty() ? "ctconv view: the container has another size than the shape"
                                                : "ctconv view: it leaves the container (strides below 0: pass a "
                                                  "pointer to element (0, 0, ...))");
}

template <class C>
struct IsSpan : std::false_type {};
#if __cplusplus >= 202002L
template <class T, std::size_t N>
struct IsSpan<std::span<T, N>> : std::true_type {};
#endif
// What view takes beside pointers: vectors, arrays, anything that lives on with data() and size().
template <class C>
using ElementOf = std::enable_if_t<!IsSpan<std::remove_cv_t<C>>::value && (sizeof(std::declval<C&>().size()) > 0),
                                   std::remove_pointer_t<decltype(std::declval<C&>().data())>>;

// A view of a whole container, or, with strides, of a part of it: checked.
template <class C, class T = ElementOf<C>>
View<T> view(C& container, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides = {}) {
  check_view(container.size(), shape, strides);
  return view(container.data(), shape, strides);
}
template <class C, class Spec, class T = ElementOf<C>, std::enable_if_t<std::is_same_v<Spec, ctconv_spec>, int> = 0>
View<T> view(C& container, const Spec& spec) {
  return view(container, shape_of(spec));
}
#if __cplusplus >= 202002L
template <class T, std::size_t N>
View<T> view(std::span<T, N> data, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides = {}) {
  check_view(data.size(), shape, strides);
  return view(data.data(), shape, strides);
}
#endif

// ---- owned tensors ----------------------------------------------------------------------------------------------

// A dense row-major tensor that owns its memory: what Op::operator(), Desc::make_weight and make_bias return.
// Its memory begins with a cache line. It converts to Tensor and ConstTensor, which borrow from it.
class Array {
 public:
  // Not initialised.
  Array(Dtype type, std::vector<int64_t> shape) : type_(type), shape_(std::move(shape)), size_(elements(shape_)) {
    if (size_ > SIZE_MAX / type_.bytes()) throw std::bad_alloc();
    data_.reset(::operator new(size_* type_.bytes(), kLine));
  }
  explicit Array(const ctconv_spec& s) : Array(dtype_of(s), shape_of(s)) {}

  Dtype dtype() const noexcept { return type_; }
  const std::vector<int64_t>& shape() const noexcept { return shape_; }
  std::size_t size() const noexcept { return size_; }  // elements
  void* raw() noexcept { return data_.get(); }
  const void* raw() const noexcept { return data_.get(); }
  template <class T>
  T* data() {
    return static_cast<T*>(as(dtype_for<T>));
  }
  template <class T>
  const T* data() const {
    return static_cast<const T*>(as(dtype_for<T>));
  }
#if __cplusplus >= 202002L
  template <class T>
  std::span<T> span() {
    return {data<T>(), size_};
  }
  template <class T>
  std::span<const T> span() const {
    return {data<T>(), size_};
  }
#endif
  operator Tensor() { return {data_.get(), type_, shape_}; }
  operator ConstTensor() const { return {data_.get(), type_, shape_}; }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(void* p) const noexcept { ::operator delete(p, kLine); }
  };
  void* as(Dtype asked) const {
    if (asked != type_) throw std::invalid_argument("ctconv array: read as another element type than it has");
    return data_.get();
  }
  Dtype type_;
  std::vector<int64_t> shape_;
  std::size_t size_;
  std::unique_ptr<void, Free> data_;
};

}  // namespace cxx
}  // namespace ctconv

#endif  // CTCONV_TENSOR_HPP_
