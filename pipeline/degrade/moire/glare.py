"""Between steps 6 and 7: uneven light on the sensor: what the screen reflects, and what is lost towards the corners.

The reflection of a lamp or a window is far out of focus, so a smooth spot without the screen's pattern, and white, so alike
behind all colour filters. The lens loses light with the square of the distance from its axis, as the cos^4 law begins, and a
screen seen at an angle does: so the brightest place is near the middle, but not in it.
"""
import numpy as np

from pipeline.core.moire import Moire
from pipeline.degrade.moire.geometry import Geometry

SIGMA = 0.3, 1.0  # of the spot, a Gaussian, in half sides of the photograph
BRIGHTEST_SD = 0.25  # of the brightest place along each axis, in the same


def uneven(light: np.ndarray, geometry: Geometry, drawn: dict, step: tuple[float, float] = (1, 1)) -> None:
    """Changes float32 light (..., height, width), full scale 1, in place; what is not in `drawn` is left out.

    First the reflection, peak `glare`, is added; then the share `vignetting` of all light is lost at the distance of a corner
    from the brightest place. Both lie where they are in the photograph, around whose `geometry.middle` the array is; `step`
    is the distance of its pixels (down, right) in camera pixels.
    """
    y, x = ((((np.arange(size) + 0.5 - size / 2) * apart + middle) / geometry.radius).astype(np.float32)
            for size, apart, middle in zip(light.shape[-2:], step, geometry.middle))
    if "glare" in drawn:
        across, down = (np.exp(-((axis - np.float32(at)) ** 2) / np.float32(2 * drawn["glare_sigma"] ** 2))
                        for axis, at in zip((x, y), drawn["glare_centre"]))
        light += np.outer(np.float32(drawn["glare"]) * down, across)
    if "vignetting" in drawn:
        across, down = (np.float32(1 - drawn["vignetting"]) ** ((axis - np.float32(at)) ** 2 / 2)
                        for axis, at in zip((x, y), drawn["brightest"]))
        light *= down[:, None]
        light *= across


def draw_uneven(recipe: Moire, rng: np.random.Generator) -> dict:
    """Places are (x, y) in half sides from the photograph's middle, the spot's anywhere in it. Draws nothing for [0, 0]."""
    drawn = {}
    if recipe.glare[1]:
        drawn |= {"glare": rng.uniform(*recipe.glare), "glare_centre": rng.uniform(-1, 1, 2).tolist(),
                  "glare_sigma": rng.uniform(*SIGMA)}
    if recipe.vignetting[1]:
        drawn |= {"vignetting": rng.uniform(*recipe.vignetting), "brightest": (BRIGHTEST_SD * rng.standard_normal(2)).tolist()}
    return drawn
