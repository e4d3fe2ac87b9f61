#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A text-detection network with its ConvTranspose nodes on libctconv: the same boxes, both times, a picture of them.

In:   nothing: a picture with lines of text is drawn. The network is the one inside the package rapidocr-onnxruntime.
Out:  what was read, the boxes with and without libctconv, the times of both; boxes.png
Exit: 0 where both find the same boxes; 1 where not; 77 where a package is missing.
Usage: pip install rapidocr-onnxruntime onnx, then ocr.py [-o boxes.png] [--rounds 20] [--threads 0]
"""

import argparse
import pathlib
import statistics
import sys
import time

MISSING = 77
LINES = (
    ("Transposed convolution, 2026", 44),
    ("the quick brown fox jumps over the lazy dog", 30),
    ("Invoice No. 30917   Total 1,284.50", 36),
    ("SHORT", 64),
    ("kernel stride padding dilation groups", 28),
    ("Room 12B, second storey", 40),
    ("0123456789", 52),
    ("end of the page", 24),
)

try:
    import numpy as np
    import onnx
    import rapidocr_onnxruntime
    from PIL import Image, ImageDraw, ImageFont
except ImportError as error:
    print(f"ocr.py: {error}; pip install rapidocr-onnxruntime onnx", file=sys.stderr)
    sys.exit(MISSING)

import ctconv.onnx


def picture():
    """Black text on grey paper, as an RGB image."""
    paper = Image.new("RGB", (960, 736), (236, 234, 228))
    draw, top = ImageDraw.Draw(paper), 30
    for text, size in LINES:
        draw.text((40, top), text, (24, 24, 28), font=ImageFont.load_default(size))
        top += size + 44
    return paper


def network():
    """The path of the detection network in the package."""
    folder = pathlib.Path(rapidocr_onnxruntime.__file__).parent / "models"
    return sorted(folder.glob("*det*.onnx"))[0]


class Timed:
    """A session in the place of the package's own; it keeps what went in last and each run's time."""

    def __init__(self, session):
        self.session, self.times, self.seen = session, [], None

    def run(self, outputs, feed, *rest):
        self.seen, start = feed, time.perf_counter()
        out = self.session.run(outputs, feed, *rest)
        self.times.append(1e3 * (time.perf_counter() - start))
        return out

    def seen_shape(self):
        return "x".join(map(str, next(iter(self.seen.values())).shape))

    def __getattr__(self, name):
        return getattr(self.session, name)


def read(engine, session, image):
    """(boxes, [(text, score)]) of one pass of the whole pipeline."""
    engine.text_det.infer.session = session
    result, _ = engine(image)
    boxes = np.array([box for box, _, _ in result])
    return boxes, [(text, float(score)) for _, text, score in result]


def pipeline_times(engine, sessions, image, rounds):
    """Median milliseconds of a whole pass with each session, taking turns."""
    times = [[], []]
    for _ in range(rounds):
        for session, taken in zip(sessions, times):
            engine.text_det.infer.session, start = session, time.perf_counter()
            engine(image)
            taken.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(taken) for taken in times]


def draw_boxes(image, theirs, ours, path):
    """Green, wide: without libctconv. Red, thin, on top: with it."""
    draw = ImageDraw.Draw(image)
    for boxes, colour, width in ((theirs, (40, 160, 70), 7), (ours, (200, 30, 30), 2)):
        for box in boxes:
            draw.line([tuple(point) for point in (*box, box[0])], colour, width)
    image.save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", default="boxes.png")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=0, help="of both; 0: ONNX Runtime's own choice")
    options = parser.parse_args()

    image = picture()
    pixels = np.asarray(image)[:, :, ::-1].copy()  # the package takes BGR
    model = onnx.load(str(network()))
    fast = ctconv.onnx.convert(model)
    plain = Timed(ctconv.onnx.session(model, options.threads))
    changed = Timed(ctconv.onnx.session(fast, options.threads))
    engine = rapidocr_onnxruntime.RapidOCR()
    theirs, texts = read(engine, plain, pixels)
    ours, same_texts = read(engine, changed, pixels)
    for text, score in texts:
        print(f"{score:.3f}  {text}")
    same = np.array_equal(theirs, ours)
    print(f"{network().name}: {len(ctconv.onnx.find(model))} ConvTranspose nodes, input {plain.seen_shape()}")
    print(f"boxes: {len(theirs)} without, {len(ours)} with libctconv, {'the same' if same else 'NOT the same'}")
    print(f"texts: {'the same' if texts == same_texts else 'NOT the same'}")
    whole = pipeline_times(engine, (plain, changed), pixels, options.rounds)
    nets = [statistics.median(one.times[1:]) for one in (plain, changed)]
    print(f"detection network: {nets[0]:.1f} ms without, {nets[1]:.1f} ms with libctconv (medians of {options.rounds})")
    print(f"whole pass:        {whole[0]:.1f} ms without, {whole[1]:.1f} ms with libctconv")
    draw_boxes(image, theirs, ours, options.output)
    print(f"wrote {options.output}")
    return 0 if same and texts == same_texts and len(theirs) == len(LINES) else 1


if __name__ == "__main__":
    sys.exit(main())
