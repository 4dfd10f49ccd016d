"""Where the truth is flat, and what a band of the difference from it looks like there.

Where nothing is to be seen, all that an output shows is an error: noise if it is fine, moire if it is coarser.
"""
import cv2
import numpy as np

from pipeline.score.luma import compared

WINDOW = 9  # pixels across: an edge is further away than blur and misregistration of a pixel carry it
RANGE = 8  # 8-bit levels; the JPEG files of a screen's truth are not flatter
AREA = 32 * 32  # pixels
FINE = 0.75
"""Sigma in pixels of the Gaussian whose gain is a half at 4 pixels: wavelength * sqrt(ln 2 / 2) / pi."""


def flat_mask(truth: np.ndarray) -> np.ndarray:
    """uint8 HWC -> bool HW: pixels around which no channel varies by more than 8 levels within 9x9 pixels."""
    window = np.ones((WINDOW, WINDOW), np.uint8)
    spread = cv2.dilate(truth, window) - cv2.erode(truth, window)
    return cv2.inRange(spread, (0, 0, 0), (RANGE, RANGE, RANGE)) > 0


def flat_difference(output: np.ndarray, truth: np.ndarray, border: int) -> tuple[np.ndarray, np.ndarray]:
    """Output - truth of two uint8 RGB HWC images without their border, float32 in levels, and where the truth is flat.

    Raises ValueError for a truth with less than 32x32 such pixels.
    """
    output, truth = compared(output, truth, border, "rgb", False)
    mask = flat_mask(truth)
    if (area := np.count_nonzero(mask)) < AREA:
        raise ValueError(f"the truth has no flat area: {area} pixels of it, wanted {AREA}")
    return output.astype(np.float32) - truth, mask


def smooth_within(values: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """HWC float32 -> each pixel's mean, weighted by a Gaussian, over the pixels of `mask` alone; of use inside the mask.

    Normalised convolution (Knutsson and Westin, CVPR 1993): nothing beside a flat area leaks in, a constant stays as it is.
    """
    weight = mask.astype(np.float32)
    total, weights = (cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT)
                      for image in (values * weight[..., None], weight))
    return total / np.maximum(weights, np.finfo(np.float32).tiny)[..., None]


def rms_within(values: np.ndarray, mask: np.ndarray) -> float:
    """Root mean square over the pixels of the mask and all channels."""
    return float(np.sqrt(np.mean(np.square(values[mask]), dtype=np.float64)))
