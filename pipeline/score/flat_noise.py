"""Noise of an output where the truth is flat. `degrade.calibrate.flat_noise` is another: an estimate without any truth."""
import cv2
import numpy as np

from pipeline.score.flat import FINE, flat_difference, rms_within, smooth_within

_LINE = cv2.getGaussianKernel(7, FINE)[:, 0]
GAIN = float(np.sqrt(1 - 2 * _LINE[3] ** 2 + np.sum(_LINE**2) ** 2))
"""Rms of white noise of standard deviation 1 after the high-pass."""


def flat_area_noise(output: np.ndarray, truth: np.ndarray, border: int = 0) -> float:
    """Standard deviation of the white noise whose fine part is that of (output - truth) where the truth is flat, in 8-bit
    levels: at least 0, 0 is best.

    sqrt(mean(|d - G_0.75 d|^2)) / 0.76, d = output - truth, over R, G and B of the pixels that `flat.flat_mask` names: what
    has a wavelength of less than 4 pixels, as the noise of a camera and the grain that a discriminator invites. White noise
    of standard deviation s gives s. A blur lowers it too, whatever else it does.

    Two uint8 RGB HWC images, `border` pixels are cut from each side. Raises ValueError where the truth has no flat area.
    """
    difference, mask = flat_difference(output, truth, border)
    return rms_within(difference - smooth_within(difference, mask, FINE), mask) / GAIN
