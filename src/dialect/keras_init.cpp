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
constexpr auto kCutSigma = 0.87962566103423978;

constexpr NamedInit scaled_uniform(const char* name, Initialiser::Fan fan, double variance) {
  return {.name = name, .kind = Initialiser::kUniform, .fan = fan, .scale = 3 * variance};
}

constexpr NamedInit scaled_normal(const char* name, Initialiser::Fan fan, double variance) {
  const double scale = variance / (kCutSigma * kCutSigma);
  return {.name = name, .kind = Initialiser::kTruncatedNormal, .lo = -2, .hi = 2, .fan = fan, .scale = scale};
}

// Lower case, without underscores.
constexpr NamedInit kNames[] = {
    {"zeros", Initialiser::kConstant, 0},
    {"ones", Initialiser::kConstant, 1},
    {"constant", Initialiser::kConstant, 0},
    {"randomnormal", Initialiser::kNormal, 0, 0.05},
    {"randomuniform", Initialiser::kUniform, -0.05, 0.05},
    {.name = "truncatednormal", .kind = Initialiser::kTruncatedNormal, .a = 0, .b = 0.05, .lo = -0.1, .hi = 0.1},
    scaled_uniform("glorotuniform", Initialiser::kFanSum, 2),  // variance 1 / mean of both fans
    scaled_normal("glorotnormal", Initialiser::kFanSum, 2),
    scaled_uniform("heuniform", Initialiser::kFanIn, 2),
    scaled_normal("henormal", Initialiser::kFanIn, 2),
    scaled_uniform("lecununiform", Initialiser::kFanIn, 1),
    scaled_normal("lecunnormal", Initialiser::kFanIn, 1),
    {"orthogonal", Initialiser::kOrthogonal},
};

}  // namespace

Status read_init(const std::string& name, const Value& value, Code bad, const char* by_default, Initialiser* out) {
  if (value.tag == Value::kTensor) return tensor_init(name, value, nullptr, bad, bad, out);
  if (value.is_none() || value.tag == Value::kString) {
    std::string plain = by_default;
    if (!value.is_none()) plain = lower_case(value.text);
    std::erase(plain, '_');
    if (init_by_name(kNames, plain, out)) return {};
  }
  return argument_error(bad, name, value.show(),
                        "None, a tensor, zeros, ones, glorot_uniform, glorot_normal, he_*, lecun_*, random_*, "
                        "truncated_normal, orthogonal",
                        "is no initialiser of keras");
}

}  // namespace ctconv::keras
