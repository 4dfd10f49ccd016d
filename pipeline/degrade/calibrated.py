"""Degrade clean images as an estimated camera would, randomised around the estimate (degrade/calibrate.py)."""
import numpy as np

from pipeline.core.recipes import Calibrated
from pipeline.degrade.bicubic import round_to_uint8
from pipeline.degrade.calibrate import Estimate, local_variance
from pipeline.degrade.jpeg import jpeg
from pipeline.degrade.noise import add_noise
from pipeline.degrade.spectra import radius, to_rgb, to_ycc

PAD = 16  # pixels mirrored at each border, so that opposite borders do not leak into each other


def degrade_calibrated(image: np.ndarray, recipe: Calibrated, estimate: Estimate,
                       rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """Float RGB HWC in 8-bit levels, at the captures' resolution -> (uint8 of the same size, the drawn values by name).

    Transfer bump^u tail^v, with u, v and a stretch of each axis drawn; coloured noise in proportion to the local
    contrast; white noise; JPEG at one of the qualities found in the captures, if any.
    """
    drawn = {"bump": rng.uniform(*recipe.bump), "tail": max(0.0, 1 + recipe.tail_sd * rng.standard_normal()),
             "stretch": np.exp(recipe.stretch_sd * rng.standard_normal(2)).tolist(), "noise": rng.uniform(*recipe.noise),
             "white": float(np.hypot(estimate.white, rng.uniform(*recipe.white))),
             "jpeg_quality": int(rng.choice(estimate.quality)) if estimate.quality else None}
    planes = to_ycc(image.astype(np.float64))
    contrast = np.sqrt(local_variance(planes) / estimate.contrast)
    padded = np.pad(planes, ((PAD, PAD), (PAD, PAD), (0, 0)), mode="symmetric")
    height, width = padded.shape[:2]
    frequency = radius(height, width, drawn["stretch"])
    coloured = np.fft.rfft2(rng.standard_normal((height, width)))
    for channel in range(3):
        bump, tail, noise = (np.interp(frequency, estimate.frequency, values[channel])
                             for values in (estimate.bump, estimate.tail, estimate.noise))
        transfer = bump ** drawn["bump"] * tail ** drawn["tail"]
        transfer[0, 0] = 1  # the mean stays
        shaped = np.fft.irfft2(np.fft.rfft2(padded[..., channel]) * transfer, (height, width))
        grain = np.fft.irfft2(coloured * np.sqrt(noise), (height, width))[PAD:-PAD, PAD:-PAD]
        planes[..., channel] = shaped[PAD:-PAD, PAD:-PAD] + drawn["noise"] * contrast[..., channel] * grain
    degraded = round_to_uint8(add_noise(to_rgb(planes).astype(np.float32), drawn["white"], rng))
    return (jpeg(degraded, drawn["jpeg_quality"]) if drawn["jpeg_quality"] else degraded), drawn
