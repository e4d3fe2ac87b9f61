# SPDX-License-Identifier: Apache-2.0
"""One run: every contender of every layer in one layout and type with one number of threads;
a table on stdout, one JSON file.

In:  the command line of bench/drive.py, which starts this in a process of its own (thread counts are fixed at
     start-up). --pass: y, dx (dgrad), or dw with db (wgrad).
Out: the file, rewritten after every layer ("complete": false until the last), and a line per layer:
     engine, ms, useful GF/s, share of the roofline, ratio to each peer (above 1: libctconv is faster), creation,
     workspace. Ratios are of medians; a peer that makes its output anew in every call is set against `ctconv.alloc`,
     oneDNN's C++ program against `ctconv.c`, the others against `ctconv`.
Refuses a ratio where a result differs from ours by more than the type's TOLERANCE of its largest value.
"""

import argparse
import datetime
import gc
import json
import os
import pathlib
import sys
import tempfile
import time
import zlib

import numpy as np

import accuracy
import crash
import disturbance
import layers
import machine
import timing
from contenders import WAYS, available, base, forced, onednn

TOLERANCE = {"f32": 1e-4, "f16": 2e-3, "bf16": 1.6e-2}  # 16 bits: a few roundings of y, sums in float32
STRANGERS = 0.05  # of the machine, taken by other processes: the layer is soft
ENDLESS = 3.0  # seconds of one call above which a peer is left out, by what its like did on earlier layers
LARGE = 2**29  # bytes of one layer's tensors from which contenders hold their memory one after another
HEADS = {
    "torch": "torch",
    "onnxruntime": "ORT",
    "openvino": "OpenVINO",
    "onednn": "oneDNN",
    "onednn.e2e": "1DNN e2e",
    "jax": "JAX",
    "litert": "LiteRT",
    "ncnn": "ncnn",
    "mnn": "MNN",
}
PEERS = list(HEADS)
PRODUCT = {"fwd": "y", "dgrad": "dx", "wgrad": "dw and db"}


