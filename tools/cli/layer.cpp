// SPDX-License-Identifier: Apache-2.0
// Building a layer: x first (its element type is the weight's), then the weight and bias in the shapes the library
// answers.
#include "tools/cli/layer.h"

#include <sys/stat.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "tools/cli/activations.h"
#include "tools/cli/fault.h"
#include "tools/cli/formula.h"
#include "tools/cli/input.h"
#include "tools/cli/npy.h"

namespace cli {

Facts::Facts(const std::string& lines) {
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) items_.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
}

const std::string& Facts::get(const std::string& key) const {
  static const std::string kNothing;
  for (const auto& [name, value] : items_)
    if (name == key) return value;
  return kNothing;
}

double Facts::number(const std::string& key) const {
  const std::string& text = get(key);
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);  // not strtod: that one asks the locale
  return value;
}

double seconds_of(const Facts& facts) { return facts.number("estimated_ms") * 1e-3; }

ctconv::Desc make_desc(const std::string& dialect, const Arguments& arguments) {
  ctconv::Desc desc(dialect);
  for (const auto& [name, value] : arguments.items) desc.set(name, value);
  return desc;
}

namespace {

std::string origin_of(const Source& s, uint64_t seed) {
  switch (s.kind) {
    case Source::kFile:
      return input_name(s.path);
    case Source::kOnes:
      return "ones";
    case Source::kZeros:
      return "zeros";
    default:
      return "random, seed " + std::to_string(seed);
  }
}

// The same refusal with what to do about it on this command line.
[[noreturn]] void rethrow(const ctconv::error& e, const char* hint) {
  ctconv_error record = e.record();
  const size_t used = std::strlen(record.message);
  std::snprintf(record.message + used, sizeof record.message - used, "%s", hint);
  throw ctconv::error(record);
}

}  // namespace

Layer::Layer(const Request& r, Need need)
    : request(r), arguments(parse_arguments(r.arguments)), desc(make_desc(r.dialect, arguments)) {
  if ((need == kData || need == kHead || need == kAnyData) && r.device.rfind("cuda", 0) == 0)
    throw Fault("OPTION", "--device " + r.device +
                              ": this command computes on arrays in host memory, a device only on its own; " +
                              "`ctconv explain` and `ctconv doctor` ask the device (docs/cuda.md)");
  desc.validate();
  if (!r.output_size.empty()) output_size_ = parse_value(r.output_size, &arguments);
  lends_ = need == kWeights;
  load_x(need);
  load_weight(need);
}

namespace {
[[noreturn]] void refuse_unordered(const std::string& name) {
  throw Fault("FILE", name + ": --tiles reads a regular file, and reads it out of order");
}
}  // namespace

void Layer::load_x(Need need) {
  if (request.x.empty())
    throw Fault("OPTION", "--x is missing: a .npy file, or a shape such as 1,3,16,16 for random numbers");
  const Source source = parse_source(request.x);
  if (source.kind == Source::kNone) throw Fault("OPTION", "--x none: an input is needed");
  x_shape = source.shape;
  x_type = source.type;
  x_origin = origin_of(source, request.seed);
  if (need == kHead) {
    if (source.kind != Source::kFile || source.path == "-")
      throw Fault("OPTION", "--tiles reads x from a .npy file, and out of order; --x is " + request.x);
    struct stat file;  // before it is opened: a FIFO would wait for whoever writes it
    if (stat(source.path.c_str(), &file) == 0 && S_ISFIFO(file.st_mode)) refuse_unordered(source.path);
    Input in(source.path);
    const NpyHead head = read_npy_head(in);
    if (!in.rest()) refuse_unordered(in.name());
    x_shape = head.shape;
    x_type = head.type;
    return;
  }
  const bool data = need == kData || need == kAnyData;
  if (!data && source.kind != Source::kFile) {
    if (x_shape.empty()) throw Fault("OPTION", "--x " + request.x + " names no shape");
    return;
  }
  x = load(source, request.seed, {}, ctconv::kFloat32);
  x_shape = x.shape();
  x_type = x.dtype();
}

