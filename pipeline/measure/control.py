"""Controls that learn nothing, which a gain has to beat to mean anything: a perceptual one sharpening and noise, one in
fidelity the retreat towards the input."""
import cv2
import numpy as np

from pipeline.degrade.bicubic import quantise, resize_uint8
from pipeline.degrade.noise import add_noise

SIGMA = 2  # pixels


def sharpen(image: np.ndarray, amount: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    """uint8 HWC -> uint8 HWC: image + amount * (image - blurred image), then white noise of `noise` 8-bit levels."""
    image = image.astype(np.float32)
    blurred = cv2.GaussianBlur(image, (0, 0), SIGMA, borderType=cv2.BORDER_REFLECT)
    return quantise(add_noise(image + np.float32(amount) * (image - blurred), noise, rng))


def mix(image: np.ndarray, degraded: np.ndarray, share: float) -> np.ndarray:
    """uint8 HWC -> uint8 HWC: (1 - share) * image + share * the degraded image, enlarged by bicubic where it is smaller.

    Two estimates of about the same squared error have a mean of a lower one, by a quarter of their squared distance: a
    network may gain PSNR just by doing less.
    """
    enlarged = resize_uint8(degraded, *image.shape[:2]).astype(np.float32)
    return quantise(np.float32(1 - share) * image + np.float32(share) * enlarged)
