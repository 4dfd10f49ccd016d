"""The tone of a photograph, given to its target: what becomes of a patch of flat colour, without the screen's pattern.

The same steps as the photograph's, in the same order, on light that no sub-pixels and no colour filters have divided. Where
single sub-pixels clip, or the curves bend within the pattern, the photograph's mean is darker than this, by 10 levels where
the pattern is strong: so each channel gets the gain that brings it to the photograph in the mean of squares.
"""
import cv2
import numpy as np

from pipeline.degrade.bicubic import round_to_uint8
from pipeline.degrade.camera import to_linear, to_srgb
from pipeline.degrade.moire.downsample import tone_curve
from pipeline.degrade.moire.exposure import colour_matrix, developed
from pipeline.degrade.moire.geometry import Geometry
from pipeline.degrade.moire.glare import uneven


def toned(target: np.ndarray, capture: np.ndarray, geometry: Geometry, sensor: np.ndarray, drawn: dict) -> np.ndarray:
    """uint8 sRGB (height, width, 3) of geometry.shape -> the same, as bright and of the colours that `capture` has there.

    `sensor` (3, 3): light recorded behind filter c (rows) per light of primary p (columns).
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
