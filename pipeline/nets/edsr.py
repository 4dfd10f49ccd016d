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
    """Residual blocks without normalisation between a head and a sub-pixel tail. NCHW in [0, 1], `scale` times larger.

    With `unshuffle` u the head sees u x u pixels as one; height and width must be multiples of u.
    """

    def __init__(self, scale: int, blocks: int, features: int, res_scale: float, unshuffle: int):
        super().__init__()
        self.scale, self.multiple = scale, unshuffle
        convolutions = 2 * blocks + (3 if scale * unshuffle == 1 else 4)  # 3x3 each, those after the upsampler counted whole
        self.radius = unshuffle * convolutions
        self.sub_mean, self.add_mean = MeanShift(-1), MeanShift(+1)
        self.unshuffle = nn.PixelUnshuffle(unshuffle)
        self.head = nn.Sequential(_conv(3 * unshuffle**2, features))
        self.body = nn.Sequential(*[ResidualBlock(features, res_scale) for _ in range(blocks)], _conv(features, features))
        self.tail = nn.Sequential(upsampler(scale * unshuffle, features), _conv(features, 3))

    def forward(self, x):
        x = self.head(self.unshuffle(self.sub_mean(LEVELS * x)))
        x = x + self.body(x)
        return self.add_mean(self.tail(x)) / LEVELS


def build(scale: int, blocks: int = 16, features: int = 64, res_scale: float = 1.0, start: str = "random",
          unshuffle: int = 1) -> EDSR:
    """The baseline has 16 blocks of 64 features; the full network 32 of 256 with res_scale 0.1.

    `start` is how training from scratch begins: `random` as the authors do, or `bilinear` (see `begin_as_bilinear`).
    `unshuffle` 2 lets a network of scale 1 work at half the resolution, four times faster and seeing twice as far, as
    Real-ESRGAN does at small scales (Wang et al. 2021, arXiv 2107.10833).
    """
    if scale not in (1, 2, 3, 4):
        raise ValueError(f"edsr: scale is {scale!r}, allowed are 1, 2, 3, 4")
    if start not in ("random", "bilinear"):
        raise ValueError(f"edsr: start is {start!r}, allowed are random, bilinear")
    if unshuffle not in ((1, 2) if scale == 1 else (1,)):
        raise ValueError(f"edsr: unshuffle is {unshuffle!r}, allowed are 1, and for scale 1 also 2")
    if start == "bilinear" and features < 3 * unshuffle**2:
        raise ValueError(f"edsr: start bilinear carries the image in {3 * unshuffle**2} features, there are {features}")
    network = EDSR(scale, blocks, features, res_scale, unshuffle)
    if start == "bilinear":
        begin_as_bilinear(network)
    return network


@torch.no_grad()
def begin_as_bilinear(network: EDSR) -> None:
    """Set the first weights so that the untrained network already enlarges: three features carry the colours through.

    Without a skip from input to output, EDSR spends its first thousand steps on learning to pass the image on. The
    authors' 300,000 steps do not notice; a training of a minute on a CPU does.
    """
    values = 3 * network.multiple**2  # of one place, as the head sees it
    head, last = network.head[0], network.tail[1]
    head.weight[:values], head.bias[:values] = 0, 0
    head.weight[:values, :, 1, 1] = torch.eye(values)
    network.body[-1].weight[:values], network.body[-1].bias[:values] = 0, 0
    for layer in network.tail[0]:
        if isinstance(layer, nn.Conv2d):
            factor = round((layer.out_channels / layer.in_channels) ** 0.5)
            layer.weight[: 3 * factor**2], layer.bias[: 3 * factor**2] = 0, 0
            if network.multiple > 1:  # the shuffle undoes the head's
                layer.weight[:values, :values, 1, 1] = torch.eye(values)
                continue
            rows = torch.tensor([_taps(factor, phase) for phase in range(factor)])
            kernels = torch.einsum("iy,jx->ijyx", rows, rows).reshape(factor**2, 3, 3)
            for colour in range(3):
                layer.weight[colour * factor**2 : (colour + 1) * factor**2, colour] = kernels
    last.weight[:], last.bias[:] = 0, 0
    last.weight[:, :3, 1, 1] = torch.eye(3)


def _taps(factor: int, phase: int) -> list[float]:
    """Weights of the left, middle and right pixel for one of the `factor` new pixels in the middle one's place."""
    offset = (phase + 0.5) / factor - 0.5
    return [max(0.0, -offset), 1 - abs(offset), max(0.0, offset)]
