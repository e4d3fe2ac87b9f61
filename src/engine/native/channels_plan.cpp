// Planning and packing the form "channels"; see channels.h.
//
//   in:  Problem, limits
//   out: combos, blocks, tiles, packed weights
#include <algorithm>
#include <atomic>

#include "src/base/checked.h"
#include "src/engine/native/channels.h"
#include "src/engine/native/costs.h"
#include "src/engine/native/limits.h"

namespace ctconv::native {

namespace {

// Streaming needs every position's channels to begin and end with a cache line.
template <class T>
bool whole_lines(const ActivationLayout& y) {
  const int64_t line = static_cast<int64_t>(kAlignment / sizeof(T));
  return y.n % line == 0 && y.axis[0] % line == 0 && y.axis[1] % line == 0 && y.axis[2] % line == 0;
}

// Positions a multiple of 2 kB apart would share two sets of the first-level cache.
bool aliases(int64_t elements, size_t size) { return elements * static_cast<int64_t>(size) % 2048 == 0; }
constexpr int64_t kApart = 16;  // elements between positions that would

// Every table and planning loop of the form: rows, blocks for each of the combos, stretches.
bool beyond(const Problem& p, const std::array<AxisPhases, 3>& axes, bool merge, int lanes) {
  const int64_t f = merge ? axes[2].s : 1;
  if (f > kMostRows / p.co) return true;
  double combos = 1, stretches = 0;
  for (size_t a = 0; a < 3; ++a) {
    const int64_t most = kit::most_stretches(axes[a]);
    if (most > kMostStretches) return true;
    combos *= a == 2 && merge ? 1.0 : static_cast<double>(axes[a].phases.size());
    stretches += static_cast<double>(most) / static_cast<double>(axes[a].phases.size());
  }
  return combos * (static_cast<double>(p.co * f) / lanes + 1 + stretches) > kMostSteps;
}

// Lanes that hold no channel may double the packed weight where it is small, not where it is large.
bool mostly_padding(const Problem& p, int64_t packed, size_t element) {
  constexpr double kSmall = 64e6;
  const double bytes = static_cast<double>(p.groups * packed) * static_cast<double>(element);
  return bytes > kSmall && p.groups * packed > 2 * p.weight_elements();
}

}  // namespace

template <class T>
std::unique_ptr<ChannelsKernel<T>> ChannelsKernel<T>::plan(const Problem& p, const PlanContext& context,
                                                           const Moves<T>& moves, bool merge) {
  auto k = std::make_unique<ChannelsKernel>();
  k->p_ = p;
  k->moves_ = moves;
  k->routines_ = channels_routines<T>();
  k->threads_ = std::max(1, context.threads);
  for (size_t a = 0; a < 3; ++a) k->axes_[a] = kit::phases_of(p.axis[a]);
  const AxisPhases& w = k->axes_[2];
  if (merge && (w.lists != 1 || !w.complete() || w.s == 1)) return nullptr;
  if (beyond(p, k->axes_, merge, moves.lanes)) return nullptr;
  k->merged_ = merge;
  k->f_ = merge ? w.s : 1;
  k->rows_ = p.co * k->f_;
  k->inner_ = p.y.c == 1 && (p.co > 1 || p.y.axis[2] != 1);
  // Lanes that lie as runs in y: channels where they are innermost, else merged phases.
  k->runs_ = k->inner_ || (merge && p.y.axis[2] == 1);
  if (merge && !k->runs_) return nullptr;
  if (static_cast<int64_t>(w.phases.size()) > kMostTransposedPhases && !k->runs_) return nullptr;

  k->in_place_ = size_of(p.types.x) == sizeof(T) && (p.x.c == 1 || p.ci == 1);
  // A copy with another pitch is cheap where each input is used often. Its gaps stay below a megabyte.
  const int64_t gaps = p.groups * kApart * p.axis[0].i * p.axis[1].i * p.axis[2].i * static_cast<int64_t>(sizeof(T));
  const bool apart = gaps <= 1 << 20;
  if (k->in_place_ && apart && aliases(p.x.axis[2], sizeof(T)) && p.taps() > kReusedTaps && p.co >= kReusedChannels) {
    k->in_place_ = false;
  }
  k->pitch_ = apart && aliases(p.ci, sizeof(T)) ? p.ci + kApart : p.ci;
  if (k->in_place_) {
    k->x_stride_ = {p.x.n, p.ci * p.x.c, p.x.axis[0], p.x.axis[1], p.x.axis[2]};
  } else {
    const int64_t sw = k->pitch_, sh = sw * p.axis[2].i, sd = sh * p.axis[1].i, sg = sd * p.axis[0].i;
    k->x_stride_ = {sg * p.groups, sg, sd, sh, sw};
  }
  k->make_combos();
  if (mostly_padding(p, k->group_weights_, sizeof(T))) return nullptr;
  k->make_blocks();
  k->stream_ = k->direct_ && k->inner_ && whole_lines<T>(p.y) && (p.groups == 1 || p.co % 16 == 0) &&
               static_cast<double>(p.out_elements()) * sizeof(T) > kStreamBytes;
  k->make_tasks(context);
  k->store_.prepare(k->moves_, w, p.types.x, p.y.axis[2], 1, false, k->room_);
  k->estimate();
  return k;
}

template <class T>
void ChannelsKernel<T>::make_combos() {
  const int32_t ws = merged_ ? 1 : static_cast<int32_t>(axes_[2].phases.size());
  for (size_t a = 0; a < 3; ++a) {
    const size_t count = a == 2 && merged_ ? 1 : axes_[a].phases.size();
    for (size_t i = 0; i < count; ++i) {
      const Phase& p = axes_[a].phases[i];
      const bool hull = a == 2 && merged_;
      stretches_[a].push_back(
          kit::stretches_of(axes_[a], p, hull ? axes_[a].u0 : p.u_begin, hull ? axes_[a].u0 + axes_[a].un : p.u_end));
    }
  }
  padded_rows_ = static_cast<int64_t>(round_up(static_cast<size_t>(rows_), static_cast<size_t>(moves_.lanes)));
  for (int32_t d = 0; d < static_cast<int32_t>(axes_[0].phases.size()); ++d) {
    for (int32_t h = 0; h < static_cast<int32_t>(axes_[1].phases.size()); ++h) {
      const size_t first = combos_.size();
      for (int32_t w = 0; w < ws; ++w) {
        Combo c{d, h, w, 1, group_weights_, 0};
        c.taps = axes_[0].phases[static_cast<size_t>(d)].taps * axes_[1].phases[static_cast<size_t>(h)].taps *
                 axes_[2].phases[static_cast<size_t>(w)].taps;
        c.w_tap = static_cast<int64_t>(w_taps_.size());
        for (int64_t i = 0; i < axes_[0].phases[static_cast<size_t>(d)].taps; ++i) {
          for (int64_t j = 0; j < axes_[1].phases[static_cast<size_t>(h)].taps; ++j) {
            for (int64_t q = 0; q < axes_[2].phases[static_cast<size_t>(w)].taps; ++q) {
              w_taps_.push_back(i * axes_[0].t_step * p_.w.tap[0] + j * axes_[1].t_step * p_.w.tap[1] +
                                q * axes_[2].t_step * p_.w.tap[2]);
            }
          }
        }
        group_weights_ += p_.ci * c.taps * padded_rows_;
        max_taps_ = std::max(max_taps_, c.taps);
        combos_.push_back(c);
        if (runs_) bundles_.push_back({combos_.size() - 1, combos_.size()});
      }
      if (!runs_) bundles_.push_back({first, combos_.size()});
    }
  }
}

template <class T>
void ChannelsKernel<T>::make_blocks() {
  const int64_t vectors = padded_rows_ / moves_.lanes;
  const int64_t widest = moves_.accumulators >= 24 ? 4 : 2;
  const int64_t pieces = ceil_div(vectors, widest);
  for (int64_t i = 0; i < pieces; ++i) {
    const int64_t v0 = vectors * i / pieces, v1 = vectors * (i + 1) / pieces;
    Block b;
    b.row0 = static_cast<int32_t>(v0 * moves_.lanes);
    b.vectors = static_cast<int32_t>(v1 - v0);
    b.valid = static_cast<int32_t>(std::min(v1 * moves_.lanes, rows_) - b.row0);
    blocks_.push_back(b);
  }
  // A block goes straight to y where it is one run there, every position counts and one slab holds all input channels.
  bool everywhere = true;  // no w phase misses a position
  for (const Phase& p : axes_[2].phases) {
    everywhere = everywhere && p.u_begin == axes_[2].u0 && p.u_end == axes_[2].u0 + axes_[2].un;
  }
  // With the phases in the lanes and nothing between them and the channels, all rows follow each other.
  run_ = !inner_                                          ? (everywhere && p_.y.c == f_ ? rows_ : f_)
         : merged_ && everywhere && p_.y.axis[2] == p_.co ? rows_
                                                          : p_.co;
  const bool exp = p_.epilogue.activation.kind == Activation::kTanh || p_.epilogue.activation.kind == Activation::kSigmoid;
  direct_ = runs_ && size_of(p_.types.x) == sizeof(T) && !exp && (!merged_ || everywhere) &&
            p_.ci * max_taps_ * blocks_[0].vectors * moves_.lanes * static_cast<int64_t>(sizeof(T)) <= 2 * kSlabBytes;
  for (const Block& b : blocks_) direct_ = direct_ && b.row0 / run_ == (b.row0 + b.valid - 1) / run_;
}

template <class T>
void ChannelsKernel<T>::make_tasks(const PlanContext& context) {
  const int64_t image = p_.groups * pitch_ * p_.axis[0].i * p_.axis[1].i * p_.axis[2].i;  // of the copy of x
  const double limit = std::min(kCopyBytes, static_cast<double>(context.workspace_limit) / 2);
  const double fits = limit / (static_cast<double>(image) * sizeof(T));
  images_ = in_place_ ? p_.n : std::clamp<int64_t>(static_cast<int64_t>(fits), 1, p_.n);

  const std::array<int64_t, 4> extent{images_, axes_[0].un, axes_[1].un, axes_[2].un};
  const int64_t positions = extent[0] * extent[1] * extent[2] * extent[3];
  int64_t widest = 0;
  for (const Block& b : blocks_) widest = std::max<int64_t>(widest, b.vectors * moves_.lanes);
  int64_t in_bundle = 1;
  for (const auto& b : bundles_) in_bundle = std::max(in_bundle, static_cast<int64_t>(b[1] - b[0]));

  // Positions per tile: sums of all combos fit the second-level cache, and every thread gets several tasks.
  int64_t most =
      std::clamp<int64_t>(kTileBytes / (in_bundle * widest * static_cast<int64_t>(sizeof(T))), kLeastTile, kMostTile);
  const int64_t others = p_.groups * static_cast<int64_t>(bundles_.size() * blocks_.size()) * ceil_div(p_.n, images_);
  const double cycles =
      static_cast<double>(positions * widest / moves_.lanes) *
      static_cast<double>(p_.ci * (group_weights_ / (p_.ci * padded_rows_)) / static_cast<int64_t>(bundles_.size()) +
                          16);
  // A few tasks for every thread, each some microseconds at least; fewer where they come out even.
  const auto enough = [&](int64_t tasks) {
    const int64_t rounds = ceil_div(tasks, threads_);
    return threads_ == 1 || tasks >= kManyTasks * threads_ ||
           (tasks >= kSomeTasks * threads_ &&
            static_cast<double>(tasks) >= kEven * static_cast<double>(rounds * threads_)) ||
           static_cast<double>(tasks) * 4 * kTaskCycles >=
               cycles * static_cast<double>(others);  // each makes its tables
  };
  while (most > kHalvedTile && !enough(others * ceil_div(positions, most))) most = (most + 1) / 2;
  weights_outer_ = p_.groups * group_weights_ > p_.n * image;

  int64_t left = most;
  for (int a = 3; a >= 0; --a) {
    const size_t k = static_cast<size_t>(a);
    const int64_t pieces = ceil_div(extent[k], std::max<int64_t>(1, std::min(left, extent[k])));
    step_[k] = ceil_div(extent[k], pieces);
    count_[k] = ceil_div(extent[k], step_[k]);
    left /= step_[k];
  }
  tile_positions_ = step_[0] * step_[1] * step_[2] * step_[3];
  const int64_t tables = 2 * (max_taps_ + tile_positions_) * static_cast<int64_t>(8 / sizeof(T)) + 64;
  const int64_t sums = in_bundle * tile_positions_ * widest;
  room_ = axes_[2].complete() && !runs_ ? (step_[3] + moves_.lanes) * axes_[2].s : 0;
  const int64_t stage = RowStore<T>::stage_elements(room_);
  spare_at_ = std::max(sums, stage);
  worker_elements_ = tables + spare_at_ + (runs_ ? 0 : sums + (in_bundle + 2) * kMaxLanes) + 64;
  worker_elements_ = static_cast<int64_t>(round_up(static_cast<size_t>(worker_elements_), 16));

  copy_elements_ = images_ * image;
  own_copy_ = !in_place_ && weights_outer_ && threads_ > 1 && images_ == p_.n &&
              static_cast<double>(threads_ * copy_elements_) * sizeof(T) <= std::min(kOwnCopies, limit) &&
              static_cast<double>(copy_elements_) * kTransposeCycles * threads_ <=
                  kOwnCopyShare * cycles * static_cast<double>(others);
  if (own_copy_) {
    copy_at_ = worker_elements_ + kMaxLanes;
    worker_elements_ = static_cast<int64_t>(round_up(static_cast<size_t>(copy_at_ + copy_elements_), 16)) + kMaxLanes;
  }
}

template <class T>
void ChannelsKernel<T>::estimate() {
  double cycles = 0;
  const double images = static_cast<double>(p_.n);
  for (const Combo& c : combos_) {
    double steps = 1, positions = 1;  // (position, tap) pairs
    for (size_t a = 0; a < 3; ++a) {
      const Range r = range_of(c, a);
      double pairs = 0;
      for (const Stretch& s : stretches_[a][static_cast<size_t>(a == 0 ? c.d : a == 1 ? c.h : c.w)]) {
        pairs += static_cast<double>((s.u_end - s.u_begin) * (s.j_end - s.j_begin));
      }
      steps *= pairs;
      positions *= static_cast<double>(r.size());
    }
    for (const Block& b : blocks_) {
      const double m = routines_.rows(b.vectors);
      const double step = std::max(m * b.vectors * kFmaCycles, 1.25 * m + b.vectors);
      cycles += images * (steps * static_cast<double>(p_.ci) * step + positions * (kCallCycles + 10)) / m;
      cycles += images * positions * b.vectors * (direct_ ? 2 : 4);
    }
    if (!runs_) {
      cycles += images * positions * static_cast<double>(rows_) *
                (kTransposeCycles * (store_.contiguous() ? 1 : 4) + kTileRowCycles / static_cast<double>(axes_[2].o));
    }
    if (runs_ && !inner_)
      cycles +=
          images * positions * static_cast<double>(p_.co) * (kRunCycles + static_cast<double>(f_) / moves_.lanes * 2);
  }
  cycles *= static_cast<double>(p_.groups);
  if (!in_place_) cycles += static_cast<double>(p_.in_elements()) * kTransposeCycles * 1.5;
  const double tasks = static_cast<double>(ceil_div(p_.n, step_[0]) * count_[1] * count_[2] * count_[3] * p_.groups) *
                       static_cast<double>(bundles_.size() * blocks_.size());
  seconds_ =
      overlapped(cycles / std::min<double>(threads_, tasks) / kHertz, moved_bytes(p_) / kBytesPerSecond) + kCallSeconds;
}

template <class T>
size_t ChannelsKernel<T>::packed_bytes() const {
  return static_cast<size_t>(p_.groups * group_weights_) * sizeof(T);
}

template <class T>
std::string ChannelsKernel<T>::packing() const {
  std::string key = "native.channels/" + std::to_string(moves_.lanes) + "/" + name_of(p_.types.x) +
                    (merged_ ? "/merged" : "") + (inner_ ? "/inner" : "");
  for (const AxisPhases& a : axes_) {
    key += "/s" + std::to_string(a.s) + "f";
    for (size_t i = 0; i < a.phases.size() && i < 4; ++i) key += std::to_string(a.phases[i].f) + ",";
    key += std::to_string(a.phases.size());
  }
  return key;
}

template <class T>
Result<bool> ChannelsKernel<T>::pack(const void* w, void* packed, const Runner& runner) const {
  T* out = static_cast<T*>(packed);
  std::atomic<bool> finite{true};
  const int64_t blocks = static_cast<int64_t>(blocks_.size());
  const auto& tap = p_.w.tap;
  // A few input channels for all phases: raw weights of one row's taps share cache lines.
  const int64_t step = std::clamp<int64_t>(32768 / (blocks_[0].vectors * moves_.lanes * p_.taps()), 1, 8);
  const int64_t pieces = ceil_div(p_.ci, step);
  const bool ok = runner(p_.groups * blocks * pieces, [&](int64_t index, int32_t) {
    const int64_t c0 = index % pieces * step;
    const Block& b = blocks_[static_cast<size_t>(index / pieces % blocks)];
    const int64_t g = index / pieces / blocks;
    int64_t row[kMostChannelVectors * kMaxLanes];
    for (int64_t r = 0; r < b.valid; ++r) {
      const int64_t at = b.row0 + r;
      const int64_t co = inner_ ? at % p_.co : at / f_, f = inner_ ? at / p_.co : at % f_;
      row[r] = co * p_.w.co + (merged_ ? w_phase(f).t0 * tap[2] : 0);
    }
    for (const Combo& c : combos_) {
      const int64_t base = g * p_.w.g + axes_[0].phases[static_cast<size_t>(c.d)].t0 * tap[0] +
                           axes_[1].phases[static_cast<size_t>(c.h)].t0 * tap[1] +
                           (merged_ ? 0 : w_phase(c.w).t0 * tap[2]);
      const kit::RowPack rows{
          c0,    std::min(c0 + step, p_.ci), base, row, b.valid, b.vectors * moves_.lanes, w_taps_.data() + c.w_tap,
          c.taps};
      if (!kit::pack_rows<T>(p_, w, rows, out + g * group_weights_ + c.weight + p_.ci * c.taps * b.row0)) {
        finite.store(false, std::memory_order_relaxed);
      }
    }
  });
  if (!ok) return runner_broke();
  return finite.load();
}

template class ChannelsKernel<float>;
template class ChannelsKernel<double>;

}  // namespace ctconv::native
