"""From a clean image to a training pair by a recipe of params.yaml, with a record of what was drawn.

A degradation is a function `degrade(clean, rng, how) -> (input, target, draw)`: of a clean image, uint8 RGB HWC, it makes the
input and the target of a pair, both uint8, and says what it drew, by name, as values that JSON can hold. KINDS has one for each
kind of recipe.
"""
from typing import NamedTuple

import numpy as np

from pipeline.core import seeds
from pipeline.core.recipes import Recipe, Unknown
from pipeline.degrade.basics import add_noise, blur, fixed_kernel, gaussian_kernel, jpeg, sharpened, sigma_at
from pipeline.degrade.bicubic import downscale, resize, round_to_uint8
from pipeline.degrade.calibrate import Measured, degrade_calibrated
from pipeline.degrade.camera import sample_camera, to_linear, to_srgb
from pipeline.degrade.moire.simulate import photograph_part
from pipeline.degrade.sharpened import degrade_sharpened

SHARES = (0.62, 0.77, 0.93)
"""Factors of `estimated` as shares of the camera's softness. Pairs that are all as soft as the camera gain PSNR, but lose LPIPS
and NIQE where the camera sharpens; with these every metric gained on two cameras (docs/recipe.md)."""
Pair = tuple[np.ndarray, np.ndarray, dict]


class How(NamedTuple):
    """What a degradation is told besides the image and the stream to draw from."""
    recipe: Recipe
    scale: int = 1  # how many times larger the target is than the input
    camera: Measured | None = None  # that a calibrated recipe draws around; the others know none
    size: int | None = None  # side of the target in pixels where pairs are crops; None: as much of the image as there is


def degrade(clean: np.ndarray, rng: np.random.Generator, how: How) -> Pair:
    """uint8 RGB HWC, sides multiples of `how.scale` -> (uint8 RGB input of 1/scale the target's sides, target, the draw).

    Raises ValueError for other sides.
    """
    height, width = clean.shape[:2]
    if height % how.scale or width % how.scale:
        raise ValueError(f"an image of {width}x{height} pixels cannot be divided by {how.scale}: crop it first")
    return KINDS[how.recipe.kind](clean, rng, how)


def _bicubic(clean, rng, how: How) -> Pair:
    if how.recipe.light == "coded":
        return downscale(clean, how.scale), clean, {}
    return round_to_uint8(_coded(_reduced(_light(clean, how), clean, how.scale), how)), clean, {}


def _updown(clean, rng, how: How) -> Pair:
    """Down by the drawn factor, then to the target size; rounded once, at the end."""
    soft, factor = _softened(clean, rng, how.recipe.factors, how)
    return round_to_uint8(soft), clean, {"factor": factor}


def _sharpened(clean, rng, how: How) -> Pair:
    soft, factor = _softened(clean, rng, "estimated", how)
    degraded, drawn = degrade_sharpened(clean, soft, how.recipe, how.camera, rng)
    return degraded, clean, {"factor": factor} | drawn


def _softened(clean, rng, factors, how: How) -> tuple[np.ndarray, float]:
    """Of the target size, in floats, and the drawn factor; one of at most 1 changes nothing."""
    if factors == "estimated":
        factors = [max(1.0, share * how.camera.transfer.factor) for share in SHARES]
    factor = float(rng.choice(factors))
    return _reduced(_by_factor(clean, 1 / factor), clean, how.scale), factor


