"""Degrade clean images as an estimated camera would that sharpens: the reduction of updown, and the sharpening on top."""
import numpy as np

from pipeline.core.recipes import Sharpened
from pipeline.degrade.bicubic import round_to_uint8
from pipeline.degrade.calibrate import Measured, local_variance
from pipeline.degrade.spectra import radius, to_rgb, to_ycc

PAD = 32  # pixels mirrored at each border: sharpening with an onset of 0.02 cycles per pixel reaches that far


def degrade_sharpened(clean: np.ndarray, soft: np.ndarray, recipe: Sharpened, camera: Measured,
                      rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """RGB HWC in 8-bit levels, and the same as soft as the camera makes it -> (uint8 of the same size, the drawn values).

    Luma: that of `soft`, times the camera's sharpening, where it has some, to a drawn power. Chroma: that of `clean`, times the
    estimate's transfer to a drawn power, as cameras blur colour in ways of their own, and coloured noise in proportion to the
    local contrast.
    """
    estimate, transfer = camera
    sharpening = transfer.sharpening if transfer.sharpens else np.ones(len(transfer.frequency))
    drawn = {"sharpening": rng.uniform(*recipe.sharpening), "noise": rng.uniform(*recipe.noise),
             "colour": max(0.0, 1 + recipe.colour_sd * rng.standard_normal())}
    planes = to_ycc(clean.astype(np.float64))
    contrast = np.sqrt(local_variance(planes) / estimate.contrast)
    planes[..., 0] = to_ycc(soft.astype(np.float64))[..., 0]
    padded = np.pad(planes, ((PAD, PAD), (PAD, PAD), (0, 0)), mode="symmetric")
    height, width = padded.shape[:2]
    frequency, grain = radius(height, width), np.fft.rfft2(rng.standard_normal((height, width)))
    for channel in range(3):
        if channel == 0:
            gain = np.interp(frequency, transfer.frequency, sharpening) ** drawn["sharpening"]
            noise = np.zeros_like(gain)
        else:
            bump, tail, noise = (np.interp(frequency, estimate.frequency, values[channel])
                                 for values in (estimate.bump, estimate.tail, estimate.noise))
            gain = (bump * tail) ** drawn["colour"]
        gain[0, 0] = 1  # the mean stays
        shaped = np.fft.irfft2(np.fft.rfft2(padded[..., channel]) * gain, (height, width))[PAD:-PAD, PAD:-PAD]
        coloured = np.fft.irfft2(grain * np.sqrt(noise), (height, width))[PAD:-PAD, PAD:-PAD]
        planes[..., channel] = shaped + drawn["noise"] * contrast[..., channel] * coloured
    return round_to_uint8(to_rgb(planes)), drawn
