"""A small 3-D U-Net learns to segment balls in noise, once with torch's transposed convolutions, once with ours.

    python3 examples/train_unet3d.py [--steps 200] [--threads 2] [--picture curves.png]

Needs torch and ctconv; matplotlib for the picture. Volumes are generated: balls of several sizes and brightnesses in
noise of the same strength. The only difference between the two networks is `layers` below.
"""

import torch
from torch import nn
from train_beside import arguments, compare

SIDE, BATCH, CHANNELS = 32, 2, (16, 32, 64, 128)


def normed(layer):
    return nn.Sequential(layer, nn.InstanceNorm3d(layer.out_channels), nn.PReLU())


class UNet(nn.Module):
    """MONAI's U-Net as it is without residual units: each step down is one convolution of stride 2, each step up one
    transposed convolution of stride 2 over what comes from below and from the side."""

    def __init__(self, layers):
        super().__init__()
        a, b, c, d = CHANNELS
        self.down = nn.ModuleList(normed(nn.Conv3d(i, o, 3, 2, 1)) for i, o in ((1, a), (a, b), (b, c)))
        self.bottom = normed(nn.Conv3d(c, d, 3, 1, 1))
        up = {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}
        self.up = nn.ModuleList(normed(layers.ConvTranspose3d(i, o, **up)) for i, o in ((c + d, b), (2 * b, a)))
        self.last = layers.ConvTranspose3d(2 * a, 1, **up)

    def forward(self, x):
        beside = []
        for down in self.down:
            x = down(x)
            beside.append(x)
        x = self.bottom(x)
        for up in self.up:
            x = up(torch.cat([x, beside.pop()], 1))
        return self.last(torch.cat([x, beside.pop()], 1))


def volumes(step):
    """Volumes and the masks of their balls; the same for every run."""
    generator = torch.Generator().manual_seed(1000 + step)
    axis = torch.arange(SIDE, dtype=torch.float32)
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))
    mask = torch.zeros(BATCH, 1, SIDE, SIDE, SIDE)
    x = torch.randn(mask.shape, generator=generator)
    for n in range(BATCH):
        for _ in range(4):
            centre = SIDE * torch.rand(3, 1, 1, 1, generator=generator)
            radius = 3 + 5 * torch.rand(1, generator=generator)
            ball = ((grid - centre).square().sum(0) < radius.square()).float()
            x[n, 0] += ball * (0.7 + torch.rand(1, generator=generator))
            mask[n, 0] = torch.maximum(mask[n, 0], ball)
    return x, mask


def loss(model, x, mask):
    """Cross entropy and one minus Dice."""
    y = model(x)
    inside = y.sigmoid()
    dice = 2 * (inside * mask).sum() / (inside.sum() + mask.sum() + 1)
    return nn.functional.binary_cross_entropy_with_logits(y, mask) + 1 - dice


if __name__ == "__main__":
    compare(arguments(__doc__.partition("\n")[0], "train_unet3d.png"), "3-D U-Net", UNet, volumes, loss)
