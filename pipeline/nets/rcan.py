"""RCAN: Zhang et al., Image Super-Resolution Using Very Deep Residual Channel Attention Networks, 2018 (arXiv 1807.02758).

The names of the weights are those of the authors' release, so their files load as they are. With scale 1 the upsampler is
empty and the rest unchanged: the network that maps images from one domain to another in Korkmaz, Tekalp, Dogan, 2021 (arXiv
2106.00504). Nothing is shared with edsr.py: DVC knows a network by its one file, so an edit there would not reach these.
"""
import torch
from torch import nn

RGB_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K, in [0, 1]
LEVELS = 255  # the network works on 0..255 inside, as the released weights do
FACTORS = {1: (), 2: (2,), 3: (3,), 4: (2, 2)}  # scale -> its sub-pixel convolutions


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class MeanShift(nn.Conv2d):
    """Adds (sign +1) or subtracts (sign -1) the mean colour. Frozen, and part of the weights file."""

    def __init__(self, sign: int):
        super().__init__(3, 3, 1)
        self.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.bias.data = sign * LEVELS * torch.tensor(RGB_MEAN)
        self.requires_grad_(False)


class ChannelAttention(nn.Module):
    """Weighs each channel by a number in (0, 1) that two layers make of the means of all channels over the whole image."""

    def __init__(self, features: int, reduction: int):
        super().__init__()
        self.conv_du = nn.Sequential(nn.Conv2d(features, features // reduction, 1), nn.ReLU(inplace=True),
                                     nn.Conv2d(features // reduction, features, 1), nn.Sigmoid())

    def forward(self, x):
        return x * self.conv_du(x.mean((2, 3), keepdim=True))


class Residual(nn.Module):
    """x + body(x)."""

    def __init__(self, *body: nn.Module):
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x):
        return x + self.body(x)


class RCAN(nn.Module):
    """Groups of residual blocks with channel attention between a head and a sub-pixel tail. NCHW in [0, 1], `scale` times
    larger.

    With `unshuffle` u the head sees u x u pixels as one; height and width must be multiples of u. `radius` is that of the
    convolutions. The attention sees the whole image, so in tiles it goes by the mean of each tile with its margin, and what
    comes out differs a little from one pass over the image; an image that fits into a tile and two margins is one pass.
    """

    def __init__(self, scale: int, groups: int, blocks: int, features: int, reduction: int, unshuffle: int):
        super().__init__()
        self.scale, self.multiple = scale, unshuffle
        convolutions = groups * (2 * blocks + 1) + (3 if scale * unshuffle == 1 else 4)  # 3x3 each
        self.radius = unshuffle * convolutions
        self.sub_mean, self.add_mean = MeanShift(-1), MeanShift(+1)
        self.unshuffle = nn.PixelUnshuffle(unshuffle)
        self.head = nn.Sequential(_conv(3 * unshuffle**2, features))

        def block():
            return Residual(_conv(features, features), nn.ReLU(inplace=True), _conv(features, features),
                            ChannelAttention(features, reduction))

        self.body = nn.Sequential(*[Residual(*[block() for _ in range(blocks)], _conv(features, features))
                                    for _ in range(groups)], _conv(features, features))
        layers = [layer for factor in FACTORS[scale * unshuffle]
                  for layer in (_conv(features, factor**2 * features), nn.PixelShuffle(factor))]
        self.tail = nn.Sequential(nn.Sequential(*layers), _conv(features, 3))

    def forward(self, x):
        x = self.head(self.unshuffle(self.sub_mean(LEVELS * x)))
        x = x + self.body(x)
        return self.add_mean(self.tail(x)) / LEVELS


def build(scale: int, groups: int = 10, blocks: int = 20, features: int = 64, reduction: int = 16, start: str = "random",
          unshuffle: int = 1) -> RCAN:
    """The authors' network has 10 groups of 20 blocks, that of Korkmaz et al. 10 of 8. `reduction` is how many times fewer
    channels the attention has between its two layers.

    `start` and `unshuffle` are those of edsr.py: `bilinear` begins as bilinear enlargement rather than at random, and 2 lets a
    network of scale 1 work at half the resolution.
    """
    if scale not in FACTORS:
        raise ValueError(f"rcan: scale is {scale!r}, allowed are 1, 2, 3, 4")
    if min(groups, blocks, reduction) < 1 or features < reduction:
        raise ValueError(f"rcan: groups, blocks, features and reduction are {groups}, {blocks}, {features} and {reduction}, "
                         "wanted at least 1 each, and no fewer features than reduction")
    if start not in ("random", "bilinear"):
        raise ValueError(f"rcan: start is {start!r}, allowed are random, bilinear")
    if unshuffle not in ((1, 2) if scale == 1 else (1,)):
        raise ValueError(f"rcan: unshuffle is {unshuffle!r}, allowed are 1, and for scale 1 also 2")
    if start == "bilinear" and features < 3 * unshuffle**2:
        raise ValueError(f"rcan: start bilinear carries the image in {3 * unshuffle**2} features, there are {features}")
    network = RCAN(scale, groups, blocks, features, reduction, unshuffle)
    if start == "bilinear":
        _begin_as_bilinear(network)
    return network


@torch.no_grad()
def _begin_as_bilinear(network: RCAN) -> None:
    """Let the first features carry the colours from head to tail, past the body, and the upsampler interpolate them."""
    carried = 3 * network.multiple**2  # values of one place, as the head sees it
    _set(network.head[0], _identity(carried))
    _set(network.body[-1], torch.zeros(carried, 1, 3, 3))
    for layer in network.tail[0]:
        if isinstance(layer, nn.Conv2d):
            factor = round((layer.out_channels / layer.in_channels) ** 0.5)
            # with unshuffle the shuffle undoes the head's
            _set(layer, _identity(carried) if network.multiple > 1 else _interpolation(factor))
    _set(network.tail[1], _identity(3))


def _set(layer: nn.Conv2d, kernels: torch.Tensor) -> None:
    """Make the layer's first outputs of its first inputs alone, by `kernels` (outputs, inputs, 3, 3)."""
    outputs, inputs = kernels.shape[:2]
    layer.weight[:outputs], layer.bias[:outputs] = 0, 0
    layer.weight[:outputs, :inputs] = kernels


def _identity(channels: int) -> torch.Tensor:
    return nn.functional.pad(torch.eye(channels)[:, :, None, None], (1, 1, 1, 1))


def _interpolation(factor: int) -> torch.Tensor:
    """(3 factor^2, 3, 3, 3): bilinear kernels, for each colour those of the new pixels in one pixel's place, row by row."""
    offsets = (torch.arange(factor) + 0.5) / factor - 0.5
    taps = torch.stack([(-offsets).clamp_min(0), 1 - offsets.abs(), offsets.clamp_min(0)], 1)
    return torch.einsum("cd,iy,jx->cijdyx", torch.eye(3), taps, taps).reshape(-1, 3, 3, 3)
