"""Residual moire: what an output shows in a middle band where the truth is flat."""
import numpy as np

from pipeline.score.flat import FINE, flat_difference, rms_within, smooth_within

COARSE = 10 * FINE  # half gain at 40 pixels


def moire_energy(output: np.ndarray, truth: np.ndarray, border: int = 0) -> float:
    """The root of the band-pass energy of (output - truth) where the truth is flat, in 8-bit levels: at least 0, 0 is best.

    sqrt(mean(|G_0.75 d - G_7.5 d|^2)), d = output - truth, over R, G and B of the pixels that `flat.flat_mask` names, G_s a
    Gaussian mean over those pixels alone. The gain is a half at wavelengths of 4 and 40 pixels and more in between, where the
    moire of screens lies: a wave of amplitude a and 12 pixels gives 0.65 a, a shift of brightness or colour gives nothing.
    White noise of standard deviation s gives 0.37 s: read it beside the flat-area noise.

    Two uint8 RGB HWC images, `border` pixels are cut from each side. Raises ValueError where the truth has no flat area.
    """
    difference, mask = flat_difference(output, truth, border)
    band = smooth_within(difference, mask, FINE) - smooth_within(difference, mask, COARSE)
    return rms_within(band, mask)
