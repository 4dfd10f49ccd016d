"""What restores an image: one network, several one behind the other, the mean or bands of several, or what is made of these.

A convolution sees a neighbourhood, so a window with a margin as wide as all layers see together gives its middle exactly: such
a model is exact in tiles. Some layers see all they are given: the channel attention of RCAN, instance and group norm. Nor is a
network of spandrel's exact, as nobody tells how far it sees.
"""
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from math import ceil, gcd, inf, lcm

import torch
from torch import nn
from torch.nn import functional as F

from pipeline.restore.manifest import sigma_of
from pipeline.restore.trimmed import Region, all_of, architecture, grown, trimmed

# Kinds of layers by name: with an import of nets/, an edit of one architecture would label and score all networks anew.
SEES_ALL = {"ChannelAttention", "InstanceNorm2d", "GroupNorm", "AdaptiveAvgPool2d"}
SIGMAS = 4  # standard deviations that a Gaussian is cut at
WIDEST = 64  # input pixels of margin where tiles are not exact: RCAN's convolutions reach 400, but what they see there is faint


class Model(nn.Module):
    """float32 NCHW RGB in [0, 1] of any size -> `scale` times larger, not clipped. In eval mode, as are the networks in it.

    `radius`: how far convolutions see, in input pixels. `margin`: what a tile is to be read with on each side. `multiple`:
    where windows may begin. `sees_all`: the kinds of its layers that see, or may see, all of a window; without any it is
    `exact` in tiles. `networks`: those in it, each with how many times larger than the image what it is given is.
    """

    def __init__(self, parts: Sequence[nn.Module], scale: int, multiple: int, radius: int,
                 networks: list[tuple[nn.Module, int]]):
        super().__init__()
        self.parts, self.scale, self.multiple, self.radius = nn.ModuleList(parts), scale, multiple, radius
        self.networks, self.sees_all = networks, sorted(set().union(*(_sees_all(network) for network, _ in networks)))
        self.exact, self.device = not self.sees_all, next(self.parameters()).device
        self.margin = ceil((radius if self.exact else min(radius, WIDEST)) / multiple) * multiple
        self.eval()

    def forward(self, x: torch.Tensor, keep: Region | None = None) -> torch.Tensor:
        """`keep`: the part of the window whose answer is wanted. It begins on multiples of `multiple`, and ends there or with
        the window; outside of it the answer has no meaning. Without it the networks run as they are, which can be exported."""
        raise NotImplementedError


