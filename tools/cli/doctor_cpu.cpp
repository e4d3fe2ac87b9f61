// SPDX-License-Identifier: Apache-2.0
// The half of `ctconv doctor` that needs no device. See doctor.h.
//
//   An engine is asked, not described: a plan for a small layer in each element type. It is "none" where it takes
//   none of them; its reason is the one it gives for float32.
#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#if defined(__GLIBC__)
#include <gnu/libc-version.h>
#endif

#include "tools/cli/doctor.h"
#include "tools/cli/layer.h"
#include "tools/cli/machine_record.h"
#include "tools/cli/output.h"
#include "tools/cli/tuning_place.h"

extern char** environ;

namespace cli {
namespace {

constexpr const char* kDialect = "ctconv";
constexpr size_t kWidth = 100;

// PRETTY_NAME of /etc/os-release; empty: not said.
std::string distribution() {
  std::FILE* file = std::fopen("/etc/os-release", "rb");
  if (file == nullptr) return "";
  std::string name;
  char line[512];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    const std::string text = line, key = "PRETTY_NAME=";
    if (text.compare(0, key.size(), key) != 0) continue;
    for (const char c : text.substr(key.size()))
      if (c != '"' && c != '\n') name += c;
  }
  std::fclose(file);
  return name;
}

std::string system_text() {
  utsname name{};
  uname(&name);
  std::string text = distribution();
  text += fmt::format("{}{} {} {}", text.empty() ? "" : ", ", name.sysname, name.release, name.machine);
#if defined(__GLIBC__)
  text += std::string(", glibc ") + gnu_get_libc_version();
#endif
  return text;
}

// The file that the loader took: not always the one that was meant.
std::string library_file() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&ctconv_version_string), &info) == 0 || info.dli_fname == nullptr) return "?";
  std::error_code error;
  const auto path = std::filesystem::canonical(info.dli_fname, error);
  return error ? info.dli_fname : path.string();
}

// The library's own variables, as they are set.
std::string environment_text() {
  std::vector<std::string> set;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    if (text.compare(0, 7, "CTCONV_") == 0) set.push_back(text);
  }
  std::sort(set.begin(), set.end());
  return set.empty() ? "no CTCONV_ variable is set" : fmt::to_string(fmt::join(set, " "));
}

// Which of the two variables, or the file of the cache folder, an ignored record came from.
std::string mend_of_machine(const std::string& ignored) {
  if (ignored.empty()) return "";
  if (ignored.rfind("CTCONV_MACHINE:", 0) == 0) return "mend CTCONV_MACHINE (`ctconv info` prints one), or unset it";
  const char* named = std::getenv("CTCONV_MACHINE_FILE");
  const std::string other = named != nullptr ? "; or set CTCONV_MACHINE_FILE to another file, or unset it" : "";
  return "`ctconv tune` measures it anew (a file that is no record has to be removed first)" + other;
}

// Python's layers read it (docs/inside-a-model.md); what is no number is passed over there.
Finding threads_finding() {
  const char* set = std::getenv("CTCONV_NUM_THREADS");
  if (set == nullptr || *set == '\0') return {"threads", "ok", "CTCONV_NUM_THREADS is not set", ""};
  const std::string text = set;
  std::string first = text.substr(0, text.find(','));
  first.erase(0, first.find_first_not_of(' '));
  first.erase(first.find_last_not_of(' ') + 1);
  int number = 0;
  const char* last = first.data() + first.size();
  const auto [end, error] = std::from_chars(first.data(), last, number);
  if (error == std::errc() && end == last && number >= 1)
    return {"threads", "ok", fmt::format("{} by CTCONV_NUM_THREADS", std::min(number, 4096)), ""};
  return {"threads", "wrong",
          fmt::format("CTCONV_NUM_THREADS is '{}', and passed over; legal is a whole number from 1 to 4096", text),
          "set CTCONV_NUM_THREADS to such a number, or unset it"};
}

