"""EDSR: Lim et al., Enhanced Deep Residual Networks for Single Image Super-Resolution, 2017 (arXiv 1707.02921).

The names of the weights are those of the authors' PyTorch release, so their files load as they are.
"""
import torch
from torch import nn

RGB_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K, in [0, 1]
LEVELS = 255  # the network works on 0..255 inside, as the released weights do


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class MeanShift(nn.Conv2d):
    """Adds (sign +1) or subtracts (sign -1) the mean colour. Frozen, and part of the weights file."""

    def __init__(self, sign: int):
        super().__init__(3, 3, 1)
        self.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.bias.data = sign * LEVELS * torch.tensor(RGB_MEAN)
        self.requires_grad_(False)


class ResidualBlock(nn.Module):
    def __init__(self, features: int, res_scale: float):
        super().__init__()
        self.body = nn.Sequential(_conv(features, features), nn.ReLU(inplace=True), _conv(features, features))
        self.res_scale = res_scale

    def forward(self, x):
        return x + self.res_scale * self.body(x)


def upsampler(scale: int, features: int) -> nn.Sequential:
    """Sub-pixel convolutions: one for x2 and x3, two for x4, none for x1."""
    layers = []
    for factor in {1: (), 2: (2,), 3: (3,), 4: (2, 2)}[scale]:
        layers += [_conv(features, factor**2 * features), nn.PixelShuffle(factor)]
    return nn.Sequential(*layers)


class EDSR(nn.Module):
    """Residual blocks without normalisation between a head and a sub-pixel tail. NCHW in [0, 1], `scale` times larger."""

    def __init__(self, scale: int, blocks: int, features: int, res_scale: float):
        super().__init__()
        self.scale = scale
        self.radius = 2 * blocks + (3 if scale == 1 else 4)  # 3x3 convolutions, those after the upsampler counted whole
        self.sub_mean, self.add_mean = MeanShift(-1), MeanShift(+1)
        self.head = nn.Sequential(_conv(3, features))
        self.body = nn.Sequential(*[ResidualBlock(features, res_scale) for _ in range(blocks)], _conv(features, features))
        self.tail = nn.Sequential(upsampler(scale, features), _conv(features, 3))

    def forward(self, x):
        x = self.head(self.sub_mean(LEVELS * x))
        x = x + self.body(x)
        return self.add_mean(self.tail(x)) / LEVELS


def build(scale: int, blocks: int = 16, features: int = 64, res_scale: float = 1.0, start: str = "random") -> EDSR:
    """The baseline has 16 blocks of 64 features; the full network 32 of 256 with res_scale 0.1.

    `start` is how training from scratch begins: `random` as the authors do, or `bilinear` (see `begin_as_bilinear`).
    """
    if scale not in (1, 2, 3, 4):
        raise ValueError(f"edsr: scale is {scale!r}, allowed are 1, 2, 3, 4")
    if start not in ("random", "bilinear"):
        raise ValueError(f"edsr: start is {start!r}, allowed are random, bilinear")
    network = EDSR(scale, blocks, features, res_scale)
    if start == "bilinear":
        begin_as_bilinear(network)
    return network


@torch.no_grad()
def begin_as_bilinear(network: EDSR) -> None:
    """Set the first weights so that the untrained network already enlarges: three features carry the colours through.

    Without a skip from input to output, EDSR spends its first thousand steps on learning to pass the image on. The
    authors' 300,000 steps do not notice; a training of a minute on a CPU does.
    """
    colours = torch.eye(3)
    head, last = network.head[0], network.tail[1]
    head.weight[:3], head.bias[:3] = 0, 0
    head.weight[:3, :, 1, 1] = colours
    network.body[-1].weight[:3], network.body[-1].bias[:3] = 0, 0
    for layer in network.tail[0]:
        if isinstance(layer, nn.Conv2d):
            factor = round((layer.out_channels / layer.in_channels) ** 0.5)
            rows = torch.tensor([_taps(factor, phase) for phase in range(factor)])
            kernels = torch.einsum("iy,jx->ijyx", rows, rows).reshape(factor**2, 3, 3)
            layer.weight[: 3 * factor**2], layer.bias[: 3 * factor**2] = 0, 0
            for colour in range(3):
                layer.weight[colour * factor**2 : (colour + 1) * factor**2, colour] = kernels
    last.weight[:], last.bias[:] = 0, 0
    last.weight[:, :3, 1, 1] = colours


def _taps(factor: int, phase: int) -> list[float]:
    """Weights of the left, middle and right pixel for one of the `factor` new pixels in the middle one's place."""
    offset = (phase + 0.5) / factor - 0.5
    return [max(0.0, -offset), 1 - abs(offset), max(0.0, offset)]
