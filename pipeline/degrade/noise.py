"""White Gaussian noise."""
import numpy as np


def add_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """HWC image -> float32 image plus independent N(0, sigma^2) in every value, `sigma` in the image's own units."""
    return image + np.float32(sigma) * rng.standard_normal(image.shape, dtype=np.float32)
