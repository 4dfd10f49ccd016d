"""Controls that learn nothing, which a gain has to beat to mean anything: a perceptual one sharpening and noise, one in
fidelity the retreat towards the input, one in moire or noise a blur, and any of them a tone nearer that of clean images."""
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.degrade.basics import add_noise
from pipeline.degrade.bicubic import resize_uint8, round_to_uint8

SIGMA = 2  # pixels


def sharpened(image: np.ndarray, amount: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    """uint8 HWC -> uint8 HWC: image + amount * (image - blurred image), then white noise of `noise` 8-bit levels."""
    image = image.astype(np.float32)
    blurred = cv2.GaussianBlur(image, (0, 0), SIGMA, borderType=cv2.BORDER_REFLECT)
    return round_to_uint8(add_noise(image + np.float32(amount) * (image - blurred), noise, rng))


def mix_with_input(image: np.ndarray, degraded: np.ndarray, share: float) -> np.ndarray:
    """uint8 HWC -> uint8 HWC: (1 - share) * image + share * the degraded image, enlarged by bicubic where it is smaller.

    Two estimates of about the same squared error have a mean of a lower one, by a quarter of their squared distance: a
    network may gain PSNR just by doing less.
    """
    enlarged = resize_uint8(degraded, *image.shape[:2]).astype(np.float32)
    return round_to_uint8(np.float32(1 - share) * image + np.float32(share) * enlarged)


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """uint8 HWC -> uint8 HWC: after a Gaussian of `sigma` pixels, mirrored at the borders."""
    return round_to_uint8(cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REFLECT))


class Tone(NamedTuple):
    """Mean and standard deviation of each channel over all pixels of a set, in 8-bit levels of sRGB."""
    mean: np.ndarray
    deviation: np.ndarray


def set_tone(images) -> Tone:
    """Of uint8 HWC images of any sizes, at least one (a list or a Shard), read one at a time."""
    total, squares, count = 0, 0, 0
    for image in images:
        pixels = image.reshape(-1, image.shape[2]).astype(np.int64)
        total, squares, count = total + pixels.sum(axis=0), squares + (pixels**2).sum(axis=0), count + len(pixels)
    mean = total / count
    return Tone(mean, np.sqrt(np.maximum(squares / count - mean**2, 0)))


def match_tone(image: np.ndarray, own: Tone, wanted: Tone) -> np.ndarray:
    """uint8 HWC -> uint8 HWC: per channel the line that takes the tone of the image's set, `own`, to `wanted`.

    The same line for every image of a set, as nothing tells what a single image should look like. A channel without any
    deviation is shifted. Reinhard et al., "Color transfer between images", 2001, in sRGB and set to set.
    """
    slope = np.where(own.deviation > 0, wanted.deviation / np.where(own.deviation > 0, own.deviation, 1), 1)
    return round_to_uint8((image - own.mean) * slope + wanted.mean)
