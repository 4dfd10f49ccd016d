"""The inverse of a camera's own sharpening: one fixed linear filter of the luma.

It is made from a calibration (stages/unsharpen.py), not trained. As the first link of a chain it gives a network that was
trained on soft images captures that are soft alone.
"""
import numpy as np
from torch import nn

LUMA = (0.299, 0.587, 0.114)  # of JPEG (ITU-T T.871)
GRID = 256  # frequencies on each side, at which the response is compared with the wanted one
ROUNDS = 200


class Unsharpen(nn.Module):
    """NCHW in [0, 1] -> the same size. Adds the filtered luma to all three colours, so chroma stays; at the borders the edge
    pixel is repeated. With weights of 0, as they are at first, it changes nothing."""

    def __init__(self, size: int):
        super().__init__()
        self.scale, self.radius = 1, size // 2
        self.filter = nn.Conv2d(3, 1, size, padding=size // 2, padding_mode="replicate", bias=False)
        nn.init.zeros_(self.filter.weight)

    def forward(self, x):
        return x + self.filter(x)


def build(size: int = 31) -> Unsharpen:
    """`size` is the side of the filter in pixels, odd."""
    if size < 1 or size % 2 == 0:
        raise ValueError(f"unsharpen: size is {size!r}, wanted an odd number from 1 on")
    return Unsharpen(size)


def weights_of(kernel: np.ndarray) -> np.ndarray:
    """A filter of the luma (size, size) -> the weights (1, 3, size, size) of a layer that does it, but for the image itself."""
    change = kernel.copy()
    change[len(kernel) // 2, len(kernel) // 2] -= 1
    return (np.array(LUMA)[:, None, None] * change)[None]


def inverse_filter(frequency: list[float], gain: list[float], size: int) -> tuple[np.ndarray, float]:
    """The filter (size, size) whose response comes nearest to 1 / max(gain, 1), and its largest distance from that.

    `gain` is over the radial frequency in cycles per pixel, and 1 at 0. The mean of an image stays. Found by turns: the wanted
    response is cut to the filter's size, and where the cut filter is far off, the wanted response is moved the other way.
    """
    radius = np.hypot(np.fft.fftfreq(GRID)[:, None], np.fft.fftfreq(GRID)[None])
    wanted = 1 / np.maximum(np.interp(radius, [0, *frequency], [1, *gain]), 1)
    places = np.arange(-(size // 2), size // 2 + 1) % GRID
    target, best, error = wanted, None, np.inf
    for _ in range(ROUNDS):
        kernel = np.fft.ifft2(target).real[np.ix_(places, places)]
        kernel += (1 - kernel.sum()) / kernel.size
        off = response(kernel) - wanted
        if (largest := np.abs(off).max()) < error:
            best, error = kernel, float(largest)
        bound = 0.75 * error
        target = wanted + np.clip(off, -bound, bound) - 0.5 * (off - np.clip(off, -bound, bound))
    return best, error


def response(kernel: np.ndarray) -> np.ndarray:
    """Of a symmetric filter at the frequencies of a discrete Fourier transform of GRID x GRID pixels."""
    whole = np.zeros((GRID, GRID))
    whole[: len(kernel), : len(kernel)] = kernel
    return np.fft.fft2(np.roll(whole, [-(len(kernel) // 2)] * 2, (0, 1))).real