def difference(y, reference):
    """Largest difference over the reference's largest value, in blocks, so that no copy of a large y is made."""
    if y.shape != reference.shape:
        return float("inf")
    worst = largest = 0.0
    for image, other in zip(y, reference):
        step = max(1, 2**24 // max(1, image[0].size))
        for c in range(0, len(image), step):
            a, b = (v[c : c + step].astype(np.float32, copy=False) for v in (image, other))
            gap = float(np.abs(a - b).max(initial=0))
            if not np.isfinite(gap):
                return float("inf")
            worst, largest = (max(worst, gap), max(largest, float(np.abs(b).max(initial=0))))
    return worst / largest if largest else worst


class Speeds:
    """The highest flop/s that a peer reached with one form, so that nobody waits for an endless call.
    Layers of less than LEAST flop teach nothing: their calls are not all arithmetic."""

    LEAST = 2e8

    def __init__(self):
        self.known = {}

    def key(self, contender, layer):
        return contender.name, contender.facts().get("form", ""), layer.rank, layer.g > 1

    def judge(self, contender, layer):
        """Raises Refused where a call would be endless."""
        speed = self.known.get(self.key(contender, layer))
        if speed and layer.flop / speed > ENDLESS:
            contender.close()
            raise base.Refused(
                f"a call would take about {layer.flop / speed:.0f} s, as its like did ({speed / 1e9:.1f} GF/s)"
            )

    def learn(self, key, layer, seconds):
        if layer.flop >= self.LEAST:
            self.known[key] = max(self.known.get(key, 0), layer.flop / max(seconds, 1e-9))


def differences(results, references):
    """The worst of the pairs, each by its own largest value."""
    if len(results) != len(references):
        return float("inf")
    pairs = [[a.reshape(1, -1, 1) if a.ndim == 1 else a for a in pair] for pair in zip(results, references)]
    return max(difference(y, reference) for y, reference in pairs)


def make_ready(contender, layer, reference, speeds):
    """Creation and first call, checked. Returns the record, the seconds of both and the results; raises Refused."""
    if machine.available_bytes() < 4 * layer.bytes + 2**30:
        raise base.Refused("not enough free memory for this layer beside the others")
    gc.collect()
    peak, start = machine.PeakMemory(), time.perf_counter()
    contender.setup()
    create = time.perf_counter() - start
    if reference is not None and contender.name not in WAYS:
        speeds.judge(contender, layer)
    first = contender.time(1)
    extra, facts = peak.above(), contender.facts()
    if contender.name == "ctconv":  # the first creation also pays for memory that the process never had
        again = []
        for _ in range(3):
            start = time.perf_counter()
            contender.setup()
            again.append((time.perf_counter() - start, contender.time(1)))
        facts["setup_first_ms"] = 1e3 * (create + first)
        create, first = sorted(again, key=sum)[1]
    if extra is not None and contender.pays_for_y == "alloc":
        extra = max(0, extra - layer.written)
    record = {
        "create_s": facts.pop("create_s", create),
        "extra_bytes": facts.pop("extra_bytes", extra),
        "pays_for_y": contender.pays_for_y,
        **facts,
    }
    if contender.pays_for_y == "alloc":
        record.pop("form", None)  # runs what ctconv runs
    if contender.note:
        record["note"] = contender.note
    results = contender.results()
    record["error"] = differences(results, results if reference is None else reference)
    return record, first, results


def fresh(name, makes, layer, operands, setting, marker):
    """A contender made anew and set up."""
    contender = next(c for make in makes for c in make(layer, operands, setting) if c.name == name)
    marker.watch(contender, layer).setup()
    return contender


def run_layer(layer, makes, setting, budget, roof, watch, speeds, marker):
    operands, row, ready, reference, firsts = (base.Operands(layer, setting), {}, [], None, {})
    everyone = [c for make in makes for c in make(layer, operands, setting)]
    for c in [c for c in everyone if (layer.id, c.name) in setting.crashed]:
        row[c.name] = {"refused": f"ended the process ({setting.crashed[layer.id, c.name]})"}
        everyone.remove(c)
    for c in everyone:
        marker.watch(c, layer)
    keys, auto, large = {}, None, layer.bytes > LARGE
    wanted, far = accuracy.exact(layer, operands) if setting.peers is None or "pytorch" in setting.peers else None, {}
    for c in everyone:
        if getattr(c, "engine", None) and c.engine == auto:
            continue  # auto took it
        try:
            row[c.name], firsts[c.name], results = make_ready(c, layer, reference, speeds)
        except base.Refused as refusal:
            if c.name == "ctconv":
                raise SystemExit(f"bench: {layer.id}: {refusal}")
            row[c.name] = {"refused": str(refusal)[:200]}
            print(f"bench: {layer.id}: {c.name}: {row[c.name]['refused']}", file=sys.stderr)
            continue
        if c.name == "ctconv":
            reference, auto = [r.copy(order="K") for r in results], row[c.name]["engine"]
        if wanted is not None and c.name in ("ctconv", "torch"):
            far[c.name] = accuracy.errors(results[0], wanted)
        ready.append(c)
        keys[c.name] = speeds.key(c, layer)
        del results
        if large:
            c.close()
    del wanted
    if large:
        reference = None
        timed, rounds = timing.in_turn(
            [c.name for c in ready], lambda name: fresh(name, makes, layer, operands, setting, marker), budget, watch
        )
    else:
        operands = reference = None
        timed, rounds = timing.alternate(ready, budget, zlib.crc32(layer.id.encode()), watch, firsts)
    for name, t in timed.items():
        seconds = t.median()
        speeds.learn(keys[name], layer, min(firsts[name], *t.samples, *t.rough))
        row[name] |= {
            "ms": seconds * 1e3,
            "best_ms": min(t.samples) * 1e3,
            "turns": len(t.samples),
            "setup_ms": max(0.0, row[name].pop("create_s") + firsts[name] - seconds) * 1e3,
        }
        if t.once:
            row[name]["once"] = True
    if not large:
        for c in ready:
            c.close()
    return {
        **summary(layer, row, roof, TOLERANCE[setting.dtype]),
        "rounds": rounds.count,
        "dropped": rounds.dropped,
        "soft": rounds.soft,
        "accuracy": far if len(far) == 2 else None,
    }


def summary(layer, row, roof, tolerance=TOLERANCE["f32"]):
    floor, bound = layer.floor(roof)
    ratios = {}
    for name, record in row.items():
        if "ms" not in record:
            continue
        if not record["error"] <= tolerance:  # NaN too
            record["wrong"] = True
        elif name in PEERS:
            ours = row[
                "ctconv.alloc"
                if record["pays_for_y"] == "alloc"
                else "ctconv.c"
                if name.startswith("onednn") and "ms" in row.get("ctconv.c", {})
                else "ctconv"
            ]
            ratios[name] = record["ms"] / ours["ms"]
    best = min(ratios, key=ratios.get) if ratios else None
    return {
        "id": layer.id,
        "class": layer.kind,
        "rank": layer.rank,
        "y": layer.y_shape,
        "gflop": layer.flop / 1e9,
        "mbytes": layer.bytes / 1e6,
        "floor_ms": floor * 1e3,
        "bound": bound,
        "gflops": layer.flop / row["ctconv"]["ms"] / 1e6,
        "roof_share": floor * 1e3 / row["ctconv"]["ms"],
        "contenders": row,
        "ratios": ratios,
        "best_peer": best,
        "best_ratio": ratios.get(best),
    }


def roof_of(build, threads, box, earlier):
    """Peak and bandwidths, measured now, or those of an earlier result: its name beside them."""
    if earlier is None:
        return machine.roof(build, threads)
    run = json.loads(earlier.read_text())
    if (run["machine"]["cpu"], run["threads"]) != (box["cpu"], threads):
        raise SystemExit(f"bench: --roof {earlier}: another machine or number of threads")
    return {**run["roof"], "of": f"{run['date']}, {earlier.name}"}


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.4g}") if np.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, (list, tuple)) else value


