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

constexpr Initialiser::Kind kUniformKind = Initialiser::kUniform;
constexpr Initialiser::Kind kCutKind = Initialiser::kTruncatedNormal;

Initialiser scaled(Initialiser::Kind kind, Initialiser::Fan fan, double variance) {
  if (kind == kUniformKind) return {.kind = kind, .fan = fan, .scale = 3 * variance};
  return {.kind = kind, .lo = -2, .hi = 2, .fan = fan, .scale = variance / (kCutSigma * kCutSigma)};
}

bool by_name(const std::string& plain, Initialiser* out) {
  if (plain == "zeros")
    *out = {.kind = Initialiser::kConstant, .a = 0};
  else if (plain == "ones")
    *out = {.kind = Initialiser::kConstant, .a = 1};
  else if (plain == "constant")
    *out = {.kind = Initialiser::kConstant, .a = 0};
  else if (plain == "randomnormal")
    *out = {.kind = Initialiser::kNormal, .a = 0, .b = 0.05};
  else if (plain == "randomuniform")
    *out = {.kind = Initialiser::kUniform, .a = -0.05, .b = 0.05};
  else if (plain == "truncatednormal")
    *out = {.kind = kCutKind, .a = 0, .b = 0.05, .lo = -0.1, .hi = 0.1};
  else if (plain == "glorotuniform")
    *out = scaled(kUniformKind, Initialiser::kFanSum, 2);  // variance 1 / mean of both fans
  else if (plain == "glorotnormal")
    *out = scaled(kCutKind, Initialiser::kFanSum, 2);
  else if (plain == "heuniform")
    *out = scaled(kUniformKind, Initialiser::kFanIn, 2);
  else if (plain == "henormal")
    *out = scaled(kCutKind, Initialiser::kFanIn, 2);
  else if (plain == "lecununiform")
    *out = scaled(kUniformKind, Initialiser::kFanIn, 1);
  else if (plain == "lecunnormal")
    *out = scaled(kCutKind, Initialiser::kFanIn, 1);
  else if (plain == "orthogonal")
    *out = {.kind = Initialiser::kOrthogonal};
  else
    return false;
  return true;
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
