#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The library behaves in its host's process: read off what was built.

In:   --objects: the library's object files, one a line; those of capi/ are disassembled
Out:  exit 0, or one line per fault and exit 1; 77 without objdump
Rule: no object refers to what ends the process, catches its signals, runs at its end, prints, or changes its
      environment, folder or locale, but for what ALLOWED names with a reason.
      No exception leaves an exported function. Its disassembly shows one of two: a handler of its own
      (__cxa_begin_catch) and no _Unwind_Resume, by which a frame without a fitting handler passes an exception on; or
      calls of nothing that throws: exported functions, guarded<...> or run_guarded of which the same is true,
      destructors, LOOK_UPS.
Usage: check_manners.py [--objects LIST] [--self-test]
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUDE = re.compile(
    r"^(abort|_?exit|_Exit|quick_exit|raise|kill|signal|sigaction|atexit|at_quick_exit|std::terminate\(\)|longjmp"
    r"|putenv|setenv|unsetenv|clearenv|stdout|stderr|puts|putchar|fputs|fwrite|v?printf|v?fprintf|perror|syslog|write"
    r"|pthread_atfork|setlocale|chdir|umask|fork|system|popen|exec[lv]\w*|__assert_fail|std::cout|std::cerr)$"
)
# (end of the object's name, symbol): why it may stand there.
ALLOWED = {
    ("machine/machine.cpp.o", "stderr"): "log_line, where CTCONV_LOG asks for it",
    ("machine/machine.cpp.o", "fputs"): "log_line",
    ("plan/tune.cpp.o", "stderr"): "log_line",
    ("plan/tune.cpp.o", "fputs"): "log_line",
    ("plan/tuning_file.cpp.o", "stderr"): "log_line",
    ("plan/tuning_file.cpp.o", "fputs"): "log_line",
    ("plan/tuning_file.cpp.o", "write"): "the tuning file",
    ("base/guarded.cpp.o", "pthread_atfork"): "counts forks in the child, and goes with the library",
    ("machine/probe.cpp.o", "std::terminate()"): "of std::thread; every thread that started is joined",
}
LOOK_UPS = re.compile(r"^(ctconv::(dialects|engine_names|status_name|status_text)\(|__stack_chk_fail|__tls_get_addr)")
BORDER = re.compile(r"^(\w+ )?ctconv::(guarded<|run_guarded\()")
HARMLESS = re.compile(r"~|^operator delete|::deallocate\(|_M_release|_M_erase")  # of destructors
FRAME = re.compile(r"^[0-9a-f]+ <(.+)>:$")
CALL = re.compile(r"\b(?:call|jmp|bl|b)\s+[0-9a-f]+ <(.+?)(?:\+0x[0-9a-f]+)?>$")
TARGET = re.compile(r"^\s+[0-9a-f]+: R_\w+(?:PLT32|CALL26|JUMP26)\s+(.+?)(?:[-+]0x[0-9a-f]+)?$")  # of the call before


def rude_symbols(listing):
    """Faults in what nm -A -u -C printed."""
    for line in listing.splitlines():
        match = re.match(r"(.*?):\s+U (.*)$", line)
        if not match:
            continue
        name = match.group(2).split("@")[0]
        allowed = any(match.group(1).endswith(end) and name == symbol for end, symbol in ALLOWED)
        if RUDE.match(name) and not allowed:
            yield f"{match.group(1).rsplit('.dir/', 1)[-1]}: refers to {name}"


def plain(name):
    """Without what the compiler and the linker add."""
    return re.sub(r"( \[clone [^\]]*\])+$|\.(cold|constprop|isra|part)[.0-9]*$", "", name).split("@")[0]


def frames_of(text):
    """Each function's calls; the part the compiler laid aside (.cold) belongs to its function."""
    frames, name = {}, None
    for line in text.splitlines():
        if head := FRAME.match(line):
            name = plain(head.group(1))
            frames.setdefault(name, set())
        elif name and (call := TARGET.match(line) or CALL.search(line)):
            if plain(call.group(1)) != name:
                frames[name].add(plain(call.group(1)))
    return frames


def keeps_exceptions(name, frames, exported):
    calls = frames[name]
    if any(c.startswith("__cxa_begin_catch") for c in calls):
        return not any(c.startswith("_Unwind_Resume") for c in calls)
    for call in calls:
        if call in exported or LOOK_UPS.match(call) or HARMLESS.search(call):
            continue
        if not BORDER.match(call) or call not in frames or not keeps_exceptions(call, frames, exported):
            return False
    return True


def faults_of_boundary(objects):
    exported = [line.split()[0] for line in (ROOT / "capi/symbols.txt").read_text().splitlines() if line]
    command = ["objdump", "-dr", "-C", "--no-show-raw-insn", *(o for o in objects if "/capi/" in o)]
    frames = frames_of(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for name in exported:
        if name not in frames:
            yield f"{name}: not in the disassembly"
        elif not keeps_exceptions(name, frames, set(exported)):
            yield f"{name}: an exception may leave it: {', '.join(sorted(frames[name]))[:300]}"


def self_test():
    nm = "a.dir/src/x.cpp.o:                 U abort\nlib/src/plan/tune.cpp.o:    U stderr\nb.o: U memcpy\n"
    assert list(rude_symbols(nm)) == ["src/x.cpp.o: refers to abort"], list(rude_symbols(nm))
    text = """
0000000000001000 <good>:
    1004:\tcall   2000 <work()>
    1009:\tcall   3000 <__cxa_begin_catch@plt>
0000000000001100 <passes_on>:
    1104:\tcall   1109 <passes_on+0x9>
\t\t\t1105: R_X86_64_PLT32\twork()-0x4
    1109:\tcall   3000 <__cxa_begin_catch@plt>
0000000000001200 <passes_on [clone .cold]>:
    1209:\tcall   3000 <_Unwind_Resume@plt>
0000000000001300 <bare>:
    1304:\tcall   2000 <work()>
0000000000001400 <frees>:
    1404:\tcall   2000 <Value::~Value()>
    1409:\tjmp    1000 <good@@CTCONV_0>
"""
    frames, exported = frames_of(text), {"good", "passes_on", "bare", "frees"}
    kept = {name for name in exported if keeps_exceptions(name, frames, exported)}
    assert kept == {"good", "frees"}, kept


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    self_test()
    if options.self_test:
        return 0
    if not shutil.which("objdump"):
        print("no objdump")
        return 77
    objects = pathlib.Path(options.objects).read_text().split()
    listing = subprocess.run(["nm", "-A", "-u", "-C", *objects], check=True, capture_output=True, text=True).stdout
    faults = [*rude_symbols(listing), *faults_of_boundary(objects)]
    print("\n".join(faults) or f"{len(objects)} objects and every exported function: 0 faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
