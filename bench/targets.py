# SPDX-License-Identifier: Apache-2.0
"""What is aimed at, beside what was found: the tables at the head of docs/performance.md.

In:  the series of runs.py.
Out: lines of markdown: layers behind; targets; every run in a line; the ratios of all series side by side; what
     concerns libctconv alone.
"""

import math

import layers
import runs
from contenders import forced

# Over the best peer of each layer, 2 threads: (AMX machine, AVX-512 machine without), each (geometric mean, worst).
AIMS = {
    ("f32", "first"): ((2.5, 1.0), (1.8, 1.0)),
    ("f32", "last"): ((2.2, 1.0), (1.6, 1.0)),
    ("bf16", "first"): ((1.5, 1.0), (2.0, 1.0)),
    ("bf16", "last"): ((1.5, 1.0), (2.0, 1.0)),
    ("f16", "first"): ((1.5, 1.0), (2.0, 1.0)),
    ("f16", "last"): ((1.5, 1.0), (2.0, 1.0)),
}
WIDE_AIM = ("each", 1.8), ("geometric mean", 1.25)  # compute-bound layers of WIDE channels and more
SAME_AIM = (1.7, 0.78), (1.6, 0.85)  # reproducible = 1: geometric mean over the best peer, median of the roofline
ERROR_AIM = 1.5  # of PyTorch's, largest and root mean square against float64
ROOF_MEDIAN, ROOF_WIDE, WIDE, MEMORY, SETUP, SCALING, ENGINES = 0.8, 0.9, 32, 8 * 2**20, 2, 1.8, 1.1
SHAPES = {layer.id: layer for layer in layers.load("full")}


def yes(met):
    return "yes" if met else "**no**"


def two(values):
    return " / ".join(f"{v:.3f}" if 0.99 <= v < 1 else f"{v:.2f}" for v in values)


