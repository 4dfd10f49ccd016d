"""White Gaussian noise, and how much of it a signal to noise ratio stands for."""
import numpy as np


def add_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """HWC image -> float32 image plus independent N(0, sigma^2) in every value, `sigma` in the image's own units."""
    return image + np.float32(sigma) * rng.standard_normal(image.shape, dtype=np.float32)


def sigma_at(blurred: np.ndarray, snr_db: float) -> float:
    """The standard deviation of noise at a *blurred* signal to noise ratio, in the units of the HWC image.

    BSNR = 10 log10(variance of the blurred image / variance of the noise): Banham, Katsaggelos, "Digital image restoration",
    IEEE Signal Processing Magazine 14(2), 1997. The variance is each channel's about its own mean, averaged over the channels.
    40 dB is a hundredth of the image's standard deviation; a flat image gets none.
    """
    variance = blurred.astype(np.float64).var(axis=(0, 1)).mean()
    return float(np.sqrt(variance) * 10 ** (-snr_db / 20))