def head(peers):
    return (
        f"{'layer':20s} {'engine':8s} {'ms':>9s} {'alloc ms':>9s} {'GF/s':>7s} {'roof':>5s} | ratio to"
        + "".join(f"{HEADS[p]:>10s}" for p in peers)
        + f" | {'worst':>6s} {'setup ms':>9s} {'wsp MB':>7s} others  engines not taken (time / auto's)"
    )


def line(r, peers):
    ours, alloc = r["contenders"]["ctconv"], r["contenders"].get("ctconv.alloc", {})

    others = [f"{engine} {c['ms'] / ours['ms']:.2f}" for engine, c in forced(r["contenders"])]

    def ratio(peer):
        c = r["contenders"].get(peer, {"refused": ""})
        return (
            "wrong"
            if c.get("wrong")
            else "-"
            if "refused" in c
            else f"{r['ratios'][peer]:.2f}" + ("*" if c.get("once") else "")
        )

    return (
        f"{r['id'] + ('~' if r.get('soft') else ''):20s} {ours['engine']:8s} "
        f"{ours['ms']:9.3f} {alloc.get('ms', 0):9.3f} {r['gflops']:7.1f} {100 * r['roof_share']:4.0f}% |         "
        + "".join(f"{ratio(p):>10s}" for p in peers)
        + f" | {r['best_ratio'] or 0:6.2f} {ours['setup_ms']:9.2f} {ours['workspace_bytes'] / 1e6:7.2f} "
        + (f"{100 * r['strangers']:5.0f}%" if r["strangers"] is not None else "     ?")
        + "  "
        + " ".join(others)
    )


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, kind in (
        ("which", str),
        ("layout", str),
        ("dtype", str),
        ("threads", int),
        ("budget", float),
        ("build", pathlib.Path),
        ("out", pathlib.Path),
        ("layers", str),
        ("peers", str),
        ("engines", str),
        ("roof", pathlib.Path),
    ):
        ap.add_argument("--" + name, type=kind)
    ap.add_argument("--pass", dest="which_pass", choices=layers.PASSES, default="fwd")
    ap.add_argument("--crashed", action="append", default=[], help="layer=contender=signal: go on without it there")
    a = ap.parse_args()
    for level in ("/dev/shm", None):
        if level is None or os.access(level, os.W_OK):
            scratch = tempfile.TemporaryDirectory(dir=level)
            break
    names = None if a.peers is None else [p for p in a.peers.split(",") if p]
    setting = base.Setting(
        a.layout,
        a.threads,
        a.build,
        pathlib.Path(scratch.name),
        names,
        None if a.engines is None else [e for e in a.engines.split(",") if e],
        a.dtype,
        a.which_pass,
        crashed={tuple(died.split("=")[:2]): died.split("=")[2] for died in a.crashed},
    )
    try:
        made, skipped = available(setting)
    except ImportError as error:
        raise SystemExit(f"bench: libctconv or its Python binding cannot be used: {error}") from None
    for name, why in skipped.items():
        print(f"bench: SKIPPED {name}: {why}", file=sys.stderr)
    now, load, box = datetime.datetime.now(datetime.timezone.utc), os.getloadavg(), machine.describe()
    roof = roof_of(a.build, a.threads, box, a.roof)
    report = {
        "schema": 1,
        "which": a.which,
        "layout": a.layout,
        "dtype": a.dtype,
        "pass": a.which_pass,
        "threads": a.threads,
        "date": now.strftime("%Y-%m-%d %H:%M UTC"),
        "complete": False,
        "machine": box,
        "revision": machine.revision(layers.FILE.parent.parent),
        "versions": setting.versions,
        "skipped": skipped,
        "load_before": load[0],
        "budget_s": a.budget,
        "tolerance": TOLERANCE[a.dtype],
        "roof": roof,
        "layers": [],
    }
    todo = layers.load(a.which, [p for p in (a.layers or "").split(",") if p], base.BYTES[a.dtype], a.which_pass)
    peers = [
        p
        for p in PEERS
        if any(p.split(".")[0] == v for v in setting.versions) and not (p == "onednn.e2e" and a.layout == "last")
    ]
    big = max(r["bytes"] for r in roof["bandwidth"])
    print(
        f"\n{PRODUCT[a.which_pass]}, layout {a.layout}, {a.dtype}, {a.threads} thread{'s' if a.threads > 1 else ''}, "
        f"{box['cpu']}; "
        f"peak {roof['gflops']:.0f} GF/s, memory read "
        f"{layers.bandwidth(roof, 'read', big):.1f} write {layers.bandwidth(roof, 'write', big):.1f} GB/s, "
        f"core to core {roof.get('handoff_ns', 0):.0f} ns; "
        + ", ".join(f"{k} {v}" for k, v in setting.versions.items() if "." not in k)
    )
    if load[0] > 0.5 * box["cores"]:
        print(f"bench: WARNING: load average {load[0]:.1f} before the start; others are working here", file=sys.stderr)
    speeds = Speeds()
    watch = disturbance.Watch(disturbance.prober(a.build, a.threads))
    if not watch.look:
        print("bench: WARNING: libbench_probe.so is not built; no turn is dropped", file=sys.stderr)
    print(head(peers), flush=True)
    strangers, start = machine.Strangers(onednn.pids), time.time()
    a.out.parent.mkdir(parents=True, exist_ok=True)
    if a.crashed:  # what was measured before the process died
        earlier = json.loads(a.out.read_text()) if a.out.exists() else report
        report["layers"], report["date"], report["roof"] = earlier["layers"], earlier["date"], earlier["roof"]
    marker, measured = crash.Marker(a.out), {row["id"] for row in report["layers"]}
    for layer in todo:
        if layer.id in measured:
            continue
        strangers.share()
        began = time.time()
        row = run_layer(layer, made, setting, a.budget, roof, watch, speeds, marker)
        row["strangers"], row["took_s"] = strangers.share(), time.time() - began
        row["soft"] = row["soft"] or (row["strangers"] or 0) > STRANGERS
        report["disturbance"] = watch.facts()
        report["layers"].append(rounded(row))
        report["complete"], report["took_s"] = (len(report["layers"]) == len(todo), round(time.time() - start))
        a.out.with_suffix(".part").write_text(
            json.dumps(report, separators=(",", ":")).replace('{"id":', '\n{"id":') + "\n"
        )
        a.out.with_suffix(".part").replace(a.out)
        print(line(row, peers), flush=True)
        gc.collect()
    onednn.stop()
    marker.close()
    close(report, todo, start)


def close(report, todo, start):
    ratios = [r["best_ratio"] for r in report["layers"] if r["best_ratio"]]
    if ratios:
        slow = sum(r < 1 for r in ratios)
        print(
            f"against the best peer of each layer: geometric mean {np.exp(np.mean(np.log(ratios))):.2f}, "
            f"worst {min(ratios):.2f}, "
            f"{slow} of {len(ratios)} below 1.0; {len(todo)} layers in {time.time() - start:.0f} s   (*: timed once)"
        )
    soft, watched = [r["id"] for r in report["layers"] if r["soft"]], report["disturbance"]
    if watched:
        print(
            f"disturbance: {sum(r['dropped'] for r in report['layers'])} turns dropped; {watched['slow_looks']} of "
            f"{watched['looks']} looks below {watched['least']:.0%} of the run's best; soft (~): {len(soft)} layers"
        )
    wrong = [(r["id"], n) for r in report["layers"] for n, c in r["contenders"].items() if c.get("wrong")]
    for layer, name in wrong:
        print(f"bench: WRONG: {layer}: {name} and ctconv differ; no ratio", file=sys.stderr)


if __name__ == "__main__":
    main()