ctconv::Tensor Layer::x_tensor() const { return x.data() ? x.tensor() : ctconv::Tensor(nullptr, x_type, x_shape); }

void Layer::load_weight(Need need) {
  const Source w = request.weight.empty() ? Source() : parse_source(request.weight);
  const Source b = request.bias.empty() ? Source() : parse_source(request.bias);
  if (w.kind == Source::kNone) throw Fault("OPTION", "--weight none: a weight is needed");
  ctconv::WeightSpec spec{};
  const ctconv::Tensor tx = x_tensor();
  bool has_spec = true;
  try {
    spec = desc.weight_spec(&tx);
  } catch (const ctconv::error& e) {
    // Dialects whose weight does not follow from the arguments: fine where its shape is given.
    has_spec = false;
    if (e.status() != CTCONV_ERR_UNSUPPORTED_WEIGHT_SPEC) throw;
    if (w.shape.empty() && w.kind != Source::kFile)
      rethrow(e, "; give --weight FILE.npy, or a shape for random numbers: --weight 3,8,4,4");
  }
  const bool shapes_only = need == kShapes && w.kind == Source::kDefault;
  const auto make = [&](const Source& s, const ctconv_spec& want, uint64_t seed, auto init, std::string* origin) {
    if (s.kind != Source::kDefault) {
      *origin = origin_of(s, seed);
      return load(s, seed, has_spec ? ctconv::shape_of(want) : std::vector<int64_t>(),
                  has_spec ? ctconv::dtype_of(want) : x_type);
    }
    if (need == kWeights) {
      *origin = "blank: only its shape is asked";
      return Array::blank(ctconv::dtype_of(want), ctconv::shape_of(want));
    }
    Array out(ctconv::dtype_of(want), ctconv::shape_of(want));
    *origin = "the dialect's initialiser, seed " + std::to_string(seed);
    try {
      init(seed, out.tensor());
    } catch (const ctconv::error& e) {
      if (e.status() != CTCONV_ERR_UNSUPPORTED_INIT) throw;
      if (need == kData || need == kHead) rethrow(e, "; give --weight FILE.npy, random or ones");
      fill_random(out, seed);
      *origin = "random, seed " + std::to_string(seed);
    }
    return out;
  };
  if (!shapes_only)
    weight = make(
        w, spec.weight, request.seed + 1, [&](uint64_t s, const ctconv::Tensor& t) { desc.init_weight(s, t); },
        &weight_origin);
  if (b.kind == Source::kNone || (b.kind == Source::kDefault && (!has_spec || spec.bias.ndim == 0))) return;
  if (need == kShapes && b.kind == Source::kDefault) return;
  if (b.kind == Source::kDefault && weight && weight->dtype() != ctconv::dtype_of(spec.weight)) {
    // x and the weight differ in element type: the library shall say so of these two, not of a bias nobody gave.
    bias = Array(weight->dtype(), ctconv::shape_of(spec.bias));
    fill_constant(*bias, 0);
    return;
  }
  bias = make(
      b, spec.bias, request.seed + 2, [&](uint64_t s, const ctconv::Tensor& t) { desc.init_bias(s, t); }, &bias_origin);
}

ctconv::Options Layer::options(const char* engine, int reproducible) const {
  ctconv::Options o;
  o.engine = engine;
  o.device = request.device.c_str();
  o.threads = request.threads;
  o.reproducible = reproducible;
  o.math = request.math;
  o.borrow_weights = lends_ ? 1 : 0;
  o.tuning = request.tune ? CTCONV_TUNING_MEASURE : CTCONV_TUNING_NONE;
  o.activation = activation_number(request.activation);
  if (o.activation < 0)
    throw Fault("OPTION", "activation '" + request.activation + "' is not one of " + activation_list());
  const int parameters = kActivations[o.activation].parameters;
  if (parameters > 0) o.activation_alpha = request.alpha;
  if (parameters > 1) o.activation_beta = request.beta;
  return o;
}

