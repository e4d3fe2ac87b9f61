// SPDX-License-Identifier: Apache-2.0
// ctconv run --tiles: one layer from .npy to .npy, tile by tile, within a memory limit; goes on after a kill.
//
//   OUT.part holds y until it is whole, OUT.journal says which tiles it holds; both are gone at the end. y has the bits
//   of one whole call: only engines with the reference's bits compute it.
//   refuses (Fault): what tiles_*.h refuse, options that need y in memory, a limit that no tile keeps
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <optional>

#include "tools/cli/fault.h"
#include "tools/cli/layer.h"
#include "tools/cli/output.h"
#include "tools/cli/output_file.h"
#include "tools/cli/print.h"
#include "tools/cli/table.h"
#include "tools/cli/tiles_work.h"

namespace cli {
namespace {

constexpr int64_t kMargin = 8 << 20;  // bytes: threads, lists, what the allocator keeps
constexpr int64_t kMost = 256 << 20;  // bytes of a tile and its window: a kill costs no more than this work

volatile std::sig_atomic_t stopped = 0;
extern "C" void stop(int number) { stopped = number; }

// The first signal finishes the running tile; the second ends at once. One that is ignored (nohup) stays so.
void listen() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    if (sigaction(number, nullptr, &now) != 0 || now.sa_handler != SIG_DFL) continue;
    now.sa_handler = stop;
    now.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    sigaction(number, &now, nullptr);
  }
}

int64_t bytes_of(const std::string& text) {
  double number = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(at, text.data() + text.size());
  const std::string units = "KMGT";
  const size_t power = unit.empty() ? 0 : units.find(static_cast<char>(unit[0] & ~0x20)) + 1;
  const bool known =
      unit.empty() || (power > 0 && (unit.size() == 1 || unit.substr(1) == "B" || unit.substr(1) == "iB"));
  const double bytes = number * std::pow(1024.0, static_cast<double>(power));
  if (error != std::errc() || !known || !(bytes >= 1) || bytes > 9e18)
    throw Fault("OPTION", "--memory is " + text + "; a number of bytes is needed, such as 2G or 512M");
  return static_cast<int64_t>(bytes);
}

Extents tile_of(const std::string& text) {
  Extents out;
  const char* end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    int64_t extent = 0;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error != std::errc() || extent < 1 || (next != end && (*next != ',' || next + 1 == end)))
      throw Fault("OPTION", "--tile is " + text + "; extents from 1 are needed, such as 64,64,64");
    out.push_back(extent);
    at = next + 1;
  }
  return out;
}

// A line of /proc/self/status in bytes; 0 where there is none.
int64_t held(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(name + ":", 0) == 0) return std::atoll(line.c_str() + name.size() + 1) * 1024;
  }
  return 0;
}

uint64_t fnv(const std::optional<Array>& array) {
  uint64_t hash = 14695981039346656037u;
  if (!array) return 0;
  const auto* bytes = static_cast<const unsigned char*>(array->data());
  for (size_t i = 0; i < array->bytes(); ++i) hash = (hash ^ bytes[i]) * 1099511628211u;
  return hash;
}

std::string words_of(const Arguments& arguments) {
  std::string text;
  for (const auto& [name, value] : arguments.items) text += name + "=" + text_of(value) + " ";
  return text;
}

Json identity_of(const Request& r, const Layer& layer, const TileAxes& axes, const TileFile& x) {
  return {{"program", std::string("ctconv run --tiles ") + ctconv_version_string()},
          {"dialect", r.dialect},
          {"arguments", words_of(layer.arguments)},
          {"output_size", r.output_size},
          {"engine", r.engine},
          {"math", r.math},
          {"activation", fmt::format("{} {} {}", r.activation, r.alpha, r.beta)},
          {"weight", fmt::format("{:016x}", fnv(layer.weight))},
          {"bias", fmt::format("{:016x}", fnv(layer.bias))},
          {"x", text_of(x.shape()) + " " + name_of(x.type()) + ", " + x.identity()},
          {"y", text_of(axes.y_shape)},
          {"ahead", axes.ahead}};
}

struct Run {
  const Request& request;
  const Layer& layer;
  OutputFile& place;
  TileWork& work;
  TileJournal journal;
  int64_t limit, left;  // bytes: stated; of those what the process itself does not hold
  int64_t resumed = 0;  // tiles of an earlier run
  std::string part() const { return place.target() + ".part"; }
};

int64_t need(const TileWork& work, const TileGrid& grid) {
  return tile_bytes(work, grid) + static_cast<int64_t>(work.axes.workspace(grid.inner()));
}

