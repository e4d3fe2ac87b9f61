// SPDX-License-Identifier: Apache-2.0
// Every text with a number or a name in it, made under the C locale and again under the one that CTCONV_TEST_LOCALE
// names (of the program and of C++ streams): the same. tests/locale/run.py makes the locales and runs this.
#include <clocale>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <locale>

#include "src/base/number.h"
#include "src/problem/text.h"
#include "tests/capi/support.h"

using namespace capi;

namespace {

// The error's whole detail.
std::string show(ctconv_status status, const Error& e) {
  return std::to_string(status) + " | " + e.argument + " | " + e.value + " | " + e.range + " | " + e.message + "\n";
}

std::string problem_texts() {
  std::string s;
  for (const char* text :
       {"f32 n1 g1 ci2 co3 i1234 k3 s2 o2469 leaky_relu:0.015625", "f64 n1 g1 ci1 co1 i5 k1 o5 clip:-0.5:6.25",
        "f32 n1 g1 ci1 co1 i5 k1 o5 clip:-1e-300:1.7976931348623157e+308",
        "f32 n1 g1 ci1 co1 i5 k1 o5 leaky_relu:0,5"}) {
    const auto problem = ctconv::problem_from_text(text);
    s += problem.ok() ? ctconv::to_text(*problem) : problem.status().detail().message;
    s += "\n";
    if (!problem.ok()) continue;
    const bool back = ctconv::problem_from_text(ctconv::to_text(*problem)).ok();
    s += back ? "reads back\n" : "does not read back\n";
  }
  return s;
}

std::string messages() {
  std::string s;
  for (const double stride : {2.5, 1e-7, 1234567.0, -0.0}) {
    Desc desc("torch.nn.ConvTranspose2d");
    desc.set("in_channels", 3).set("out_channels", 4).set("kernel_size", 3).set("stride", stride);
    Error e;
    const ctconv_status status = ctconv_desc_validate(desc.get(), &e);
    s += show(status, e);
  }
  for (const char* name :
       {"TORCH.NN.CONVTRANSPOSE1D", "keras.layers.conv1dtranspose", "mindspore.nn.Conv1DTranspose"}) {
    ctconv_desc* desc = nullptr;
    Error e;
    const ctconv_status status = ctconv_desc_create(name, &desc, &e);
    s += show(status, e);
    ctconv_desc_destroy(desc);
  }
  return s;
}

// Names whose letters fold: I is not the capital of i in Turkish.
std::string folded_names() {
  std::string s;
  for (const char* initializer : {"GLOROT_UNIFORM", "HE_UNIFORM", "GlorotUniform", "LECUN_NORMAL"}) {
    Desc desc("keras.layers.Conv2DTranspose");
    desc.set("filters", 2).set("kernel_size", 3).set("kernel_initializer", initializer);
    Error e;
    const ctconv_status status = ctconv_desc_validate(desc.get(), &e);
    s += show(status, e);
  }
  for (const char* padding : {"VALID", "valid", "SAME", "Same"}) {
    Desc desc("keras.layers.Conv2DTranspose");
    desc.set("filters", 2).set("kernel_size", 3).set("padding", padding);
    Error e;
    const ctconv_status status = ctconv_desc_validate(desc.get(), &e);
    s += show(status, e);
  }
  return s;
}

// describe of an op and of a call, with an activation that has numbers; measured, so that the tuning file is used.
std::string described() {
  Conv conv;
  Tensor x(conv.x_shape()), w(conv.w_shape()), b({conv.co}), y(conv.y_shape());
  x.integers(1);
  w.integers(2);
  b.integers(3);
  ctconv_options options = CTCONV_OPTIONS_INIT;
  options.activation = CTCONV_ACTIVATION_LEAKY_RELU;
  options.activation_alpha = 0.015625;
  options.tuning = CTCONV_TUNING_MEASURE;
  const Op op = create(conv.desc(), &w, &b, &options);
  const ctconv_call call = call_of(&x, &y);
  std::string s = describe(op, &call) + describe(op, nullptr);
  options.activation = CTCONV_ACTIVATION_CLIP;
  options.activation_alpha = 1234.5;
  options.activation_beta = -0.25;
  ctconv_op* made = nullptr;
  Error e;
  const ctconv_status status = ctconv_create(conv.desc().get(), w.get(), b.get(), &options, &made, &e);
  return s + show(status, e);
}

std::string tuning_file() {
  const char* path = std::getenv("CTCONV_TUNING_FILE");
  if (path == nullptr) return {};
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Round trips through the helper, and the same text as printf in the C locale.
std::string numbers() {
  std::string s;
  std::mt19937_64 rng(7);
  for (int n = 0; n < 20000; ++n) {
    const uint64_t bits = rng();
    double v;
    std::memcpy(&v, &bits, sizeof v);
    s += ctconv::show_general(v, 17) + " " + ctconv::show_general(v, 3) + " " + ctconv::show_fixed(v, 6) + "\n";
    double back = 0;
    if (v == v && !(ctconv::read_number(ctconv::show_general(v, 17), &back) && back == v)) s += "does not read back\n";
  }
  return s;
}

std::string printed() {
  std::string s;
  std::mt19937_64 rng(7);
  char text[1024];
  for (int n = 0; n < 20000; ++n) {
    const uint64_t bits = rng();
    double v;
    std::memcpy(&v, &bits, sizeof v);
    std::snprintf(text, sizeof text, "%.17g %.3g %.6f\n", v, v, v);
    s += text;
  }
  return s;
}

struct Texts {
  std::string problems = problem_texts(), errors = messages(), names = folded_names(), describe = described(),
              file = tuning_file(), build = ctconv_build_info(), number = numbers();
};

}  // namespace

TEST_CASE("locale: every text is the same under the named locale", "[locale]") {
  const char* name = std::getenv("CTCONV_TEST_LOCALE");
  if (name == nullptr) SKIP("CTCONV_TEST_LOCALE is not set: tests/locale/run.py sets it");
  std::setlocale(LC_ALL, "C");
  (void)described();  // the first measurement; from here on it is remembered
  const Texts c;
  CHECK(c.number == printed());
  REQUIRE(std::setlocale(LC_ALL, name) != nullptr);
  std::locale::global(std::locale(name));
  REQUIRE(std::string(std::localeconv()->decimal_point) == ",");
  const Texts other;
  CHECK(other.problems == c.problems);
  CHECK(other.errors == c.errors);
  CHECK(other.names == c.names);
  CHECK(other.describe == c.describe);
  CHECK(other.file == c.file);
  CHECK(other.build == c.build);
  CHECK((other.number == c.number));
  std::locale::global(std::locale::classic());
  std::setlocale(LC_ALL, "C");
}
