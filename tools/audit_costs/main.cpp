// SPDX-License-Identifier: Apache-2.0
// audit_costs: which layers take far longer than the machine needs?
//
//   in:  audit_costs [--count N] [--seed N] [--first N] [--threads N] [--engine NAME] [--over X] [--all]
//   out: a line for each random layer (problems.h) that takes more than --over times its floor (20) and more than a
//        millisecond: its number, what was slow (call, or first: create and the first call), times, engine and form,
//        and the command that times it. Then how many there were, and the slowest kinds.
//   floor = max(flop / peak, bytes / bandwidth, 5 us), of the machine record and the lines of ctconv_describe; for the
//   first call the weight is moved four times beside it
//   The fastest of some calls counts: another program's turn is no fault of ours. 1 where a layer is over its floor.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ctconv/ctconv.h"
#include "tools/audit_costs/problems.h"

namespace {

using audit::Layer;
using Clock = std::chrono::steady_clock;

constexpr double kLeastFloor = 5e-6;    // seconds: entering a call
constexpr double kWorthMention = 1e-3;  // what is faster is no fault
constexpr double kFirstWorth = 2e-3;    // of create and the first call
constexpr double kTime = 0.03;          // seconds of calls of a layer, at least
constexpr int kFirsts = 3, kLeastCalls = 3, kMostCalls = 200;

struct Settings {
  uint64_t count = 1000, seed = 1, first = 0;
  int32_t threads = 0;
  std::string engine = "auto";
  double over = 20;
  bool all = false;
};

struct Free {
  void operator()(ctconv_desc* d) const { ctconv_desc_destroy(d); }
  void operator()(ctconv_op* op) const { ctconv_destroy(op); }
};

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Values from one half to one, of either sign: nothing is subnormal, and no sum overflows.
std::vector<char> values(const std::string& type, double count, uint64_t seed) {
  const size_t size = type == "float64" ? 8 : type == "float32" ? 4 : 2;
  std::vector<char> memory(static_cast<size_t>(count) * size);
  uint64_t state = seed;
  for (size_t at = 0; at < memory.size(); at += size) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const uint64_t r = state >> 32;
    const double real = (0.5 + static_cast<double>(r & 0xffff) / 131072) * (r & 0x10000 ? 1 : -1);
    const auto single = static_cast<float>(real);
    const auto half = static_cast<uint16_t>((r & 0x10000 ? 0u : 0x8000u) |
                                            (type == "float16" ? 0x3800u | (r & 0x3ffu) : 0x3f00u | (r & 0x7fu)));
    if (size == 8) std::memcpy(&memory[at], &real, size);
    if (size == 4) std::memcpy(&memory[at], &single, size);
    if (size == 2) std::memcpy(&memory[at], &half, size);
  }
  return memory;
}

ctconv_tensor tensor_of(const std::string& type, std::vector<char>* memory, std::vector<int64_t>* shape) {
  ctconv_tensor t = {};
  t.data = memory->data();
  t.device_type = 1;
  t.ndim = static_cast<int32_t>(shape->size());
  t.dtype_code = type == "bfloat16" ? 4 : 2;
  t.dtype_bits = type == "float64" ? 64 : type == "float32" ? 32 : 16;
  t.dtype_lanes = 1;
  t.shape = shape->data();
  return t;
}

std::unique_ptr<ctconv_desc, Free> desc_of(const Layer& l) {
  ctconv_desc* made = nullptr;
  if (ctconv_desc_create("ctconv", &made, nullptr) != CTCONV_OK) return nullptr;
  std::unique_ptr<ctconv_desc, Free> desc(made);
  const auto ints = [made](const char* name, const std::vector<int64_t>& v) {
    ctconv_desc_set_ints(made, name, v.data(), v.size());
  };
  ctconv_desc_set_int(made, "in_channels", l.ci);
  ctconv_desc_set_int(made, "out_channels", l.co);
  ctconv_desc_set_int(made, "groups", l.groups);
  ctconv_desc_set_bool(made, "bias", 0);
  ctconv_desc_set_string(made, "data_format", l.last ? "channels_last" : "channels_first");
  ints("kernel_size", l.k);
  ints("stride", l.s);
  ints("dilation", l.d);
  ints("pad_begin", l.begin);
  ints("pad_end", l.end);
  return desc;
}

// The value behind "key: " in a description; empty where there is none.
std::string fact(const std::string& text, const std::string& key) {
  size_t at = text.rfind("\n" + key + ": ");
  if (text.compare(0, key.size() + 2, key + ": ") == 0) at = 0;
  if (at == std::string::npos) return "";
  at = text.find(": ", at) + 2;
  return text.substr(at, text.find('\n', at) - at);
}
double number(const std::string& text, const std::string& key) { return std::atof(fact(text, key).c_str()); }

double floor_of(const Layer& l, const std::string& facts) {
  const double threads = std::max(1.0, number(facts, "threads"));
  const double lanes = number(facts, "machine.vector_bytes") / (l.type == "float64" ? 8 : 4);
  const double peak = 2 * threads * lanes * number(facts, "machine.fma") * number(facts, "machine.hertz");
  const double bandwidth = number(facts, threads > 1 ? "machine.memory_2" : "machine.memory_1");
  return std::max({number(facts, "flop") / peak, number(facts, "bytes") / bandwidth, kLeastFloor});
}

std::string description(const ctconv_op* op, const ctconv_call* call) {
  size_t needed = 0;
  std::vector<char> text(1 << 14);
  if (ctconv_describe(op, call, text.data(), text.size(), &needed, nullptr) != CTCONV_OK) return "";
  return text.data();
}

