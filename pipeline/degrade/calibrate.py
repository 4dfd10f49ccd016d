"""A camera estimated from its captures and from clean images of the same domain, without any pair of the two.

Scenes of one domain have the same mean power spectrum, so the ratio of the captures' spectrum to the clean images' tells what
the camera did to each frequency: h(f) = sqrt(P_captures / P_clean), radially and for luma and chroma by themselves, 1 at the
lowest frequency. The ratio is not the camera's transfer function, though. Beyond the lens's reach the captures still hold
power, but of aliases, noise and compression, which have little to do with the scene; a network trained to undo the whole
ratio amplifies what is not detail. So h is taken as measured only as far as the `fit` band, with the camera's sharpening
(h > 1); beyond, the transfer goes on as the Gaussian A exp(-b f^2) fitted in the band, and the power above it counts as
coloured noise.
"""
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.core.recipes import Calibrated
from pipeline.core.sources import Calibration
from pipeline.degrade.basics import add_noise, jpeg
from pipeline.degrade.bicubic import round_to_uint8
from pipeline.degrade.quality import jpeg_quality
from pipeline.degrade.spectra import CHANNELS, ROUNDING, WEIGHT, Powers, frequencies, radius, to_rgb, to_ycc
from pipeline.degrade.transfer_estimate import Transfer

FLAT = 0.02  # share of the 8x8 blocks, the flattest, in which what is left is noise
SATURATED = 8  # levels from black and from white
PAD = 16  # pixels mirrored at each border, so that opposite borders do not leak into each other
EMPTY = 0.01  # squared levels at the lowest frequency, below which a channel holds no image


@dataclass(frozen=True)
class Estimate:
    """What is known of a camera. Lists have one entry per channel (luma, blue, red), inner lists one per frequency."""
    frequency: list[float]  # cycles per pixel of the capture
    measured: list[list[float]]  # sqrt(P_captures / P_clean), 1 at the lowest frequency
    bump: list[list[float]]  # the transfer function is bump * tail;
    tail: list[list[float]]  # tail is at most 1 and Gaussian from where it begins to fall
    noise: list[list[float]]  # power of the coloured noise in squared 8-bit levels, in clean images of mean contrast
    contrast: list[float]  # mean local variance of the clean images in squared levels; coloured noise is in proportion
    white: float  # standard deviation in R, G and B in 8-bit levels, as seen in the flattest places of the captures
    quality: list[int]  # JPEG qualities found in the captures, one for each in which one was found
    captures: int  # how many blocks each spectrum is the mean of
    clean: int


class Measured(NamedTuple):
    """What is known of the camera of an entry of calibrations."""
    estimate: Estimate
    transfer: Transfer


def calibrate(captures, clean, powers: Powers, clean_powers: Powers, settings: Calibration) -> Estimate:
    """`captures` and `clean` are sequences of uint8 RGB HWC images of the same pixel size, whose scenes need not pair; then
    their spectra in blocks of `settings.block`.

    Raises ValueError when one side alone has a channel without contrast, or the transfer never falls into the band to fit.
    """
    power, clean_power = powers.mean, clean_powers.mean
    f = frequencies(settings.block)
    signal, reference = np.maximum(power - ROUNDING, 1e-6), np.maximum(clean_power - ROUNDING, 1e-6)
    empty = np.stack([signal[:, 0], reference[:, 0]]) < EMPTY
    if (odd := np.flatnonzero(empty[0] != empty[1])).size:
        colourless = "captures" if empty[0, odd[0]] else "clean images"
        raise ValueError(f"the {colourless} have no contrast in {CHANNELS[odd[0]]}, the other side has: there is no camera to "
                         "estimate")
    signal[empty[0]] = reference[empty[0]] = 1  # grey on both sides: nothing was done to it
    ratio = signal / reference
    level = ratio[:, :1]  # how much more contrast the captures' scenes have
    measured = np.sqrt(ratio / level)
    fitted = [fit_transfer(f, h, settings.fit, name) for h, name in zip(measured, CHANNELS)]
    bump, tail = np.array([one[0] for one in fitted]), np.array([one[1] for one in fitted])
    white = flat_noise(captures)
    noise = np.maximum((signal - white**2 * WEIGHT) / level - (bump * tail) ** 2 * reference, 0)
    pixels = sum(image.shape[0] * image.shape[1] for image in clean)
    contrast = sum(local_variance(to_ycc(image)).sum((0, 1), dtype=np.float64) for image in clean) / pixels
    return Estimate(frequency=f.tolist(), measured=measured.tolist(), bump=bump.tolist(), tail=tail.tolist(),
                    noise=noise.tolist(), contrast=np.where(empty[1], 1, contrast).tolist(),
                    white=white, quality=sorted(filter(None, map(jpeg_quality, captures))),
                    captures=powers.blocks, clean=clean_powers.blocks)


