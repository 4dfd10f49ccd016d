"""The proxy camera: what a modest camera makes of a scene. Stands in for real captures where the truth must be known.

scene -> linear light -> point spread -> sensor cells -> [mosaic] + shot noise -> sRGB -> [sharpening] -> read noise -> JPEG
"""
import cv2
import numpy as np

from pipeline.core.sources import Camera
from pipeline.degrade.basics import jpeg, sharpened
from pipeline.degrade.moire.sensor import PAD, cfa, demosaic

MOTION_SAMPLES_PER_PIXEL = 4
NARROWEST = 0.2  # pixels; a Gaussian of this sigma is a point: 4e-6 of its peak one pixel away


def capture(scene: np.ndarray, scale: int, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Photograph a scene: uint8 (height, width, 3) sRGB to uint8 (height/scale, width/scale, 3) sRGB.

    One value of each range of `camera`, whose class gives the units, is drawn from `rng`, all uniformly. Raises ValueError
    when the scene's sides are not multiples of `scale`.
    """
    height, width, _ = scene.shape
    if height % scale or width % scale:
        raise ValueError(f"scene is {width}x{height}, wanted sides that are multiples of {scale}")
    kernel = point_spread(rng.uniform(*camera.psf_sigma), rng.uniform(*camera.psf_ratio), rng.uniform(0, np.pi),
                          rng.uniform(*camera.motion_length), rng.uniform(0, np.pi))
    shot_variance, read_sigma = rng.uniform(*camera.shot_variance), rng.uniform(*camera.read_sigma)
    sharpen, quality = rng.uniform(*camera.sharpen), round(rng.uniform(*camera.jpeg_quality))

    light = cv2.filter2D(to_linear(scene), -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    light = sample_camera(light, scale)
    if camera.mosaic:
        light = bilinear_demosaic(shot_noise(cfa(light, "RGGB"), shot_variance, rng))
    else:
        light = shot_noise(light, shot_variance, rng)
    image = to_srgb(light)
    image = sharpened(image, sharpen, camera.sharpen_sigma)
    image = image + rng.standard_normal(image.shape, np.float32) * np.float32(read_sigma / 255)
    return jpeg(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8), quality)


def to_linear(image: np.ndarray) -> np.ndarray:
    """uint8 sRGB to float32 linear light in [0, 1] (IEC 61966-2-1)."""
    value = np.arange(256) / 255
    table = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return table.astype(np.float32)[image]


def to_srgb(light: np.ndarray) -> np.ndarray:
    """float32 linear light to float32 sRGB; values beyond [0, 1] are clipped (IEC 61966-2-1)."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** np.float32(1 / 2.4) - 0.055).astype(np.float32)


def point_spread(sigma: float, ratio: float, angle: float, motion: float = 0.0, heading: float = 0.0) -> np.ndarray:
    """Kernel (odd square, float32, sum 1) of an anisotropic Gaussian dragged along a straight line.

    `sigma` along the long axis and `sigma * ratio` across it, `motion` the length of the line, in pixels; angles in radians.
    """
    radius = int(np.ceil(4 * max(sigma, NARROWEST) + motion / 2))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    long, short = max(sigma, NARROWEST), max(sigma * ratio, NARROWEST)
    count = int(np.ceil(motion * MOTION_SAMPLES_PER_PIXEL)) + 1
    kernel = np.zeros_like(x)
    for t in np.linspace(-motion / 2, motion / 2, count):
        u, v = x - t * np.cos(heading), y - t * np.sin(heading)
        along, across = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
        kernel += np.exp(-0.5 * ((along / long) ** 2 + (across / short) ** 2))
    return (kernel / kernel.sum()).astype(np.float32)


def sample_camera(light: np.ndarray, scale: int) -> np.ndarray:
    """One value per sensor cell of scale x scale pixels: the mean of its light-sensitive centre, one pixel or four.

    float32 (height, width, 3) to (height/scale, width/scale, 3); an odd scale has one central pixel, an even one has four.
    """
    first, side = (scale - 1) // 2, 2 - scale % 2
    return np.mean([light[first + i :: scale, first + j :: scale] for i in range(side) for j in range(side)], axis=0)


def shot_noise(light: np.ndarray, variance: float, rng: np.random.Generator) -> np.ndarray:
    """Add photon noise as a Gaussian whose variance is `variance` times the signal; clipped to [0, 1]."""
    noise = rng.standard_normal(light.shape, np.float32) * np.sqrt(np.float32(variance) * np.clip(light, 0, 1))
    return np.clip(light + noise, 0, 1)


def bilinear_demosaic(raw: np.ndarray) -> np.ndarray:
    """RGGB mosaic, float32 (height, width) in [0, 1], to RGB (height, width, 3), edge-aware, by OpenCV in 16 bits."""
    padded = np.pad(np.rint(raw * 65535).astype(np.uint16), PAD, mode="reflect")  # keeps the phase, and OpenCV's crude rim out
    return demosaic(padded, "RGGB", "edge").astype(np.float32) / 65535
