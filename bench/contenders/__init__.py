# SPDX-License-Identifier: Apache-2.0
"""The contenders, ours first. Each module holds one library; one that cannot be imported is skipped and named.
A module whose PASSES name more than "fwd" computes gradients too."""

import importlib

WAYS = ["ctconv.alloc", "ctconv.c", "ctconv.same"]  # other ways to call `auto`
MODULES = ["ours", "onednn", "pytorch", "ort", "ov", "jax", "litert", "ncnn", "mnn"]


def available(setting):
    """[(module, its make function)] and {module: why it is skipped}. setting: see base.Setting."""
    found, skipped = [], {}
    for name in MODULES:
        if name != "ours" and setting.peers is not None and name not in setting.peers:
            continue
        try:
            module = importlib.import_module(f"contenders.{name}")
            if setting.which_pass not in getattr(module, "PASSES", ("fwd",)):
                skipped[name] = "no gradients"
                continue
            setting.versions.update(module.start(setting))
            found.append(module.make)
        except (ImportError, OSError, RuntimeError) as error:
            if name == "ours":
                raise
            skipped[name] = f"{type(error).__name__}: {error}"
    return found, skipped


def forced(row):
    """[(engine, its record)] of our engines that were timed apart from `auto`.
    row: {contender's name: record} of one layer."""
    return [
        (name[len("ctconv.") :], record)
        for name, record in row.items()
        if name.startswith("ctconv.") and name not in WAYS and "ms" in record
    ]
