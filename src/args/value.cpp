// SPDX-License-Identifier: Apache-2.0
// Values as a person would write them, for messages.
#include "src/args/value.h"

#include "src/base/number.h"
#include "src/base/show.h"
#include "src/base/utf8.h"

namespace ctconv {

std::string Value::show() const {
  switch (tag) {
    case kNone:
      return "None";
    case kBool:
      return i ? "True" : "False";
    case kInt:
      return std::to_string(i);
    case kFloat: {
      std::string s = show_general(f, 17);
      return s.find_first_of(".eni") == std::string::npos ? s + ".0" : s;
    }
    case kString:
      return "\"" + std::string(cut_utf8(text, 40)) + (text.size() > 40 ? "..." : "") + "\"";
    case kTuple:
    case kList: {
      std::string s = tag == kTuple ? "(" : "[";
      for (size_t n = 0; n < items.size(); ++n) {
        if (n == 8) {
          s += ", ...";
          break;
        }
        s += (n ? ", " : "") + items[n].show();
      }
      if (tag == kTuple && items.size() == 1) s += ",";
      return s + (tag == kTuple ? ")" : "]");
    }
    case kTensor:
      return "<tensor " + name_of(tensor.type) + " " + show_shape(tensor) + ">";
    case kOther:
      return "<" + text + ">";
  }
  return "?";
}

std::string Value::type_name() const {
  switch (tag) {
    case kNone:
      return "None";
    case kBool:
      return "a bool";
    case kInt:
      return "an int";
    case kFloat:
      return "a float";
    case kString:
      return "a string";
    case kTuple:
      return "a tuple of " + std::to_string(items.size());
    case kList:
      return "a list of " + std::to_string(items.size());
    case kTensor:
      return "a tensor";
    case kOther:
      return "a " + text;
  }
  return "?";
}

}  // namespace ctconv
