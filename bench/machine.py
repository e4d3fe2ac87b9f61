# SPDX-License-Identifier: Apache-2.0
"""What a run stands on: the machine, its measured roof, the versions, and how much others disturb it."""

import ctypes
import json
import os
import pathlib
import platform
import re
import resource
import subprocess

_libc = ctypes.CDLL(None)


def cores():
    return len(os.sched_getaffinity(0))


def _first(path, pattern):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text(), re.MULTILINE)
        return found.group(1).strip() if found else ""
    except OSError:
        return ""


def describe():
    flags = _first("/proc/cpuinfo", r"^(?:flags|Features)\s*:(.*)$").split()
    caches = {}
    for index in sorted(pathlib.Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / f).read_text().strip() for f in ("level", "type", "size"))
        if kind != "Instruction":
            caches[f"L{level}"] = size
    memory = _first("/proc/meminfo", r"^MemTotal:\s*(\d+) kB")
    return {
        "cpu": _first("/proc/cpuinfo", r"^model name\s*:(.*)$") or platform.machine(),
        "cores": cores(),
        "architecture": platform.machine(),
        "vectors": [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve") if f in flags],
        "caches": caches,
        "memory_gib": round(int(memory or 0) / 2**20, 1),
        "system": f"{platform.system()} {platform.release()}",
        "huge_pages": _first("/sys/kernel/mm/transparent_hugepage/enabled", r"\[(\w+)\]"),
    }


def slug(machine):
    name = re.sub(r"\(.*?\)|\bCPU\b|@.*", "", machine["cpu"]).lower()
    return re.sub(r"[^a-z0-9]+", "-", name).strip("-") + f"-{machine['cores']}c"


def revision(root):
    """The commit, with + where tracked files differ from it."""
    try:
        git = ["git", "-C", str(root)]
        head = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        dirty = subprocess.run(
            [*git, "status", "--porcelain", "-uno", "--", "src", "capi", "include"],
            capture_output=True,
            text=True,
            check=True,
        )
        return head + ("+" if dirty.stdout.strip() else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def roof(build, threads):
    """What bench_peaks measures for this many threads."""
    program = build and build / "bench_peaks"
    if not program or not program.exists():
        raise SystemExit(
            "bench: bench_peaks is not built; build the project first (CTCONV_BUILD_BENCH=ON), or pass --build"
        )
    answer = json.loads(subprocess.run([program, str(threads)], capture_output=True, text=True, check=True).stdout)
    return {"vectors": answer["vectors"], **answer["runs"][0]}


class Strangers:
    """The share of the machine's CPU time that other processes took since the last question."""

    def __init__(self, pids):
        self.pids = pids
        self.seen = self._now()

    def _now(self):
        tick = os.sysconf("SC_CLK_TCK")
        total = [int(v) for v in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        busy, idle = total[0] + total[1] + total[2] + total[5] + total[6] + total[7], total[3] + total[4]
        use = resource.getrusage(resource.RUSAGE_SELF)
        own = use.ru_utime + use.ru_stime
        for pid in self.pids():
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                own += (int(fields[11]) + int(fields[12])) / tick
            except OSError:
                pass
        return busy / tick, idle / tick, own

    def share(self):
        try:
            (busy, idle, own), now = self.seen, self._now()
        except (OSError, ValueError):
            return None
        self.seen = now
        whole = now[0] - busy + now[1] - idle
        return round(max(0.0, (now[0] - busy - (now[2] - own)) / whole), 3) if whole > 0 else None


def available_bytes():
    return int(_first("/proc/meminfo", r"^MemAvailable:\s*(\d+) kB") or 0) * 1024


class PeakMemory:
    """Resident memory above the level at the start; None where the system does not tell."""

    def __init__(self):
        try:
            _libc.malloc_trim(0)
            pathlib.Path("/proc/self/clear_refs").write_text("5")
            self.base = self._kb("VmRSS")
        except (OSError, AttributeError):
            self.base = None

    @staticmethod
    def _kb(key):
        return int(_first("/proc/self/status", rf"^{key}:\s*(\d+) kB") or 0)

    def above(self):
        return None if self.base is None else max(0, self._kb("VmHWM") - self.base) * 1024
