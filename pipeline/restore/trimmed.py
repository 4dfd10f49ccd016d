"""A network's pass over a window of which only the middle is kept, in less time and memory, and with the same result.

- A margin is as wide as the whole network sees. A layer needs only as much of it as those after it see, so the body's layers
  are given less and less of the window.
- A residual block adds to its input in place.
- The tail, whose tensors are many times as large as the window's, goes through in strips where they would take much, so that
  only a strip's are there.

This takes knowing how the layers follow each other, so it is done for the networks named here; any other runs as it is.
"""
import ctypes
import platform
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from math import prod

import torch
from torch import nn
from torch.nn import functional as F

STRIP = 128  # rows of the output: the strip's own margin is little beside it, and the strip beside a window
IN_STRIPS = 2**27  # bytes of the tail's two largest tensors; strips cost time (small images half as much again), so only above
WORTH = 1 / 16  # of the pixels: cropping copies what it leaves, and convolutions are set up anew for each size

Region = tuple[slice, slice]  # rows and columns


def all_of(x: torch.Tensor) -> Region:
    """All of NCHW."""
    return slice(0, x.shape[2]), slice(0, x.shape[3])


def grown(region: Region, by: int, size: tuple[int, int]) -> Region:
    """The region with `by` pixels more on each side, where `size` has them."""
    return tuple(slice(max(side.start - by, 0), min(side.stop + by, most)) for side, most in zip(region, size))


@contextmanager
def trimmed(network: nn.Module, keep: Region):
    """While it lasts, `network` gives only the region `keep` of a window, in input pixels, as it should be; the rest of its
    output is finite and has no meaning. Where `keep` reaches the window's border, that is taken for the image's. `keep` begins
    on multiples of `network.multiple`, and ends there or with the window."""
    forwards = _forwards(network, keep)
    for module, forward in forwards.items():
        module.forward = forward
    try:
        yield
    finally:
        for module in forwards:
            del module.forward


def architecture(network: nn.Module) -> str:
    """The module of nets/ that a network is of."""
    return type(network).__module__.rpartition(".")[2]


def _forwards(network: nn.Module, keep: Region) -> dict[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
    """What takes the place of which module's own forward."""
    step = getattr(network, "multiple", 1)  # input pixels to one of the body's
    coarse = tuple(slice(side.start // step, -(-side.stop // step)) for side in keep)
    match architecture(network):
        case "edsr" | "srresnet":
            return {network.body: partial(_trimmed, network.body, coarse, _reach(network.tail)),
                    network.tail: partial(_in_strips, network.tail, coarse)}
        case "rcan":  # its body sees the whole window
            return {network.tail: partial(_in_strips, network.tail, coarse)}
        case "msrresnet":
            after = network.radius - _reach(network.conv_first, network.body)
            return {network.body: partial(_trimmed, network.body, keep, after)}
        case "compact":
            return {network.body: partial(_trimmed, network.body, keep, 0)}
        case "dncnn":
            return {network.model: partial(_trimmed, network.model, keep, 0)}
        case "dmnet":
            return {network.body: partial(_trimmed, network.body, coarse, _reach(network.up, network.fine)),
                    network.fine: partial(_trimmed, network.fine, keep, 0)}
    return {}


def _reach(*modules: nn.Module) -> int:
    """Pixels that modules in a row see to each side, of what the first is given."""
    reach = 0
    for layer in reversed([layer for module in modules for layer in module.modules()]):
        if isinstance(layer, nn.Conv2d):
            reach += layer.kernel_size[0] // 2
        elif isinstance(layer, nn.PixelShuffle):
            reach = -(-reach // layer.upscale_factor)
    return reach


def _trimmed(layers: nn.Sequential, keep: Region, after: int, x: torch.Tensor) -> torch.Tensor:
    """The layers' answer for NCHW: right for `keep` and `after` pixels around it, and zero where it was cropped."""
    (rows, columns), size, reach, own = all_of(x), x.shape[2:], after + _reach(layers), False
    for layer in layers:
        needed = grown(keep, reach, size)
        if _pixels(needed) <= (1 - WORTH) * _pixels((rows, columns)):
            _give_back(x.device)
            x = _part(x, needed, (rows.start, columns.start)).clone(memory_format=torch.channels_last)
            (rows, columns), own = needed, True
        # the input of all layers is its giver's, who adds it to their answer
        if own and type(layer).__name__ == "ResidualBlock" and hasattr(layer, "body"):
            x.add_(layer.body(x).mul_(getattr(layer, "res_scale", 1)))
        else:
            x, own = layer(x), True
        reach -= _reach(layer)
    return F.pad(x, (columns.start, size[1] - columns.stop, rows.start, size[0] - rows.stop))


def _in_strips(tail: nn.Sequential, keep: Region, x: torch.Tensor) -> torch.Tensor:
    """The tail's answer for NCHW, an image: right for `keep`, and zero elsewhere."""
    factor, (rows, columns) = prod(layer.upscale_factor for layer in tail.modules() if isinstance(layer, nn.PixelShuffle)), keep
    most = 2 * 4 * len(x) * tail[-1].in_channels * factor**2 * _pixels(keep)
    height = STRIP // factor if most > IN_STRIPS else rows.stop - rows.start
    output = torch.zeros(len(x), 3, x.shape[2] * factor, x.shape[3] * factor, device=x.device)
    for top in range(rows.start, rows.stop, height):
        if most > IN_STRIPS:
            _give_back(x.device)
        strip = slice(top, min(top + height, rows.stop)), columns
        seen = grown(strip, _reach(tail), x.shape[2:])
        answer = nn.Sequential.forward(tail, _part(x, seen))
        _part(output, strip, scale=factor).copy_(_part(answer, strip, (seen[0].start, seen[1].start), factor))
    return output


def _part(x: torch.Tensor, region: Region, origin: tuple[int, int] = (0, 0), scale: int = 1) -> torch.Tensor:
    """The region of NCHW that begins at `origin` and is `scale` times as large as both say."""
    rows, columns = (slice((side.start - first) * scale, (side.stop - first) * scale) for side, first in zip(region, origin))
    return x[:, :, rows, columns]


def _pixels(region: Region) -> int:
    return prod(side.stop - side.start for side in region)


def _give_back(device: torch.device) -> None:
    """Tensors of many sizes leave holes in the heap that the next do not fit into, and it is told to keep all it ever had
    (core/memory.py). At a change of sizes the system gets those pages back; at each tensor they would cost a quarter more time.
    """
    if device.type == "cpu" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
