// ctconv info: version, processor, machine record, engines, dialects with their arguments.
#include <fmt/format.h>

#include "tools/cli/layer.h"
#include "tools/cli/output.h"
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

// What the cost models know of the processor, as any op of the CPU tells it: the lines `machine.*` of describe.
Json machine_of(std::string* text) {
  ctconv::Desc desc("ctconv");
  desc.set("in_channels", 1).set("out_channels", 1).set("kernel_size", {1});
  const std::string front = "machine.";
  Json machine;
  const Facts facts(ctconv::Op(desc).describe());
  for (const auto& [key, value] : facts.items()) {
    if (key.compare(0, front.size(), front) != 0) continue;
    const std::string name = key.substr(front.size());
    if (name == "source") {
      machine[name] = value;
      continue;
    }
    machine[name] = facts.number(key);
    *text += (text->empty() ? "" : " ") + name + "=" + value;
  }
  return machine;
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
  std::string machine_text;
  const Json machine = machine_of(&machine_text);
  if (request.json) {
    print_json({{"version", ctconv_version_string()},
                {"build", json_of(build)},
                {"machine", machine},
                {"engines", engines},
                {"dialects", dialects}});
    return 0;
  }
  print("libctconv {}\n", ctconv_version_string());
  for (const auto& [key, value] : build.items()) print("  {:<10} {}\n", key, value);
  print("machine, {}; CTCONV_MACHINE pins it\n  {}\n", machine["source"].get<std::string>(), machine_text);
  print("engines, in the order `auto` asks them\n  {}\n", fmt::to_string(fmt::join(engines, ", ")));
  print("dialects ({}; `ctconv info all` shows their arguments)\n{}", ctconv_dialect_count(), text);
  return 0;
}

}  // namespace cli
