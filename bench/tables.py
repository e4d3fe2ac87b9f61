# SPDX-License-Identifier: Apache-2.0
"""One run in full: per peer, per class of layers, per layer.

In:  a run as bench/measure.py writes it.   Out: lines of markdown.
"""

import runs
from contenders import forced
from runs import PEERS, STRANGERS, geometric, is_soft, name, ratios_of


def machine_lines(series):
    """The machine and the runs of its page."""
    run = max((s.run for s in series), key=lambda r: r["date"])
    box, versions = run["machine"], run["versions"]
    text = [
        f"Machine: {box['cpu']}, {box['cores']} cores, {box['architecture']} ({', '.join(box['vectors'])}), caches "
        + ", ".join(f"{k} {v}" for k, v in box["caches"].items())
        + f", {box['memory_gib']} GiB, {box['system']}, transparent huge pages: {box['huge_pages']}.  ",
        "Versions of the newest run: " + ", ".join(f"{k} {v}" for k, v in versions.items() if v) + ".",
        "",
        "| run | date | revision | layers | peak GF/s | memory read, write GB/s | core to core ns | load before | "
        "budget s | turns dropped | layers soft | not measured |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for s in series:
        r, last = s.run, s.run["roof"]["bandwidth"][-1]
        dropped = sum(row["dropped"] for row in r["layers"]) if "disturbance" in r else "-"
        text.append(
            f"| {name(r)} | {r['date']} | {r['revision']} | {runs.extent(r)} | "
            f"{r['roof']['gflops']:.0f} | {last['read']:.1f}, {max(last['fill'], last['stream']):.1f} | "
            f"{r['roof'].get('handoff_ns', 0):.0f} | {r['load_before']:.1f} | {r['budget_s']:g} | {dropped} | "
            f"{sum(map(is_soft, r['layers']))} | {', '.join(r['skipped']) or '-'} |"
        )
    reasons = {f"{peer} ({why})" for s in series for peer, why in s.run["skipped"].items()}
    if reasons:
        text += ["", "Not measured: " + "; ".join(sorted(reasons)) + "."]
    return [*text, "", f"Soft: see the method; in runs without probes, others took more than {STRANGERS:.0%}.", ""]


def peer_lines(run):
    text = ["| peer | layers | geometric mean | median | worst | below 1.0 |", "| --- | --- | --- | --- | --- | --- |"]
    for peer, label in [*PEERS.items(), (None, "**best of all**")]:
        found = ratios_of(run, peer)
        if found:
            values = [v for v, _ in found]
            text.append(
                f"| {label} | {len(values)} | {geometric(values):.2f} | {values[len(values) // 2]:.2f} | "
                f"{values[0]:.2f} {found[0][1]} | {sum(v < 1 for v in values)} |"
            )
    by = {}
    for r in run["layers"]:
        by.setdefault(r["class"], []).append(r)
    text += [
        "",
        "| class | layers | geometric mean against the best peer | worst | mean share of the roof |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, rows in sorted(by.items()):
        values = [r["best_ratio"] for r in rows if r["best_ratio"]]
        if values:
            text.append(
                f"| {kind} | {len(rows)} | {geometric(values):.2f} | {min(values):.2f} | "
                f"{geometric([r['roof_share'] for r in rows]):.0%} |"
            )
    return text + [""]


def choice_lines(run):
    """Where another engine of ours was faster than the one `auto` took."""
    lost = []
    for r in run["layers"]:
        ours = r["contenders"]["ctconv"]
        lost += [
            (c["ms"] / ours["ms"], f"{r['id']} ({engine} {c['ms']:.3g} ms, {ours['engine']} {ours['ms']:.3g} ms)")
            for engine, c in forced(r["contenders"])
            if c["ms"] < 0.95 * ours["ms"]
        ]
    if not lost:
        return ["No layer where another engine was more than 5 % faster than the one `auto` took.", ""]
    return [
        f"{len(lost)} layers where another engine was more than 5 % faster than the one `auto` took: "
        + "; ".join(t for _, t in sorted(lost))
        + ".",
        "",
    ]


def table_lines(run):
    peers = [p for p in PEERS if any(p in r["contenders"] for r in run["layers"])]
    text = [
        "| layer | engine | ms | useful GF/s | roof | "
        + " | ".join(PEERS[p] for p in peers)
        + " | best peer | setup ms | workspace MB | memory MB |",
        "| --- | --- |" + " ---: |" * (7 + len(peers)),
    ]
    for r in run["layers"]:
        ours = r["contenders"]["ctconv"]
        cells = []
        for p in peers:
            c = r["contenders"].get(p, {"refused": ""})
            cells.append(
                "wrong"
                if c.get("wrong")
                else "-"
                if "refused" in c
                else f"{r['ratios'][p]:.2f}" + ("*" if c.get("once") else "")
            )
        best = (
            "-"
            if not r["best_ratio"]
            else f"{r['best_ratio']:.2f}"
            if r["best_ratio"] >= 1
            else f"**{r['best_ratio']:.2f}**"
        )
        extra = "-" if ours["extra_bytes"] is None else f"{ours['extra_bytes'] / 1e6:.1f}"
        text.append(
            f"| {r['id']}{'~' if is_soft(r) else ''} | {ours['engine']} | {ours['ms']:.4g} | {r['gflops']:.1f} | "
            f"{r['roof_share']:.0%} ({r['bound']}) | "
            + " | ".join(cells)
            + f" | {best} | {ours['setup_ms']:.3g} | {ours['workspace_bytes'] / 1e6:.2f} | {extra} |"
        )
    return text + [""]


def refusals(run):
    """Why a peer has no ratio on a layer: per peer the reasons and how many layers."""
    found = {}
    for r in run["layers"]:
        for peer in PEERS:
            record = r["contenders"].get(peer, {})
            why = record.get("refused") or (f"wrong by {record['error']}" if record.get("wrong") else "")
            if why:
                found.setdefault(peer, {}).setdefault("wrong" if record.get("wrong") else why[:90], []).append(r["id"])
    lines = [
        f"- {PEERS[peer]}: "
        + "; ".join(f"{why}: {', '.join(i[:6])}{', …' if len(i) > 6 else ''}" for why, i in each.items())
        for peer, each in found.items()
    ]
    return ["Peers without a ratio:", "", *lines, ""] if lines else []
