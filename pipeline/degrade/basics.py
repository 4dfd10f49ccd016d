"""Blur, white noise and JPEG: what several degradations are made of."""
import cv2
import numpy as np


def gaussian_kernel(sigma_x: float, sigma_y: float, angle: float = 0.0) -> np.ndarray:
    """Sampled Gaussian as a float64 (n, n) kernel, n odd, cut at four times the larger sigma, with sum one.

    Sigmas in pixels along the kernel's own axes (0 leaves an axis alone); `angle` in radians turns its x axis from the
    image's x towards the image's y, that is downwards.
    """
    radius = int(4 * max(sigma_x, sigma_y) + 0.5)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    kernel = np.exp(-0.5 * ((along / max(sigma_x, 1e-6)) ** 2 + (across / max(sigma_y, 1e-6)) ** 2))
    return kernel / kernel.sum()


def fixed_kernel(shape: str, size: int) -> np.ndarray:
    """Kernel as a float64 (size, size) array with sum one; `size` is odd.

    gaussian: sigma 0.3 ((size - 1) / 2 - 1) + 0.8 pixels, what OpenCV derives from a size. box: uniform. disk: uniform over a
    circle of diameter `size`, the pixels at its rim weighted by the share of their area inside (from 32 x 32 points in each).
    """
    if shape == "gaussian":
        line = cv2.getGaussianKernel(size, 0.3 * ((size - 1) / 2 - 1) + 0.8)
        return line @ line.T
    if shape == "box":
        return np.full((size, size), 1 / size**2)
    points = (np.arange(32 * size) + 0.5) / 32 - size / 2
    inside = (points[:, None] ** 2 + points**2 <= size**2 / 4).reshape(size, 32, size, 32).mean((1, 3))
    return inside / inside.sum()


def blur(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """HWC image -> float32 image correlated with `kernel` (odd sides); symmetric border (edge pixel repeated)."""
    image = image.astype(np.float32)
    return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT).reshape(image.shape)


def sharpened(image: np.ndarray, amount: float, sigma: float) -> np.ndarray:
    """HWC image in floats -> the image plus `amount` times what a Gaussian blur of `sigma` pixels takes from it."""
    if not amount:
        return image
    return image + np.float32(amount) * (image - cv2.GaussianBlur(image, (0, 0), sigma))


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


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """uint8 RGB HWC -> what remains of it after JPEG at `quality` (1..100), chroma at half resolution (4:2:0)."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
