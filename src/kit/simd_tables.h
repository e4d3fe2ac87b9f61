// How a file simd_*.cpp fills a table of routines for the instruction set Highway chose.
//
//   Inside Highway's target loop the file defines FillF32(Table<float>&) and FillF64(Table<double>&).
//   At its end, once, CTCONV_SIMD_FILLS(name, Table) defines name(Table<float>&) and name(Table<double>&): each calls
//   the one that was compiled for this CPU's instruction set.
#pragma once

#define CTCONV_SIMD_FILLS(name, Table)                             \
  HWY_EXPORT(FillF32);                                             \
  HWY_EXPORT(FillF64);                                             \
  void name(Table<float>& t) { HWY_DYNAMIC_DISPATCH(FillF32)(t); } \
  void name(Table<double>& t) { HWY_DYNAMIC_DISPATCH(FillF64)(t); }
