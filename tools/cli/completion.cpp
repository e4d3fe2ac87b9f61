// SPDX-License-Identifier: Apache-2.0
// Completions as the three shells want them, from the command line's table (grammar.h).
#include <fmt/format.h>

#include <algorithm>

#include "tools/cli/grammar.h"

namespace cli {
namespace {

// 'text', with what a shell would end it at written another way.
std::string in_quotes(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string first_sentence(const std::string& text) { return text.substr(0, text.find(": ")); }

std::vector<std::string> names_of(const std::vector<Option>& options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

// One `case` arm: the words, or files, or nothing to propose.
std::string bash_answer(const Option& option) {
  if (option.files) return "_ctconv_files";
  if (option.words.empty()) return ":";
  return "_ctconv_words " + in_quotes(joined(option.words, " "));
}

std::string bash_command(const Grammar& grammar, const Command& command) {
  std::string values, positionals, with_value = " ";
  for (const Option& option : command.options) {
    if (option.value.empty()) continue;
    values += fmt::format("        {}) {}; return ;;\n", joined(option.names, " | "), bash_answer(option));
    with_value += joined(option.names, " ") + " ";
  }
  for (size_t i = 0; i < command.positionals.size(); ++i)
    positionals += fmt::format("        {}) {} ;;\n", i, bash_answer(command.positionals[i]));
  auto options = names_of(command.options);
  for (const std::string& name : names_of(grammar.options))
    if (name != "--version" && std::find(options.begin(), options.end(), name) == options.end())
      options.push_back(name);
  std::string out = fmt::format("    {})\n", command.name);
  if (!values.empty()) out += fmt::format("      case $before in\n{}      esac\n", values);
  out +=
      fmt::format("      if [[ $word == -* ]]; then _ctconv_words {}; return; fi\n", in_quotes(joined(options, " ")));
  if (!positionals.empty())
    out +=
        fmt::format("      _ctconv_place {}\n      case $place in\n{}      esac\n", in_quotes(with_value), positionals);
  return out + "      ;;\n";
}

}  // namespace

std::string bash_completion(const Grammar& grammar) {
  std::string commands;
  for (const Command& command : grammar.commands) commands += bash_command(grammar, command);
  const std::string head = R"(# bash completion of ctconv, written by `ctconv completion bash`.
_ctconv_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word"); }
_ctconv_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
# place: how many words without a dash stand between the command and here; $1: options that take the word behind them.
_ctconv_place() {
  local i
  place=0
  for ((i = first + 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      -*) if [[ $1 == *" ${COMP_WORDS[i]} "* ]]; then ((++i)); fi ;;
      *) ((++place)) ;;
    esac
  done
}
_ctconv() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' first place
  COMPREPLY=()
  for ((first = 1; first < COMP_CWORD; ++first)); do
    if [[ ${COMP_WORDS[first]} != -* ]]; then command=${COMP_WORDS[first]}; break; fi
  done
  case $command in
)";
  return head +
         fmt::format("    '') _ctconv_words {} ;;\n",
                     in_quotes(command_words(grammar, " ") + " " + joined(names_of(grammar.options), " "))) +
         commands + "  esac\n}\ncomplete -F _ctconv ctconv\n";
}

namespace {

// Inside zsh's [..] and :..: these would end the text.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const Option& option) {
  if (option.files) return "_files";
  return option.words.empty() ? " " : "(" + joined(option.words, " ") + ")";
}

std::string zsh_option(const Option& option) {
  std::string spec = option.names.size() == 1 ? "" : "(" + joined(option.names, " ") + ")";
  const std::string rest =
      "[" + zsh_text(option.text) + "]" + (option.value.empty() ? "" : ":" + option.value + ":" + zsh_action(option));
  if (option.names.size() == 1) return in_quotes(option.names[0] + rest);
  return in_quotes(spec) + "{" + joined(option.names, ",") + "}" + in_quotes(rest);
}

}  // namespace

std::string zsh_completion(const Grammar& grammar) {
  std::string out = "#compdef ctconv\n# zsh completion of ctconv, written by `ctconv completion zsh`.\n_ctconv() {\n";
  out += "  local -a commands\n  local context state line curcontext=\"$curcontext\"\n  typeset -A opt_args\n";
  out += "  commands=(\n";
  for (const Command& command : grammar.commands)
    out += "    " + in_quotes(command.name + ":" + zsh_text(command.text)) + "\n";
  out += "  )\n  _arguments -C \\\n";
  for (const Option& option : grammar.options) out += "    " + zsh_option(option) + " \\\n";
  out += "    '1:command:->command' '*::argument:->rest'\n  case $state in\n";
  out += "    command) _describe command commands ;;\n    rest)\n      case $words[1] in\n";
  for (const Command& command : grammar.commands) {
    out += "        " + command.name + ")\n          _arguments";
    for (const Option& option : command.options) out += " \\\n            " + zsh_option(option);
    for (size_t i = 0; i < command.positionals.size(); ++i) {
      const Option& place = command.positionals[i];
      out += fmt::format(" \\\n            {}",
                         in_quotes(fmt::format("{}:{}:{}", i + 1, place.names[0], zsh_action(place))));
    }
    out += "\n          ;;\n";
  }
  return out + "      esac ;;\n  esac\n}\n_ctconv \"$@\"\n";
}

std::string fish_completion(const Grammar& grammar) {
  const auto option_line = [](const Option& option, const std::string& when) {
    std::string line = "complete -c ctconv" + when;
    for (const std::string& name : option.names)
      line += name.compare(0, 2, "--") == 0 ? " -l " + name.substr(2) : " -s " + name.substr(1);
    if (!option.value.empty()) line += option.files ? " -r -F" : " -x";
    if (!option.words.empty()) line += " -a " + in_quotes(joined(option.words, " "));
    return line + " -d " + in_quotes(first_sentence(option.text)) + "\n";
  };
  std::string out = "# fish completion of ctconv, written by `ctconv completion fish`.\ncomplete -c ctconv -f\n";
  for (const Option& option : grammar.options) out += option_line(option, "");
  for (const Command& command : grammar.commands)
    out +=
        fmt::format("complete -c ctconv -n __fish_use_subcommand -a {} -d {}\n", command.name, in_quotes(command.text));
  for (const Command& command : grammar.commands) {
    const std::string when = " -n '__fish_seen_subcommand_from " + command.name + "'";
    for (const Option& place : command.positionals)
      if (!place.words.empty())
        out += "complete -c ctconv" + when + " -a " + in_quotes(joined(place.words, " ")) + "\n";
    for (const Option& option : command.options)
      if (option.names.back() != "--help") out += option_line(option, when);
  }
  return out;
}

}  // namespace cli
