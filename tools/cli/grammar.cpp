// SPDX-License-Identifier: Apache-2.0
// Reads the parser. See grammar.h.
#include "tools/cli/grammar.h"

#include <CLI/CLI.hpp>

#include "ctconv/ctconv.hpp"
#include "tools/cli/activations.h"
#include "tools/cli/fault.h"
#include "tools/cli/output.h"

namespace cli {
namespace {

std::vector<std::string> dialect_names() {
  std::vector<std::string> names;
  for (int32_t i = 0; i < ctconv_dialect_count(); ++i) names.emplace_back(ctconv_dialect_name(i));
  return names;
}

// What the library and the program know of an option's values.
void add_words(Option* option) {
  const std::string& name = option->names.back();
  if (name == "dialect") option->words = dialect_names();
  if (name == "shell") option->words = {"bash", "zsh", "fish"};
  if (name == "--device") option->words = {"cpu", "cuda"};
  if (name == "--math") option->words = {"0", "1"};
  if (name == "--engine") {
    option->words = engine_names();
    option->words.insert(option->words.begin(), "auto");
  }
  if (name == "--activation")
    for (const Activation& row : kActivations) option->words.emplace_back(row.name);
  option->files = option->value == "FILE" || option->value == "SOURCE";
}

Option option_of(const CLI::Option& parsed) {
  Option option;
  for (const std::string& name : parsed.get_snames()) option.names.push_back("-" + name);
  for (const std::string& name : parsed.get_lnames()) option.names.push_back("--" + name);
  if (parsed.get_positional()) option.names = {parsed.get_name(true)};
  // A flag may stand alone; what it may be given besides its text says.
  if (parsed.get_expected_min() > 0 && parsed.get_type_size() > 0) option.value = parsed.get_type_name();
  option.text = parsed.get_description();
  option.preset = option.value.empty() ? "" : parsed.get_default_str();
  option.required = parsed.get_required();
  add_words(&option);
  return option;
}

void split(const CLI::App& app, std::vector<Option>* options, std::vector<Option>* positionals) {
  for (const CLI::Option* parsed : app.get_options()) {
    if (parsed->get_positional() && positionals != nullptr)
      positionals->push_back(option_of(*parsed));
    else
      options->push_back(option_of(*parsed));
  }
}

}  // namespace

Grammar grammar_of(const CLI::App& app) {
  Grammar grammar;
  grammar.text = app.get_description();
  grammar.footer = app.get_footer();
  split(app, &grammar.options, nullptr);
  for (const CLI::App* parsed : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (parsed->get_group().empty()) continue;  // for our own build
    Command command{parsed->get_name(), parsed->get_description(), parsed->get_footer(), {}, {}};
    split(*parsed, &command.options, &command.positionals);
    grammar.commands.push_back(command);
  }
  return grammar;
}

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

std::string command_words(const Grammar& grammar, const std::string& between) {
  std::vector<std::string> names;
  for (const Command& command : grammar.commands) names.push_back(command.name);
  return joined(names, between);
}

std::string completion_for(const Grammar& grammar, const std::string& shell) {
  if (shell == "bash") return bash_completion(grammar);
  if (shell == "zsh") return zsh_completion(grammar);
  if (shell == "fish") return fish_completion(grammar);
  throw Fault("OPTION", "'" + shell + "' is no shell with a completion here: bash, zsh or fish");
}

}  // namespace cli
