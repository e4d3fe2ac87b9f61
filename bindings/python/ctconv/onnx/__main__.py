# SPDX-License-Identifier: Apache-2.0
"""python -m ctconv.onnx MODEL.onnx: its ConvTranspose nodes here and in ONNX Runtime; -o writes one that runs here.

In:   a model; input arrays or shapes where its own are not enough.
Out:  a table, a line a node: shapes, milliseconds of both, the largest difference. With -o a model in which the nodes
      that agree and are no slower here call libctconv; then both models are run and compared.
Exit: 0; 1 where an output of the written model differs; 2 where something is missing or cannot be read.
"""

import argparse
import sys

import numpy as np

from .._errors import Error
from . import _compare
from ._convert import convert, find, save
from ._library import library
from ._needs import need

_SLOWER = 1.05  # what shared machines make of equal times
_HINT = "give --shape NAME=1,3,224,224 or --input NAME=file.npy"


def _pair(text):
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value


def _shape(text):
    name, value = _pair(text)
    try:
        return name, tuple(int(part) for part in value.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{value}' is no list of whole numbers") from None


def parser():
    out = argparse.ArgumentParser(prog="python -m ctconv.onnx", description=__doc__.partition("\n")[0])
    out.add_argument("model", help="an ONNX model")
    out.add_argument("-o", "--output", help="write the model whose ConvTranspose nodes call libctconv")
    out.add_argument("--all", action="store_true", help="also change nodes that are slower here or do not agree")
    out.add_argument("--threads", type=int, default=0, help="threads of both; 0: ONNX Runtime's own choice")
    out.add_argument("--shape", type=_shape, action="append", default=[], metavar="NAME=1,3,64,64", help="of an input")
    out.add_argument(
        "--input", type=_pair, action="append", default=[], metavar="NAME=FILE.npy", help="an input's values"
    )
    out.add_argument("--seed", type=int, default=0, help="of the inputs that are made up")
    return out


def _why_not(row):
    if row.refusal:
        return row.refusal
    if not row.agrees:
        return f"it differs by {row.difference:.2g} of {row.largest:.2g}"
    if row.ctconv_ms > _SLOWER * row.runtime_ms:
        return "it is slower here"
    return ""


def _shape_text(shape):
    return "x".join(map(str, shape)) or "-"


def _line(row):
    if row.runtime_ms is None:
        return [row.label, _shape_text(row.x_shape), _shape_text(row.w_shape), "-", "-", "-", "-"]
    gap = "same bits" if row.same_bits else f"{row.difference:.2g} of {row.largest:.2g}"
    times = f"{row.runtime_ms:.3f}", f"{row.ctconv_ms:.3f}", f"{row.runtime_ms / row.ctconv_ms:.2f}"
    return [row.label, _shape_text(row.x_shape), _shape_text(row.w_shape), *times, gap]


def _print_table(rows):
    lines = [["node", "X", "W", "runtime ms", "ctconv ms", "times", "difference"], *map(_line, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def _write(model, rows, options, inputs):
    chosen = [row.output for row in rows if options.all or not _why_not(row)]
    for row in rows:
        if row.output not in chosen:
            print(f"left alone: {row.label}: {_why_not(row)}")
    fast = convert(model, chosen)
    save(fast, options.output)
    print(f"{options.output}: {len(chosen)} of {len(rows)} nodes call libctconv")
    if not chosen:
        return 0
    pair = _compare.session(model, options.threads), _compare.session(options.output, options.threads, ours=True)
    times, outputs = _compare.measure(*pair, inputs)
    gaps = [_compare.difference(a, b) for a, b in zip(*outputs)]
    print(f"whole model: {times[0]:.2f} ms in ONNX Runtime alone, {times[1]:.2f} ms with libctconv")
    for value, (gap, largest), a, b in zip(pair[0].get_outputs(), gaps, *outputs):
        said = "same bits" if a.tobytes() == b.tobytes() else f"largest difference {gap:.2g} of {largest:.2g}"
        print(f"output {value.name}: {said}")
    return int(any(gap > _compare._tolerance(largest) for gap, largest in gaps))


def run(options):
    model = need("onnx", "ctconv.onnx").load(options.model)
    need("onnxruntime", "ctconv.onnx")
    nodes = find(model)
    if not nodes:
        print(f"{options.model}: no ConvTranspose node")
        return 0
    library()
    given = {name: np.load(path) for name, path in options.input}
    inputs = _compare.sample_inputs(model, dict(options.shape), given, options.seed)
    for name, array in inputs.items():
        print(f"input {name}: {array.dtype} {_shape_text(array.shape)}{'' if name in given else ', made up'}")
    rows = _compare.compare(model, inputs, options.threads)
    _print_table(rows)
    if options.output:
        return _write(model, rows, options, inputs)
    for row in rows:
        if row.refusal:
            print(f"{row.label}: {row.refusal}")
    return 0


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        return run(options)
    except (Error, OSError, ImportError, ValueError) as error:
        print(f"ctconv.onnx: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # ONNX Runtime's and protobuf's own
        if type(error).__module__.partition(".")[0] not in ("onnxruntime", "google", "onnx"):
            raise
        print(f"ctconv.onnx: {options.model}: {str(error).strip()}\n{_HINT}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
