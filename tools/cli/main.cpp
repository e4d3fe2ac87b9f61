// SPDX-License-Identifier: Apache-2.0
// ctconv, the command line of libctconv: option parsing and the one place where a refusal becomes an exit code.
//
//   out: answers on stdout (JSON with --json); refusals on stderr with their status name
//   exit: 0 done, 1 an engine differs from the reference (run --check, verify) or something can be mended (doctor),
//         2 refused or misused
#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <functional>
#include <sstream>
#include <string_view>

#include "ctconv/ctconv.hpp"
#include "tools/cli/activations.h"
#include "tools/cli/fault.h"
#include "tools/cli/grammar.h"
#include "tools/cli/kept_inputs.h"
#include "tools/cli/output.h"
#include "tools/cli/print.h"
#include "tools/cli/request.h"

namespace {

constexpr const char* kSources =
    "SOURCE of a tensor: FILE.npy, - (standard input), or numbers made here: random, ones or zeros, with\n"
    "  :SHAPE and :DTYPE where they do not follow (random:1,3,16,16:float16; a shape alone is random).\n"
    "ARGS: the dialect's own arguments as JSON or @file.json: [..] is a tuple, {\"$list\": [..]} a list,\n"
    "  null None, true a bool, 1 an int, 1.0 a float. `ctconv info DIALECT` lists them.\n";

// "": a number of 64 bits. The parser's own conversion takes -1 and 2^64 for other numbers.
std::string whole_number(const std::string& text) {
  uint64_t number;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && at == end) return "";
  return "'" + text + "' is not a whole number from 0 to 18446744073709551615";
}

// An option that was given has a value; an empty one, of a variable that is not set, would count as not given.
std::string not_empty(const std::string& text) {
  return text.empty() ? "its value is empty; give one, or leave the option out" : "";
}

void add_layer(CLI::App* command, cli::Request* r, bool optional) {
  auto* dialect =
      command->add_option("dialect", r->dialect, "whose words, e.g. torch.nn.ConvTranspose3d (`ctconv info` lists all)")
          ->type_name("NAME");
  command->add_option("args", r->arguments, "the dialect's arguments as JSON, or @file.json")->type_name("ARGS");
  if (!optional) dialect->required();
  command->add_option("-x,--x", r->x, "input SOURCE, in the dialect's axis order")
      ->check(not_empty)
      ->type_name("SOURCE");
  command->add_option("-w,--weight", r->weight, "weight SOURCE (default: the dialect's initialiser)")
      ->check(not_empty)
      ->type_name("SOURCE");
  command->add_option("-b,--bias", r->bias, "bias SOURCE, or none (default: the dialect's initialiser)")
      ->check(not_empty)
      ->type_name("SOURCE");
  command->add_option("--output-size", r->output_size, "the call's output_size as JSON, e.g. [10,10,10]")
      ->check(not_empty)
      ->type_name("JSON");
  command->add_option("--seed", r->seed, "seed of all numbers made here")
      ->capture_default_str()
      ->check(whole_number)
      ->type_name("N");
}

void add_engine(CLI::App* command, cli::Request* r) {
  command->add_option("--engine", r->engine, "auto, or one engine by name (`ctconv info` lists them)")
      ->capture_default_str()
      ->type_name("NAME");
  command->add_option("--device", r->device, "cpu, cuda or cuda:N")->capture_default_str()->type_name("NAME");
  command->add_option("--threads", r->threads, "0: all cores this process may use")
      ->capture_default_str()
      ->check(CLI::Range(0, 4096).description(""))
      ->type_name("N");
  command->add_option("--activation", r->activation, "after the bias: " + cli::activation_list())
      ->capture_default_str()
      ->type_name("NAME");
  command->add_option("--alpha", r->alpha, "slope of leaky_relu, lower bound of clip")
      ->capture_default_str()
      ->type_name("X");
  command->add_option("--beta", r->beta, "upper bound of clip")->capture_default_str()->type_name("X");
  command
      ->add_flag("--reproducible{1}", r->reproducible,
                 "only engines that give the reference's bits; =2: or bits that are the same on every machine")
      ->check(CLI::Range(0, 2).description(""));
  command->add_option("--math", r->math, "1: operands may be rounded below their own type (TF32 on a GPU)")
      ->capture_default_str()
      ->check(CLI::Range(0, 1).description(""))
      ->type_name("N");
  command->add_flag("--tune", r->tune, "time the engines first and take the fastest");
}

int fail(const cli::Request& r, const std::string& name, const std::string& message, const cli::Json& detail) {
  if (r.json)
    std::fprintf(stderr, "%s\n",
                 cli::Json{{"error", detail}}.dump(-1, ' ', false, cli::Json::error_handler_t::replace).c_str());
  else
    std::fprintf(stderr, "ctconv: %s: %s\n", name.c_str(), message.c_str());
  return 2;
}

