#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A vocoder's whole upsampling path as streams: sound comes out while frames come in, to the bit as offline, no clicks.

    python3 examples/stream_vocoder.py [--seconds 4] [--picture streamed.png] [--wav FOLDER]

Needs numpy and ctconv; matplotlib for the picture. A voice is generated: gliding pitch, harmonics, vowels. What enters
the path are the strengths of its 32 bands, 86 frames a second, as a channel vocoder sends them. Four transposed
convolutions with HiFi-GAN's kernels and strides (16, 8), (16, 8), (4, 2), (4, 2), leaky ReLU between, make 256 samples
of every frame. Their weights are carriers under Hann windows, so that sound comes out without training.

The path runs three ways: offline, all frames in one call a layer; as four ctconv.Stream in portions of random length;
and as chunked by hand, each portion through the offline layers, the outputs laid side by side.
"""

import argparse
import pathlib
import wave

import ctconv
import numpy as np

RATE, HOP, BANDS = 22050, 256, 32
STEPS = ((16, 8), (16, 8), (4, 2), (4, 2))  # kernel, stride
WIDTHS = (BANDS, 16, 8, 4, 1)
SLOPE = 0.1


def voice(seconds, rng):
    """A glide of vowels: harmonics of a moving pitch under three moving formants."""
    t = np.arange(int(seconds * RATE)) / RATE
    pitch = 110 * 2 ** (0.5 * np.sin(2 * np.pi * 0.3 * t) + 0.02 * np.sin(2 * np.pi * 5 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = 0.02 * rng.standard_normal(len(t))
    for n in range(1, 25):
        centres = (500 + 250 * np.sin(2 * np.pi * 0.7 * t), 1500 + 600 * np.cos(2 * np.pi * 0.5 * t), 2500)
        strength = sum(np.exp(-(((n * pitch - centre) / 250) ** 2)) for centre in centres)
        sound += strength * np.sin(n * phase) / (1 + 0.1 * n)
    return sound * (0.6 + 0.4 * np.sin(2 * np.pi * 1.3 * t))


def bands(sound):
    """(1, BANDS, frames): how strong each band of 86 Hz is in each frame."""
    size = 1024
    padded = np.pad(sound, (size // 2, size))
    frames = np.stack([padded[at : at + size] for at in range(0, len(sound), HOP)])
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1))[:, : 4 * BANDS]
    strength = spectrum.reshape(len(frames), BANDS, 4).mean(2)
    return np.ascontiguousarray(strength.T[None] / strength.max(), np.float32)


def weight(level, kernel, stride):
    """(in, out, kernel): carriers of this level's own frequencies under a window that overlaps itself to one."""
    n_in, n_out = WIDTHS[level], WIDTHS[level + 1]
    t = np.arange(kernel)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (t + 0.5) / kernel)
    w = np.zeros((n_in, n_out, kernel))
    for i in range(n_in):
        for o in range(n_out):
            if level == 0 and i // 2 == o:  # two bands a channel, each with its own place within it
                w[i, o] = window * np.cos(2 * np.pi * (1 + i % 2) * t / stride)
            elif level == 1 and i // 2 == o:  # 689 Hz a channel
                w[i, o] = window * np.cos(2 * np.pi * (i % 4) * t / stride + o)
            elif level > 1 and i // (n_in // n_out) == o:
                w[i, o] = window
    return w.astype(np.float32)


def layers():
    out = []
    for level, (kernel, stride) in enumerate(STEPS):
        args = {
            "in_channels": WIDTHS[level],
            "out_channels": WIDTHS[level + 1],
            "kernel_size": kernel,
            "stride": stride,
            "padding": (kernel - stride) // 2,
            "bias": False,
        }
        last = level + 1 == len(STEPS)
        options = {"activation": "tanh"} if last else {"activation": "leaky_relu", "activation_alpha": SLOPE}
        w = weight(level, kernel, stride)
        out.append(ctconv.Layer("torch.nn.ConvTranspose1d", args, w, reproducible=1, **options))
    return out


def offline(path, frames):
    for layer in path:
        frames = layer(frames)
    return frames


