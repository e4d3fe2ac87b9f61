"""Published models with torch's transposed convolutions and with libctconv's: agreement, whole-model time, page faults.

    python3 examples/accelerate_models.py [--models unet hifigan] [--rounds 11] [--threads 2] [--compile]

Needs torch and ctconv. UNet, DynUNet and BasicUNet come from MONAI, the decoder from SNAC; what is not installed is
left out. The HiFi-GAN generator (v1) stands below. Weights are random: times do not depend on them.
All variants of a model take a round by turns, so that a busy machine slows them alike. Printed are the clock's median
and least time, and the processor's least. On a busy machine the last, with --threads 1, is the only one to go by.
"""

import argparse
import copy
import importlib.util
import resource
import statistics
import time

import ctconv
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

# ---- models ----------------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """HiFi-GAN's residual block of three dilations."""

    def __init__(self, channels, kernel):
        super().__init__()

        def convs(dilations):
            return nn.ModuleList(
                weight_norm(nn.Conv1d(channels, channels, kernel, dilation=d, padding=d * (kernel - 1) // 2))
                for d in dilations
            )

        self.first, self.second = convs((1, 3, 5)), convs((1, 1, 1))

    def forward(self, x):
        for first, second in zip(self.first, self.second):
            y = first(nn.functional.leaky_relu(x, 0.1))
            x = x + second(nn.functional.leaky_relu(y, 0.1))
        return x


class HiFiGan(nn.Module):
    """The generator, version 1 (Kong, Kim, Bae 2020): 80 bands to sound, 256 samples a frame."""

    def __init__(self, width=512, steps=((16, 8), (16, 8), (4, 2), (4, 2)), kernels=(3, 7, 11)):
        super().__init__()
        self.before = weight_norm(nn.Conv1d(80, width, 7, padding=3))
        self.ups, self.blocks = nn.ModuleList(), nn.ModuleList()
        for kernel, stride in steps:
            up = nn.ConvTranspose1d(width, width // 2, kernel, stride, (kernel - stride) // 2)
            self.ups.append(weight_norm(up))
            width //= 2
            self.blocks.append(nn.ModuleList(Block(width, k) for k in kernels))
        self.after = weight_norm(nn.Conv1d(width, 1, 7, padding=3))

    def forward(self, x):
        x = self.before(x)
        for up, blocks in zip(self.ups, self.blocks):
            x = up(nn.functional.leaky_relu(x, 0.1))
            x = sum(block(x) for block in blocks) / len(blocks)
        return torch.tanh(self.after(nn.functional.leaky_relu(x)))


def hifigan():
    return HiFiGan(), torch.randn(1, 80, 86)  # one second at 22,050 Hz


def unet():
    from monai.networks.nets import UNet

    channels = (16, 32, 64, 128, 256)
    return UNet(3, 1, 2, channels, (2, 2, 2, 2), num_res_units=2), torch.randn(1, 1, 64, 64, 64)


def dynunet():
    from monai.networks.nets import DynUNet

    strides = [1, 2, 2, 2, 2]
    net = DynUNet(3, 1, 2, [3] * 5, strides, strides[1:], filters=[16, 32, 64, 128, 256])
    return net, torch.randn(1, 1, 64, 64, 64)


def basicunet():
    from monai.networks.nets import BasicUNet

    return BasicUNet(3, 1, 2, features=(16, 16, 32, 64, 128, 16)), torch.randn(1, 1, 64, 64, 64)


def snac():
    from snac import SNAC

    rates = {"encoder_rates": [2, 4, 8, 8], "decoder_rates": [8, 8, 4, 2]}
    net = SNAC(sampling_rate=24000, encoder_dim=48, decoder_dim=1024, attn_window_size=None, **rates)
    return net.decoder, torch.randn(1, 768, 94)  # two seconds


MODELS = {"unet": unet, "dynunet": dynunet, "basicunet": basicunet, "snac": snac, "hifigan": hifigan}
PACKAGES = {"unet": "monai", "dynunet": "monai", "basicunet": "monai", "snac": "snac"}


def plain(model):
    """The model without weight norms, as its authors run it for inference."""
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
        elif hasattr(module, "weight_g"):
            nn.utils.remove_weight_norm(module)
    return model


# ---- measuring -------------------------------------------------------------------------------------------------------


def run(model, x):
    """y, and what it took: seconds of the clock and of the processor, new pages."""
    torch.manual_seed(1)  # SNAC adds noise
    faults, start, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter(), time.process_time()
    y = model(x)
    seconds = time.perf_counter() - start, time.process_time() - cpu
    return y, *seconds, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults


def variants_of(model, x, options):
    """{name: model}; all have the same parameters' values."""
    ours = copy.deepcopy(model)
    report = ctconv.torch.accelerate(ours, x, rounds=options.rounds, frozen=options.frozen)
    print(report)
    out = {"torch": model, "ctconv": ours}
    if options.compile:
        out["torch.compile"] = torch.compile(copy.deepcopy(model))
        out["compile of ctconv"] = torch.compile(copy.deepcopy(ours))
    return out


def measure(name, options):
    torch.manual_seed(0)
    model, x = MODELS[name]()
    model = (plain(model) if options.plain else model).eval()
    with torch.no_grad():
        variants = variants_of(model, x, options)
        taken = {key: [] for key in variants}
        want = run(model, x)[0]
        for key, variant in variants.items():
            y = run(variant, x)[0]  # also compiles and plans
            largest, difference = float(want.abs().max()), float((y - want).abs().max())
            print(f"    {key}: largest difference from torch {difference:.1e} of {largest:.3g}")
        del want, y
        for turn in range(options.rounds):
            keys = list(variants)
            for key in keys[turn % len(keys) :] + keys[: turn % len(keys)]:
                taken[key].append(run(variants[key], x)[1:])
    show(name, taken)


def show(name, taken):
    def least(key, which):
        return 1e3 * min(one[which] for one in taken[key])

    for key, rounds in taken.items():
        median, pages = (statistics.median(one[which] for one in rounds) for which in (0, 2))
        print(
            f"    {name:10} {key:18} median {1e3 * median:8.1f} ms   least {least(key, 0):8.1f}   processor, least "
            f"{least(key, 1):8.1f}   torch / it {least('torch', 0) / least(key, 0):5.2f} and "
            f"{least('torch', 1) / least(key, 1):5.2f}   page faults {pages:8.0f}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true", help="torch.compile of both, too: minutes of compiling")
    parser.add_argument("--plain", action="store_true", help="weight norms removed")
    parser.add_argument("--frozen", action="store_true", help="weights packed once")
    parser.add_argument("--pool", type=float, help="bytes of ctconv.pool; 0: none")
    parser.add_argument("--keep-memory", action="store_true", help="malloc keeps freed memory (docs/inside-a-model.md)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.pool is not None:
        ctconv.pool.set_limit(int(options.pool))
    if options.keep_memory:
        ctconv.pool.keep_malloc()
    print(f"torch {torch.__version__}, ctconv {ctconv.version}, {options.threads} threads")
    for name in options.models:
        if name in PACKAGES and importlib.util.find_spec(PACKAGES[name]) is None:
            print(f"{name}: left out, {PACKAGES[name]} is not installed")
            continue
        print(f"{name}:", flush=True)
        measure(name, options)
    print(ctconv.pool.info())


if __name__ == "__main__":
    main()