struct Times {
  double first = 0, call = 0;  // seconds
  double first_floor = 0, floor = 0;
  std::string engine, form;
};

// False: refused, with the reason as *fault.
bool measure(const Layer& l, const Settings& settings, Times* out, std::string* fault) {
  std::vector<int64_t> xs = l.x_shape(), ws = l.w_shape(), ys = l.y_shape();
  std::vector<char> x = values(l.type, l.x_elements(), 1), w = values(l.type, l.w_elements(), 2);
  std::vector<char> y = values(l.type, l.y_elements(), 3);
  const ctconv_tensor tx = tensor_of(l.type, &x, &xs), tw = tensor_of(l.type, &w, &ws), ty = tensor_of(l.type, &y, &ys);
  const auto desc = desc_of(l);
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.engine = settings.engine.c_str();
  options.threads = settings.threads;
  ctconv_call call = CTCONV_CALL_INIT;
  call.x = &tx;
  call.y = &ty;
  ctconv_error error = CTCONV_ERROR_INIT;
  std::unique_ptr<ctconv_op, Free> op;
  out->first = std::numeric_limits<double>::infinity();
  for (int n = 0; n < kFirsts; ++n) {
    op.reset();
    ctconv_op* made = nullptr;
    const auto start = Clock::now();
    ctconv_status status = ctconv_create(desc.get(), &tw, nullptr, &options, &made, &error);
    op.reset(made);
    if (status == CTCONV_OK) status = ctconv_execute(made, &call, &error);
    out->first = std::min(out->first, since(start));
    *fault = error.message;
    if (status != CTCONV_OK) return false;
  }
  out->call = out->first;
  const auto begin = Clock::now();
  for (int n = 0; n < kMostCalls && (n < kLeastCalls || since(begin) < kTime); ++n) {
    const auto turn = Clock::now();
    if (ctconv_execute(op.get(), &call, &error) != CTCONV_OK) return false;
    out->call = std::min(out->call, since(turn));
  }
  const std::string facts = description(op.get(), &call) + description(op.get(), nullptr);
  out->floor = floor_of(l, facts);
  // The weight is read, copied, read and packed, into fresh pages.
  out->first_floor = out->floor + 4 * static_cast<double>(w.size()) / number(facts, "machine.memory_1");
  out->engine = fact(facts, "engine");
  out->form = fact(facts, "form");
  return true;
}

struct Kind {
  int seen = 0, slow = 0;
  double worst = 0;
};

void judge(uint64_t number, const Layer& l, const Times& t, const Settings& s, std::map<std::string, Kind>* kinds) {
  const bool slow = t.call > s.over * t.floor && t.call > kWorthMention;
  const bool late = t.first > s.over * t.first_floor && t.first > kFirstWorth && t.first > 3 * t.call;
  Kind& kind = (*kinds)[std::string(l.theme) + ", " + l.type + (l.last ? ", channels-last" : ", channels-first")];
  ++kind.seen;
  kind.slow += slow || late;
  kind.worst = std::max(kind.worst, t.call / t.floor);
  if (!slow && !late && !s.all) return;
  std::printf("%llu %s %s: call %.3f ms = %.1f floors, first %.3f ms = %.1f; %s: %s\n  %s\n",
              static_cast<unsigned long long>(number),
              slow   ? "SLOW CALL"
              : late ? "SLOW FIRST"
                     : "ok",
              l.theme, t.call * 1e3, t.call / t.floor, t.first * 1e3, t.first / t.first_floor, t.engine.c_str(),
              t.form.c_str(), l.command().c_str());
  std::fflush(stdout);
}

bool read(int count, char** words, Settings* s) {
  for (int n = 1; n < count; ++n) {
    const std::string word = words[n];
    if (word == "--all") {
      s->all = true;
      continue;
    }
    if (n + 1 == count) return false;
    const char* value = words[++n];
    if (word == "--count") {
      s->count = std::strtoull(value, nullptr, 10);
    } else if (word == "--seed") {
      s->seed = std::strtoull(value, nullptr, 10);
    } else if (word == "--first") {
      s->first = std::strtoull(value, nullptr, 10);
    } else if (word == "--threads") {
      s->threads = std::atoi(value);
    } else if (word == "--engine") {
      s->engine = value;
    } else if (word == "--over") {
      s->over = std::atof(value);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int count, char** words) {
  Settings settings;
  if (!read(count, words, &settings)) {
    std::fprintf(stderr,
                 "audit_costs [--count N] [--seed N] [--first N] [--threads N] [--engine NAME] [--over X] [--all]\n");
    return 2;
  }
  std::map<std::string, Kind> kinds;
  int slow = 0, refused = 0;
  for (uint64_t n = settings.first; n < settings.first + settings.count; ++n) {
    const Layer layer = audit::random_layer(settings.seed, n, {});
    Times times;
    std::string fault;
    if (measure(layer, settings, &times, &fault)) {
      judge(n, layer, times, settings, &kinds);
      continue;
    }
    ++refused;
    if (settings.engine == "auto") std::printf("%llu refused: %s\n", static_cast<unsigned long long>(n), fault.c_str());
  }
  for (const auto& [name, kind] : kinds) slow += kind.slow;
  std::printf("%llu layers, %d refused, %d beyond %g floors\n", static_cast<unsigned long long>(settings.count),
              refused, slow, settings.over);
  for (const auto& [name, kind] : kinds) {
    if (kind.slow)
      std::printf("  %s: %d of %d, worst call %.0f floors\n", name.c_str(), kind.slow, kind.seen, kind.worst);
  }
  return slow != 0 ? 1 : 0;
}
