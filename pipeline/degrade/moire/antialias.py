"""Step 5: the flat-top filter before the sensor: lens, optical low-pass filter and the area of a photosite together.

Weights exp(-(r^2 / (2 sigma^2))^2), r from the photosite's centre, so flatter at the top and steeper at the sides than a
Gaussian. The light is sampled on a grid `fine` times as dense as the sensor, at least twice, and the filter is computed at
the sensor's pixels alone: the grid is `fine`^2 interleaved grids of the sensor's density, each with its part of the kernel.
"""
import cv2
import numpy as np

REACH = 2.4  # sigma; the weight there is 3e-4 of the largest. A kernel cut earlier is a box with side lobes.


def halo(sigma: float) -> int:
    """Camera pixels around an image that the filter reads."""
    return int(np.ceil(REACH * sigma))


def offsets(fine: int) -> np.ndarray:
    """Places of the `fine` samples within a camera pixel along one axis, from its centre."""
    return (np.arange(fine) - (fine - 1) / 2) / fine


def kernels(sigma: float, fine: int) -> np.ndarray:
    """float32 (fine, fine, n, n), n = 2 halo + 1: the weights for the grid at offsets[a] down and offsets[b] right.

    `sigma` in camera pixels; all weights together sum to one.
    """
    reach = halo(sigma)
    places = offsets(fine)[:, None] + np.arange(-reach, reach + 1)
    square = places[:, None, :, None] ** 2 + places[None, :, None, :] ** 2
    weights = np.exp(-((square / (2 * sigma**2)) ** 2)) * (square <= (REACH * sigma) ** 2)
    return (weights / weights.sum()).astype(np.float32)


def antialias(grids, sigma: float, fine: int) -> np.ndarray:
    """Float32 light (height, width, 3) at the sensor's pixels, of `grids`: an iterable of fine^2 arrays in the order of
    `kernels`, row by row, each of float32 (height + 2 halo, width + 2 halo, 3)."""
    reach, light = halo(sigma), 0
    for grid, kernel in zip(grids, kernels(sigma, fine).reshape(fine**2, 2 * reach + 1, -1)):
        filtered = cv2.filter2D(grid, -1, kernel)[reach : grid.shape[0] - reach, reach : grid.shape[1] - reach]
        light = np.add(light, filtered, out=light if isinstance(light, np.ndarray) else None)
    return light
