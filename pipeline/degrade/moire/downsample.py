"""From the camera's file to a capture as data sets hold it: aligned with the picture, made smaller, saved again.

A photograph of a screen has its moire at the camera's own resolution; what a set of captures holds is often the photograph
registered to the picture and reduced. That averages fine moire away and leaves the long waves; without antialiasing it makes
fine moire, and the screen's grid itself, into long waves.
"""
import cv2
import numpy as np

from pipeline.core.moire import Downsample
from pipeline.degrade.basics import jpeg
from pipeline.degrade.bicubic import resize, round_to_uint8
from pipeline.degrade.moire.geometry import Geometry, dense

ROWS = 256


def downsample(image: np.ndarray, geometry: Geometry, drawn: dict) -> np.ndarray:
    """uint8 RGB of geometry.camera -> uint8 RGB of geometry.shape.

    Warped at full resolution (bilinear), with the misregistration; reduced, by antialiased bicubic or by plain bilinear;
    blurred; the tone curve and brightness; JPEG.
    """
    height, width = (int(side) for side in geometry.reduced)
    step_y, step_x = np.array(geometry.shape) / geometry.reduced
    middle_y, middle_x = geometry.camera / 2 - 0.5

    def at(x, y):
        x, y = geometry.camera_of_capture(x * step_x, y * step_y)
        return x + middle_x, y + middle_y

    aligned = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, ROWS):  # the map of a whole photograph would be larger than the photograph
        part = aligned[top : top + ROWS]
        (places,) = dense(at, 0.5 - width / 2, top + 0.5 - height / 2, *part.shape[:2])
        part[:] = cv2.remap(image, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    if drawn["filter"] == "bilinear":
        small = cv2.resize(aligned, geometry.shape[::-1], interpolation=cv2.INTER_LINEAR)
    else:
        small = resize(aligned, *geometry.shape)
    if drawn["blur"] > 0.15:
        small = cv2.GaussianBlur(small, (0, 0), drawn["blur"])
    return jpeg(round_to_uint8(tone_curve(small, drawn["contrast"], drawn["brightness"])), drawn["final_quality"])


def tone_curve(image: np.ndarray, contrast: float, brightness: float) -> np.ndarray:
    """Levels, clipped to [0, 255] -> float32 levels: the tone curve of slope `contrast` at middle grey, which keeps black and
    white, then `brightness` of full scale added."""
    levels = np.clip(image, 0, 255) / np.float32(255)
    bright, dark = levels ** np.float32(contrast), (1 - levels) ** np.float32(contrast)
    return 255 * (bright / (bright + dark) + np.float32(brightness))


def draw_downsample(recipe: Downsample, rng: np.random.Generator) -> dict:
    return {"reduce": rng.uniform(*recipe.reduce), "shift": (recipe.shift_sd * rng.standard_normal(2)).tolist(),
            "blur": rng.uniform(*recipe.blur), "contrast": rng.uniform(*recipe.contrast),
            "brightness": rng.uniform(*recipe.brightness), "final_quality": round(rng.uniform(*recipe.jpeg_quality)),
            "filter": recipe.filters[rng.integers(len(recipe.filters))]}
