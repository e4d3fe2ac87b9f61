// SPDX-License-Identifier: Apache-2.0
// How a file simd_*.cpp fills a table of routines for the instruction set Highway chose.
//
//   Inside Highway's target loop the file defines FillF32(Table<float>&) and FillF64(Table<double>&).
//   At its end, once, CTCONV_SIMD_FILLS(name, Table) defines name(Table<float>&) and name(Table<double>&): each calls
//   the one that was compiled for this CPU's instruction set.
//
//   for_blocks<M, V>(f) calls f(m, v) for every size of a block, 1 <= m <= M, 1 <= v <= V, as compile-time constants.
#pragma once

#include <type_traits>
#include <utility>

namespace ctconv::kit {

template <int V, class F, int... K>
constexpr void for_each_block(F f, std::integer_sequence<int, K...>) {
  (f(std::integral_constant<int, K / V + 1>(), std::integral_constant<int, K % V + 1>()), ...);
}
template <int M, int V, class F>
constexpr void for_blocks(F f) {
  for_each_block<V>(f, std::make_integer_sequence<int, M * V>());
}

}  // namespace ctconv::kit

#define CTCONV_SIMD_FILLS(name, Table)                             \
  HWY_EXPORT(FillF32);                                             \
  HWY_EXPORT(FillF64);                                             \
  void name(Table<float>& t) { HWY_DYNAMIC_DISPATCH(FillF32)(t); } \
  void name(Table<double>& t) { HWY_DYNAMIC_DISPATCH(FillF64)(t); }
