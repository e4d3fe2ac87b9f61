// .npy: magic "\x93NUMPY", version, little-endian header length (2 bytes in version 1, else 4), a Python dict literal
// {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), } padded with spaces to a newline, then the elements.
#include "tools/cli/npy.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "tools/cli/fault.h"

namespace cli {
namespace {

struct Close {
  void operator()(std::FILE* f) const { std::fclose(f); }
};
using File = std::unique_ptr<std::FILE, Close>;

// Reads the dict literal and nothing else of Python's grammar.
class Header {
 public:
  Header(const std::string& path, const std::string& text) : path_(path), text_(text) {
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && descr.empty())
        descr = quoted();
      else if (key == "fortran_order" && order_ == 0)
        order();
      else if (key == "shape" && !shaped_)
        tuple();
      else
        bad("unexpected or repeated key '" + key + "'");
      if (!accept(',') && peek() != '}') bad("',' or '}' expected");
    }
    if (peek() != '\0') bad("text after the closing brace");
    if (descr.empty() || order_ == 0 || !shaped_) bad("one of descr, fortran_order and shape is missing");
  }

  std::string descr;
  bool fortran = false;
  std::vector<int64_t> shape;

 private:
  [[noreturn]] void bad(const std::string& why) const { throw Fault("NPY_FORMAT", path_ + ": header: " + why); }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) bad(std::string("'") + c + "' expected");
  }
  std::string quoted() {
    const char quote = peek();
    if (quote == '[') bad("structured element types are not supported; save one plain float array");
    if (quote != '\'' && quote != '"') bad("a quoted string expected");
    const size_t end = text_.find(quote, ++at_);
    if (end == std::string::npos) bad("a string does not end");
    const std::string out = text_.substr(at_, end - at_);
    at_ = end + 1;
    return out;
  }
  void order() {
    peek();
    for (const auto& [word, value] : {std::pair("True", 2), std::pair("False", 1)}) {
      if (text_.compare(at_, std::strlen(word), word) != 0) continue;
      at_ += std::strlen(word), order_ = value, fortran = value == 2;
      return;
    }
    bad("fortran_order is neither True nor False");
  }
  void tuple() {
    shaped_ = true;
    expect('(');
    while (!accept(')')) {
      peek();
      size_t end = at_;
      while (end < text_.size() && text_[end] >= '0' && text_[end] <= '9') ++end;
      if (end == at_) bad("shape: a number expected");
      if (end - at_ > 18) bad("shape: extent " + text_.substr(at_, end - at_) + " is too large");
      shape.push_back(std::stoll(text_.substr(at_, end - at_)));
      at_ = end;
      if (shape.size() > CTCONV_MAX_NDIM) bad("shape: more than 8 axes");
      if (!accept(',') && peek() != ')') bad("shape: ',' or ')' expected");
    }
  }

  const std::string& path_;
  const std::string& text_;
  size_t at_ = 0;
  int order_ = 0;
  bool shaped_ = false;
};

ctconv::Dtype dtype_of(const std::string& path, const std::string& descr) {
  if (descr == "<f4") return ctconv::kFloat32;
  if (descr == "<f8") return ctconv::kFloat64;
  if (descr == "<f2") return ctconv::kFloat16;
  throw Fault("NPY_FORMAT", path + ": element type '" + descr +
                                "' is not supported; expected '<f4', '<f8' or '<f2' (in numpy: array.astype('<f4'))");
}

}  // namespace

Array read_npy(const std::string& path) {
  File f(std::fopen(path.c_str(), "rb"));
  if (!f) throw Fault("FILE", path + ": cannot open: " + std::strerror(errno));
  if (std::fseek(f.get(), 0, SEEK_END) != 0) throw Fault("FILE", path + ": not a regular file");
  const long size = std::ftell(f.get());
  std::rewind(f.get());
  unsigned char head[12];
  if (size < 10 || size == LONG_MAX || std::fread(head, 1, 10, f.get()) != 10 || std::memcmp(head, "\x93NUMPY", 6) != 0)
    throw Fault("NPY_FORMAT", path + ": not a .npy file (it does not begin with \\x93NUMPY)");
  const int version = head[6];
  if (version < 1 || version > 3 || head[7] != 0)
    throw Fault("NPY_FORMAT", path + ": .npy version " + std::to_string(version) + "." + std::to_string(head[7]) +
                                  " is not known (1.0, 2.0 and 3.0 are)");
  long length = head[8] | head[9] << 8, start = 10;
  if (version > 1) {
    if (std::fread(head + 10, 1, 2, f.get()) != 2) throw Fault("NPY_FORMAT", path + ": truncated in the header");
    length |= static_cast<long>(head[10]) << 16 | static_cast<long>(head[11]) << 24, start = 12;
  }
  if (length > 65536) throw Fault("NPY_FORMAT", path + ": a header of " + std::to_string(length) + " bytes is refused");
  if (length > size - start) throw Fault("NPY_FORMAT", path + ": truncated in the header");
  std::string text(static_cast<size_t>(length), '\0');
  if (std::fread(text.data(), 1, text.size(), f.get()) != text.size()) throw Fault("FILE", path + ": cannot be read");

  const Header header(path, text);
  const ctconv::Dtype type = dtype_of(path, header.descr);
  const size_t have = static_cast<size_t>(size - start - length);
  size_t need = type.bytes();  // 0 where an extent is 0
  for (int64_t extent : header.shape)
    if (__builtin_mul_overflow(need, static_cast<size_t>(extent), &need))
      throw Fault("NPY_FORMAT", path + ": shape " + text_of(header.shape) + " has too many elements");
  if (have < need)
    throw Fault("NPY_FORMAT", path + ": truncated: shape " + text_of(header.shape) + " needs " + std::to_string(need) +
                                  " bytes, the file has " + std::to_string(have));
  Array out(type, header.shape, header.fortran);
  if (std::fread(out.data(), 1, out.bytes(), f.get()) != out.bytes()) throw Fault("FILE", path + ": cannot be read");
  return out;
}

void write_npy(const std::string& path, const Array& array) {
  if (array.fortran()) throw Fault("ARRAY", path + ": only C order is written");
  const bool widen = array.dtype() == ctconv::kBfloat16;
  const std::string descr = widen ? "<f4" : "<f" + std::to_string(array.dtype().bytes());
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + text_of(array.shape()) + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  const unsigned char head[10] = {0x93,
                                  'N',
                                  'U',
                                  'M',
                                  'P',
                                  'Y',
                                  1,
                                  0,
                                  static_cast<unsigned char>(header.size() & 255),
                                  static_cast<unsigned char>(header.size() >> 8)};
  File f(std::fopen(path.c_str(), "wb"));
  if (!f) throw Fault("FILE", path + ": cannot write: " + std::strerror(errno));
  bool ok =
      std::fwrite(head, 1, 10, f.get()) == 10 && std::fwrite(header.data(), 1, header.size(), f.get()) == header.size();
  if (widen) {
    for (size_t i = 0; ok && i < array.elements(); ++i) {
      const auto value = static_cast<float>(array.get(i));
      ok = std::fwrite(&value, 4, 1, f.get()) == 1;
    }
  } else {
    ok = ok && std::fwrite(array.data(), 1, array.bytes(), f.get()) == array.bytes();
  }
  if (std::fclose(f.release()) != 0 || !ok) {
    throw Fault("FILE", path + ": cannot write: " + std::strerror(errno));
  }
}

}  // namespace cli