def _random(clean, rng, how: How) -> Pair:
    """The usual order: blur -> detour resize -> resize to the target size -> unsharp mask -> white noise -> rounding -> JPEG.

    Every value is drawn uniformly from its range, the blur's angle from [0, pi).
    """
    recipe = how.recipe
    drawn = {"blur_sigma": rng.uniform(*recipe.blur_sigma), "blur_ratio": rng.uniform(*recipe.blur_ratio),
             "blur_angle": rng.uniform(0, np.pi), "resize": rng.uniform(*recipe.resize),
             "noise_sigma": rng.uniform(*recipe.noise_sigma), "jpeg_quality": round(rng.uniform(*recipe.jpeg_quality)),
             "sharpen": rng.uniform(*recipe.sharpen), "sharpen_sigma": rng.uniform(*recipe.sharpen_sigma)}
    kernel = gaussian_kernel(drawn["blur_sigma"], drawn["blur_sigma"] * drawn["blur_ratio"], drawn["blur_angle"])
    detour = _by_factor(blur(_light(clean, how), kernel), drawn["resize"])
    sharp = sharpened(_coded(_reduced(detour, clean, how.scale), how), drawn["sharpen"], drawn["sharpen_sigma"])
    noisy = add_noise(sharp, drawn["noise_sigma"], rng)
    return jpeg(round_to_uint8(noisy), drawn["jpeg_quality"]), clean, drawn


def _calibrated(clean, rng, how: How) -> Pair:
    reduced = _coded(_reduced(_light(clean, how), clean, how.scale), how) if how.scale > 1 else clean
    degraded, drawn = degrade_calibrated(reduced, how.recipe, how.camera.estimate, rng)
    return degraded, clean, drawn


def _blur(clean, rng, how: How) -> Pair:
    """Blur -> noise in proportion to the blurred image's contrast -> rounding."""
    recipe, kernel = how.recipe, fixed_kernel(how.recipe.shape, how.recipe.size)
    blurred = _coded(blur(_light(clean, how), kernel), how)
    sigma = 0.0 if recipe.snr_db is None else sigma_at(blurred, recipe.snr_db)
    return round_to_uint8(add_noise(blurred, sigma, rng)), clean, {"noise_sigma": sigma}


def hidden_camera(recipe: Unknown) -> dict[str, float]:
    """The values of a recipe's one camera by name; they depend on the recipe alone. The angle is drawn from [0, pi)."""
    draw = seeds.rng(recipe.seed, "hidden camera")
    return {"psf_sigma": draw.uniform(*recipe.psf_sigma), "psf_ratio": draw.uniform(*recipe.psf_ratio),
            "psf_angle": draw.uniform(0, np.pi), "read_sigma": draw.uniform(*recipe.read_sigma)}


def _unknown(clean, rng, how: How) -> Pair:
    """Point spread -> the light-sensitive centre of each cell of scale x scale pixels -> read noise -> rounding."""
    camera = hidden_camera(how.recipe)
    kernel = gaussian_kernel(camera["psf_sigma"], camera["psf_sigma"] * camera["psf_ratio"], camera["psf_angle"])
    return round_to_uint8(add_noise(sample_camera(blur(clean, kernel), how.scale), camera["read_sigma"], rng)), clean, {}


def _light(clean, how: How):
    """What is blurred and reduced: the image itself, or the light that its values stand for, from 0 to 1."""
    return to_linear(clean) if how.recipe.light == "linear" else clean


def _coded(image, how: How):
    """Back to 8-bit levels, in floats."""
    return 255 * to_srgb(image) if how.recipe.light == "linear" else image


def _by_factor(image, factor):
    height, width = image.shape[:2]
    return resize(image, max(1, round(height * factor)), max(1, round(width * factor)))


def _reduced(resized, clean, scale):
    return resize(resized, clean.shape[0] // scale, clean.shape[1] // scale)


KINDS = {  # kind of a recipe -> its degradation
    "bicubic": _bicubic, "updown": _updown, "sharpened": _sharpened, "random": _random, "calibrated": _calibrated,
    "blur": _blur, "unknown": _unknown, "moire": lambda clean, rng, how: photograph_part(clean, how.size, how.recipe, rng)}
FRAMES = {"moire"}
"""Kinds that are given a whole image and choose the part of it that the pair shows; their draw says which: top, left, height,
width. The others are given the part."""
