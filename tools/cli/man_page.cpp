// SPDX-License-Identifier: Apache-2.0
// ctconv(1) from the command line's table (grammar.h), in man's macros.
#include <fmt/format.h>

#include "ctconv/ctconv.hpp"
#include "tools/cli/grammar.h"

namespace cli {
namespace {

// Text as man reads it: a dash that is typed, no control line by accident.
std::string escaped(const std::string& text) {
  std::string out;
  bool begins = true;  // a line
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '~')
      out += "\\(ti";
    else if (c == '^')
      out += "\\(ha";
    else if (c == '`')
      out += "\\(ga";
    else if (c == '\'')
      out += "\\(aq";
    else
      out += c;
    begins = c == '\n';
  }
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + escaped(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + escaped(text) + "\\fR"; }

// A text that was laid out for a terminal keeps its lines.
std::string as_it_stands(const std::string& text) {
  std::string lines = text;
  while (!lines.empty() && lines.back() == '\n') lines.pop_back();
  return ".PP\n.nf\n" + escaped(lines) + "\n.fi\n";
}

std::string option_rows(const std::vector<Option>& options) {
  std::string out;
  for (const Option& option : options) {
    std::string names;
    for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + bold(name);
    if (!option.value.empty()) names += " " + italic(option.value);
    out += ".TP\n" + names + "\n" + escaped(option.text);
    if (!option.preset.empty()) out += escaped(" (default: " + option.preset + ")");
    out += "\n";
  }
  return out;
}

std::string synopsis_of(const Command& command) {
  std::string out = ".B ctconv " + escaped(command.name) + "\n";
  if (!command.options.empty()) out += ".RI [ options ]\n";
  for (const Option& place : command.positionals)
    out += place.required ? italic(place.names[0]) + "\n" : "[" + italic(place.names[0]) + "]\n";
  return out;
}

std::string command_text(const Command& command, const std::string& common) {
  std::string out = ".SS " + escaped(command.name) + "\n" + synopsis_of(command);
  out += ".PP\n" + escaped(command.text) + ".\n";
  for (const Option& place : command.positionals)
    out += ".TP\n" + italic(place.names[0]) + "\n" + escaped(place.text) + "\n";
  std::vector<Option> own;
  for (const Option& option : command.options)
    if (option.names.back() != "--help") own.push_back(option);
  out += option_rows(own);
  if (!command.footer.empty() && command.footer != common) out += as_it_stands(command.footer);
  return out;
}

}  // namespace

std::string man_page(const Grammar& grammar) {
  // What every command says behind its options stands once, under SOURCES.
  std::string common;
  for (const Command& command : grammar.commands)
    if (command.name == "run") common = command.footer;
  std::string out = fmt::format(
      ".\\\" Written by `ctconv man`.\n.TH CTCONV 1 \"\" \"ctconv {0}\" \"User Commands\"\n.nh\n.ad l\n"
      ".SH NAME\nctconv \\- transposed convolution in the words of six frameworks\n.SH SYNOPSIS\n",
      ctconv_version_string());
  for (const Command& command : grammar.commands) out += synopsis_of(command) + ".br\n";
  out += ".SH DESCRIPTION\n" + escaped(grammar.text);
  out +=
      "Computes one layer, explains its shape, checks every engine against the reference, and measures them.\n"
      ".SH OPTIONS\nThese stand anywhere on the line.\n" +
      option_rows(grammar.options) + ".SH COMMANDS\n";
  for (const Command& command : grammar.commands) out += command_text(command, common);
  std::string rest = grammar.footer;
  if (rest.compare(0, common.size(), common) == 0) rest = rest.substr(common.size());
  out += ".SH SOURCES AND ARGUMENTS\n" + as_it_stands(common) + ".SH EXIT STATUS AND EXAMPLE\n" + as_it_stands(rest);
  return out +
         ".SH ENVIRONMENT\nThe variables of the library are in\n.BR ctconv (3),\nsection Environment.\n"
         ".SH SEE ALSO\n.BR ctconv (3)\n";
}

}  // namespace cli
