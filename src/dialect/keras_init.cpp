// SPDX-License-Identifier: Apache-2.0
// Initialisers by their Keras names, with the defaults of keras.initializers.
//
//   snake_case and CamelCase are the same name.
//   variance scaling: uniform of width sqrt(3 * scale / fan),
//                     or a normal of sigma sqrt(scale / fan) / 0.8796..., cut at 2 sigma
#include "src/dialect/keras_init.h"

#include "src/dialect/init_names.h"

namespace ctconv::keras {
namespace {

// Standard deviation of a standard normal cut at +-2; Keras divides by it so that the cut distribution has the wanted
// variance.
constexpr double kCutSigma = 0.87962566103423978;

Initialiser scaled_uniform(Initialiser::Fan fan, double variance) {
  return {.kind = Initialiser::kUniform, .fan = fan, .scale = 3 * variance};
}

Initialiser scaled_normal(Initialiser::Fan fan, double variance) {
  const double scale = variance / (kCutSigma * kCutSigma);
  return {.kind = Initialiser::kTruncatedNormal, .lo = -2, .hi = 2, .fan = fan, .scale = scale};
}

// `plain`: lower case, without underscores.
bool by_name(const std::string& plain, Initialiser* out) {
  static const struct {
    const char* name;
    Initialiser init;
  } kNames[] = {
      {"zeros", {.kind = Initialiser::kConstant, .a = 0}},
      {"ones", {.kind = Initialiser::kConstant, .a = 1}},
      {"constant", {.kind = Initialiser::kConstant, .a = 0}},
      {"randomnormal", {.kind = Initialiser::kNormal, .a = 0, .b = 0.05}},
      {"randomuniform", {.kind = Initialiser::kUniform, .a = -0.05, .b = 0.05}},
      {"truncatednormal", {.kind = Initialiser::kTruncatedNormal, .a = 0, .b = 0.05, .lo = -0.1, .hi = 0.1}},
      {"glorotuniform", scaled_uniform(Initialiser::kFanSum, 2)},  // variance 1 / mean of both fans
      {"glorotnormal", scaled_normal(Initialiser::kFanSum, 2)},
      {"heuniform", scaled_uniform(Initialiser::kFanIn, 2)},
      {"henormal", scaled_normal(Initialiser::kFanIn, 2)},
      {"lecununiform", scaled_uniform(Initialiser::kFanIn, 1)},
      {"lecunnormal", scaled_normal(Initialiser::kFanIn, 1)},
      {"orthogonal", {.kind = Initialiser::kOrthogonal}},
  };
  for (const auto& row : kNames) {
    if (plain != row.name) continue;
    *out = row.init;
    return true;
  }
  return false;
}

}  // namespace

Status read_init(const std::string& name, const Value& value, Code bad, const char* by_default, Initialiser* out) {
  if (value.tag == Value::kTensor) return tensor_init(name, value, nullptr, bad, bad, out);
  std::string plain;
  if (value.is_none() || value.tag == Value::kString) {
    for (char c : value.is_none() ? std::string(by_default) : value.text) {
      if (c != '_') plain += c;
    }
    if (by_name(lower_case(plain), out)) return {};
  }
  return argument_error(bad, name, value.show(),
                        "None, a tensor, zeros, ones, glorot_uniform, glorot_normal, he_*, lecun_*, random_*, "
                        "truncated_normal, orthogonal",
                        "is no initialiser of keras");
}

}  // namespace ctconv::keras
