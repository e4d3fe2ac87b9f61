// SPDX-License-Identifier: Apache-2.0
// A SAX reader: it sees a number's own text, so an integer too large for int64 is told from a float.
#include "tools/cli/json_args.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tools/cli/fault.h"
#include "tools/cli/input.h"

namespace cli {
namespace {

using ctconv::Value;

// Objects are kept until their meaning ({"$list": ..} or the arguments themselves) is known at their end.
struct Node {
  bool object = false;
  std::vector<std::string> keys;  // object, in the order written
  std::set<std::string> known;    // the same, to find a name given twice
  std::vector<Value> values;
};

class Reader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Reader(Arguments* out) : out_(out) {}
  Value root;
  bool root_is_object = false;

  bool null() override { return add(Value()); }
  bool boolean(bool v) override { return add(Value(v)); }
  bool number_integer(number_integer_t v) override { return add(Value(v)); }
  bool number_unsigned(number_unsigned_t v) override { return add(Value(v)); }  // Value saturates
  bool number_float(number_float_t v, const string_t& text) override {
    // A whole number beyond 64 bits comes here too. The point may be the locale's: it is not looked for.
    const bool whole = text.find_first_not_of("-0123456789") == std::string::npos;
    if (whole) return add(Value(text[0] == '-' ? INT64_MIN : INT64_MAX));
    return add(Value(v));
  }
  bool string(string_t& v) override {
    if (v.find('\0') != std::string::npos) throw Fault("JSON", "a string with a NUL character (\\u0000)");
    return add(Value(v));
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool key(string_t& name) override {
    if (name.find('\0') != std::string::npos) throw Fault("JSON", "a name with a NUL character (\\u0000)");
    if (!stack_.back().known.insert(name).second) throw Fault("JSON", "'" + name + "' is given twice");
    stack_.back().keys.push_back(name);
    return true;
  }
  bool end_array() override {
    Node node = std::move(stack_.back());
    stack_.pop_back();
    return add(ctconv::tuple(std::move(node.values)));
  }
  bool end_object() override {
    Node node = std::move(stack_.back());
    stack_.pop_back();
    if (stack_.empty() && !is_tag(node)) {
      root_is_object = true;
      for (size_t i = 0; i < node.keys.size(); ++i) out_->items.emplace_back(node.keys[i], node.values[i]);
      return true;
    }
    return add(tagged(node));
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& e) override {
    throw Fault("JSON", syntax_error(position, e.what()));
  }

 private:
  static bool is_tag(const Node& n) { return n.keys.size() == 1 && !n.keys[0].empty() && n.keys[0][0] == '$'; }
  bool open(bool object) {
    if (stack_.size() >= 32) throw Fault("JSON", "nested deeper than 32");
    stack_.push_back({object, {}, {}, {}});
    return true;
  }
  bool add(Value v) {
    if (stack_.empty())
      root = std::move(v);
    else
      stack_.back().values.push_back(std::move(v));
    return true;
  }
  Value tagged(const Node& node) {
    const std::string known = "an object here is {\"$list\": [..]}, {\"$npy\": \"file\"} or {\"$other\": \"type\"}";
    if (!is_tag(node)) throw Fault("JSON", known);
    const Value& v = node.values[0];
    if (node.keys[0] == "$list" && v.tag() == CTCONV_VALUE_TUPLE) return ctconv::list(v.items());
    if (node.keys[0] == "$other" && v.tag() == CTCONV_VALUE_STRING) return Value::other(v.text());
    if (node.keys[0] == "$npy" && v.tag() == CTCONV_VALUE_STRING) {
      out_->arrays.push_back(std::make_shared<Array>(load(parse_source(v.text()), 0, {}, ctconv::kFloat32)));
      return Value(out_->arrays.back()->tensor());
    }
    throw Fault("JSON", known);
  }

  Arguments* out_;
  std::vector<Node> stack_;
};

// text: JSON, or @file. Refusals name the file.
void parse(const std::string& text, Reader* reader) {
  if (text.empty() || text[0] != '@') {
    nlohmann::json::sax_parse(text, reader);
    return;
  }
  const std::string path = text.substr(1), content = read_text(path);
  try {
    if (content.empty()) throw Fault("JSON", "empty");
    nlohmann::json::sax_parse(content, reader);
  } catch (const Fault& e) {
    throw Fault(e.name(), input_name(path) + ": " + e.what());
  }
}

}  // namespace

std::string syntax_error(size_t position, std::string what) {
  for (char& c : what)
    if (static_cast<unsigned char>(c) > 126) c = '?';  // the parser may quote half a character
  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ..."
  const size_t sentence = what.find("syntax error"), bracket = what.find("] ");
  if (sentence != std::string::npos)
    what.erase(0, sentence);
  else if (what[0] == '[' && bracket != std::string::npos)
    what.erase(0, bracket + 2);
  return fmt::format("at character {}: {}", position, what);
}

Arguments parse_arguments(const std::string& text) {
  Arguments out;
  Reader reader(&out);
  parse(text, &reader);
  if (!reader.root_is_object)
    throw Fault("JSON", "the arguments are one JSON object, e.g. '{\"in_channels\": 3, \"kernel_size\": [5, 5, 5]}'");
  return out;
}

ctconv::Value parse_value(const std::string& text, Arguments* arrays) {
  Reader reader(arrays);
  parse(text, &reader);
  if (reader.root_is_object) throw Fault("JSON", "'" + text + "' is an object; a value is expected, e.g. [10, 10, 10]");
  return reader.root;
}

std::string text_of(const ctconv::Value& v) {
  const auto sequence = [&](const char* open, const char* close) {
    std::string out = open;
    for (size_t i = 0; i < v.items().size(); ++i) out += (i ? ", " : "") + text_of(v.items()[i]);
    if (open[0] == '(' && v.items().size() == 1) out += ",";
    return out + close;
  };
  switch (v.tag()) {
    case CTCONV_VALUE_NONE:
      return "None";
    case CTCONV_VALUE_BOOL:
      return v.as_int() ? "True" : "False";
    case CTCONV_VALUE_INT:
      return std::to_string(v.as_int());
    case CTCONV_VALUE_FLOAT:
      return fmt::format("{}", v.as_float());
    case CTCONV_VALUE_STRING:
      return "'" + v.text() + "'";
    case CTCONV_VALUE_TUPLE:
      return sequence("(", ")");
    case CTCONV_VALUE_LIST:
      return sequence("[", "]");
    case CTCONV_VALUE_TENSOR:
      return "<tensor>";
    default:
      return "<" + v.text() + ">";
  }
}

}  // namespace cli
