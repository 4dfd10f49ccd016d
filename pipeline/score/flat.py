"""What an output shows where its truth is flat: all of it is an error, noise if it is fine, moire if it is coarser."""
import cv2
import numpy as np

from pipeline.score.fidelity import compared

WINDOW = 9  # pixels across: an edge is further away than blur and misregistration of a pixel carry it
RANGE = 8  # 8-bit levels; the JPEG files of a screen's truth are not flatter
AREA = 32 * 32  # pixels
FINE = 0.75  # sigma in pixels of the Gaussian whose gain is a half at 4 pixels: wavelength * sqrt(ln 2 / 2) / pi
COARSE = 10 * FINE  # half gain at 40 pixels
_LINE = cv2.getGaussianKernel(7, FINE)[:, 0]
GAIN = float(np.sqrt(1 - 2 * _LINE[3] ** 2 + np.sum(_LINE**2) ** 2))
"""Rms of white noise of standard deviation 1 after the high-pass."""


def flat_area_noise(output: np.ndarray, truth: np.ndarray, border: int = 0) -> float:
    """Standard deviation of the white noise whose fine part is that of (output - truth) where the truth is flat, in 8-bit
    levels: at least 0, 0 is best. `degrade.calibrate.flat_noise` is another: an estimate without any truth.

    sqrt(mean(|d - G_0.75 d|^2)) / 0.76, d = output - truth, over R, G and B of the pixels that `flat_mask` names: what has a
    wavelength of less than 4 pixels, as the noise of a camera and the grain that a discriminator invites. White noise of
    standard deviation s gives s. A blur lowers it too, whatever else it does.

    Two uint8 RGB HWC images, `border` pixels are cut from each side. Raises ValueError where the truth has no flat area.
    """
    difference, mask = flat_difference(output, truth, border)
    return _rms_within(difference - smooth_within(difference, mask, FINE), mask) / GAIN


def moire_energy(output: np.ndarray, truth: np.ndarray, border: int = 0) -> float:
    """The root of the band-pass energy of (output - truth) where the truth is flat, in 8-bit levels: at least 0, 0 is best.

    sqrt(mean(|G_0.75 d - G_7.5 d|^2)), d = output - truth, over R, G and B of the pixels that `flat_mask` names, G_s a
    Gaussian mean over those pixels alone. The gain is a half at wavelengths of 4 and 40 pixels and more in between, where the
    moire of screens lies: a wave of amplitude a and 12 pixels gives 0.65 a, a shift of brightness or colour gives nothing.
    White noise of standard deviation s gives 0.37 s: read it beside the flat-area noise. Arguments as above.
    """
    difference, mask = flat_difference(output, truth, border)
    return _rms_within(smooth_within(difference, mask, FINE) - smooth_within(difference, mask, COARSE), mask)


def flat_mask(truth: np.ndarray) -> np.ndarray:
    """uint8 HWC -> bool HW: pixels around which no channel varies by more than 8 levels within 9x9 pixels."""
    window = np.ones((WINDOW, WINDOW), np.uint8)
    spread = cv2.dilate(truth, window) - cv2.erode(truth, window)
    return cv2.inRange(spread, (0, 0, 0), (RANGE, RANGE, RANGE)) > 0


def flat_difference(output: np.ndarray, truth: np.ndarray, border: int) -> tuple[np.ndarray, np.ndarray]:
    """Output - truth of two uint8 RGB HWC images without their border, float32 in levels, and where the truth is flat.

    Raises ValueError for a truth with less than 32x32 such pixels.
    """
    output, truth = compared(output, truth, border)
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


def _rms_within(values: np.ndarray, mask: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values[mask]), dtype=np.float64)))