class StreamedPath:
    """The layers as streams: what one gives, the next takes."""

    def __init__(self, path):
        self.streams = [ctconv.Stream(layer) for layer in path]

    def push(self, frames):
        for stream in self.streams:
            frames = stream.push(frames)
        return frames

    def flush(self):
        """What is left: each stream's rest goes through all behind it."""
        rest = None
        for stream in self.streams:
            parts = [] if rest is None else [stream.push(rest)]
            rest = np.concatenate([*parts, stream.flush()], axis=2)
        return rest


def portions(count, rng):
    """Slices of 1 to 12 frames."""
    at = 0
    while at < count:
        size = int(rng.integers(1, 13))
        yield slice(at, min(at + size, count))
        at += size


def spectrogram(sound):
    size = 512
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[::64] * np.hanning(size)
    return 20 * np.log10(np.abs(np.fft.rfft(frames, axis=1)).T + 1e-4)


def draw(file, sound, by_hand, seams):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 1, figsize=(10, 9), height_ratios=(3, 3, 2), layout="constrained")
    first, shown = int(0.5 * RATE), int(1.6 * RATE)
    cut = slice(first, first + shown)
    for axis, part, title in (
        (axes[0], sound, "the sound, streamed: the bits of one whole call"),
        (axes[1], by_hand - sound, "what chunking by hand adds to it: a click at every seam (the stream: nothing)"),
    ):
        extent = (first / RATE, (first + shown) / RATE, 0, RATE / 2000)
        axis.imshow(spectrogram(part[cut]), aspect="auto", origin="lower", vmin=-60, vmax=35, extent=extent)
        axis.set(title=title, ylabel="kHz")
    axes[1].set(xlabel="seconds")
    middle = max(seams, key=lambda seam: np.abs(by_hand - sound)[max(0, seam - 200) : seam + 200].max())
    around = slice(middle - 400, middle + 400)
    time = np.arange(around.start, around.stop) / RATE * 1000
    axes[2].plot(time, by_hand[around], label="chunked by hand", color="tab:red", linewidth=1)
    axes[2].plot(time, sound[around], label="streamed", color="tab:blue", linewidth=1)
    axes[2].axvline(middle / RATE * 1000, color="grey", linestyle=":", label="seam")
    axes[2].set(xlabel="milliseconds", ylabel="y", title="the seam with the largest error", xlim=(time[0], time[-1]))
    axes[2].legend(loc="upper right")
    figure.savefig(file, dpi=90)


def save(file, sound):
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((np.clip(sound / np.abs(sound).max(), -1, 1) * 30000).astype("<i2").tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--picture", type=pathlib.Path, help="a PNG: the sound, what chunking by hand adds, a seam")
    parser.add_argument("--wav", type=pathlib.Path, help="a folder for streamed.wav and by-hand.wav, to be heard")
    given = parser.parse_args()
    rng, path = np.random.default_rng(1), layers()
    frames = bands(voice(given.seconds, rng))
    want = offline(path, frames)

    cuts = list(portions(frames.shape[2], rng))
    streamed = StreamedPath(path)
    parts = [streamed.push(frames[..., cut]) for cut in cuts]
    y = np.concatenate([*parts, streamed.flush()], axis=2)
    by_hand = np.concatenate([offline(path, frames[..., cut]) for cut in cuts], axis=2)

    same = y.shape == want.shape and y.tobytes() == want.tobytes()
    seams = [cut.start * HOP for cut in cuts[1:]]
    near = np.zeros(want.shape[2], bool)
    for seam in seams:
        near[max(0, seam - HOP) : seam + HOP] = True
    error = np.abs(by_hand - want)[0, 0]
    print(f"{frames.shape[2]} frames in {len(cuts)} portions of 1 to 12; {want.shape[2]} samples of sound")
    print(f"streamed: {'the same bits as offline' if same else 'DIFFERS from offline'}")
    print(f"chunked by hand: largest error {error.max():.3f} of {np.abs(want).max():.3f}, all of it within one frame")
    print(f"  of a seam: {error[~near].max() if (~near).any() else 0:.3g} elsewhere")
    if given.picture:
        draw(given.picture, y[0, 0], by_hand[0, 0], seams)
        print(f"picture: {given.picture}")
    if given.wav:
        given.wav.mkdir(parents=True, exist_ok=True)
        save(given.wav / "streamed.wav", y[0, 0])
        save(given.wav / "by-hand.wav", by_hand[0, 0])
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