int fail(const cli::Request& r, const ctconv::error& e) {
  std::string message = cli::message_of(e);
  if (e.status() == CTCONV_ERR_MISUSE_DIALECT) {
    const std::string similar = cli::similar_dialects(r.dialect);
    if (!similar.empty()) return fail(r, e.name(), similar, {{"status", e.name()}, {"message", similar}});
  }
  if (e.status() == CTCONV_ERR_TYPE_ARGUMENT_NAME) {
    const std::string similar = cli::similar_arguments(r.dialect, e.record().argument);
    if (!similar.empty()) message += "; did you mean " + similar + "?";
  }
  cli::Json detail = cli::json_of(e);
  detail["message"] = message;
  return fail(r, e.name(), message, detail);
}

int guarded(const cli::Request& r, const std::function<int()>& action) {
  try {
    const int code = action();
    cli::finish_text();
    return code;
  } catch (const ctconv::error& e) {
    return fail(r, e);
  } catch (const cli::Fault& e) {
    return fail(r, e.name(), e.what(), {{"status", e.name()}, {"message", e.what()}});
  } catch (const std::bad_alloc&) {
    return fail(r, "MEMORY", "not enough memory", {{"status", "MEMORY"}, {"message", "not enough memory"}});
  } catch (const std::exception& e) {
    return fail(r, "INTERNAL", e.what(), {{"status", "INTERNAL"}, {"message", e.what()}});
  }
}

// Known before the options are parsed, since their refusal is to be JSON too.
bool asks_for_json(int argc, char** argv) {
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i)
    if (std::string_view(argv[i]) == "--json") return true;
  return false;
}

using Action = int (*)(const cli::Request&);

// A subcommand whose exit code leaves as CLI::RuntimeError.
CLI::App* add_command(CLI::App* app, const cli::Request& r, const char* name, const char* what, Action action) {
  CLI::App* command = app->add_subcommand(name, what);
  command->footer(kSources);
  command->callback([&r, action] {
    const int code = guarded(r, [&] {
      cli::keep_inputs(r);
      return action(r);
    });
    if (code != 0) throw CLI::RuntimeError(code);
  });
  return command;
}

std::string file_name(const std::string& name) {
  return name.empty() ? "a file name is needed; - is standard output" : "";
}

void add_picture(CLI::App* command, cli::Request* r, const char* name, const char* what) {
  command->add_option(name, r->picture, std::string(what) + "; - is standard output")
      ->check(file_name)
      ->type_name("FILE");
}

void add_run(CLI::App* app, cli::Request* r) {
  CLI::App* run = add_command(app, *r, "run", "compute one layer: its output, time and rate", cli::run_command);
  add_layer(run, r, false);
  add_engine(run, r);
  run->add_option("-o,--output", r->output,
                  "write y to this .npy file; - is standard output, the text then goes to standard error")
      ->check(file_name)
      ->type_name("FILE");
  run->add_option("--repeat", r->repeat, "timed runs, after one that is not timed")
      ->check(CLI::Range(1, 1000000).description(""))
      ->type_name("N");
  run->add_flag("--check", r->check, "compare with the reference engine");
  run->add_option("--begin", r->begin, "compute one region of y: where it begins on each spatial axis, e.g. 0,16")
      ->check(not_empty)
      ->type_name("POSITIONS");
  run->add_option("--end", r->end, "where the region ends, one past its last position (default: y's own end)")
      ->check(not_empty)
      ->type_name("POSITIONS");
  run->add_flag(
      "--tiles", r->tiles,
      "tile by tile from FILE.npy to FILE.npy, for data beyond memory; the same command goes on after a kill");
  run->add_option("--memory", r->memory, "with --tiles: the most this process may hold, e.g. 512M (default: 1G)")
      ->check(not_empty)
      ->type_name("SIZE");
  run->add_option("--tile", r->tile, "with --tiles: extents of a tile of y, e.g. 64,64,64 (default: as memory allows)")
      ->check(not_empty)
      ->type_name("EXTENTS");
  run->add_flag("--fresh", r->fresh, "with --tiles: forget what an earlier run wrote");
  run->add_flag("--progress", r->progress, "with --tiles: lines of progress also where standard error is no terminal");
}

void add_explain(CLI::App* app, cli::Request* r) {
  CLI::App* explain = add_command(app, *r, "explain", "the formula with its numbers, the engines with their reasons",
                                  cli::explain_command);
  add_layer(explain, r, false);
  add_engine(explain, r);
  explain->add_flag("--side-by-side", r->side_by_side, "what every dialect of this rank makes of the same words");
  add_picture(explain, r, "--svg", "draw which inputs and taps make each output into this SVG file");
}

