"""The JPEG quality an image went through, read off its pixels."""
from functools import cache

import numpy as np
from scipy.fft import dctn

COEFFICIENTS = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0), (2, 2))
QUALITIES = range(30, 93)
"""Above 92 the steps are as fine as the rounding of pixels, which hides them; what they do is as small."""
BELIEVED = 0.5
LEAST = 40  # coefficients that were not rounded to zero, below which nothing is said


def jpeg_quality(image: np.ndarray) -> int | None:
    """uint8 RGB HWC -> the quality of libjpeg's scale whose steps its luma keeps to, or None when it keeps to none.

    A compressed block's DCT coefficients lie near multiples c = n s of the table's steps (Fan and de Queiroz, "Identification
    of bitmap compression history", IEEE TIP 2003), so the mean of cos(2 pi c / s) is near 1 at the true quality and near 0
    at others. Multiples of a step s are multiples of its divisors too, so of all qualities that fit the lowest is taken.
    None for images that were cropped off the 8x8 grid or resized afterwards, and for cameras' own tables.
    """
    gray = image @ np.array([0.299, 0.587, 0.114]) - 128
    rows, columns = gray.shape[0] // 8, gray.shape[1] // 8
    blocks = gray[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    coefficients = dctn(blocks, axes=(1, 2), norm="ortho")
    values = [np.ascontiguousarray(coefficients[:, row, column]) for row, column in COEFFICIENTS]
    cosines = cache(lambda k, step: _cosines(values[k], step))  # several qualities have the same step
    found = [(quality, _fit([cosines(k, step) for k, step in enumerate(steps)])) for quality, steps in _steps().items()]
    best = max(fit for _, fit in found)
    return next(quality for quality, fit in found if fit > 0.95 * best) if best > BELIEVED else None


def _cosines(values: np.ndarray, step: int) -> np.ndarray:
    """cos(2 pi c / s) of the coefficients that are not rounded to zero."""
    return np.cos(2 * np.pi * values[np.abs(values) > step / 2] / step)


def _fit(cosines: list[np.ndarray]) -> float:
    """Their mean; 0 when they are too few."""
    cosines = np.concatenate(cosines)
    return float(cosines.mean()) if len(cosines) >= LEAST else 0.0


@cache
def _steps() -> dict[int, list[int]]:
    """Those of COEFFICIENTS at each quality."""
    return {quality: [int(luma_table(quality)[place]) for place in COEFFICIENTS] for quality in QUALITIES}


def luma_table(quality: int) -> np.ndarray:
    """libjpeg's (8, 8) quantisation steps for luma at `quality` (1..100)."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((ANNEX_K * scale + 50) // 100, 1, 255)


ANNEX_K = np.array([  # ITU-T T.81, table K.1
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99]])
