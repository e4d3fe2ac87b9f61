"""Two trainings side by side: one network with torch's transposed convolutions, one with libctconv's, from one seed.

In:  make(layers) -> model, where layers is torch.nn or ctconv.torch.nn; batch(step) -> a tuple; loss(model, *batch).
Out: a picture of the loss curves and a few printed lines: step times, and how far the curves are apart. Beside it: how
     far torch is from itself on another number of threads, which reorders its own sums.

The two models take ten steps each by turns: a busy machine slows both alike, and within ten steps a model finds its
own data in the caches, as in a training alone.
"""

import argparse
import statistics
import time

import ctconv
import torch

BLOCK = 10


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


def arguments(description, picture):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=positive, default=200)
    parser.add_argument("--threads", type=positive, default=torch.get_num_threads())
    parser.add_argument("--picture", default=picture, help='a PNG file; "" for none')
    return parser.parse_args()


class Training:
    """A model, its optimiser, and what its steps gave."""

    def __init__(self, make, layers, loss, rate=1e-3):
        torch.manual_seed(0)
        self.model, self.loss, self.losses, self.seconds = make(layers), loss, [], []
        self.optimiser = torch.optim.Adam(self.model.parameters(), rate)

    def step(self, batch):
        start = time.perf_counter()
        self.optimiser.zero_grad()
        value = self.loss(self.model, *batch)
        value.backward()
        self.optimiser.step()
        self.losses.append(float(value.detach()))
        self.seconds.append(time.perf_counter() - start)

    def milliseconds(self):
        """The median step, without the first tenth: caches and plans are made there."""
        return 1e3 * statistics.median(self.seconds[len(self.seconds) // 10 :])


def reordered(make, batch, loss, options):
    """torch's own training on another number of threads: some of its sums are then added in another order."""
    torch.set_num_threads(1 if options.threads > 1 else 2)
    training = Training(make, torch.nn, loss)
    for step in range(options.steps):
        training.step(batch(step))
    return {f"torch, threads {torch.get_num_threads()}": training}


def apart(one, two):
    """The largest difference of two loss curves, and its step."""
    return max((abs(a - b), step) for step, (a, b) in enumerate(zip(one.losses, two.losses)))


def draw(path, title, curves):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (top, below) = pyplot.subplots(2, 1, figsize=(7, 6), sharex=True, height_ratios=(2, 1))
    first = next(iter(curves.values()))
    for style, (name, training) in zip(("-", "--", ":", "-."), curves.items()):
        top.plot(training.losses, style, label=name, linewidth=1.5)
        if training is not first:
            differences = [max(abs(a - b), 1e-9) for a, b in zip(training.losses, first.losses)]
            below.semilogy(differences, style, color=top.lines[-1].get_color(), label=name)
    top.set(title=title, ylabel="loss")
    below.set(xlabel="step", ylabel="distance from torch")
    top.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    print(f"picture: {path}")


def compare(options, title, make, batch, loss):
    torch.set_num_threads(options.threads)
    theirs, ours = Training(make, torch.nn, loss), Training(make, ctconv.torch.nn, loss)
    for first in range(0, options.steps, BLOCK):
        for training in (theirs, ours) if first // BLOCK % 2 else (ours, theirs):
            for step in range(first, min(first + BLOCK, options.steps)):
                training.step(batch(step))
    others = reordered(make, batch, loss, options)
    print(f"{title}: {options.steps} steps, {options.threads} threads, torch {torch.__version__}")
    print(f"step, median    torch {theirs.milliseconds():.1f} ms    ctconv {ours.milliseconds():.1f} ms", end="")
    print(f"    torch / ctconv {theirs.milliseconds() / ours.milliseconds():.2f}")
    print(f"loss, first to last    torch {theirs.losses[0]:.4f} to {theirs.losses[-1]:.4f}", end="")
    print(f"    ctconv {ours.losses[0]:.4f} to {ours.losses[-1]:.4f}")
    curves = {"torch": theirs, "ctconv": ours, **others}
    for name, training in list(curves.items())[1:]:
        distance, step = apart(training, theirs)
        print(f"largest distance from torch: {distance:.2e} at step {step:3}    {name}")
    if options.picture:
        draw(options.picture, title, curves)
