// SPDX-License-Identifier: Apache-2.0
// ctconv info: version, processor, machine record, engines, dialects with their arguments.
#include <fmt/format.h>

#include "tools/cli/machine_record.h"
#include "tools/cli/print.h"

namespace cli {

namespace {

// The arguments in positional order, as JSON and as a signature.
Json arguments_of(const std::string& dialect, std::string* signature) {
  Json arguments = Json::array();
  for (int32_t k = 0;; ++k) {
    ctconv_argument a = CTCONV_ARGUMENT_INIT;
    if (ctconv_dialect_argument(dialect.c_str(), k, &a) != CTCONV_OK) break;
    Json row = {{"name", a.name}, {"required", a.required != 0}};
    if (!a.required) row["default"] = a.default_text;
    arguments.push_back(row);
    *signature += (k ? ", " : "") + std::string(a.name) + (a.required ? "" : "=" + std::string(a.default_text));
  }
  return arguments;
}

int one_dialect(const Request& request) {
  (void)ctconv::Desc(request.dialect);  // refuses an unknown name and lists the known ones
  std::string signature;
  const Json arguments = arguments_of(request.dialect, &signature);
  if (request.json)
    print_json({{"name", request.dialect}, {"arguments", arguments}});
  else
    print("{}({})\n", request.dialect, signature);
  return 0;
}

}  // namespace

int info_command(const Request& request) {
  if (!request.dialect.empty() && request.dialect != "all") return one_dialect(request);
  const Facts build(ctconv_build_info());
  const auto engines = engine_names();
  Json dialects = Json::array();
  std::string text;
  for (int32_t i = 0; i < ctconv_dialect_count(); ++i) {
    const std::string dialect = ctconv_dialect_name(i);
    std::string signature;
    const Json arguments = arguments_of(dialect, &signature);
    dialects.push_back({{"name", dialect}, {"arguments", arguments}});
    text += request.dialect == "all" ? fmt::format("  {}({})\n", dialect, signature) : fmt::format("  {}\n", dialect);
  }
  const MachineRecord machine = machine_record();
  if (request.json) {
    print_json({{"version", ctconv_version_string()},
                {"build", json_of(build)},
                {"machine", machine.json},
                {"engines", engines},
                {"dialects", dialects}});
    return 0;
  }
  print("libctconv {}\n", ctconv_version_string());
  for (const auto& [key, value] : build.items()) print("  {:<10} {}\n", key, value);
  print("machine, {}; CTCONV_MACHINE pins it, `ctconv tune` measures and keeps it\n  {}\n", machine.source,
        machine.text);
  if (!machine.ignored.empty()) print("  ignored: {}\n", machine.ignored);
  print("engines, in the order `auto` asks them\n  {}\n", fmt::to_string(fmt::join(engines, ", ")));
  print("dialects ({}; `ctconv info all` shows their arguments)\n{}", ctconv_dialect_count(), text);
  return 0;
}

}  // namespace cli
