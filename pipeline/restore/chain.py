"""Networks in a row as one function of a window of an image, and what a tiling has to know of it.

A convolution sees a neighbourhood, so a window with a margin as wide as the chain's receptive radius gives its middle exactly.
Some layers see all they are given: the channel attention of RCAN, instance and group norm. A chain with one of them is never
tile-exact; `GLOBAL` names them. Nor is a network of spandrel's, as nobody tells how far it sees.
"""
from functools import partial
from math import ceil, gcd, lcm

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.nets.rcan import ChannelAttention
from pipeline.nets.spandrel import Foreign
from pipeline.restore.apply import mean_of_turns, to_tensor

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
        self.scale, radius, self.multiple = 1, 0, 1
        for network in networks:
            radius += ceil(network.radius / self.scale)
            multiple = getattr(network, "multiple", 1)
            self.multiple = lcm(self.multiple, multiple // gcd(multiple, self.scale))
            self.scale *= network.scale
            if precision == "bf16":
                _keep_images_in_fp32(network, self.device.type)
        layers = {type(module).__name__ for network in networks for module in network.modules() if isinstance(module, GLOBAL)}
        layers |= {type(network.model).__name__ for network in networks if isinstance(network, Foreign)}
        self.global_layers = sorted(layers)
        self.margin = ceil((min(radius, WIDEST) if layers else radius) / self.multiple) * self.multiple

    def __call__(self, window: np.ndarray) -> np.ndarray:
        """uint8, uint16 or float32 in [0, 1], RGB (height, width, 3) or grey (height, width) -> float32 RGB, not clipped.

        Raises ValueError when a value is not finite.
        """
        return self.together([window])[0]

    @torch.inference_mode()
    def together(self, windows: list[np.ndarray]) -> np.ndarray:
        """As a call for each of several windows of one size, in one pass: float32 (windows, height, width, 3)."""
        x = [to_tensor(np.ascontiguousarray(window if window.ndim == 3 else np.repeat(window[..., None], 3, axis=2)))
             for window in windows]
        x = torch.cat(x).to(self.device)  # one window too: its strides are then those of a batch, and so is its rounding
        with torch.autocast(self.device.type, torch.bfloat16, self.precision == "bf16"):
            x = mean_of_turns(self.forward, x) if self.ensemble else self.forward(x)
        restored = x.permute(0, 2, 3, 1).cpu().numpy()
        if not np.isfinite(restored).all():
            raise ValueError("the network gave values that are not finite; nothing was written")
        return restored

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float32 NCHW RGB of any size -> `scale` times larger, without ensemble, autocast and checks."""
        for network in self.networks:
            multiple = getattr(network, "multiple", 1)
            height, width = x.shape[2:]
            if multiple > 1:  # divided as ONNX does it too, which rounds what is negative the other way
                rows, columns = ((side + multiple - 1) // multiple * multiple - side for side in (height, width))
                x = F.pad(x, (0, columns, 0, rows), mode="replicate")
            x = network(x.contiguous(memory_format=torch.channels_last)).float()
            x = x.narrow(2, 0, height * network.scale).narrow(3, 0, width * network.scale)
        return x


def _keep_images_in_fp32(network: nn.Module, device: str) -> None:
    """8 bits of mantissa are too few for values that are, or become, pixels."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and 3 in (layer.in_channels, layer.out_channels):
            layer.forward = partial(_in_fp32, layer.forward, device)


def _in_fp32(forward, device: str, x: torch.Tensor) -> torch.Tensor:
    with torch.autocast(device, enabled=False):
        return forward(x.float())
