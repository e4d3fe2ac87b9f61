"""A small vocoder learns to turn spectra into sound, once with torch's transposed convolutions, once with ours.

    python3 examples/train_vocoder.py [--steps 200] [--threads 2] [--picture curves.png]

Needs torch and ctconv; matplotlib for the picture. The sounds are generated: voices of gliding pitch with harmonics and
breath. The generator is built as HiFi-GAN's: each frame becomes 256 samples through four transposed convolutions.
The only difference between the two networks is `layers` below.
"""

import math

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from train_beside import arguments, compare

BATCH, FRAMES, HOP, BANDS, RATE, WIDTH = 2, 32, 256, 80, 22050, 64
STEPS_UP = ((16, 8), (16, 8), (4, 2), (4, 2))  # kernel, stride


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.convs = nn.ModuleList(weight_norm(nn.Conv1d(channels, channels, 3, dilation=d, padding=d)) for d in (1, 3))

    def forward(self, x):
        for conv in self.convs:
            x = x + conv(nn.functional.leaky_relu(x, 0.1))
        return x


class Vocoder(nn.Module):
    def __init__(self, layers):
        super().__init__()
        parts, width = [nn.Conv1d(BANDS, WIDTH, 7, padding=3)], WIDTH
        for kernel, stride in STEPS_UP:
            up = layers.ConvTranspose1d(width, width // 2, kernel, stride, (kernel - stride) // 2)
            parts += [nn.LeakyReLU(0.1), weight_norm(up), Residual(width // 2)]
            width //= 2
        self.body = nn.Sequential(*parts, nn.LeakyReLU(0.1), nn.Conv1d(width, 1, 7, padding=3), nn.Tanh())

    def forward(self, spectrum):
        return self.body(spectrum).squeeze(1)


def magnitude(sound, size):
    window = torch.hann_window(size)
    spectrum = torch.stft(sound, size, size // 4, window=window, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1).clamp_min(1e-7).sqrt()


def bands(sound):
    """The logarithm of BANDS averages over frequency: the spectrum that the network is given."""
    fine = magnitude(sound, 4 * HOP)[..., :FRAMES]
    return nn.functional.adaptive_avg_pool1d(fine.transpose(1, 2), BANDS).transpose(1, 2).log()


def sounds(step):
    """Spectra and the sounds they come from; the same for every run."""
    generator = torch.Generator().manual_seed(1000 + step)
    time = torch.arange(FRAMES * HOP) / RATE
    pitch = 90 + 200 * torch.rand(BATCH, 1, generator=generator)
    glide = 1 + 0.2 * torch.rand(BATCH, 1, generator=generator) * torch.sin(2 * math.pi * 3 * time)
    phase = 2 * math.pi * torch.cumsum(pitch * glide / RATE, 1)
    sound = sum(torch.sin(k * phase) / k for k in range(1, 12))
    sound = 0.3 * sound + 0.02 * torch.randn(sound.shape, generator=generator)
    return bands(sound), sound


def loss(model, spectrum, sound):
    """The distance of magnitudes and of their logarithms, at three resolutions."""
    y, total = model(spectrum), 0
    for size in (256, 512, 1024):
        got, want = magnitude(y, size), magnitude(sound, size)
        total = total + (got - want).abs().mean() / want.mean() + (got.log() - want.log()).abs().mean()
    return total / 3


if __name__ == "__main__":
    compare(arguments(__doc__.partition("\n")[0], "train_vocoder.png"), "1-D vocoder", Vocoder, sounds, loss)