class _Single(Model):
    def __init__(self, network: nn.Module):
        super().__init__([network], network.scale, getattr(network, "multiple", 1), network.radius, [(network, 1)])

    def forward(self, x, keep=None):
        (network,), (height, width) = self.parts, x.shape[2:]
        if self.multiple > 1:  # divided as ONNX does it too, which rounds what is negative the other way
            rows, columns = ((side + self.multiple - 1) // self.multiple * self.multiple - side for side in (height, width))
            x = F.pad(x, (0, columns, 0, rows), mode="replicate")
        with trimmed(network, keep) if keep else nullcontext():
            x = network(x.contiguous(memory_format=torch.channels_last)).float()
        return x.narrow(2, 0, height * self.scale).narrow(3, 0, width * self.scale)


class _Chain(Model):
    def __init__(self, models: Sequence[Model]):
        scale, multiple, networks, radii = 1, 1, [], []
        for model in models:
            multiple = lcm(multiple, model.multiple // gcd(model.multiple, scale))
            radii.append(ceil(model.radius / scale))
            networks += [(network, scale * larger) for network, larger in model.networks]
            scale *= model.scale
        super().__init__(models, scale, multiple, sum(radii), networks)
        # input pixels around what is kept that the models behind each one see
        self.behind = [sum(radii[i + 1 :]) if all(model.exact for model in models[i + 1 :]) else inf
                       for i in range(len(models))]

    def forward(self, x, keep=None):
        scale = 1
        for model, behind in zip(self.parts, self.behind):
            part = keep and tuple(slice(scale * side.start, scale * side.stop) for side in keep)
            x = model(x, part and grown(part, scale * behind, x.shape[2:]))
            scale *= model.scale
        return x


class _Mean(Model):
    def __init__(self, models: Sequence[Model], shares: Sequence[float] | None = None):
        super().__init__(models, models[0].scale, lcm(*(model.multiple for model in models)),
                         max(model.radius for model in models), sum((model.networks for model in models), []))
        self.shares = shares

    def forward(self, x, keep=None):
        if self.shares:
            return sum(share * model(x, keep) for share, model in zip(self.shares, self.parts))
        return sum(model(x, keep) for model in self.parts) / len(self.parts)


class _Bands(Model):
    """Two models' answers in one: of the first what a Gaussian of `sigma` output pixels keeps, of the second the rest."""

    def __init__(self, models: Sequence[Model], sigma: float):
        scale, multiple, reach = models[0].scale, lcm(*(model.multiple for model in models)), ceil(SIGMAS * sigma)
        self.around = ceil(reach / scale / multiple) * multiple  # input pixels around what is kept that the Gaussian sees
        super().__init__(models, scale, multiple, max(model.radius for model in models) + self.around,
                         sum((model.networks for model in models), []))
        taps = torch.exp(-(torch.arange(-reach, reach + 1, device=self.device) / sigma) ** 2 / 2)
        self.register_buffer("taps", (taps / taps.sum()).repeat(3, 1, 1, 1))

    def forward(self, x, keep=None):
        part = keep and grown(keep, self.around, x.shape[2:])
        coarse, fine = (model(x, part) for model in self.parts)
        reach = self.taps.shape[3] // 2
        kept = F.pad(coarse - fine, (reach, reach, reach, reach), mode="replicate")
        return fine + F.conv2d(F.conv2d(kept, self.taps, groups=3), self.taps.transpose(2, 3), groups=3)


class _Wrapped(Model):
    """Another model, called in another way."""

    def __init__(self, model: Model):
        super().__init__([model], model.scale, model.multiple, model.radius, model.networks)


class Turned(_Wrapped):
    """The mean of the model's answers for the eight flips and quarter turns of the image, each turned back (Timofte et al.,
    "Seven ways to improve example-based single image super resolution", CVPR 2016)."""

    def forward(self, x, keep=None):
        total = 0
        for quarters in range(4):
            for flip in (False, True):
                image = torch.rot90(x.flip(3) if flip else x, quarters, (2, 3)).contiguous()
                # all of it, as what is to be kept is elsewhere in each turned window
                answer = torch.rot90(self.parts[0](image, keep and all_of(image)), -quarters, (2, 3))
                total = total + (answer.flip(3) if flip else answer)
        return total / 8


class _Bf16(_Wrapped):
    def forward(self, x, keep=None):
        with torch.autocast(x.device.type, torch.bfloat16):
            return self.parts[0](x, keep)


def model_of(*networks: nn.Module) -> Model:
    """Networks of nets/build.py, one behind the other."""
    return chain([_Single(network) for network in networks])


def chain(models: Sequence[Model]) -> Model:
    """Each takes what the one before it made, unrounded and not clipped."""
    if not models:
        raise ValueError("a chain needs at least one network")
    return _Chain(models) if len(models) > 1 else models[0]


def mean_of(models: Sequence[Model], shares: Sequence[float] | None = None) -> Model:
    """The mean of the models' answers, not clipped; with `shares`, which sum to 1, each counts so much. Raises ValueError when
    they enlarge differently."""
    if len({model.scale for model in models}) != 1:
        raise ValueError(f"a mean is of models that enlarge alike, got scales {[model.scale for model in models]}")
    return _Mean(models, shares) if len(models) > 1 else models[0]


def bands_of(models: Sequence[Model], sigma: float) -> Model:
    """What is coarser than a Gaussian of `sigma` output pixels from the first of two models, the rest from the second. Raises
    ValueError when they enlarge differently."""
    if len({model.scale for model in models}) != 1:
        raise ValueError(f"bands are of models that enlarge alike, got scales {[model.scale for model in models]}")
    return _Bands(models, sigma)


def assembled(tree: str | dict, networks: dict[str, Model]) -> Model:
    """What a tree of manifest.py says, made of networks by name."""
    if isinstance(tree, str):
        return networks[tree]
    (kind, parts), = tree.items()
    make = {"chain": chain, "mean": mean_of}.get(kind) or partial(bands_of, sigma=sigma_of(kind))
    return make([assembled(part, networks) for part in parts])


def in_bf16(model: Model) -> Model:
    """The model with all convolutions in 16 bits but those that read or write an image: 8 bits of mantissa are too few for
    values that are, or become, pixels. Its networks are changed for it and are not to be trained."""
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and 3 in (layer.in_channels, layer.out_channels):
            layer.forward = partial(_in_fp32, layer.forward, model.device.type)
    return _Bf16(model)


def _in_fp32(forward, device: str, x: torch.Tensor) -> torch.Tensor:
    with torch.autocast(device, enabled=False):
        return forward(x.float())


def _sees_all(network: nn.Module) -> set[str]:
    kinds = SEES_ALL & {kind.__name__ for layer in network.modules() for kind in type(layer).__mro__}
    return kinds | {type(network.model).__name__} if architecture(network) == "spandrel" else kinds
