"""From a clean image to a degraded one by a recipe of params.yaml, with a record of what was drawn."""
import numpy as np

from pipeline.core import seeds
from pipeline.core.recipes import Bicubic, Blur, Calibrated, Random, Unknown, UpDown
from pipeline.degrade.bicubic import downscale, quantise, resize
from pipeline.degrade.blur import blur, fixed_kernel, gaussian_kernel
from pipeline.degrade.calibrate import Estimate
from pipeline.degrade.calibrated import degrade_calibrated
from pipeline.degrade.camera import sample
from pipeline.degrade.jpeg import jpeg
from pipeline.degrade.noise import add_noise, sigma_at


def degrade(image: np.ndarray, recipe: Bicubic | UpDown | Random | Calibrated | Blur | Unknown, scale: int,
            rng: np.random.Generator, estimate: Estimate | None = None) -> tuple[np.ndarray, dict]:
    """uint8 RGB HWC, sides multiples of `scale` -> (uint8 RGB of 1/scale the sides, the drawn values by name).

    `estimate` is the camera that a calibrated recipe draws around; the others know none.
    """
    height, width = image.shape[:2]
    if height % scale or width % scale:
        raise ValueError(f"an image of {width}x{height} pixels cannot be divided by {scale}: crop it first")
    if recipe.kind == "calibrated":
        reduced = _to_target(image, image, scale) if scale > 1 else image
        return degrade_calibrated(reduced, recipe, estimate, rng)
    return KINDS[recipe.kind](image, recipe, scale, rng)


def _bicubic(image, recipe: Bicubic, scale, rng):
    return downscale(image, scale), {}


def _updown(image, recipe: UpDown, scale, rng):
    """Down by the drawn factor, then to the target size; rounded once, at the end."""
    factor = float(rng.choice(recipe.factors))
    return quantise(_to_target(_by_factor(image, 1 / factor), image, scale)), {"factor": factor}


def _random(image, recipe: Random, scale, rng):
    """The usual order: blur -> detour resize -> resize to the target size -> white noise -> rounding -> JPEG.

    Every value is drawn uniformly from its range, the blur's angle from [0, pi).
    """
    drawn = {"blur_sigma": rng.uniform(*recipe.blur_sigma), "blur_ratio": rng.uniform(*recipe.blur_ratio),
             "blur_angle": rng.uniform(0, np.pi), "resize": rng.uniform(*recipe.resize),
             "noise_sigma": rng.uniform(*recipe.noise_sigma), "jpeg_quality": round(rng.uniform(*recipe.jpeg_quality))}
    kernel = gaussian_kernel(drawn["blur_sigma"], drawn["blur_sigma"] * drawn["blur_ratio"], drawn["blur_angle"])
    detour = _by_factor(blur(image, kernel), drawn["resize"])
    noisy = add_noise(_to_target(detour, image, scale), drawn["noise_sigma"], rng)
    return jpeg(quantise(noisy), drawn["jpeg_quality"]), drawn


def _blur(image, recipe: Blur, scale, rng):
    """Blur -> noise in proportion to the blurred image's contrast -> rounding."""
    blurred = blur(image, fixed_kernel(recipe.shape, recipe.size))
    sigma = 0.0 if recipe.snr_db is None else sigma_at(blurred, recipe.snr_db)
    return quantise(add_noise(blurred, sigma, rng)), {"noise_sigma": sigma}


def hidden_camera(recipe: Unknown) -> dict[str, float]:
    """The values of a recipe's one camera by name; they depend on the recipe alone. The angle is drawn from [0, pi)."""
    draw = seeds.rng(recipe.seed, "hidden camera")
    return {"psf_sigma": draw.uniform(*recipe.psf_sigma), "psf_ratio": draw.uniform(*recipe.psf_ratio),
            "psf_angle": draw.uniform(0, np.pi), "read_sigma": draw.uniform(*recipe.read_sigma)}


def _unknown(image, recipe: Unknown, scale, rng):
    """Point spread -> the light-sensitive centre of each cell of scale x scale pixels -> read noise -> rounding."""
    camera = hidden_camera(recipe)
    kernel = gaussian_kernel(camera["psf_sigma"], camera["psf_sigma"] * camera["psf_ratio"], camera["psf_angle"])
    return quantise(add_noise(sample(blur(image, kernel), scale), camera["read_sigma"], rng)), {}


def _by_factor(image, factor):
    height, width = image.shape[:2]
    return resize(image, max(1, round(height * factor)), max(1, round(width * factor)))


def _to_target(resized, image, scale):
    return resize(resized, image.shape[0] // scale, image.shape[1] // scale)


KINDS = {"bicubic": _bicubic, "updown": _updown, "random": _random, "blur": _blur, "unknown": _unknown}
