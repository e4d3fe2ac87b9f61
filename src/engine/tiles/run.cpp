// SPDX-License-Identifier: Apache-2.0
// The flow of a call; see run.h.
//
//   Each task packs its slab itself, or all planes of some images are packed first; then each task sums and stores
//   block by block.
#include "src/engine/tiles/run.h"

#include <algorithm>

#include "src/base/checked.h"
#include "src/engine/tiles/pack.h"

namespace ctconv::tiles {
namespace {

constexpr int64_t kTaskPlaces = 256;  // packed by one task

int64_t lines_of(const Layout& k) { return k.chunk_parts() * k.slabs.pitch * kChannels; }

// Some stacks of a call.
struct Images {
  const Operands& memory;
  const Scratch& scratch;
  int64_t first;  // stack

  const char* x(const Layout& k, int64_t stack) const {
    const int64_t n = (first + stack) * k.slabs.images;
    return static_cast<const char*>(memory.x) + n * k.p.x.n * kit::bytes_of(k.p.types.x);
  }
};

// One chunk of a group of a stack, some of its places.
void pack_task(const Layout& k, const Images& images, int64_t index, const Worker& worker) {
  const int64_t places = k.slabs.pitch, pieces = ceil_div(places, kTaskPlaces);
  const int64_t from = index % pieces * kTaskPlaces;
  const int64_t chunk = index / pieces % k.chunks, group = index / pieces / k.chunks;  // of all stacks
  const int64_t images_here = k.images_of(images.first + group / k.p.groups);
  const LinePart part{images_here, group % k.p.groups, chunk, from, std::min(places, from + kTaskPlaces)};
  uint16_t* out = images.scratch.planes + group * lines_of(k);
  out += (chunk * k.split.parts * k.slabs.pitch + from) * kChannels;
  pack_lines(k, images.x(k, group / k.p.groups), part, k.slabs.pitch, worker.spare, out);
}

// The lines of a slab's first position.
const uint16_t* lines_at(const Layout& k, const Images& images, int64_t stack, const SlabOf& slab,
                         const Worker& worker) {
  if (!k.slabs.own_panel) {
    return images.scratch.planes + (stack * k.p.groups + slab.g) * lines_of(k) + slab.first * kChannels;
  }
  const int64_t to = slab.first + slab.positions + k.planes.last + k.unit->step;
  for (int64_t c = 0; c < k.chunks; ++c) {
    uint16_t* out = worker.panel + c * k.split.parts * k.slabs.pitch * kChannels;
    pack_lines(k, images.x(k, stack), {slab.images, slab.g, c, slab.first, to}, k.slabs.pitch, worker.spare, out);
  }
  return worker.panel;
}

void block_bias(const Layout& k, const RowBlock& b, const float* bias, float* out) {
  std::fill_n(out, kRows, 0.0f);
  if (bias == nullptr) return;
  for (int32_t r = 0; r < b.rows; ++r) out[r] = bias[at(k.units.rows, b.row + r).c];
}

// All places of the slab, or the rows of it that the block's phases compute, those of one width together.
void sum_block(const Layout& k, const SlabOf& slab, const RowBlock& b, Block block, const Worker& worker) {
  block.row = worker.row;
  block.width = slab.positions;
  worker.row[0] = 0;
  block.rows = 1;
  if (!k.by_rows) return k.unit->sum(block);
  block.rows = 0;
  for (const Segment* s = worker.segments; s < worker.segments + slab.segments; ++s) {
    const int64_t begin = std::max(s->w, b.u[2].begin), end = std::min(s->w + s->count, b.u[2].end);
    if (begin >= end || !b.u[0].holds(s->d) || !b.u[1].holds(s->h)) continue;
    if (block.rows > 0 && block.width != end - begin) {
      k.unit->sum(block);
      block.rows = 0;
    }
    block.width = end - begin;
    worker.row[block.rows++] = (s->at + begin - s->w) * kChannels;
  }
  if (block.rows > 0) k.unit->sum(block);
}

void run_unit(const Layout& k, const Images& images, const SlabOf& slab, const RowUnit& u, Block block,
              const Worker& worker) {
  const Operands& m = images.memory;
  const auto* packed = static_cast<const uint16_t*>(m.packed) + slab.g * k.units.weights;
  const float* bias = m.bias == nullptr ? nullptr : static_cast<const float*>(m.bias) + slab.g * k.p.co;
  for (int32_t i = u.block0; i < u.block1; ++i) {
    const RowBlock& b = at(k.units.blocks, i);
    const TapList& list = at(k.lists, b.list);
    block_bias(k, b, bias, worker.bias);
    block.tap = list.x_tap.data();
    block.taps = list.taps();
    block.w = packed + b.weight;
    block.halves = b.halves();
    sum_block(k, slab, b, block, worker);
    finish_block(k, slab, u, b, static_cast<char*>(m.y), worker);
  }
  if (!k.runs) finish_unit(k, slab, u, static_cast<char*>(m.y), worker);
}

void run_task(const Layout& k, const Images& images, int64_t index, const Worker& worker) {
  const Slabs& s = k.slabs;
  const int64_t share = index % s.shares, slab = index / s.shares % s.count, group = index / s.shares / s.count;
  const int64_t stack = group / k.p.groups;
  SlabOf own{};
  own.n = (images.first + stack) * s.images;
  own.images = k.images_of(images.first + stack);
  own.g = group % k.p.groups;
  own.first = k.first(slab);
  own.positions = k.positions_of(own.images, slab);
  own.segments = segments_of(k, own, worker.segments);
  Block block{};
  block.x = lines_at(k, images, stack, own, worker);
  block.x_part = s.pitch * kChannels;
  block.x_chunk = k.split.parts * block.x_part;
  block.chunks = k.chunks;
  block.pairs = k.pairs;
  block.w_parts = k.split.parts;
  block.products = k.split.products;
  block.bias = worker.bias;
  block.sums = worker.sums;
  k.unit->begin();
  const int64_t units = k.units.count(), end = units * (share + 1) / s.shares;
  for (int64_t u = units * share / s.shares; u < end; ++u) {
    run_unit(k, images, own, at(k.units.all, u), block, worker);
  }
  k.unit->end();
}

}  // namespace

Worker::Worker(const Layout& k, kit::Arena& arena) {
  const int64_t positions = ceil_div(k.slabs.positions, k.unit->step) * k.unit->step;
  panel = arena.take<uint16_t>(k.slabs.own_panel ? lines_of(k) : 0);
  spare = arena.take<uint32_t>(spare_words(k.split.parts));
  sums = arena.take<float>(positions * kRows);
  rows = arena.take<float>(k.runs ? 0 : k.units.most_rows * k.row_pitch + 2 * kit::kMaxLanes);
  stage = arena.take<float>(kit::RowStore<float>::stage_elements(k.room));
  bias = arena.take<float>(kRows);
  segments = arena.take<Segment>(k.slabs.positions + 1);
  row = arena.take<int64_t>(k.slabs.positions + 1);
}

Scratch::Scratch(const Layout& k, kit::Arena& arena) {
  worker_bytes = static_cast<int64_t>(kit::bytes_taken<Worker>(k));
  workers = arena.take<char>(k.threads * worker_bytes);
  planes = arena.take<uint16_t>(k.slabs.own_panel ? 0 : k.slabs.packed * k.p.groups * lines_of(k));
}

Status compute(const Layout& k, const Operands& m, const Runner& given) {
  const Runner runner = given.workers() <= k.threads ? given : Runner();
  kit::Arena arena(m.scratch);
  const Scratch scratch(k, arena);
  const auto worker = [&](int32_t w) {
    kit::Arena own(scratch.workers + w * scratch.worker_bytes);
    return Worker(k, own);
  };
  const int64_t stacks = k.stacks();
  for (int64_t first = 0; first < stacks; first += k.slabs.packed) {
    const int64_t count = std::min(k.slabs.packed, stacks - first) * k.p.groups;
    const Images images{m, scratch, first};
    if (!k.slabs.own_panel) {
      const int64_t tasks = count * k.chunks * ceil_div(k.slabs.pitch, kTaskPlaces);
      if (!runner(tasks, [&](int64_t i, int32_t w) { pack_task(k, images, i, worker(w)); })) return runner_broke();
    }
    const bool ok = runner(count * k.slabs.count * k.slabs.shares,
                           [&](int64_t i, int32_t w) { run_task(k, images, i, worker(w)); });
    if (!ok) return runner_broke();
  }
  return {};
}

}  // namespace ctconv::tiles