def behind_lines(every):
    """The layers where a peer is faster, machine by machine."""
    text = [
        "## Where we are behind",
        "",
        "A layer counts where every run says so: two runs of one revision, or a run and one more of the layers that "
        "were behind in it (*and again*). *One run of two*: the other says libctconv is at least as fast. *Soft*: "
        "too few undisturbed rounds, or other processes took more "
        f"than {runs.STRANGERS:.0%} of the machine. Number: time of the best peer / time of libctconv, one for each "
        "run.",
        "",
        "| machine | what | layout | threads | date | runs | layers | behind | one run of two | soft |",
        "| --- | --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for s in every:
        text.append(
            f"| {runs.short(s.box)} | {runs.PASSES[s.which_pass]}{s.dtype} | {s.layout} | {s.threads} | "
            f"{s.run['date'][:10]} | {len(s.now)}{' and again' if s.again else ''} | "
            f"{len(s.found())} | {len(s.behind())} | {len(s.doubtful())} | {len(s.soft())} |"
        )
    for s in every:
        if not s.behind():
            continue
        layers_of = ", ".join(
            f"{i} {two(v)} ({runs.PEERS[s.rows[i][0]['best_peer']]}{', soft' if i in s.soft() else ''})"
            for i, v in s.behind()
        )
        once = ", one run" if len(s.now) + len(s.again) == 1 else ""
        text += ["", f"- **{s.name}**{once}: {layers_of}."]
    return text + [""]


def wide(row):
    """Whether a row is a compute-bound layer of many channels."""
    layer = SHAPES.get(row["id"])
    return layer and row["bound"] == "flop" and min(layer.cin, layer.cout) // layer.g >= WIDE


def same_ratio(row):
    """The best peer's time over that of reproducible = 1."""
    same = row["contenders"].get("ctconv.same", {})
    return same and row["best_ratio"] and row["contenders"][row["best_peer"]]["ms"] / same["ms"]


def error_ratios(row):
    """(largest, root mean square) error of ours over PyTorch's."""
    seen = row.get("accuracy")
    return seen and [ours / theirs for ours, theirs in zip(seen["ctconv"], seen["torch"]) if theirs > 0]


def wide_line(s):
    chosen = {i: v for i, v in s.found().items() if wide(s.rows[i][0])}
    if not chosen or s.dtype != "f32":
        return []
    how, aim = WIDE_AIM[0 if s.amx else 1]
    mean, low = runs.mean_of(chosen), runs.worst_of(chosen)
    met = (low[0] if how == "each" else mean) >= aim
    return [
        f"| compute-bound layers, {WIDE} channels and more | {s.name} | {how} {aim} | "
        f"{mean:.2f}, worst {low[0]:.2f} {low[1]}, {sum(max(v) < aim for v in chosen.values())} of {len(chosen)} below "
        f"{aim} | {yes(met)} |"
    ]


def same_line(s):
    found = s.found(same_ratio)
    if not found or s.dtype != "f32":
        return []
    aim, roof_aim = SAME_AIM[0 if s.amx else 1]
    shares = [row["floor_ms"] / row["contenders"]["ctconv.same"]["ms"] for row in s.run["layers"] if row["id"] in found]
    mean, share = runs.mean_of(found), runs.middle(shares)
    return [
        f"| reproducible = 1 | {s.name} | {aim}, median {roof_aim:.0%} of the roofline | {mean:.2f}, median "
        f"{share:.0%} | {yes(mean >= aim and share >= roof_aim)} |"
    ]


def error_line(s):
    found = {i: e for i, rows in s.rows.items() if (e := error_ratios(rows[0]))}
    if not found:
        return []
    worst = sorted(((max(e), i) for i, e in found.items()), reverse=True)
    above = [(v, i) for v, i in worst if v > ERROR_AIM]
    named = "".join(f", {i} {v:.2f}" for v, i in above[:4])
    return [
        f"| largest and RMS error against float64, over PyTorch's | {s.name} | at most {ERROR_AIM} | median "
        f"{runs.middle([v for v, _ in worst]):.2f}, {len(above)} of {len(found)} above{named} | {yes(not above)} |"
    ]


def target_lines(every):
    text = [
        "## Targets",
        "",
        "Over the best peer of each layer, all threads, same layout and type in and out. *At the roofline*: what an "
        "implementation would have whose every layer takes exactly its floor (by the float32 peak); no aim above it "
        "can be reached. *Needs*: the share of that, in the geometric mean, at which the aim would be met; *has*: "
        "ours. Where errors come from: [decisions/bench-peers.md](decisions/bench-peers.md).",
        "",
        "| target | run | aim | found | met |",
        "| --- | --- | --- | --- | --- |",
    ]
    for s in every:
        found = s.found()
        if not s.all_threads or not found:
            continue
        mean_aim, worst_aim = AIMS[s.dtype, s.layout][0 if s.amx else 1]
        mean, low = runs.mean_of(found), runs.worst_of(found)
        text.append(
            f"| {s.dtype} over the best peer | {s.name} | {mean_aim}, worst {worst_aim} | {mean:.2f} (at the roofline "
            f"{s.at_roofline():.2f}: needs {mean_aim / s.at_roofline():.0%}, has {mean / s.at_roofline():.0%}), worst "
            f"{low[0]:.2f} {low[1]}, {len(s.behind())} of {len(found)} behind | "
            f"{yes(mean >= mean_aim and low[0] >= worst_aim)} |"
        )
        text += [*wide_line(s), *same_line(s), *error_line(s)]
    return text + [""]


def run_lines(every):
    """Every run that was kept, oldest first."""
    text = [
        "## All runs",
        "",
        "| machine | date | revision | what | layout | threads | layers | over the best peer | worst | median of the "
        "roofline | peak GF/s | turns dropped |",
        "| --- | --- | --- | --- | --- | ---: | --- | ---: | --- | ---: | ---: | ---: |",
    ]
    everything = [(run, s) for s in every for run in [*s.older, *s.now, *s.again]]
    for run, s in sorted(everything, key=lambda pair: pair[0]["date"]):
        found = runs.ratios_of(run)
        dropped = sum(r["dropped"] for r in run["layers"]) if "disturbance" in run else "-"
        text.append(
            f"| {runs.short(s.box)} | {run['date']} | {run['revision']} | {runs.PASSES[s.which_pass]}{s.dtype} | "
            f"{s.layout} | {s.threads} | {runs.extent(run)} | {runs.geometric([v for v, _ in found]):.2f} | "
            f"{found[0][0]:.2f} {found[0][1]} | {runs.middle([r['roof_share'] for r in run['layers']]):.0%} | "
            f"{run['roof']['gflops']:.0f} | {dropped} |"
        )
    return text + [""]


def side_lines(every):
    """The layers' ratios, a column for each machine, type and layout, all threads."""
    chosen = [s for s in every if s.all_threads]
    heads = [f"{runs.short(s.box)} {s.dtype} {s.layout}, {s.run['date'][:10]}" for s in chosen]
    text = [
        "## Side by side",
        "",
        "Time of the best peer / time of libctconv, all threads; bold: behind; `~`: soft.",
        "",
        "| layer | " + " | ".join(heads) + " |",
        "| --- |" + " ---: |" * len(chosen),
    ]
    for i in SHAPES:
        cells = []
        for s in chosen:
            values = s.found().get(i)
            value = f"{runs.geometric(values):.2f}" if values else "-"
            value = f"**{value}**" if values and max(values) < 1 else value
            cells.append(value + ("~" if values and any(map(runs.is_soft, s.rows[i])) else ""))
        text.append(f"| {i} | " + " | ".join(cells) + " |")
    return text + [""]


def padded_input(layer, element_bytes):
    """Bytes of the input with a margin that every tap of stride 1 in a phase can use."""
    places = math.prod(i + 2 * (d * (k - 1) // s) for i, d, k, s in zip(layer.i, layer.d, layer.k, layer.s))
    return element_bytes * layer.n * layer.cin * places


def verdict(what, run, aim, found, missed, of):
    """One line of the table: how many of the layers miss the aim, and the worst of them."""
    worst = f"{len(missed)} of {of}" + (
        ": " + ", ".join(f"{i} {v}" for v, i in missed[:4]) + (", …" if len(missed) > 4 else "") if missed else ""
    )
    return f"| {what} | {runs.name(run)} | {aim} | {found} | {worst} |"


def own_of(run, alone):
    """The lines of one run. alone: {layer id: ms with one thread} or None."""
    rows = [(r, SHAPES[r["id"]], r["contenders"]["ctconv"]) for r in run["layers"] if r["id"] in SHAPES]
    size, many = 4 if runs.dtype_of(run) == "f32" else 2, len(rows)

    def percent(pairs):
        return [(f"{v:.0%}", i) for v, i in pairs]

    shares = sorted((r["roof_share"], r["id"]) for r, _, _ in rows)
    low = percent(v for v in shares if v[0] < ROOF_MEDIAN)
    found = f"median {runs.middle(shares)[0]:.0%}"
    text = [verdict("share of the roofline", run, f"median {ROOF_MEDIAN:.0%}", found, low, many)]
    bound = sorted((r["roof_share"], r["id"]) for r, _, _ in rows if wide(r))
    if bound:
        low = percent(v for v in bound if v[0] < ROOF_WIDE)
        what, found = f"the same, compute-bound, {WIDE} channels and more", f"median {runs.middle(bound)[0]:.0%}"
        text.append(verdict(what, run, f"{ROOF_WIDE:.0%}", found, low, len(bound)))
    over = sorted(((c["workspace_bytes"] - padded_input(s, size)) / 2**20, r["id"]) for r, s, c in rows)[::-1]
    large = [(f"{v:.1f} MiB", i) for v, i in over if v * 2**20 > MEMORY]
    found = f"at most {over[0][0]:.1f} MiB"
    text.append(verdict("workspace beyond the padded input", run, f"{MEMORY >> 20} MiB", found, large, many))
    slow = sorted((c["setup_ms"] / c["ms"], r["id"]) for r, _, c in rows)[::-1]
    missed, found = [(f"{v:.1f}", i) for v, i in slow if v > SETUP], f"median {runs.middle(slow)[0]:.1f}"
    text.append(verdict("creation and packing, in executes", run, SETUP, found, missed, many))
    lost = sorted((c["ms"] / e["ms"], r["id"]) for r, _, c in rows for _, e in forced(r["contenders"]))[::-1]
    if lost:
        missed, found = [(f"{v:.2f}", i) for v, i in lost if v > ENGINES], f"at most {max(1, lost[0][0]):.2f}"
        text.append(verdict("`auto` over the best single engine", run, ENGINES, found, missed, many))
    gain = sorted((alone[r["id"]] / c["ms"], r["id"]) for r, _, c in rows if alone and r["id"] in alone and c["ms"] > 1)
    if gain:
        missed, found = [(f"{v:.2f}", i) for v, i in gain if v < SCALING], f"median {runs.middle(gain)[0]:.2f}"
        text.append(verdict("1 to 2 threads, layers above 1 ms", run, SCALING, found, missed, len(gain)))
    return text


def own_lines(series):
    """The targets that concern libctconv alone, of one machine's series."""
    text = ["| of libctconv alone | run | aim | found | layers that miss it |", "| --- | --- | --- | --- | --- |"]
    one = {(s.layout, s.dtype, s.run["revision"].rstrip("+")): s.run for s in series if s.threads == 1}
    for s in series:
        single = s.threads == 2 and one.get((s.layout, s.dtype, s.run["revision"].rstrip("+")))
        alone = {r["id"]: r["contenders"]["ctconv"]["ms"] for r in single["layers"]} if single else None
        text += own_of(s.run, alone)
    return text + [""]