// "" where the engine takes a layer of this type, else its reason.
std::string reason_against(const std::string& engine, ctconv::Dtype type) {
  ctconv::Desc desc(kDialect);
  desc.set("in_channels", 32).set("out_channels", 32).set("kernel_size", {4, 4}).set("stride", {2, 2});
  ctconv::Options options;
  options.engine = engine.c_str();
  try {
    const ctconv::Tensor x(nullptr, type, {1, 32, 16, 16}), weight(nullptr, type, {32, 32, 4, 4});
    ctconv::CallExtras extras;
    extras.weight = &weight;
    (void)ctconv::Op(desc, options).describe(x, extras);
    return "";
  } catch (const ctconv::error& e) {
    if (!is_refusal(e)) throw;
    const std::string reason = reason_of(e), front = "engine " + engine + ": ";
    return reason.compare(0, front.size(), front) == 0 ? reason.substr(front.size()) : reason;
  }
}

Finding engine_finding(const std::string& engine) {
  const ctconv::Dtype types[] = {ctconv::kFloat32, ctconv::kBfloat16, ctconv::kFloat16, ctconv::kFloat64};
  std::string able, reason;
  for (const ctconv::Dtype type : types) {
    const std::string said = reason_against(engine, type);
    if (said.empty()) able += (able.empty() ? "" : ", ") + name_of(type);
    if (!said.empty() && reason.empty()) reason = said;
  }
  if (able.empty()) return {"engine", "none", fmt::format("{}: {}", engine, reason), ""};
  return {"engine", "ok", fmt::format("{}: {}", engine, able), ""};
}

}  // namespace

std::vector<Finding> cpu_findings() {
  const Facts build(ctconv_build_info());
  const std::string cores = build.get("cores");
  const std::string& quota = build.get("cpu_quota");
  std::vector<Finding> rows;
  rows.push_back({"library", "ok", fmt::format("{}, {}", ctconv_version_string(), build.get("compiler")), ""});
  rows.push_back({"file", "ok", library_file(), ""});
  rows.push_back({"system", "ok", system_text(), ""});
  rows.push_back({"cpu", "ok", fmt::format("{} ({})", build.get("cpu_model"), build.get("cpu")), ""});
  rows.push_back({"cores", "ok", cores + (quota.empty() ? "" : ", quota " + quota), ""});
  const MachineRecord record = machine_record();
  rows.push_back(
      {"machine", record.ignored.empty() ? "ok" : "wrong",
       fmt::format("record {}{}{}", record.source, record.ignored.empty() ? "" : "; ignored: ", record.ignored),
       mend_of_machine(record.ignored)});
  const TuningPlace place = tuning_place();
  rows.push_back({"tuning_file", place.usable ? "ok" : "wrong", place.text,
                  place.usable
                      ? ""
                      : "set CTCONV_TUNING_FILE to a file of its own that you may write, or to nothing: then no time "
                        "is kept; remove a damaged one, and it is made anew"});
  rows.push_back(threads_finding());
  rows.push_back({"environment", "ok", environment_text(), ""});
  const auto engines = engine_names();
  rows.push_back({"engines", "ok", fmt::to_string(fmt::join(engines, ", ")), ""});
  const std::string& onednn = build.get("onednn");
  if (onednn == "not built")
    rows.push_back({"onednn", "missing", onednn, "tools/deps, then build with -DCTCONV_ONEDNN=ON"});
  else
    rows.push_back({"onednn", "ok", onednn, ""});
  for (const std::string& engine : engines)
    if (engine != "cuda" && engine != "cudnn") rows.push_back(engine_finding(engine));
  return rows;
}

std::string paragraph_of(const std::vector<Finding>& findings) {
  std::string text = "ctconv doctor:";
  for (const Finding& f : findings) {
    const std::string state = f.state == "ok" ? "" : " [" + f.state + "]";
    text += fmt::format(" {}{} {};", f.part, state, f.text);
  }
  text.back() = '.';
  const char* home = std::getenv("HOME");
  const std::string folder = home == nullptr ? "" : home;
  for (size_t at = 0; folder.size() > 1 && (at = text.find(folder, at)) != std::string::npos; ++at)
    text.replace(at, folder.size(), "~");
  size_t begin = 0;  // of the line
  for (size_t at = 0, space = 0; at < text.size(); ++at) {
    if (text[at] == '\n') text[at] = ' ';
    if (at - begin > kWidth && space > begin) {
      text[space] = '\n';
      begin = space + 1;
    }
    if (text[at] == ' ') space = at;
  }
  return text + "\n";
}

}  // namespace cli
