// Problems, tensors and runs for the engines' tests.
//
//   in:  a seed;   out: a legal Problem with tensors of its dtype, and what an engine makes of them
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "src/plan/engine.h"

namespace ctconv::test {

using Rng = std::mt19937_64;
int64_t pick(Rng& rng, int64_t low, int64_t high);  // both included

enum class Layouts { kDense, kAny };  // channels-first or -last; or any view: gaps, negative steps, broadcast x and w
enum class Values { kSmallInteger, kReal };

// A view over memory of its own: element (index...) lies at origin + sum of index * stride.
struct Memory {
  std::vector<uint8_t> bytes;
  int64_t origin = 0;  // elements
  void* data(Dtype t) { return bytes.data() + origin * static_cast<int64_t>(size_of(t)); }
  const void* data(Dtype t) const { return bytes.data() + origin * static_cast<int64_t>(size_of(t)); }
};

double load(const void* data, Dtype t, int64_t at);
void store(void* data, Dtype t, int64_t at, double value);  // rounds once, by way of f32 for the 16-bit types

struct Case {
  Problem p;
  Memory x, w;
  std::vector<uint8_t> bias;  // of accumulator_of(dtype); empty: none

  double x_at(int64_t n, int64_t c, int64_t d, int64_t h, int64_t v) const;
  double w_at(int64_t g, int64_t ci, int64_t co, int64_t d, int64_t h, int64_t v) const;
  double bias_at(int64_t c) const;
};

// Sizes of a few thousand multiply-adds, every option mixed in.
Problem random_problem(Rng& rng, Dtype dtype, Layouts layouts);
// Dense layouts for the extents of p.
void lay_out(Problem* p, bool x_last, bool y_last);
Case make_case(const Problem& p, Rng& rng, Values values);

// y in logical order n, c, d, h, w (core only) as doubles, or why the engine refuses. Also checks that nothing outside
// y's core was written, and that a plan asks for what it uses.
struct Answer {
  Status status;
  std::vector<double> y;
  std::vector<uint64_t> bits;  // the same as bit patterns
  std::string form;
};
Answer run(const Engine& engine, const Case& c, PlanContext context = {}, const Runner& runner = Runner());

// The definition, as a scatter in f64, before the final rounding and activation: the tests' own oracle.
std::vector<double> scatter(const Case& c);
// Sum of |x*w| for each output: what an error bound is proportional to.
std::vector<double> magnitude(const Case& c);

std::string describe(const Problem& p);

}  // namespace ctconv::test
