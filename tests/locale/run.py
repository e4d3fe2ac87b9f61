#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The library's texts under de_DE.UTF-8 and tr_TR.UTF-8, which need not be installed: localedef makes them.

In:   locale_tests, the command line and a library that sets a locale in front of it
Out:  exit 0, or what differed and exit 1. No localedef or no locale sources (package locales): exit 1, with the reason.
Usage: run.py --tests PROGRAM [--cli PROGRAM --preload LIBRARY]
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

LOCALES = {"de_DE.UTF-8": "de_DE", "tr_TR.UTF-8": "tr_TR"}
LAYER = '{"in_channels": 3, "out_channels": 4, "kernel_size": 3, "stride": 2}'
# Numbers and names through the parser of JSON, the library's messages and the printing of both.
COMMANDS = [
    ["--json", "shape", "torch.nn.ConvTranspose2d", LAYER, "-x", "1,3,1111,5"],
    ["--json", "shape", "torch.nn.ConvTranspose2d", LAYER.replace(": 2}", ": 2.5}"), "-x", "1,3,5,5"],
    ["shape", "torch.nn.ConvTranspose2d", LAYER.replace(": 2}", ": 1.25e-7}"), "-x", "1,3,5,5"],
    ["--json", "shape", "TORCH.NN.CONVTRANSPOSE1D", LAYER, "-x", "1,3,5"],
    ["shape", "torch.nn.convtranspose2D", LAYER, "-x", "1,3,5,5"],
    [
        "explain",
        "torch.nn.ConvTranspose2d",
        LAYER,
        "-x",
        "1,3,7,5",
        "--engine",
        "reference",
        "--activation",
        "leaky_relu",
    ],
]


def make_locales(folder):
    localedef = shutil.which("localedef")
    if localedef is None:
        sys.exit("locale: no localedef on this machine; install the package locales (tools/deps does)")
    for name, source in LOCALES.items():
        path = os.path.join(folder, name)
        done = subprocess.run([localedef, "-i", source, "-f", "UTF-8", path], capture_output=True, text=True)
        if not os.path.isdir(path):
            sys.exit(f"locale: localedef could not make {name}; install the package locales\n{done.stderr}")


def output_of(command, environment):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    # Estimated and measured times differ from run to run, whatever the locale.
    return done.returncode, re.sub(r"[0-9.]+(e-?[0-9]+)? (us|ms|s)\b", "TIME", done.stdout), done.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tests", required=True)
    parser.add_argument("--cli")
    parser.add_argument("--preload")
    arguments = parser.parse_args()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        make_locales(folder)
        plain = {k: v for k, v in os.environ.items() if not k.startswith("LC_") and k != "LANG"}
        for name in LOCALES:
            environment = dict(plain, LOCPATH=folder, CTCONV_TEST_LOCALE=name)
            # glibc itself keeps 33 bytes where LOCPATH names a folder: no leak of ours, so none is looked for here.
            environment["ASAN_OPTIONS"] = ":".join(filter(None, [plain.get("ASAN_OPTIONS"), "detect_leaks=0"]))
            environment["CTCONV_TUNING_FILE"] = os.path.join(folder, name + ".tsv")
            done = subprocess.run([arguments.tests], env=environment, capture_output=True, text=True, timeout=240)
            print(f"{name}: {done.stdout.strip().splitlines()[-1] if done.stdout.strip() else 'no output'}")
            if done.returncode != 0:
                print(done.stdout, done.stderr)
                faults += 1
            for command in COMMANDS if arguments.cli else []:
                want = output_of([arguments.cli, *command], plain)
                got = output_of([arguments.cli, *command], dict(environment, LD_PRELOAD=arguments.preload))
                if want != got:
                    print(f"{name}: ctconv {' '.join(command)}\n  C:      {want}\n  locale: {got}")
                    faults += 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