// As large as the limit allows. The workspace is asked for once the tile is known.
TileGrid chosen(const TileWork& work, int64_t left) {
  const TileCost data = [&](const TileGrid& grid) { return tile_bytes(work, grid); };
  int64_t room = std::min(left, 2 * kMost);
  for (int attempt = 0; attempt < 8; ++attempt) {
    TileGrid grid = choose_tiles(work.axes, data, room);
    const int64_t all = need(work, grid);
    if (all <= left) return grid;
    const double smaller = std::min(0.9, static_cast<double>(left) / static_cast<double>(all));
    room = static_cast<int64_t>(static_cast<double>(data(grid)) * smaller);
  }
  return choose_tiles(
      work.axes, [&](const TileGrid& grid) { return need(work, grid); }, left);
}

void judge_memory(const Run& run, const TileGrid& grid, const char* which) {
  const int64_t tiles = need(run.work, grid);
  if (tiles <= run.left) return;
  throw Fault("OPTION",
              fmt::format("--memory {}: {}, {}, takes {} beside the {} of the process itself", run.request.memory,
                          which, text_of(grid.tile()), show_bytes(static_cast<double>(tiles)),
                          show_bytes(static_cast<double>(run.limit - run.left))));
}

// Whether y is whole and in its place, and only the journal of an earlier run is left.
bool is_placed(const Run& run) {
  struct stat s;
  if (access(run.part().c_str(), F_OK) == 0 || stat(run.place.target().c_str(), &s) != 0) return false;
  return static_cast<uint64_t>(s.st_ino) == run.journal.part() &&
         static_cast<int64_t>(run.journal.done().size()) == run.work.grid->size();
}

void begin(Run* run) {
  const Request& r = run->request;
  const TileAxes& axes = run->work.axes;
  TileGrid grid = r.tile.empty() ? chosen(run->work, run->left) : tiles_of(axes, tile_of(r.tile));
  judge_memory(*run, grid, r.tile.empty() ? "even the smallest tile" : "a tile");
  run->work.grid.emplace(std::move(grid));
  run->journal.forget();
  run->work.y.create(run->part(), axes.type, axes.y_shape);
  try {
    run->journal.begin(run->work.grid->tile(), run->work.y.number());
  } catch (const Fault&) {
    unlink(run->part().c_str());
    run->journal.forget();
    throw;
  }
}

// Goes on where an earlier run stopped, else begins. y's file is open, unless y is whole and in its place.
void start(Run* run) {
  const TileAxes& axes = run->work.axes;
  if (!run->request.fresh && run->journal.read(axes.y_shape)) {
    run->work.grid.emplace(axes, run->journal.tile());
    run->journal.keep_below(run->work.grid->size());
    run->resumed = static_cast<int64_t>(run->journal.done().size());
    if (is_placed(*run)) return;
    if (run->work.y.reopen(run->part(), axes.type, axes.y_shape)) {
      judge_memory(*run, *run->work.grid, "a tile of the run that goes on");
      return;
    }
    run->resumed = 0;  // nothing is left to go on with
  }
  begin(run);
}

// From the part to the whole, in one step.
void finish(Run* run) {
  if (run->work.y.descriptor() >= 0) {
    run->place.replace_by(run->work.y.descriptor(), run->part());
    run->work.y.close();
    const size_t slash = run->place.target().rfind('/');
    const std::string folder = slash == std::string::npos ? "." : run->place.target().substr(0, slash + 1);
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) fsync(descriptor);  // where a folder cannot be synced, the journal outlives a loss of power
    if (descriptor >= 0) close(descriptor);
  }
  run->journal.remove();
}

Json json_of_tiles(const Run& run, const TileRate& rate) {
  const Layer& layer = run.layer;
  Json out = {{"dialect", run.request.dialect},
              {"x", {{"shape", layer.x_shape}, {"dtype", name_of(layer.x_type)}}},
              {"weight", {{"shape", layer.weight->shape()}, {"dtype", name_of(layer.weight->dtype())}}},
              {"y", {{"shape", run.work.axes.y_shape}, {"dtype", name_of(run.work.axes.type)}}},
              {"tiles",
               {{"count", run.work.grid->size()},
                {"tile", run.work.grid->tile()},
                {"resumed", run.resumed},
                {"seconds", rate.seconds()},
                {"bytes", rate.bytes},
                {"most_memory", held("VmHWM")}}},
              {"output", run.request.output}};
  if (layer.bias) out["bias"] = {{"shape", layer.bias->shape()}, {"dtype", name_of(layer.bias->dtype())}};
  return out;
}

