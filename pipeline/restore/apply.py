"""Apply a network, or a chain of them, to an image of any size: the network sees a tile at a time, the output is held whole.

Large images go through in tiles of one fixed size. Each tile is read with a margin of the network's receptive radius and
the margin's output is thrown away, so a purely convolutional network gives what one pass over the whole image gives.
"""
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

TILE = 256  # input pixels on a side, margin not counted


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """uint8 or uint16 HWC to float32 1CHW in [0, 1]; float32 passes unscaled."""
    full_scale = 1 if image.dtype == np.float32 else np.iinfo(image.dtype).max
    return torch.from_numpy(image.astype(np.float32) / np.float32(full_scale)).permute(2, 0, 1)[None]


def quantise(image: np.ndarray, dtype: str = "uint8") -> np.ndarray:
    """Float in [0, 1] to integers over the dtype's whole range: clipped, then rounded half up."""
    full_scale = np.iinfo(dtype).max
    return np.floor(np.clip(image, 0, 1) * full_scale + 0.5).astype(dtype)


@torch.no_grad()
def apply(networks: list, image: np.ndarray, tile: int = TILE) -> np.ndarray:
    """`image` (uint8, uint16 or float32 in [0, 1], HWC RGB) through each network in turn: float32 HWC, not clipped.

    An empty list returns the image as float. Raises ValueError for a tile of less than 16 pixels.
    """
    if tile < 16:
        raise ValueError(f"tile: got {tile}, wanted at least 16 pixels")
    x = to_tensor(image)
    for network in networks:
        x = _tiled(network, x, tile)
    return x[0].permute(1, 2, 0).contiguous().numpy()


def _tiled(network, x: torch.Tensor, tile: int) -> torch.Tensor:
    device = next(network.parameters()).device
    multiple = getattr(network, "multiple", 1)
    true_height, true_width = x.shape[2:]
    x = F.pad(x, (0, -true_width % multiple, 0, -true_height % multiple), mode="replicate")
    output = _padded(network, x, tile - tile % multiple, device)
    return output[:, :, : true_height * network.scale, : true_width * network.scale]


@torch.no_grad()
def self_ensemble(network, image: np.ndarray, tile: int = TILE) -> np.ndarray:
    """As `apply` of one network, but the mean of its answers for the eight flips and quarter turns of the image."""
    mean = mean_of_turns(lambda x: _tiled(network, x, tile), to_tensor(image))
    return mean[0].permute(1, 2, 0).contiguous().numpy()


def mean_of_turns(forward: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The mean of the answers for the eight flips and quarter turns of NCHW images, each turned back (Timofte et al., "Seven
    ways to improve example-based single image super resolution", CVPR 2016)."""
    total = 0
    for quarters in range(4):
        for flip in (False, True):
            turned = torch.rot90(x.flip(3) if flip else x, quarters, (2, 3))
            answer = torch.rot90(forward(turned.contiguous()), -quarters, (2, 3))
            total = total + (answer.flip(3) if flip else answer)
    return total / 8


def _padded(network, x: torch.Tensor, tile: int, device) -> torch.Tensor:
    """Sides, tile and margin are multiples of what the network asks for, so that every window starts on one."""
    height, width = x.shape[2:]
    if height <= tile + 2 * network.radius and width <= tile + 2 * network.radius:
        return _run(network, x, device)
    scale, margin = network.scale, network.radius
    window = [min(size, tile + 2 * margin) for size in (height, width)]
    output = torch.empty(1, 3, height * scale, width * scale)
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            bottom, right = min(top + tile, height), min(left + tile, width)
            # a window of constant shape around the tile, pushed inside the image at its borders
            y = min(max(top - margin, 0), height - window[0])
            z = min(max(left - margin, 0), width - window[1])
            restored = _run(network, x[:, :, y : y + window[0], z : z + window[1]], device)
            output[:, :, top * scale : bottom * scale, left * scale : right * scale] = restored[
                :, :, (top - y) * scale : (bottom - y) * scale, (left - z) * scale : (right - z) * scale]
    return output


def _run(network, x: torch.Tensor, device) -> torch.Tensor:
    return network(x.to(device).contiguous(memory_format=torch.channels_last)).float().cpu()
