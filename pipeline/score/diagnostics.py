"""What becomes of an input, told without its truth: colour drift, low-pass residual and sharpness.

A network that is trained against a discriminator may gain in NIQE or SWD by leaving its input behind: drift and residual say by
how much, and bound the choice of a network. Sharpness, beside NIQE, says which way a later round goes.
"""
import cv2
import numpy as np

from pipeline.degrade.bicubic import resize
from pipeline.score.swd import laplacian_pyramid

BLOCK = 32  # output pixels on a side, about: sizes are rounded so that whole blocks fill the image
SIGMA = 1  # input pixels


def drift(output: np.ndarray, source: np.ndarray) -> float:
    """How far colours and brightness have moved: uint8 RGB HWC output and input -> 8-bit levels in [0, 255], 0 is best.

    Rms over channels and 32x32 blocks of (mean of the output - mean of the input enlarged to its size by bicubic).
    """
    height, width = output.shape[:2]
    difference = output - resize(source, height, width)
    blocks = max(1, round(width / BLOCK)), max(1, round(height / BLOCK))
    return _rms(cv2.resize(difference, blocks, interpolation=cv2.INTER_AREA))


def residual(output: np.ndarray, source: np.ndarray) -> float:
    """How far the output contradicts its input: uint8 RGB HWC both -> 8-bit levels in [0, 255], 0 is best.

    Rms of the difference between the output, reduced to the input's size by antialiased bicubic, and the input, both
    low-passed by a Gaussian of 1 input pixel: the noise of the input counts little, an invented structure counts.
    """
    difference = resize(output, *source.shape[:2]) - source
    return _rms(cv2.GaussianBlur(difference, (0, 0), SIGMA, borderType=cv2.BORDER_REFLECT))


def fine_energy(image: np.ndarray) -> float:
    """Mean square of the finest Laplacian band of a uint8 HWC image, values in [0, 1]; at least 16 pixels across."""
    if min(image.shape[:2]) < 16:
        raise ValueError(f"sharpness needs images of 16x16 pixels, one is {image.shape[1]}x{image.shape[0]}")
    band, _ = laplacian_pyramid(image)[0]
    return float(np.mean(np.square(band), dtype=np.float64))


def mean_energy(images) -> float:
    """The mean fine energy of clean images. Raises ValueError where they have none."""
    energy = float(np.mean([fine_energy(image) for image in images]))
    if not energy:
        raise ValueError("they are flat, there is no sharpness to compare with")
    return energy


def sharpness(output: np.ndarray, pristine: float) -> float:
    """The fine energy of a uint8 output as a multiple of `pristine`, the mean of clean images: at least 0, 1 is as sharp.

    Noise counts as sharpness too, and so does what a set shows: compare rows of one test set.
    """
    return fine_energy(output) / pristine


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values), dtype=np.float64)))
