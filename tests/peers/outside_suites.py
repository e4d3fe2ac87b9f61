#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Other people's test suites on libctconv: onnx's ConvTranspose node tests and PyTorch's OpInfo samples,
through thin adapters.

In:  CTCONV_PEER_TORCH, CTCONV_PEER_ONNX (else the torch one, where it holds onnx): python executables;
     CTCONV_LIBRARY and the ctconv package on the path.
Out: what suite_onnx.py and suite_torch.py print. Exit 1 where one fails, 77 where neither could run.
"""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def main():
    torch = os.environ.get("CTCONV_PEER_TORCH")
    onnx = os.environ.get("CTCONV_PEER_ONNX") or torch
    codes = []
    for suite, python, name, modules in (
        ("suite_onnx.py", onnx, "CTCONV_PEER_ONNX", "onnx"),
        ("suite_torch.py", torch, "CTCONV_PEER_TORCH", "torch, expecttest"),
    ):
        if not python or subprocess.run([python, "-c", f"import {modules}"], stderr=subprocess.DEVNULL).returncode:
            print(f"SKIPPED: {suite}: {name} names no interpreter with {modules}", flush=True)
            continue
        codes.append(subprocess.run([python, str(HERE / suite)]).returncode)
    sys.exit(77 if not codes else 1 if any(codes) else 0)


main()
