// SPDX-License-Identifier: Apache-2.0
// What tools/mutate puts into copies of sources: every mutant in one program, one of them switched on by its number.
//
//   in:  CTCONV_MUTANT, the number; CTCONV_MUTANT_SEEN, a file
//   out: the program behaves as it stands, but for that one operator, number or call. The file gets one line a test:
//        its name, its seconds, the numbers that ran; a number that ran but has nothing to change is written as -7
//        (words are added, not numbers). What ran outside of tests stands in a line without a name.
//   `a < b` becomes `a < lt(7) < b`: the tag takes a's value along and does the comparison, or one beside it.
//   Included before anything else by the compiler's -include; no build of the library sees it.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>

#include "src/base/status.h"

namespace mutants {

constexpr int kMost = 1 << 14;

struct Record {
  int chosen = 0;
  const char* file = std::getenv("CTCONV_MUTANT_SEEN");
  char seen[kMost] = {};  // 1: it ran, 2: it ran and there is nothing to change
  Record() {
    if (const char* number = std::getenv("CTCONV_MUTANT")) chosen = std::atoi(number);
  }
  ~Record() { note("", 0); }

  // Writes what ran since the last call.
  void note(const char* test, double seconds) {
    std::FILE* out = file ? std::fopen(file, "ab") : nullptr;
    if (out == nullptr) return;
    std::fprintf(out, "%s\t%.6f\t", test, seconds);
    for (int id = 0; id < kMost; ++id) {
      if (seen[id] != 0) std::fprintf(out, "%d ", seen[id] == 1 ? id : -id);
      seen[id] = 0;
    }
    std::fputc('\n', out);
    std::fclose(out);
  }
};

inline Record& record() {
  static Record all;
  return all;
}

inline bool on(int id) {
  record().seen[id] = 1;
  return record().chosen == id;
}

inline void words(int id) {
  char& seen = record().seen[id];
  if (seen == 0) seen = 2;
}

template <class T>
T number(int id, T as_it_stands) {  // one larger; one smaller
  return static_cast<T>(as_it_stands + (on(id) ? 1 : 0) - (on(id + 1) ? 1 : 0));
}

inline bool flag(int id, bool as_it_stands) { return as_it_stands != on(id); }

template <class T>
T other(int id, T as_it_stands, T instead) {
  return on(id) ? instead : as_it_stands;
}

// `!x` is `no(7)->*x`: an operator that binds less than a call and more than any other of two operands.
struct No {
  int id;
};
inline No no(int id) { return {id}; }
template <class T>
bool operator->*(No no, const T& x) {
  return on(no.id) == static_cast<bool>(x);
}

// `a && b` is `a && all(7) & b`, or `a & all(7) && b`: that side is true instead. `a || b`: that side is false.
struct All {
  int id;
};
struct Any {
  int id;
};
inline All all(int id) { return {id}; }
inline Any any(int id) { return {id}; }
template <class T>
bool operator&(All all, const T& x) {
  return on(all.id) || static_cast<bool>(x);
}
template <class T>
bool operator&(const T& x, All all) {
  return on(all.id) || static_cast<bool>(x);
}
template <class T>
bool operator|(Any any, const T& x) {
  return !on(any.id) && static_cast<bool>(x);
}
template <class T>
bool operator|(const T& x, Any any) {
  return !on(any.id) && static_cast<bool>(x);
}

enum class Op { kLt, kLe, kGt, kGe, kEq, kNe, kAdd, kSub, kMul, kDiv, kRem };

template <Op op>
struct Tag {
  int id;
};
inline Tag<Op::kLt> lt(int id) { return {id}; }
inline Tag<Op::kLe> le(int id) { return {id}; }
inline Tag<Op::kGt> gt(int id) { return {id}; }
inline Tag<Op::kGe> ge(int id) { return {id}; }
inline Tag<Op::kEq> eq(int id) { return {id}; }
inline Tag<Op::kNe> ne(int id) { return {id}; }
inline Tag<Op::kAdd> add(int id) { return {id}; }
inline Tag<Op::kSub> sub(int id) { return {id}; }
inline Tag<Op::kMul> mul(int id) { return {id}; }
inline Tag<Op::kDiv> div(int id) { return {id}; }
inline Tag<Op::kRem> rem(int id) { return {id}; }

template <Op op, class A>
struct Left {
  const A& value;
  int id;
};

// As it stands | what stands there instead for each of its numbers. One that does not compile for these types is none.
#define MUTANT_OPERATOR(TAG, NOW, ...)                          \
  template <class A>                                            \
  Left<Op::TAG, A> operator NOW(const A& a, Tag<Op::TAG> tag) { \
    return {a, tag.id};                                         \
  }                                                             \
  template <class A, class B>                                   \
  auto operator NOW(Left<Op::TAG, A> a, const B& b) {           \
    using Value = std::decay_t<decltype(a.value NOW b)>;        \
    __VA_ARGS__                                                 \
    return Value(a.value NOW b);                                \
  }
#define MUTANT_INSTEAD(N, INSTEAD)                        \
  if constexpr (requires { Value(a.value INSTEAD b); }) { \
    if (on(a.id + N)) return Value(a.value INSTEAD b);    \
  } else {                                                \
    words(a.id + N);                                      \
  }
MUTANT_OPERATOR(kLt, <, MUTANT_INSTEAD(0, <=) MUTANT_INSTEAD(1, >=))
MUTANT_OPERATOR(kLe, <=, MUTANT_INSTEAD(0, <) MUTANT_INSTEAD(1, >))
MUTANT_OPERATOR(kGt, >, MUTANT_INSTEAD(0, >=) MUTANT_INSTEAD(1, <=))
MUTANT_OPERATOR(kGe, >=, MUTANT_INSTEAD(0, >) MUTANT_INSTEAD(1, <))
MUTANT_OPERATOR(kEq, ==, MUTANT_INSTEAD(0, !=))
MUTANT_OPERATOR(kNe, !=, MUTANT_INSTEAD(0, ==))
MUTANT_OPERATOR(kAdd, +, MUTANT_INSTEAD(0, -))
MUTANT_OPERATOR(kSub, -, MUTANT_INSTEAD(0, +))
MUTANT_OPERATOR(kMul, *, MUTANT_INSTEAD(0, +))
MUTANT_OPERATOR(kDiv, /, MUTANT_INSTEAD(0, *))
MUTANT_OPERATOR(kRem, %, MUTANT_INSTEAD(0, *))
#undef MUTANT_INSTEAD
#undef MUTANT_OPERATOR

// `return answer(7), value;`: a Status becomes OK, a bool the other one, a number one more, a pointer null.
struct Answer {
  int id;
};
inline Answer answer(int id) { return {id}; }

template <class T>
constexpr bool kHasAnother =
    std::is_arithmetic_v<std::decay_t<T>> || std::is_pointer_v<std::decay_t<T>> || std::is_same_v<T, ctconv::Status>;

template <class T>
requires kHasAnother<T> std::decay_t<T>
operator,(Answer answer, T&& value) {
  using Value = std::decay_t<T>;
  if (!on(answer.id)) return std::forward<T>(value);
  if constexpr (std::is_same_v<Value, bool>) {
    return !value;
  } else if constexpr (std::is_arithmetic_v<Value>) {
    return static_cast<Value>(value + 1);
  } else {
    return Value();
  }
}
template <class T>
requires(!kHasAnother<T>) T && operator,(Answer answer, T&& value) {
  words(answer.id);
  return std::forward<T>(value);
}

}  // namespace mutants
