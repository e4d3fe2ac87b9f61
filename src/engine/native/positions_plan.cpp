// Planning and packing the form "positions"; see positions.h. positions_tasks.cpp shares the work out.
//
//   in:  Problem, limits
//   out: tap lists, units, blocks, packed weights
#include <algorithm>
#include <atomic>

#include "src/base/checked.h"
#include "src/engine/native/costs.h"
#include "src/engine/native/limits.h"
#include "src/engine/native/positions.h"

namespace ctconv::native {
namespace {

// No tap leaves the input and positions lie evenly: strips of x are read where they are, or copied to a panel each.
bool in_place(const Problem& p, const std::array<AxisPhases, 3>& axes) {
  int64_t stride = p.x.axis[2];
  for (int a = 2; a >= 0; --a) {
    const size_t k = static_cast<size_t>(a);
    if (axes[k].v_max != 0 || axes[k].u0 != 0 || axes[k].un != p.axis[k].i) return false;
    if (p.axis[k].i > 1 && p.x.axis[k] != stride) return false;
    stride *= p.axis[k].i;
  }
  return p.axis[2].i > 1;
}

// Every table and planning loop of the form: a row for each channel and phase, units that each look at all tap lists.
bool beyond(const Problem& p, const std::array<AxisPhases, 3>& axes) {
  int64_t phases = 1, lists = 1;
  for (const AxisPhases& a : axes) {
    phases *= static_cast<int64_t>(a.phases.size());
    lists *= a.lists;
  }
  if (phases > kMostRows / p.co) return true;
  const int64_t rows = phases * p.co, units = rows / static_cast<int64_t>(axes[2].phases.size());
  return static_cast<double>(units) * static_cast<double>(lists) > kMostSteps ||
         kit::most_stretches(axes[0]) > kMostStretches;
}

}  // namespace

template <class T>
std::unique_ptr<PositionsKernel<T>> PositionsKernel<T>::plan(const Problem& p, const PlanContext& context,
                                                             const Moves<T>& moves) {
  auto k = std::make_unique<PositionsKernel>();
  k->p_ = p;
  k->moves_ = moves;
  k->routines_ = positions_routines<T>();
  k->threads_ = std::max(1, context.threads);
  for (size_t a = 0; a < 3; ++a) k->axes_[a] = kit::phases_of(p.axis[a]);
  if (beyond(p, k->axes_)) return nullptr;
  const int64_t lanes = moves.lanes;
  k->grid_ = kit::plane_grid(k->axes_, kMostPositionVectors * lanes, lanes);
  k->in_place_ = in_place(p, k->axes_);
  k->channels_inner_ = p.groups == 1 && p.co > 1 && p.co <= kMostInner && p.y.c == 1 && p.y.axis[2] == p.co;
  const bool stream = static_cast<double>(p.out_elements()) * size_of(p.types.x) > kStreamBytes;
  k->make_lists();
  k->make_slabs();
  k->make_units(stream);
  const int64_t row = k->width_ * k->axes_[2].s * (k->channels_inner_ ? p.co : 1);
  const int64_t room = !k->axes_[2].complete() ? 0 : stream ? std::max(row, kStreamedRun) : row;
  k->store_.prepare(k->moves_, k->axes_[2], p.types.x, p.y.axis[2], k->channels_inner_ ? p.co : 1, stream, room);
  const int64_t cut = static_cast<int64_t>(kAlignment / sizeof(T));
  k->row_elements_ = k->max_rows_ * k->width_ + cut;
  k->stage_elements_ = static_cast<int64_t>(round_up(static_cast<size_t>(RowStore<T>::stage_elements(room)), 16));
  k->make_tasks(context);
  k->worker_elements_ = k->panel_elements_ + k->row_elements_ + k->stage_elements_ +
                        (k->width_ + 1) * static_cast<int64_t>((sizeof(Piece) + sizeof(RowPart)) / sizeof(T));
  k->worker_elements_ = static_cast<int64_t>(round_up(static_cast<size_t>(k->worker_elements_), 16)) + 16;
  k->estimate(context);
  return k;
}

// Tap offsets for every combination of tap lists of the three axes, in the order of the kernel's taps.
template <class T>
void PositionsKernel<T>::make_lists() {
  std::array<std::vector<const Phase*>, 3> sample;
  for (size_t a = 0; a < 3; ++a) {
    sample[a].resize(static_cast<size_t>(axes_[a].lists));
    for (const Phase& p : axes_[a].phases) sample[a][static_cast<size_t>(p.list)] = &p;
  }
  for (const Phase* d : sample[0]) {
    for (const Phase* h : sample[1]) {
      for (const Phase* w : sample[2]) {
        TapList list;
        list.d_taps = d->taps;
        list.d_v0 = d->v0;
        list.hw_taps = h->taps * w->taps;
        for (int64_t i = 0; i < d->taps; ++i) {
          for (int64_t j = 0; j < h->taps; ++j) {
            for (int64_t l = 0; l < w->taps; ++l) {
              list.x_tap.push_back((axes_[0].v_max - d->v0 - i * axes_[0].v_step) * grid_.stride[0] +
                                   (axes_[1].v_max - h->v0 - j * axes_[1].v_step) * grid_.stride[1] +
                                   (axes_[2].v_max - w->v0 - l * axes_[2].v_step) * grid_.stride[2]);
              list.w_tap.push_back(i * axes_[0].t_step * p_.w.tap[0] + j * axes_[1].t_step * p_.w.tap[1] +
                                   l * axes_[2].t_step * p_.w.tap[2]);
            }
          }
        }
        lists_.push_back(std::move(list));
      }
    }
  }
}

template <class T>
void PositionsKernel<T>::make_units(bool stream) {
  const int64_t ds = static_cast<int64_t>(axes_[0].phases.size()), hs = static_cast<int64_t>(axes_[1].phases.size());
  const int64_t ws = static_cast<int64_t>(axes_[2].phases.size());
  const int64_t width = kMostPositionVectors * moves_.lanes;
  const int64_t best_rows = moves_.accumulators >= 24 ? 8 : 6;  // the tallest block that still gets three (two) vectors

  // All phases in one unit while its rows stay in the first-level cache; else one (d, h) phase at a time.
  const bool whole =
      (ws < best_rows && ds * hs * ws * width * static_cast<int64_t>(sizeof(T)) <= kUnitBytes) || (ds == 1 && hs == 1);
  const int64_t unit_phases = whole ? ds * hs * ws : ws;
  const int64_t unit_lists = whole ? static_cast<int64_t>(lists_.size()) : axes_[2].lists;
  const int64_t per_list = std::max<int64_t>(1, unit_phases / unit_lists);  // rows one channel adds to a block
  int64_t channels = channels_inner_ ? p_.co : std::min(p_.co, ceil_div(best_rows, per_list));
  if (!channels_inner_) {
    const int64_t fits = std::max<int64_t>(1, kChannelsBytes / (unit_phases * width * static_cast<int64_t>(sizeof(T))));
    channels = std::max<int64_t>(1, std::min(channels, fits));
    channels = ceil_div(p_.co, ceil_div(p_.co, channels));  // as even as possible
  }

  // Phases inside channels: threads that share the units then rarely write into the same line of y.
  for (int64_t c0 = 0; c0 < p_.co; c0 += channels) {
    for (int64_t d = 0; d < (whole ? 1 : ds); ++d) {
      for (int64_t h = 0; h < (whole ? 1 : hs); ++h) {
        Unit u;
        u.c0 = static_cast<int32_t>(c0);
        u.channels = static_cast<int32_t>(std::min(channels, p_.co - c0));
        u.d0 = static_cast<int32_t>(whole ? 0 : d);
        u.d1 = static_cast<int32_t>(whole ? ds : d + 1);
        u.h0 = static_cast<int32_t>(whole ? 0 : h);
        u.h1 = static_cast<int32_t>(whole ? hs : h + 1);
        u.block0 = static_cast<int32_t>(blocks_.size());
        std::vector<std::vector<RowOf>> of_list(lists_.size());
        for (int32_t c = 0; c < u.channels; ++c) {
          for (int32_t pd = u.d0; pd < u.d1; ++pd) {
            for (int32_t ph = u.h0; ph < u.h1; ++ph) {
              for (int32_t pw = 0; pw < ws; ++pw) {
                const int64_t list = (axes_[0].phases[static_cast<size_t>(pd)].list * axes_[1].lists +
                                      axes_[1].phases[static_cast<size_t>(ph)].list) *
                                         axes_[2].lists +
                                     axes_[2].phases[static_cast<size_t>(pw)].list;
                of_list[static_cast<size_t>(list)].push_back({static_cast<int32_t>(c), pd, ph, pw});
              }
            }
          }
        }
        for (size_t list = 0; list < of_list.size(); ++list) {
          const int64_t rows = static_cast<int64_t>(of_list[list].size());
          const int64_t pieces = ceil_div(rows, best_rows);
          for (int64_t i = 0; i < pieces; ++i) {
            const int64_t r0 = rows * i / pieces, r1 = rows * (i + 1) / pieces;
            Block b;
            b.list = static_cast<int32_t>(list);
            b.rows = static_cast<int32_t>(r1 - r0);
            b.row = static_cast<int32_t>(rows_.size());
            b.weight = group_weights_;
            group_weights_ += b.rows * p_.ci * static_cast<int64_t>(lists_[list].x_tap.size());
            for (int64_t r = r0; r < r1; ++r) {
              const RowOf& o = of_list[list][static_cast<size_t>(r)];
              rows_.push_back(static_cast<int32_t>(row_of(u, o.c, o.d, o.h, o.w)));
              row_c_.push_back(u.c0 + o.c);
              row_of_.push_back({u.c0 + o.c, o.d, o.h, o.w});
            }
            blocks_.push_back(b);
          }
        }
        u.block1 = static_cast<int32_t>(blocks_.size());
        max_rows_ = std::max(max_rows_, u.channels * unit_phases);
        units_.push_back(u);
      }
    }
  }
  // As many strips in a group as keep a unit's rows in the first-level cache.
  // Streamed rows pay for every broken cache line: there, runs of y are longer and the rows stay in the second level.
  group_strips_ = std::clamp<int64_t>(
      (stream ? kStreamGroupBytes : kGroupBytes) / (max_rows_ * width * static_cast<int64_t>(sizeof(T))), 1,
      stream ? kMostStreamedStrips : kMostStrips);
  // What they read, all input channels, stays in the second-level cache for every unit.
  const int64_t h_reach = std::min(axes_[1].v_max * grid_.stride[1], axes_[1].v_max * group_strips_ * width);
  const int64_t read =
      (group_strips_ * width + h_reach) * (axes_[0].v_max + 1) * p_.ci * static_cast<int64_t>(sizeof(T));
  group_strips_ = std::max<int64_t>(1, std::min(group_strips_, group_strips_ * kPanelBytes / read));
  group_strips_ = std::min(group_strips_, slab_strips_);
  slab_groups_ = ceil_div(slab_strips_, group_strips_);
  groups_ = slabs_ * slab_groups_;
  width_ = std::min(group_strips_ * width, slab_vectors_ * moves_.lanes) + kMaxLanes;
  for (size_t r = 0; r < rows_.size(); ++r) {  // later phases one place earlier, see row_store.h
    rows_[r] = static_cast<int32_t>(rows_[r] * width_ - (row_of_[r].w >= axes_[2].wrap ? 1 : 0));
  }
}

// One slab per row of d saves the taps and positions that only touch padding, where the rows are long enough.
template <class T>
void PositionsKernel<T>::make_slabs() {
  const int64_t lanes = moves_.lanes;
  slab_positions_ = grid_.positions;
  if (!in_place_ && axes_[0].un > 1) {
    const int64_t rows = (axes_[1].un - 1) * grid_.stride[1] + axes_[2].un;
    double real = 0, all = 0;
    for (const Phase& p : axes_[0].phases) {
      all += static_cast<double>(p.taps * axes_[0].un);
      for (const Stretch& s : kit::stretches_of(axes_[0], p, axes_[0].u0, axes_[0].u0 + axes_[0].un)) {
        real += static_cast<double>((s.u_end - s.u_begin) * (s.j_end - s.j_begin));
      }
    }
    const double ratio = all > 0 ? real / all : 1;
    if (ratio * static_cast<double>(ceil_div(rows, lanes) * axes_[0].un) <
        static_cast<double>(ceil_div(grid_.positions, lanes))) {
      slabs_ = axes_[0].un;
      slab_step_ = grid_.stride[0];
      slab_positions_ = rows;
      slab_ratio_ = ratio;
    }
  }
  slab_vectors_ = ceil_div(slab_positions_, lanes);
  slab_strips_ = ceil_div(slab_vectors_, kMostPositionVectors);
}

template <class T>
size_t PositionsKernel<T>::packed_bytes() const {
  return static_cast<size_t>(p_.groups * group_weights_) * sizeof(T);
}

template <class T>
std::string PositionsKernel<T>::packing() const {
  std::string key =
      "native.positions/" + std::to_string(moves_.lanes) + "/" + name_of(p_.types.x) + (channels_inner_ ? "/inner" : "");
  key += "/" + std::to_string(units_.size()) + "x" + std::to_string(units_[0].channels) + "/" +
         std::to_string(blocks_.size());
  for (const AxisPhases& a : axes_) {
    key += "/s" + std::to_string(a.s) + "f";
    for (size_t i = 0; i < a.phases.size() && i < 4; ++i) key += std::to_string(a.phases[i].f) + ",";
    key += std::to_string(a.phases.size());
  }
  return key;
}

template <class T>
Result<bool> PositionsKernel<T>::pack(const void* w, void* packed, const Runner& runner) const {
  T* out = static_cast<T*>(packed);
  std::atomic<bool> finite{true};
  const int64_t blocks = static_cast<int64_t>(blocks_.size());
  const bool ok = runner(p_.groups * blocks, [&](int64_t index, int32_t) {
    const int64_t g = index / blocks;
    const Block& b = blocks_[static_cast<size_t>(index % blocks)];
    int64_t row[kMostPositionRows];
    for (int32_t m = 0; m < b.rows; ++m) {
      const RowOf& r = row_of_[static_cast<size_t>(b.row + m)];
      row[m] = g * p_.w.g + r.c * p_.w.co + axes_[0].phases[static_cast<size_t>(r.d)].t0 * p_.w.tap[0] +
               axes_[1].phases[static_cast<size_t>(r.h)].t0 * p_.w.tap[1] +
               axes_[2].phases[static_cast<size_t>(r.w)].t0 * p_.w.tap[2];
    }
    const TapList& list = lists_[static_cast<size_t>(b.list)];
    const kit::RowPack rows{
        0, p_.ci, 0, row, b.rows, b.rows, list.w_tap.data(), static_cast<int64_t>(list.w_tap.size())};
    if (!kit::pack_rows<T>(p_, w, rows, out + g * group_weights_ + b.weight)) {
      finite.store(false, std::memory_order_relaxed);
    }
  });
  if (!ok) return runner_broke();
  return finite.load();
}

template class PositionsKernel<float>;
template class PositionsKernel<double>;

}  // namespace ctconv::native
