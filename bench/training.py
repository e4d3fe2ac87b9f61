# SPDX-License-Identifier: Apache-2.0
"""docs/performance-training.md: the gradients' runs.

In:  the series of runs.py whose pass is dgrad or wgrad.
Out: lines of markdown: layers behind; targets over PyTorch; every run in a line; every newest run in full.
"""

import runs
import tables
import targets

OVER_TORCH, WORST, ROOF, SCALING, BEYOND = 1.3, 0.95, 0.75, 1.8, 16 * 2**20
METHOD = """## Method

As [performance.md](performance.md) says, with these differences.

- `bench/run quick --pass dgrad,wgrad` times the layers whose `modes` in `bench/layers.json` name the pass; `full` all
  of them. dgrad makes dx of dy and the weight. wgrad makes dw, and db where the layer has a bias, of x and dy.
- The weight comes with every call and lies as the layer has it, since a training step changes it. What a library packs
  or reorders belongs to its call.
- PyTorch: `aten.convolution_backward`, which its autograd calls, asked for what the pass wants. With uneven padding dy
  is filled up with zeros first, as autograd does. It is set against `Layer.backward` making new arrays.
- oneDNN: dx by its convolution over dy, which its deconvolution runs inside. dw and db by deconvolution backward
  weights of a oneDNN built for training, whose version the runs name. Set against `ctconv_backward` called from C.
- JAX: the transpose of its layer by x or by the weight, jitted. Its weight and dw lie as JAX wants them.
- The floor counts the same products as the forward pass, and every tensor that the pass reads or writes once.
- Results are compared with ours; dw and db each by their own largest value.
"""


def busy(s):
    """The median of what others took of the machine while the run went on."""
    return runs.middle(sorted(r["strangers"] or 0 for r in s.run["layers"]))


def yes(s, met):
    """What is found on a busy machine is no proof."""
    return targets.yes(met) + (" (soft: a busy machine)" if busy(s) > runs.STRANGERS else "")


def verdicts(s):
    """The lines of the targets for one series."""
    text = []
    torch = s.found(lambda row: row["ratios"].get("torch"))
    if torch and s.all_threads:
        mean, low = runs.mean_of(torch), runs.worst_of(torch)
        below = sum(max(v) < WORST for v in torch.values())
        text.append(
            f"| over PyTorch | {s.name} | {OVER_TORCH}, worst {WORST} | {mean:.2f}, worst {low[0]:.2f} {low[1]}, "
            f"{below} of {len(torch)} below {WORST} | {yes(s, mean >= OVER_TORCH and low[0] >= WORST)} |"
        )
    best = s.found()
    if best and s.all_threads:
        low = runs.worst_of(best)
        text.append(
            f"| over the best peer | {s.name} | - | {runs.mean_of(best):.2f} (at the roofline {s.at_roofline():.2f}), "
            f"worst {low[0]:.2f} {low[1]}, {len(s.behind())} of {len(best)} behind | - |"
        )
    share = runs.middle([r["roof_share"] for r in s.run["layers"]])
    text.append(f"| share of the roofline | {s.name} | median {ROOF:.0%} | {share:.0%} | {yes(s, share >= ROOF)} |")
    size = 4 if s.dtype == "f32" else 2
    over = max(
        (r["contenders"]["ctconv"]["workspace_bytes"] - padded(targets.SHAPES[r["id"]], s.which_pass, size), r["id"])
        for r in s.run["layers"]
    )
    text.append(
        f"| workspace beyond the padded operand | {s.name} | {BEYOND >> 20} MiB | at most {over[0] / 2**20:.1f} MiB "
        f"{over[1]} | {targets.yes(over[0] <= BEYOND)} |"
    )
    return text


def padded(layer, which_pass, element_bytes):
    """Bytes of what the pass reads along its strides, with the margin that every tap can use: dy for dx, x for dw."""
    if which_pass == "wgrad":
        return targets.padded_input(layer, element_bytes)
    places = 1
    for o, d, k in zip(layer.o, layer.d, layer.k):
        places *= o + 2 * d * (k - 1)
    return element_bytes * layer.n * layer.cout * places


def scaling(every):
    """1 to 2 threads, where both were run of one revision."""
    text = []
    one = {(s.which_pass, s.layout, s.dtype, s.run["revision"]): s.run for s in every if s.threads == 1}
    for s in every:
        single = s.threads == 2 and one.get((s.which_pass, s.layout, s.dtype, s.run["revision"]))
        if not single:
            continue
        alone = {r["id"]: r["contenders"]["ctconv"]["ms"] for r in single["layers"]}
        gain = [
            (alone[r["id"]] / r["contenders"]["ctconv"]["ms"], r["id"])
            for r in s.run["layers"]
            if r["id"] in alone and r["contenders"]["ctconv"]["ms"] > 1
        ]
        if gain:
            low = min(gain)
            text.append(
                f"| 1 to 2 threads, above 1 ms | {s.name} | {SCALING} | median {runs.middle(sorted(gain))[0]:.2f}, "
                f"worst {low[0]:.2f} {low[1]}, {sum(v < SCALING for v, _ in gain)} of {len(gain)} below | "
                f"{yes(s, low[0] >= SCALING)} |"
            )
    return text


def errors(s):
    """Our error over PyTorch's, without an aim: the sums' order is fixed (docs/decisions/gradient-sums.md)."""
    found = {i: e for i, rows in s.rows.items() if (e := targets.error_ratios(rows[0]))}
    if not found:
        return []
    worst = max((max(e), i) for i, e in found.items())
    middle = runs.middle(sorted(max(e) for e in found.values()))
    return [
        f"| largest and RMS error against float64, over PyTorch's | {s.name} | - | median {middle:.2f}, at most "
        f"{worst[0]:.2f} {worst[1]} | - |"
    ]


def notes(s):
    """What to know of a series before its figures."""
    text, earlier = [], s.run["roof"].get("of")
    if busy(s) > runs.STRANGERS:
        text.append(
            f"Others took {busy(s):.0%} of the machine meanwhile (median): every figure is soft. "
            "Libraries whose threads wait for each other suffer most, so ratios may flatter either side."
        )
    if earlier:
        text.append(f"Peak and bandwidths are those of an earlier run: {earlier}.")
    return [" ".join(text), ""] if text else []


def page(every, written, pictures):
    """The lines of the page. pictures: a series -> the lines that show its pictures."""
    text = [
        "# Performance of the gradients",
        "",
        f"{written} y: [performance.md](performance.md).",
        "",
        *targets.behind_lines(every),
        "## Targets",
        "",
        "| target | run | aim | found | met |",
        "| --- | --- | --- | --- | --- |",
        *(line for s in every for line in [*verdicts(s), *errors(s)]),
        *scaling(every),
        "",
        *targets.run_lines(every),
    ]
    for s in every:
        text += [f"## {s.name}", "", *notes(s), *pictures(s), *tables.peer_lines(s.run), *tables.refusals(s.run)]
        text += [*tables.choice_lines(s.run), *tables.table_lines(s.run)]
    return [*text, METHOD]
