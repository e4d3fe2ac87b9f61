// SPDX-License-Identifier: Apache-2.0
// .npy: magic "\x93NUMPY", version, little-endian header length (2 bytes in version 1, else 4), a Python dict literal
// {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), } padded with spaces to a newline, then the elements.
#include "tools/cli/npy.h"

#include <cstring>
#include <optional>
#include <vector>

#include "tools/cli/fault.h"
#include "tools/cli/input.h"

namespace cli {
namespace {

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
      at_ += std::strlen(word);
      order_ = value;
      fortran = value == 2;
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

[[noreturn]] void refuse(const Input& in, const std::string& why) { throw Fault("NPY_FORMAT", in.name() + ": " + why); }

// The dict literal's text.
std::string header_text(Input& in) {
  unsigned char head[12];
  if (in.is_folder()) refuse(in, "a folder, not a .npy file");
  const size_t got = in.read(head, 10);
  if (got >= 4 && std::memcmp(head, "PK\x03\x04", 4) == 0)
    refuse(in, "an archive (.npz), not a .npy file; take one array out: numpy.save(\"x.npy\", numpy.load(FILE)[NAME])");
  if (got != 10 || std::memcmp(head, "\x93NUMPY", 6) != 0)
    refuse(in, "not a .npy file (it does not begin with \\x93NUMPY)");
  const int version = head[6];
  if (version < 1 || version > 3 || head[7] != 0)
    refuse(in, ".npy version " + std::to_string(version) + "." + std::to_string(head[7]) +
                   " is not known (1.0, 2.0 and 3.0 are)");
  size_t length = static_cast<size_t>(head[8]) | static_cast<size_t>(head[9]) << 8;
  if (version > 1) {
    if (in.read(head + 10, 2) != 2) refuse(in, "truncated in the header");
    length |= static_cast<size_t>(head[10]) << 16 | static_cast<size_t>(head[11]) << 24;
  }
  if (length > 65536) refuse(in, "a header of " + std::to_string(length) + " bytes is refused");
  std::string text(length, '\0');
  if (in.read(text.data(), length) != length) refuse(in, "truncated in the header");
  return text;
}

size_t bytes_of(const Input& in, ctconv::Dtype type, const std::vector<int64_t>& shape) {
  size_t bytes = type.bytes();  // 0 where an extent is 0
  for (const int64_t extent : shape)
    if (__builtin_mul_overflow(bytes, static_cast<size_t>(extent), &bytes))
      refuse(in, "shape " + text_of(shape) + " has too many elements");
  return bytes;
}

}  // namespace

NpyHead read_npy_head(Input& in) {
  const std::string text = header_text(in);
  const Header header(in.name(), text);
  NpyHead head{dtype_of(in.name(), header.descr), header.shape, header.fortran, 0};
  head.bytes = bytes_of(in, head.type, head.shape);
  const std::optional<size_t> have = in.rest();
  if (have && *have < head.bytes) {
    refuse(in, "truncated: shape " + text_of(head.shape) + " needs " + std::to_string(head.bytes) +
                   " bytes, the file has " + std::to_string(*have));
  }
  return head;
}

Array read_npy(const std::string& path) {
  Input in(path);
  const NpyHead head = read_npy_head(in);
  const size_t need = head.bytes;
  const std::string needs = "shape " + text_of(head.shape) + " needs " + std::to_string(need) + " bytes, ";
  // A stream's length shows only as it comes; its memory is touched only then.
  if (need > machine_memory())
    refuse(in, needs + "this machine has " + std::to_string(machine_memory()) + " bytes of memory");
  Array out(head.type, head.shape, head.fortran);
  const size_t got = in.read(out.data(), out.bytes());
  if (got != out.bytes()) refuse(in, "truncated: " + needs + "only " + std::to_string(got) + " came");
  return out;
}

std::string npy_head(ctconv::Dtype type, const std::vector<int64_t>& shape) {
  const std::string descr = type == ctconv::kBfloat16 ? "<f4" : "<f" + std::to_string(type.bytes());
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + text_of(shape) + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string head("\x93NUMPY\x01\x00", 8);
  head += static_cast<char>(header.size() & 255);
  head += static_cast<char>(header.size() >> 8);
  return head + header;
}

void write_npy(OutputFile& file, const Array& array) {
  if (array.fortran()) throw Fault("ARRAY", file.name() + ": only C order is written");
  const std::string head = npy_head(array.dtype(), array.shape());
  file.open();
  file.write(head.data(), head.size());
  if (array.dtype() != ctconv::kBfloat16) {
    file.write(array.data(), array.bytes());
  } else {
    for (size_t i = 0; i < array.elements(); ++i) {
      const auto value = static_cast<float>(array.get(i));
      file.write(&value, sizeof value);
    }
  }
  file.commit();
}

}  // namespace cli
