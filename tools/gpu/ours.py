# SPDX-License-Identifier: Apache-2.0
"""libctconv on tensors that torch holds: an op, one prepared call for each set of buffers, n executions on a stream.

in:  a layer in torch's words, weight and bias, the sets of x and y, a stream;   out: enqueue(n)
The loop over executions is repeat.c; where that is not built, and cannot be,
Python calls ctconv_execute (`loop` says which).
"""

import ctypes
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings" / "python"))
import ctconv  # noqa: E402
from ctconv import _abi  # noqa: E402

_CODES = {
    torch.float32: (_abi.FLOAT, 32),
    torch.float16: (_abi.FLOAT, 16),
    torch.bfloat16: (_abi.BFLOAT, 16),
    torch.float64: (_abi.FLOAT, 64),
}


def repeat_function(path=None):
    """ctconv_repeat of repeat.c, or None: from `path`, beside the library, or compiled here."""
    beside = pathlib.Path(os.environ.get("CTCONV_LIBRARY", ctconv.__file__)).resolve().parent / "ctconv_repeat.so"
    found = next((p for p in (path, beside) if p and os.path.exists(p)), None)
    compiler = shutil.which("cc") or shutil.which("gcc")
    if found is None and compiler:
        found = os.path.join(tempfile.mkdtemp(), "ctconv_repeat.so")
        line = [
            compiler,
            "-O2",
            "-shared",
            "-fPIC",
            f"-I{ROOT / 'include'}",
            str(ROOT / "tools/gpu/repeat.c"),
            "-o",
            found,
        ]
        if subprocess.run(line, check=False, capture_output=True).returncode:
            found = None
    if found is None:
        return None
    function = ctypes.CDLL(os.fspath(found)).ctconv_repeat
    function.restype = ctypes.c_int32
    function.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.POINTER(_abi.ErrorRecord),
    ]
    return function


def record(tensor):
    """The ctconv_tensor of a torch tensor on a device; keeps nothing alive."""
    n = tensor.dim()
    arrays = (ctypes.c_int64 * (2 * n))(*tensor.shape, *tensor.stride())
    shape = ctypes.cast(arrays, ctypes.POINTER(ctypes.c_int64))
    strides = ctypes.cast(ctypes.addressof(arrays) + 8 * n, ctypes.POINTER(ctypes.c_int64))
    code, bits = _CODES[tensor.dtype]
    out = _abi.Tensor(tensor.data_ptr(), _abi.CUDA, tensor.device.index or 0, n, code, bits, 1, shape, strides, 0)
    out.arrays = arrays
    return out


class Contender:
    """options: Layer's. workspace: torch memory that grows as needed and may be shared by contenders of one stream."""

    def __init__(self, dialect, args, weight, bias, xs, ys, stream, repeat, **options):
        self.layer = ctconv.Layer(dialect, args, weight, bias, device=f"cuda:{weight.device.index or 0}", **options)
        self.op, self.repeat, self.turn, self.sets = self.layer._op.handle, repeat, 0, len(xs)
        self.error, self.keep, self.calls = _abi.ErrorRecord(), (xs, ys), (_abi.Call * len(xs))()
        self.records = [(record(x), record(y)) for x, y in zip(xs, ys)]
        for call, (x, y) in zip(self.calls, self.records):
            call.struct_size, call.stream = ctypes.sizeof(_abi.Call), stream
            call.x, call.y = ctypes.pointer(x), ctypes.pointer(y)
        needed = ctypes.c_size_t()
        self._must(_abi.lib.ctconv_prepare(self.op, ctypes.byref(self.calls[0]), needed, self.error))
        self.workspace_bytes = needed.value
        self.workspace = torch.empty(needed.value, dtype=torch.uint8, device=weight.device)
        for call in self.calls:
            call.workspace, call.workspace_bytes = self.workspace.data_ptr() or None, needed.value
        self.execute = ctypes.cast(_abi.lib.ctconv_execute, ctypes.c_void_p)

    def _must(self, status):
        if status:
            raise ctconv.Error(self.error.message.decode("utf-8", "replace"), status)

    def enqueue(self, n):
        if self.repeat is not None:
            self._must(self.repeat(self.execute, self.op, self.calls, self.sets, self.turn, n, self.error))
        else:
            for i in range(self.turn, self.turn + n):
                self._must(_abi.lib.ctconv_execute(self.op, ctypes.byref(self.calls[i % self.sets]), self.error))
        self.turn = (self.turn + n) % self.sets

    def described(self):
        """{key: value} of ctconv_describe."""
        size, needed = 8192, ctypes.c_size_t()
        text = ctypes.create_string_buffer(size)
        self._must(_abi.lib.ctconv_describe(self.op, ctypes.byref(self.calls[0]), text, size, needed, self.error))
        return dict(line.split(": ", 1) for line in text.value.decode("utf-8", "replace").splitlines() if ": " in line)
