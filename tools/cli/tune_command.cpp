// SPDX-License-Identifier: Apache-2.0
// ctconv tune: measures the processor once, with care, and keeps the record where the library reads it on first use.
//
//   out: the record, and the file it is kept in: three lines, kVersion, the processor, the record
//   The library measures: CTCONV_MACHINE=measure asks it to take its time, and threads. The file is written beside its
//   place and renamed (output_file.h).
//   refuses: CTCONV_MACHINE set (OPTION); no place to keep it, a folder that takes no file, another file there (FILE)
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tools/cli/fault.h"
#include "tools/cli/machine_record.h"
#include "tools/cli/output_file.h"
#include "tools/cli/print.h"
#include "tools/cli/progress.h"

namespace cli {
namespace {

constexpr const char* kVersion = "ctconv-machine 1";
const std::string kAnyVersion = "ctconv-machine ";

void keep(const std::string& path, const MachineRecord& record) {
  const Facts build(ctconv_build_info());
  const std::string text =
      fmt::format("{}\ncpu {}, {}\n{}\n", kVersion, build.get("cpu_model"), build.get("cpu"), record.text);
  OutputFile file(path);
  file.open();
  file.write(text.data(), text.size());
  file.commit();
}

// A file that may be replaced: none, an empty one, a record of any release. One that cannot be read is none of them.
bool is_record_or_empty(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return true;
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  std::string beginning(kAnyVersion.size(), '\0');
  file.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  return file.gcount() == 0 || beginning == kAnyVersion;
}

std::string place_for_it() {
  const std::string path = machine_file();
  if (path.empty()) {
    throw Fault("FILE", "there is no place to keep the record: set CTCONV_MACHINE_FILE to a file, or HOME");
  }
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) {
    throw Fault("FILE", path + ": is no plain file; the record is kept in one");
  }
  if (!is_record_or_empty(path)) {
    throw Fault("FILE", path + ": is no record of `ctconv tune` and would be lost: remove it first, or set " +
                            "CTCONV_MACHINE_FILE to another file");
  }
  error.clear();
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) throw Fault("FILE", folder.string() + ": cannot be made: " + error.message());
  return path;
}

}  // namespace

int tune_command(const Request& request) {
  if (const char* pinned = std::getenv("CTCONV_MACHINE"); pinned != nullptr && *pinned != '\0') {
    throw Fault("OPTION", "CTCONV_MACHINE is set and would pin the record whatever is kept: unset it first");
  }
  const std::string path = request.dry ? "" : place_for_it();
  setenv("CTCONV_MACHINE", "measure", 1);  // before the library looks; no other thread runs yet
  const MachineRecord record = machine_record();
  if (!request.dry) keep(path, record);
  if (request.json) {
    Json answer = {{"machine", record.json}};
    if (!request.dry) answer["file"] = path;
    print_json(answer);
    return 0;
  }
  print("machine, {}\n  {}\n", record.source, record.text);
  if (!request.dry) print("kept in {}; every process of this user reads it on this processor\n", path);
  return 0;
}

}  // namespace cli