void print_operand(const char* name, const std::optional<Array>& array, const std::string& origin) {
  const std::string what = array ? fmt::format("{} {}  ({})", text_of(array->shape()), name_of(array->dtype()), origin)
                                 : std::string("none");
  print("{:<9} {}\n", name, what);
}

void print_tiles(const Run& run, const TileRate& rate) {
  print_operand("weight", run.layer.weight, run.layer.weight_origin);
  print_operand("bias", run.layer.bias, run.layer.bias_origin);
  print("{:<9} {} {}  -> {}\n", "y", text_of(run.work.axes.y_shape), name_of(run.work.axes.type), run.request.output);
  print("{:<9} {} of {}{}\n", "tiles", run.work.grid->size(), text_of(run.work.grid->tile()),
        run.resumed != 0 ? fmt::format(", {} of them from an earlier run", run.resumed) : "");
  const double seconds = rate.seconds();
  if (rate.tiles > 0)
    print("{:<9} {}, {:.0f} MB/s\n", "time", show_time(seconds), static_cast<double>(rate.bytes) / seconds * 1e-6);
  print("{:<9} at most {}\n", "memory", show_bytes(static_cast<double>(held("VmHWM"))));
}

bool is_zarr(const std::string& path) {
  std::string name = path;
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  const bool named = name.size() > 5 && name.compare(name.size() - 5, 5, ".zarr") == 0;
  return named || access((name + "/zarr.json").c_str(), F_OK) == 0 || access((name + "/.zarray").c_str(), F_OK) == 0;
}

void judge(const Request& r) {
  for (const std::string& path : {r.x, r.output}) {
    if (!path.empty() && is_zarr(path))
      throw Fault("OPTION", path + ": --tiles goes from .npy to .npy; `python -m ctconv.tiles` reads and writes Zarr");
  }
  if (r.output.empty() || r.output == "-")
    throw Fault("OPTION", "--tiles writes a file, and out of order: -o FILE.npy is needed");
  if (r.check || r.repeat != 0)
    throw Fault("OPTION", "--tiles holds no whole y: --check and --repeat do not go with it");
  if (!r.begin.empty() || !r.end.empty())
    throw Fault("OPTION", "--tiles writes the whole y: --begin and --end do not go with it");
  if (r.reproducible == 2)
    throw Fault("OPTION", "--tiles gives the bits of one whole call; --reproducible=2 asks less of its engines");
}

// Computes what is missing. False: a signal came, and what is written is kept.
bool compute(Run* run, TileRate* rate) {
  const auto total = run->work.grid->size();
  const auto kept = [&] { return run->journal.done().size(); };
  listen();
  try {
    *rate = compute_tiles(&run->work, &run->journal, run->request.progress, stopped);
  } catch (const Fault& fault) {
    throw Fault(fault.name(), fmt::format("{}. {} of {} tiles are kept in {}: the same command goes on from there",
                                          fault.what(), kept(), total, run->part()));
  }
  if (static_cast<int64_t>(kept()) == total) return true;
  std::fprintf(stderr, "ctconv: stopped; %zu of %lld tiles are kept, the same command goes on from there\n", kept(),
               static_cast<long long>(total));
  return false;
}

}  // namespace

int run_tiles_command(const Request& given) {
  Request request = given;
  if (request.memory.empty()) request.memory = "1G";
  judge(request);
  const int64_t limit = bytes_of(request.memory);
  OutputFile place(request.output);
  if (!place.is_replaced()) throw Fault("OPTION", "--tiles writes a file, and out of order: -o is " + request.output);
  const Layer layer(request, Layer::kHead);
  const ctconv::Op op = layer.op(request.engine, 1);
  const TileAxes axes(op, layer.x_type, layer.x_shape, layer.extras());
  TileWork work{axes, {}, {}, {}};
  work.x.open_input(request.x);
  const int64_t own = held("VmRSS") + kMargin + 2 * static_cast<int64_t>(layer.weight->bytes());
  const Json identity = identity_of(request, layer, axes, work.x);
  Run run{request, layer, place, work, {place.target() + ".journal", identity}, limit, limit - own};
  try {
    start(&run);
  } catch (...) {
    run.journal.remove_empty();
    throw;
  }
  if (run.journal.damaged() > 0) {
    std::fprintf(stderr, "ctconv: %s.journal: %d damaged lines; their tiles are computed again\n",
                 place.target().c_str(), run.journal.damaged());
  }
  TileRate rate;
  if (!compute(&run, &rate)) {
    std::raise(stopped);  // to its default end
    return 2;
  }
  finish(&run);
  if (request.json) {
    print_json(json_of_tiles(run, rate));
  } else {
    print_tiles(run, rate);
  }
  return 0;
}

}  // namespace cli