ctconv::Op Layer::op(const std::string& engine, int reproducible) const {
  const ctconv::Options o = options(engine.c_str(), reproducible);
  if (!weight) return ctconv::Op(desc, o);
  if (!bias) return ctconv::Op(desc, weight->tensor(), o);
  return ctconv::Op(desc, weight->tensor(), bias->tensor(), o);
}

ctconv::CallExtras Layer::extras() const {
  ctconv::CallExtras e;
  if (output_size_) e.output_size = &*output_size_;
  if (!begin.empty()) {
    e.begin = begin.data();
    e.end = end.data();
  }
  return e;
}

namespace {

// "1,2,-3": as many numbers as there are axes.
std::vector<int64_t> positions(const char* option, const std::string& text, size_t rank) {
  std::vector<int64_t> out;
  const char *at = text.data(), *end = at + text.size();
  for (bool more = true; more;) {
    int64_t value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || (next != end && *next != ','))
      throw Fault("OPTION",
                  std::string(option) + " is '" + text + "'; whole numbers and commas are needed, such as 0,16");
    out.push_back(value);
    more = next != end;
    at = next + 1;
  }
  if (out.size() == rank) return out;
  throw Fault("OPTION", std::string(option) + " " + text + " has " + std::to_string(out.size()) +
                            (out.size() == 1 ? " number" : " numbers") + "; one for each of the " +
                            std::to_string(rank) + (rank == 1 ? " spatial axis" : " spatial axes") + " of y is needed");
}

}  // namespace

void Layer::read_region(const ctconv::Op& op) {
  if (request.begin.empty() && request.end.empty()) return;
  const Numbers whole = numbers_of(describe(op).get("problem"));
  std::vector<int64_t> first(whole.rank(), 0), last;
  for (size_t a = 0; a < whole.rank(); ++a) last.push_back(whole.o[a] + whole.tail[a]);
  if (!request.begin.empty()) first = positions("--begin", request.begin, whole.rank());
  if (!request.end.empty()) last = positions("--end", request.end, whole.rank());
  begin = first;
  end = last;
}

Array Layer::execute(const ctconv::Op& op) const {
  const ctconv_spec spec = op.output_spec(x_tensor(), extras());
  Array y(ctconv::dtype_of(spec), ctconv::shape_of(spec));
  op.execute(x_tensor(), y.tensor(), extras());
  return y;
}

Array Layer::magnitude() const {
  const auto absolute = [](const Array& a) {
    Array out(a.dtype(), a.shape(), a.fortran());
    for (size_t i = 0; i < a.elements(); ++i) out.set(i, std::fabs(a.get(i)));
    return out;
  };
  ctconv::Desc plain = make_desc(request.dialect, arguments);
  for (const char* name : {"act", "activation"})
    if (arguments.find(name)) plain.set(name, ctconv::Value());
  ctconv::Options o = options("reference", false);
  o.activation = CTCONV_ACTIVATION_NONE;
  o.activation_alpha = o.activation_beta = 0;
  const Array ax = absolute(x), aw = absolute(*weight);
  const std::optional<Array> ab = bias ? std::optional<Array>(absolute(*bias)) : std::nullopt;
  const ctconv::Op op = ab ? ctconv::Op(plain, aw.tensor(), ab->tensor(), o) : ctconv::Op(plain, aw.tensor(), o);
  const ctconv_spec spec = op.output_spec(ax.tensor(), extras());
  Array y(ctconv::dtype_of(spec), ctconv::shape_of(spec));
  op.execute(ax.tensor(), y.tensor(), extras());
  return y;
}

}  // namespace cli
