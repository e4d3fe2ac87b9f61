// SPDX-License-Identifier: Apache-2.0
// The table of moves.h for this CPU.
//
//   in:  the instruction set Highway chose
//   out: one table per computing type
#include "src/kit/moves.h"

#include "src/kit/simd_tables.h"

namespace ctconv::kit {

void fill_moves(Moves<float>&);
void fill_moves(Moves<double>&);
void fill_activations(Moves<float>&);
void fill_activations(Moves<double>&);

template <class T>
Moves<T> moves() {
  Moves<T> m{};
  fill_moves(m);
  if (m.lanes != 0) fill_activations(m);
  return m;
}

template Moves<float> moves<float>();
template Moves<double> moves<double>();

}  // namespace ctconv::kit
