# SPDX-License-Identifier: Apache-2.0
"""bench/run: the matrix of runs (pass x type x layout x threads), each in a process of its own.

In:  quick | full | again and options. `again` takes the layers that are behind in the newest run of this machine.
Out: bench/results/<date>-<machine>-<layout>-<threads>[-<type>][-<pass>][-quick|-again][-<number>].json per run;
     exit status of the first that fails.
     A further run of a day gets a number: two runs say more than one (bench/report.py).
Environment: python3 -m venv build/bench-venv && build/bench-venv/bin/pip install -r bench/requirements.txt
The library is CTCONV_LIBRARY, else the newest build/*/libctconv.so;
bench_onednn, bench_peaks and libbench_probe.so lie beside it (or in --build).
"""

import argparse
import datetime
import importlib.util
import itertools
import json
import os
import pathlib
import subprocess
import sys

import crash
import layers
import machine
import runs

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


def build_folder(given):
    """The folder of the built programs."""
    if given:
        return pathlib.Path(given).resolve()
    found = sorted(ROOT.glob("build/*/bench_peaks"), key=lambda p: p.stat().st_mtime)
    return found[-1].parent if found else None


def environment(threads, build):
    env = dict(os.environ)
    env["PYTHONPATH"] = os.pathsep.join(
        [str(HERE), str(ROOT / "bindings/python"), *filter(None, [env.get("PYTHONPATH")])]
    )
    if "CTCONV_LIBRARY" not in env and build and (build / "libctconv.so").exists():
        env["CTCONV_LIBRARY"] = str(build / "libctconv.so")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = str(threads)
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    return env


def free(path):
    """`path`, or with the first number behind it that is free; a part of a run is overwritten."""
    if path.stem.endswith("-part"):
        return path
    names = (path.with_name(f"{path.stem}{'' if i == 1 else f'-{i}'}.json") for i in itertools.count(1))
    return next(name for name in names if not name.exists() or not json.loads(name.read_text())["complete"])


def name_of(day, box, layout, threads, dtype, which_pass, tail):
    """The file's name; float32 and the forward pass go without saying."""
    said = [word for word, usual in ((dtype, "f32"), (which_pass, "fwd")) if word != usual]
    return "-".join([day, box, layout, f"t{threads}", *said]) + tail + ".json"


def behind(folder, box, which_pass, dtype, threads, layout):
    """The ids of layers behind in the newest run of this kind, separated by commas; empty: none."""
    key = (box, which_pass, dtype, threads, layout)
    for s in runs.load(folder):
        if key == (runs.slug(s.box), s.which_pass, s.dtype, s.threads, s.layout):
            return ",".join(i for i, _ in s.behind())
    return ""


def one_run(a, build, budget, dtype, threads, layout, which_pass, out):
    """The exit status of one run."""
    command = [sys.executable, str(HERE / "measure.py")]
    given = {
        "which": a.which,
        "layout": layout,
        "dtype": dtype,
        "pass": which_pass,
        "threads": threads,
        "budget": budget,
        "out": out,
        "layers": a.layers,
        "peers": a.peers,
        "engines": a.engines,
        "build": build,
        "roof": a.roof and a.roof.resolve(),
    }
    for name, value in given.items():
        if value is not None:
            command += ["--" + name, str(value)]
    crashes = []
    while True:
        status = subprocess.run(command, env=environment(threads, build), check=False).returncode
        died = crash.crashed(out, status)
        if died is None or died[1].startswith("ctconv") or died in crashes:
            return abs(status)
        crashes.append(died)
        print(f"bench: {died[1]} ended the process at {died[0]} ({died[2]}): left out there", file=sys.stderr)
        command += ["--crashed", "=".join(died)]


def main():
    ap = argparse.ArgumentParser(
        prog="bench/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "which",
        choices=["quick", "full", "again"],
        help="the 22 starter layers (gradients: those that are trained), all of bench/layers.json, or those that are "
        "behind in the newest run of this machine, pass, type, layout and number of threads",
    )
    ap.add_argument(
        "--pass",
        dest="passes",
        default="fwd",
        help="fwd: y; dgrad: dx of dy and the weight; wgrad: dw and db of x and dy; separated by commas (default: fwd)",
    )
    ap.add_argument(
        "--layout",
        choices=["first", "last", "both"],
        default="both",
        help="of x and y alike (default: both, one run each)",
    )
    ap.add_argument(
        "--dtype", default="f32", help="f32, f16, bf16 of every operand, separated by commas (default: f32)"
    )
    ap.add_argument("--threads", default="all", help="numbers or `all`, separated by commas (default: all)")
    ap.add_argument(
        "--budget",
        type=float,
        default=None,
        help="seconds of timed calls per layer and run (default: quick 3.5, full 4.5; 2 is three to four rounds)",
    )
    ap.add_argument("--layers", help="only layers whose id begins with one of these, separated by commas")
    ap.add_argument("--peers", help="only these of onednn,pytorch,ort,ov,jax,litert,ncnn,mnn; empty: none")
    ap.add_argument(
        "--engines",
        help="engines of ours to time apart from auto, where auto took another "
        "(default: every one that runs on this machine); empty: none",
    )
    ap.add_argument(
        "--build",
        help="folder of bench_peaks, bench_onednn, libbench_probe.so and libctconv.so (default: the newest in build/)",
    )
    ap.add_argument(
        "--roof",
        type=pathlib.Path,
        help="an earlier result of this machine and number of threads, whose peak and bandwidths hold: "
        "for a time when others keep it busy",
    )
    ap.add_argument(
        "--out", type=pathlib.Path, default=HERE / "results", help="folder of the JSON files (default: bench/results)"
    )
    a = ap.parse_args()
    if importlib.util.find_spec("numpy") is None:
        sys.exit(
            "bench: this Python has no numpy; make the environment that bench/run --help names, "
            "or set CTCONV_BENCH_PYTHON"
        )
    types = a.dtype.split(",")
    if set(types) - {"f32", "f16", "bf16"}:
        ap.error("--dtype: f32, f16 or bf16, separated by commas")
    passes = a.passes.split(",")
    if set(passes) - set(layers.PASSES):
        ap.error(f"--pass: {', '.join(layers.PASSES)}, separated by commas")
    try:
        counts = list(dict.fromkeys(machine.cores() if t == "all" else int(t) for t in a.threads.split(",")))
    except ValueError:
        ap.error("--threads: numbers or `all`, separated by commas")
    build, box, day = (
        build_folder(a.build),
        machine.slug(machine.describe()),
        datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
    )
    budget = a.budget or (3.5 if a.which == "quick" else 4.5)
    layouts = ("first", "last") if a.layout == "both" else (a.layout,)
    tail = "-part" if a.layers or a.peers is not None else "" if a.which == "full" else "-" + a.which
    again = a.which == "again" and not a.layers
    for which_pass, dtype, threads, layout in itertools.product(passes, types, counts, layouts):
        if again:
            a.layers = behind(a.out, runs.slug(machine.describe()), which_pass, dtype, threads, layout)
        if again and not a.layers:
            print(f"bench: nothing is behind in {dtype}, channels-{layout}, {threads} threads", flush=True)
            continue
        out = free(a.out / name_of(day, box, layout, threads, dtype, which_pass, tail))
        status = one_run(a, build, budget, dtype, threads, layout, which_pass, out)
        if status:
            return status
        print(f"bench: wrote {out.relative_to(ROOT) if out.is_relative_to(ROOT) else out}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
