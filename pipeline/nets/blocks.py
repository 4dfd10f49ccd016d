"""What several networks are built of: convolutions, residual blocks, sub-pixel enlargement, a start as bilinear enlargement."""
from collections.abc import Iterable

import torch
from torch import nn

RGB_MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K, in [0, 1]
LEVELS = 255  # EDSR and RCAN work on 0..255 inside, as the released weights do
FACTORS = {1: (), 2: (2,), 3: (3,), 4: (2, 2)}  # scale -> the factors of its sub-pixel convolutions


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class ResidualBlock(nn.Module):
    """x + body(x)."""

    def __init__(self, *body: nn.Module):
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x):
        return x + self.body(x)


class MeanShift(nn.Conv2d):
    """Adds (sign +1) or subtracts (sign -1) the mean colour. Frozen, and part of the weights file."""

    def __init__(self, sign: int):
        super().__init__(3, 3, 1)
        self.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.bias.data = sign * LEVELS * torch.tensor(RGB_MEAN)
        self.requires_grad_(False)


def upsampler(scale: int, features: int, activation: type[nn.Module] | None = None) -> nn.Sequential:
    """Sub-pixel convolutions, each with the activation behind it: one for x2 and x3, two for x4, none for x1."""
    layers = []
    for factor in FACTORS[scale]:
        layers += [conv(features, factor**2 * features), nn.PixelShuffle(factor), *([activation()] if activation else [])]
    return nn.Sequential(*layers)


class SubPixel(nn.Module):
    """A body, which a skip leads past, between a head and a sub-pixel tail. NCHW in [0, 1], `scale` times larger.

    With `unshuffle` u the head sees u x u pixels as one; height and width must be multiples of u. `blocks` are made one after
    the other where the body begins; `convolutions` is how many 3x3 ones they have in a row, for `radius`.
    """

    def __init__(self, scale: int, features: int, unshuffle: int, blocks: Iterable[nn.Module], convolutions: int):
        super().__init__()
        self.scale, self.multiple = scale, unshuffle
        self.radius = unshuffle * (convolutions + (3 if scale * unshuffle == 1 else 4))  # those after the upsampler count whole
        self.sub_mean, self.add_mean = MeanShift(-1), MeanShift(+1)
        self.unshuffle = nn.PixelUnshuffle(unshuffle)
        self.head = nn.Sequential(conv(3 * unshuffle**2, features))
        self.body = nn.Sequential(*blocks, conv(features, features))
        self.tail = nn.Sequential(upsampler(scale * unshuffle, features), conv(features, 3))

    def forward(self, x):
        x = self.head(self.unshuffle(self.sub_mean(LEVELS * x)))
        x = x + self.body(x)
        return self.add_mean(self.tail(x)) / LEVELS


def check_choice(arch: str, option: str, value, allowed) -> None:
    """Raise ValueError when an option of an architecture has a value that is not allowed."""
    if value not in allowed:
        raise ValueError(f"{arch}: {option} is {value!r}, allowed are {', '.join(map(str, allowed))}")


def check_unshuffle(arch: str, scale: int, unshuffle: int, start: str, features: int) -> None:
    """The options of networks that may see u x u pixels as one, and may begin as bilinear enlargement."""
    check_choice(arch, "scale", scale, FACTORS)
    check_choice(arch, "start", start, ("random", "bilinear"))
    if unshuffle not in ((1, 2) if scale == 1 else (1,)):
        raise ValueError(f"{arch}: unshuffle is {unshuffle!r}, allowed are 1, and for scale 1 also 2")
    if start == "bilinear" and features < 3 * unshuffle**2:
        raise ValueError(f"{arch}: start bilinear carries the image in {3 * unshuffle**2} features, there are {features}")


@torch.no_grad()
def begin_as_bilinear(network: nn.Module) -> None:
    """Set the first weights of a network with `head`, `body` and `tail` so that the untrained network already enlarges.

    The first features carry the colours from head to tail, past the body, and the upsampler interpolates them. Without a skip
    from input to output, such a network spends its first thousand steps on learning to pass the image on. The authors' 300,000
    steps do not notice; a training of a minute on a CPU does.
    """
    carried = 3 * network.multiple**2  # values of one place, as the head sees it
    _set(network.head[0], _identity(carried))
    _set(network.body[-1], torch.zeros(carried, 1, 3, 3))
    enlarge(network.tail[0], carried if network.multiple > 1 else None)
    _set(network.tail[1], _identity(3))


@torch.no_grad()
def enlarge(upsampling: nn.Sequential, carried: int | None = None) -> None:
    """Let the first features of an `upsampler` be the bilinear enlargement of its first three inputs; or, of the `carried` ones
    that an unshuffle made, what the shuffle undoes."""
    for layer in upsampling:
        if isinstance(layer, nn.Conv2d):
            factor = round((layer.out_channels / layer.in_channels) ** 0.5)
            _set(layer, _identity(carried) if carried else _interpolation(factor))


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