def fit_transfer(f: np.ndarray, h: np.ndarray, band: tuple[float, float], channel: str) -> tuple[np.ndarray, np.ndarray]:
    """Split h into bump * tail: the tail min(1, A exp(-b f^2)) fitted where h falls from band[1] to band[0]."""
    low, high = band
    below = np.flatnonzero(h < low)
    end = int(below[0]) if below.size else len(h)
    peak = int(np.argmax(h[:end]))
    if end == len(h) and h[peak:].min() > high:  # nothing is lost up to the highest frequency
        return h, np.ones_like(h)
    start = peak + int(np.flatnonzero(h[peak:] <= high)[0])
    if end - start < 2:  # it falls through the band within a bin or two: take in the neighbours on both sides
        start, end = max(start - 1, 0), min(end + 1, len(h))
    slope, offset = np.polyfit(f[start:end] ** 2, np.log(np.maximum(h[start:end], 1e-3)), 1)
    if slope >= 0:
        raise ValueError(f"{channel}: the captures' gain does not fall from {high} to {low}: {np.round(h[start:end], 3)}")
    tail = np.minimum(1, np.exp(offset + slope * f**2))
    return np.where(np.arange(len(h)) < start, h / tail, 1), tail


def local_variance(image: np.ndarray) -> np.ndarray:
    """Float HWC -> float32 variance of each channel in a Gaussian window of sigma 3 pixels, at least 0."""
    image = image.astype(np.float32)

    def mean(x):
        return cv2.GaussianBlur(x, (0, 0), 3, borderType=cv2.BORDER_REFLECT)

    return np.maximum(mean(image * image) - mean(image) ** 2, 0)


def flat_noise(images) -> float:
    """Standard deviation of white noise in R, G and B of uint8 images, in levels, from the luma of the flattest places.

    Immerkaer, "Fast noise variance estimation", CVIU 1996. Flat are the blocks of 8x8 pixels with the least gradient after a
    blur, so that noise itself has little say in the choice; nearly saturated ones, in which noise is cut off, are left out.
    """
    operator = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6
    slopes, powers = [], []
    for image in images:
        luma = to_ycc(image)[..., 0]
        smooth = cv2.GaussianBlur(luma, (0, 0), 2)
        slope = cv2.Sobel(smooth, -1, 1, 0) ** 2 + cv2.Sobel(smooth, -1, 0, 1) ** 2
        slope, power, mean = (_block_means(plane) for plane in (slope, cv2.filter2D(luma, -1, operator) ** 2, luma))
        inside = (mean > SATURATED) & (mean < 255 - SATURATED)
        slopes.append(slope[inside])
        powers.append(power[inside])
    slopes, powers = np.concatenate(slopes), np.concatenate(powers)
    if not len(slopes):
        return 0.0
    flattest = np.argsort(slopes, kind="stable")[: max(1, int(FLAT * len(slopes)))]
    return float(np.sqrt(max(powers[flattest].mean() / WEIGHT[0, 0] - 1 / 12, 0)))


def _block_means(plane: np.ndarray) -> np.ndarray:
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    return plane[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).mean((1, 3)).ravel()


def degrade_calibrated(image: np.ndarray, recipe: Calibrated, estimate: Estimate,
                       rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """As the camera would, randomised around the estimate: float RGB HWC in 8-bit levels, at the captures' resolution ->
    (uint8 of the same size, the drawn values by name).

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
