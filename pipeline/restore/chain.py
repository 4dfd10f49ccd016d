"""Networks in a row as one function of a window of an image, and what a tiling has to know of it.

A convolution sees a neighbourhood, so a window with a margin as wide as the chain's receptive radius gives its middle exactly.
Some layers see all they are given: the channel attention of RCAN, instance and group norm. A chain with one of them is never
tile-exact; `GLOBAL` names them. Nor is a network of spandrel's, as nobody tells how far it sees.
"""
from contextlib import nullcontext
from functools import partial
from math import ceil, gcd, inf, lcm

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.nets.rcan import ChannelAttention
from pipeline.nets.spandrel import Foreign
from pipeline.restore.apply import mean_of_turns, to_tensor
from pipeline.restore.lean import Region, grown, lean, whole

GLOBAL = (ChannelAttention, nn.InstanceNorm2d, nn.GroupNorm, nn.AdaptiveAvgPool2d)
WIDEST = 64  # input pixels of margin where tiles are not exact: RCAN's convolutions reach 400, but what they see there is faint


class Chain:
    """`scale`: output pixels to an input pixel. `margin`: what a tile is to be read with on each side, in input pixels.
    `multiple`: where windows may begin. `global_layers`: the kinds of its layers that see, or may see, a whole window; without
    any it is tile-exact.

    With `ensemble` its answer is the mean of those for the eight flips and quarter turns of a window. `precision` bf16 computes
    all but the convolutions that read or write an image in 16 bits; the networks are changed for it and are not to be trained.
    """

    def __init__(self, networks: list[nn.Module], ensemble: bool = False, precision: str = "fp32"):
        if not networks:
            raise ValueError("a chain needs at least one network")
        if precision not in ("fp32", "bf16"):
            raise ValueError(f"precision: got {precision!r}, allowed are fp32, bf16")
        self.networks, self.ensemble, self.precision = networks, ensemble, precision
        self.device = next(networks[0].parameters()).device
        self.scale, radii, self.multiple = 1, [], 1
        for network in networks:
            radii.append(ceil(network.radius / self.scale))
            multiple = getattr(network, "multiple", 1)
            self.multiple = lcm(self.multiple, multiple // gcd(multiple, self.scale))
            self.scale *= network.scale
            if precision == "bf16":
                _keep_images_in_fp32(network, self.device.type)
        layers = [_global_layers(network) for network in networks]
        self.global_layers = sorted(set().union(*layers))
        margin = min(sum(radii), WIDEST) if self.global_layers else sum(radii)
        self.margin = ceil(margin / self.multiple) * self.multiple
        # input pixels around what is kept that the networks behind each one see
        self.seen_behind = [inf if any(layers[i + 1 :]) else sum(radii[i + 1 :]) for i in range(len(networks))]

    def __call__(self, window: np.ndarray, keep: Region | None = None) -> np.ndarray:
        """uint8, uint16 or float32 in [0, 1], RGB (height, width, 3) or grey (height, width) -> float32 RGB, not clipped.

        `keep`: the part of the window whose answer is wanted, by default all; it begins on the chain's multiples, and ends
        there or with the window. Beside it the answer has no meaning. Raises ValueError when a value is not finite.
        """
        return self.together([window], keep)[0]

    @torch.inference_mode()
    def together(self, windows: list[np.ndarray], keep: Region | None = None) -> np.ndarray:
        """As a call for each of several windows of one size, in one pass: float32 (windows, height, width, 3)."""
        x = [to_tensor(np.ascontiguousarray(window if window.ndim == 3 else np.repeat(window[..., None], 3, axis=2)))
             for window in windows]
        x = torch.cat(x).to(self.device)  # one window too: its strides are then those of a batch, and so is its rounding
        with torch.autocast(self.device.type, torch.bfloat16, self.precision == "bf16"):
            if self.ensemble:  # whole, as what is to be kept is elsewhere in each turned window
                x = mean_of_turns(lambda turned: self.forward(turned, whole(turned)), x)
            else:
                x = self.forward(x, keep or whole(x))
        restored = x.permute(0, 2, 3, 1).cpu().numpy()
        if not np.isfinite(restored).all():
            raise ValueError("the network gave values that are not finite; nothing was written")
        return restored

    def forward(self, x: torch.Tensor, keep: Region | None = None) -> torch.Tensor:
        """float32 NCHW RGB of any size -> `scale` times larger, without ensemble, autocast and checks. Without `keep` the
        networks run as they are, which is what can be exported."""
        scale = 1
        for network, behind in zip(self.networks, self.seen_behind):
            multiple = getattr(network, "multiple", 1)
            height, width = x.shape[2:]
            if multiple > 1:  # divided as ONNX does it too, which rounds what is negative the other way
                rows, columns = ((side + multiple - 1) // multiple * multiple - side for side in (height, width))
                x = F.pad(x, (0, columns, 0, rows), mode="replicate")
            part = keep and [slice(scale * side.start, scale * side.stop) for side in keep]
            with lean(network, grown(part, scale * behind, (height, width))) if part else nullcontext():
                x = network(x.contiguous(memory_format=torch.channels_last)).float()
            x = x.narrow(2, 0, height * network.scale).narrow(3, 0, width * network.scale)
            scale *= network.scale
        return x


def _global_layers(network: nn.Module) -> set[str]:
    """The kinds of its layers that see, or may see, a whole window."""
    layers = {type(module).__name__ for module in network.modules() if isinstance(module, GLOBAL)}
    return layers | {type(network.model).__name__} if isinstance(network, Foreign) else layers


def _keep_images_in_fp32(network: nn.Module, device: str) -> None:
    """8 bits of mantissa are too few for values that are, or become, pixels."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and 3 in (layer.in_channels, layer.out_channels):
            layer.forward = partial(_in_fp32, layer.forward, device)


def _in_fp32(forward, device: str, x: torch.Tensor) -> torch.Tensor:
    with torch.autocast(device, enabled=False):
        return forward(x.float())
