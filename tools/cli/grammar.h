// SPDX-License-Identifier: Apache-2.0
// The command line's own table as data: what completions and the manual page are written from.
//
//   in:  the parser that reads the arguments, so that nothing can be said here that it does not take
//   out: commands, their options and what may stand behind each
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace cli {

struct Option {
  std::vector<std::string> names;  // "-x", "--x"; of a positional its name alone
  std::string value;               // NAME, SOURCE, FILE, ...; empty: a flag
  std::string text, preset;        // what it does; the default, empty: none
  std::vector<std::string> words;  // what may be given, where that is a list
  bool required = false, files = false;
};

struct Command {
  std::string name, text, footer;
  std::vector<Option> options, positionals;
};

struct Grammar {
  std::string text, footer;
  std::vector<Option> options;  // of every command
  std::vector<Command> commands;
};

Grammar grammar_of(const CLI::App& app);

// The names of all commands, and of the options that take a value, with `between` in between.
std::string command_words(const Grammar& grammar, const std::string& between);
std::string joined(const std::vector<std::string>& words, const std::string& between);

// The script for bash, zsh or fish; refuses another name (Fault OPTION).
std::string completion_for(const Grammar& grammar, const std::string& shell);
std::string bash_completion(const Grammar& grammar);
std::string zsh_completion(const Grammar& grammar);
std::string fish_completion(const Grammar& grammar);

// ctconv(1), for man.
std::string man_page(const Grammar& grammar);

}  // namespace cli
