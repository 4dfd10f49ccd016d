"""The control that learns nothing: sharpening and noise, which a perceptual gain has to beat to mean anything."""
import cv2
import numpy as np

from pipeline.degrade.bicubic import quantise
from pipeline.degrade.noise import add_noise

SIGMA = 2  # pixels


def sharpen(image: np.ndarray, amount: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    """uint8 HWC -> uint8 HWC: image + amount * (image - blurred image), then white noise of `noise` 8-bit levels."""
    image = image.astype(np.float32)
    blurred = cv2.GaussianBlur(image, (0, 0), SIGMA, borderType=cv2.BORDER_REFLECT)
    return quantise(add_noise(image + np.float32(amount) * (image - blurred), noise, rng))