void add_bench(CLI::App* app, cli::Request* r) {
  CLI::App* bench = add_command(app, *r, "bench", "time and GF/s of every engine, for one layer or a file of layers",
                                cli::bench_command);
  add_layer(bench, r, true);
  add_engine(bench, r);
  bench->add_option("--layers", r->layers, "a JSON file of layers, e.g. bench/layers.json, instead of dialect and args")
      ->check(not_empty)
      ->type_name("FILE");
  bench->add_option("--only", r->only, "layers whose id begins so")->type_name("PREFIX");
  bench->add_option("--repeat", r->repeat, "timed runs (default: as many as fit into --seconds)")
      ->check(CLI::Range(1, 1000000).description(""))
      ->type_name("N");
  bench->add_option("--seconds", r->seconds, "time per engine and layer")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0).description(""))
      ->type_name("X");
  bench->add_flag("--backward", r->backward, "the gradients instead: dx, dw with db, and all of them in one call");
  add_picture(bench, r, "--plot", "draw the rows as bars under a roofline into this SVG file");
}

// What the table of commands itself answers, and so comes last.
void add_scripts(CLI::App* app, cli::Request* r) {
  const auto answers = [app, r](const char* name, const char* what, auto text) {
    CLI::App* command = app->add_subcommand(name, what);
    command->callback([app, r, text] {
      const int code = guarded(*r, [&] {
        cli::print_text(text(cli::grammar_of(*app)));
        return 0;
      });
      if (code != 0) throw CLI::RuntimeError(code);
    });
    return command;
  };
  answers("completion", "the script that completes this command line in a shell",
          [r](const cli::Grammar& grammar) { return cli::completion_for(grammar, r->shell); })
      ->add_option("shell", r->shell, "bash, zsh or fish")
      ->required()
      ->type_name("NAME");
  answers("man", "this program's manual page", [](const cli::Grammar& grammar) {
    return cli::man_page(grammar);
  })->group("");
}

void add_commands(CLI::App* app, cli::Request* r) {
  add_run(app, r);
  add_layer(add_command(app, *r, "shape", "what to allocate: output, weight and bias", cli::shape_command), r, false);
  add_explain(app, r);
  CLI::App* verify = add_command(app, *r, "verify", "every engine against the reference", cli::verify_command);
  add_layer(verify, r, false);
  add_engine(verify, r);
  verify->add_flag("--backward", r->backward, "the gradients dx, dw and db instead of y");
  add_bench(app, r);
  add_command(app, *r, "info", "version, processor, engines, dialects and their arguments", cli::info_command)
      ->add_option("dialect", r->dialect, "show the arguments of this dialect, or of all")
      ->type_name("NAME");
  CLI::App* tune = add_command(
      app, *r, "tune", "measure the processor with care, and keep what is found for every process", cli::tune_command);
  tune->add_flag("--dry", r->dry, "measure and print only; nothing is kept");
  tune->footer(
      "The record lies in the file CTCONV_MACHINE_FILE names, else in ~/.cache/ctconv/machine.txt\n"
      "($XDG_CACHE_HOME/ctconv/machine.txt). Remove it to measure again on first use; an empty\n"
      "CTCONV_MACHINE_FILE reads none. Run it on a quiet machine: it takes about two seconds.");
  add_command(app, *r, "doctor", "what works on this machine, what is missing, and what mends it", cli::doctor_command)
      ->footer("");
  add_scripts(app, r);
}

// --help and --version are answers; everything else the parser refuses.
int parse_failure(const CLI::App& app, const CLI::ParseError& e, const cli::Request& r) {
  if (e.get_exit_code() == 0) {
    return guarded(r, [&] {
      std::ostringstream text;
      app.exit(e, text, text);
      cli::print_text(text.str());
      return 0;
    });
  }
  std::string message = e.what();
  if (app.get_subcommands().empty()) {
    const auto given = app.remaining();
    message = (given.empty() ? "a command is needed" : "'" + given[0] + "' is no command") +
              std::string(": run, shape, explain, verify, bench, info, tune, doctor or completion");
  }
  return fail(r, "OPTION", message + " (`ctconv --help`)", {{"status", "OPTION"}, {"message", message}});
}

}  // namespace

int main(int argc, char** argv) {
  cli::hold_standard_streams();
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit is then an error of the write, not the end of the program
  cli::Request r;
  CLI::App app("Transposed convolution in the words of PyTorch, MindSpore, Paddle, MegEngine, ONNX and Keras.\n",
               "ctconv");
  app.set_version_flag("--version", std::string("ctconv ") + ctconv_version_string());
  app.require_subcommand(1);
  app.fallthrough();
  app.add_flag("--json", r.json, "answer and refuse in JSON (docs/cli-json.md)");
  app.footer(std::string(kSources) +
             "\nExit code 0: done; 1: an engine differs from the reference, or doctor found something to mend; 2: "
             "refused, with the reason on stderr.\n"
             "Example:\n  ctconv run torch.nn.ConvTranspose2d "
             "'{\"in_channels\":3,\"out_channels\":8,\"kernel_size\":4,\"stride\":2}' "
             "-x 1,3,16,16 --check");
  add_commands(&app, &r);
  r.json = asks_for_json(argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& e) {
    return e.get_exit_code();
  } catch (const CLI::ParseError& e) {
    return parse_failure(app, e, r);
  }
  return 0;
}
