"""How bright a photograph of a screen is and of what colours: exposure, reflections, and the same for its target."""
import cv2
import numpy as np

from pipeline.core.moire import Moire
from pipeline.degrade.bicubic import round_to_uint8
from pipeline.degrade.camera import to_linear, to_srgb
from pipeline.degrade.moire.downsample import tone_curve
from pipeline.degrade.moire.geometry import Geometry

MIDDLE = 0.18  # mean light of an image that automatic exposure leaves as it is
STRIDE = 4
SIGMA = 0.3, 1.0  # of the spot, a Gaussian, in half sides of the photograph
BRIGHTEST_SD = 0.25  # of the brightest place along each axis, in the same


def metered(display: np.ndarray, metering: float) -> float:
    """Stops that automatic exposure adds for an image, uint8 sRGB HWC: less light for a bright one, more for a dark one."""
    light = float(to_linear(display[::STRIDE, ::STRIDE]).mean())
    return metering * float(np.clip(np.log2(MIDDLE / max(light, 1e-3)), -3, 3))


def developed(light: np.ndarray, headroom: float) -> np.ndarray:
    """Linear light in [0, 1] that was exposed by `headroom` stops less -> linear light in [0, 1], lightened by so many stops:
    g x / (1 + (g - 1) x), g = 2^headroom, has the slope g at black and keeps white (Reinhard et al., "Photographic tone
    reproduction for digital images", SIGGRAPH 2002, eq. 3, with white at 1)."""
    return 2**headroom * light / (1 + (2**headroom - 1) * light)


def response(lit: np.ndarray, exposure: float, balance: tuple[float, float], crosstalk: float) -> np.ndarray:
    """(3, 3) matrix: light recorded behind filter c (rows) per light of primary p (columns) in a lit cell.

    `lit` is the area of each primary; `exposure` and `balance` (of red and of blue) in stops. The mosaic leaves 1/3 of the
    light of white for stripes, 2/9 with a dark row, and a camera exposes for what it sees: averaged over the mosaic, at
    exposure and balance 0, the light of grey is recorded as it is, whatever the layout and the crosstalk.
    """
    gains = 2.0 ** (exposure + np.array([balance[0], 0, balance[1]]))
    return gains[:, None] * filters(crosstalk) / lit


def filters(crosstalk: float) -> np.ndarray:
    """(3, 3) matrix of the colour filters: each passes `crosstalk` of the other two primaries' light in equal parts."""
    return (1 - 1.5 * crosstalk) * np.eye(3) + 0.5 * crosstalk


def colour_matrix(crosstalk: float) -> np.ndarray:
    """(3, 3) matrix from the filters' colours back to those of the primaries: the inverse of `filters`."""
    return np.linalg.inv(filters(crosstalk))


def uneven(light: np.ndarray, geometry: Geometry, drawn: dict, step: tuple[float, float] = (1, 1)) -> None:
    """Changes float32 light (..., height, width), full scale 1, in place; what is not in `drawn` is left out.

    A lamp or a window that the screen reflects is far out of focus: a smooth spot without the screen's pattern, alike behind
    all colour filters. First this reflection, peak `glare`, is added; then the share `vignetting` of all light is lost at the
    distance of a corner from the brightest place, with the square of the distance, as the cos^4 law begins. That place is near
    the middle, but not in it, as a screen seen at an angle loses light too. Both lie where they are in the photograph, around
    whose `geometry.middle` the array is; `step` is the distance of its pixels (down, right) in camera pixels.
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


def toned(target: np.ndarray, capture: np.ndarray, geometry: Geometry, sensor: np.ndarray, drawn: dict) -> np.ndarray:
    """uint8 sRGB (height, width, 3) of geometry.shape -> the same, as bright and of the colours that `capture` has there.

    The same steps as the photograph's, in the same order, on light that no sub-pixels and no colour filters have divided;
    `sensor` as from `response`, but for light that is not divided. Where single sub-pixels clip, or the curves bend within the
    pattern, the photograph's mean is darker than this, by 10 levels where the pattern is strong: so each channel gets the gain
    that brings it to the photograph in the mean of squares.
    """
    light = cv2.transform(to_linear(target), sensor.astype(np.float32))
    uneven(light.transpose(2, 0, 1), geometry, drawn, geometry.reduced / geometry.shape)
    light = np.clip(light, 0, 1)
    if drawn["crosstalk"]:
        light = np.clip(cv2.transform(light, colour_matrix(drawn["crosstalk"]).astype(np.float32)), 0, 1)
    levels = 255 * to_srgb(developed(light, drawn.get("headroom", 0)))
    if "contrast" in drawn:
        levels = tone_curve(levels, drawn["contrast"], drawn["brightness"])
    squares = np.einsum("yxc,yxc->c", levels, levels)
    return round_to_uint8(levels * (np.einsum("yxc,yxc->c", levels, capture) / np.maximum(squares, 1)))
