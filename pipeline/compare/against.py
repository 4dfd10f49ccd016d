"""What became of clean windows on their way to a capture or a synthetic input: tone, what is lost of them, what is added."""
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.compare.windows import Windows
from pipeline.degrade.spectra import radial_power

CHANNELS = ("luma", "chroma")
EMPTY = 1e-6  # squared levels, below which there is no image; rounding alone leaves 0.03
COARSE, TEXTURED = 8, 16  # pixels, and levels of contrast in means over so many, from which on a gain is read off them


@dataclass(frozen=True)
class Against:
    """Spectra are (2 channels, block // 2 bins), as `spectrum` makes them."""
    transfer: np.ndarray
    """The share of the clean image's amplitude that is still there and in its place, Re(mean cross spectrum) / mean power of
    the clean image. Noise, moire and random shifts do not add to it. NaN where the clean image is empty."""
    residual: np.ndarray
    """Power in squared levels of what is left of each window after gain * clean + offset, fitted to each channel through means
    of 8x8 pixels, which blur leaves alone; through the pixels where such means have no contrast."""
    added: np.ndarray
    """The part of the residual's power that no fixed filter makes of the clean image: without what is lost alike everywhere."""
    gain: np.ndarray  # (n, 3): the gains of the windows whose means have contrast in all channels
    shift: np.ndarray  # (windows, 3): by how many levels the mean of each channel is above that of the clean window


def spectrum(images, block: int) -> np.ndarray:
    """(2, block // 2): mean power of luma, and of both chroma channels on average, in squared levels; see `radial_power`."""
    power = radial_power(images, block).mean
    return np.stack([power[0], power[1:].mean(axis=0)])


def against(windows: Windows, clean: Windows, power: np.ndarray, block: int) -> Against:
    """`power` is the spectrum of `windows`; both are read one at a time, several times."""
    coarse = ([cv2.resize(image.astype(np.float32), None, fx=1 / COARSE, fy=1 / COARSE, interpolation=cv2.INTER_AREA)
               for image in pair] for pair in zip(windows, clean))
    gain, shift, contrast = (np.array(values) for values in zip(*(tone_fit(*pair) for pair in coarse)))
    seen = contrast >= TEXTURED
    slope = [np.where(row, through_means, tone_fit(a, b)[0]) for a, b, through_means, row in zip(windows, clean, gain, seen)]
    reference = spectrum(clean, block)
    residual = spectrum((a - s * b for a, b, s in zip(windows, clean, slope)), block)
    there = reference > EMPTY
    kept = _cross(power, reference, spectrum((a - 1.0 * b for a, b in zip(windows, clean)), block))
    lost = _cross(residual, reference, spectrum((a - (s + 1) * b for a, b, s in zip(windows, clean, slope)), block))
    explained = np.divide(lost**2, reference, out=np.zeros_like(power), where=there)
    return Against(np.divide(kept, reference, out=np.full_like(power, np.nan), where=there),
                   residual, np.maximum(residual - explained, 0), gain[seen.all(axis=1)], shift)


def _cross(a: np.ndarray, b: np.ndarray, difference: np.ndarray) -> np.ndarray:
    """The real part of the mean cross spectrum of a and b, from |a - b|^2 = |a|^2 + |b|^2 - 2 Re(a b*)."""
    return (a + b - difference) / 2


def tone_fit(window: np.ndarray, clean: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each channel the slope of the line gain * clean + offset nearest to the window (least squares), the difference of
    the means, and the clean side's standard deviation. A channel without any has the gain 0."""
    y, x = (image.reshape(-1, 3).astype(np.float64) for image in (window, clean))
    shift, x = y.mean(axis=0) - x.mean(axis=0), x - x.mean(axis=0)
    variance = (x**2).mean(axis=0)
    return np.divide((x * y).mean(axis=0), variance, out=np.zeros(3), where=variance > 0), shift, np.sqrt(variance)
