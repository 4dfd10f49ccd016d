"""Radial power spectra of luma and chroma: what sets of images share however different their scenes are."""
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.fft import rfft2

CHANNELS = ("luma", "blue", "red")  # Y, Cb and Cr of JPEG (ITU-T T.871)
YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
RGB = np.linalg.inv(YCC)
WEIGHT = (YCC**2).sum(axis=1, keepdims=True)
"""Power in each channel of noise of power 1 in each of R, G and B."""
ROUNDING = WEIGHT / 12
"""Power of rounding RGB to 8 bits, in squared levels."""


def to_ycc(image: np.ndarray) -> np.ndarray:
    """RGB HWC in any unit -> float64 HWC of Y, Cb, Cr in the same unit, chroma about 0."""
    return image @ YCC.T


def to_rgb(image: np.ndarray) -> np.ndarray:
    """The inverse of `to_ycc`."""
    return image @ RGB.T


def frequencies(block: int) -> np.ndarray:
    """Middles of the block/2 radial bins in cycles per pixel, from above 0 to below 0.5."""
    return (np.arange(block // 2) + 0.5) / block


def radius(height: int, width: int, stretch: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Frequency in cycles per pixel of each entry of an rfft2 of (height, width), (height, width // 2 + 1)."""
    return np.hypot(stretch[0] * np.fft.fftfreq(height)[:, None], stretch[1] * np.fft.rfftfreq(width)[None])


class Powers(NamedTuple):
    """Power spectra of a set of images, (3 channels, block // 2 bins) in squared 8-bit levels."""
    mean: np.ndarray
    """Over all blocks."""
    blocks: int
    """How many there were."""
    images: list[tuple[np.ndarray, int]]
    """Both of each image."""


def radial_power(images, block: int) -> Powers:
    """Mean power spectra of uint8 RGB HWC images.

    Welch's method: half-overlapping blocks of `block` x `block` pixels without their mean, under a Hann window. A white
    noise of sigma levels in a channel has the power sigma^2 in every bin. Images smaller than a block are left out; raises
    ValueError when none is left.
    """
    window = np.outer(np.hanning(block + 1)[:-1], np.hanning(block + 1)[:-1])
    norm, total, count, single = (window**2).sum(), 0.0, 0, []
    for image in images:
        if min(image.shape[:2]) < block:
            continue
        planes = np.ascontiguousarray(to_ycc(image).transpose(2, 0, 1))
        blocks = np.lib.stride_tricks.sliding_window_view(planes, (block, block), axis=(1, 2))[:, :: block // 2, :: block // 2]
        own = 0.0
        for row in range(blocks.shape[1]):
            parts = (blocks[:, row] - blocks[:, row].mean((2, 3), keepdims=True)) * window
            power = (np.abs(rfft2(parts)) ** 2).sum(axis=1)
            total, own = total + power, own + power
        here = blocks.shape[1] * blocks.shape[2]
        count += here
        single.append((_radially(own / here / norm), here))
    if not count:
        raise ValueError(f"no image holds a block of {block}x{block} pixels")
    return Powers(_radially(total / count / norm), count, single)


def _radially(power: np.ndarray) -> np.ndarray:
    """(channels, block, block // 2 + 1) of an rfft2 -> the mean in each ring, (channels, block // 2)."""
    flat = power.reshape(len(power), -1)
    return np.stack([(flat.take(places, axis=1) * weights).sum(axis=1) / weights.sum()
                     for places, weights in _rings(power.shape[1])], axis=1)


@cache
def _rings(block: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each ring the places in the flattened rfft2 of a block, and their weights."""
    bins = (radius(block, block) * block).astype(int)
    twice = np.full(block // 2 + 1, 2.0)  # rfft2 leaves out the mirror image of all columns but the first and the last
    twice[[0, -1]] = 1
    weights = np.broadcast_to(twice, bins.shape)
    return [(np.flatnonzero(bins == k), weights[bins == k]) for k in range(block // 2)]
