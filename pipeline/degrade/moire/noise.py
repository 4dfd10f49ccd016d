"""Step 7: the sensor's noise, and its range: photons and electronics, before any colour is interpolated.

Poisson-Gaussian in the normal approximation, variance = a * signal + b^2 (Foi et al., "Practical Poissonian-Gaussian noise
modeling and fitting for single-image raw-data", IEEE TIP 2008). With a = 0 it is Gaussian.
"""
import numpy as np

FULL = 65535


def sensor_noise(raw: np.ndarray, shot_variance: float, read_sigma: float, rng: np.random.Generator) -> np.ndarray:
    """float32 light, full scale 1, which it clips to before adding noise -> uint16, full scale 65535.

    `shot_variance` is a, variance over signal; `read_sigma` is b; both in linear light of full scale 1.
    """
    raw = np.clip(raw, 0, 1)
    if shot_variance or read_sigma:
        spread = raw * np.float32(shot_variance)
        spread += np.float32(read_sigma**2)
        np.sqrt(spread, out=spread)
        spread *= rng.standard_normal(raw.shape, np.float32)
        raw += spread
    raw *= FULL
    raw += np.float32(0.5)
    return np.clip(raw, 0, FULL, out=raw).astype(np.uint16)
