"""A photo and its restoration side by side, pixel by pixel, where there is most to see."""
from pathlib import Path

import cv2
import numpy as np

from pipeline.images.colour import to_srgb
from pipeline.images.encode import write_png

SIDE = 768  # output pixels on a side of each half
GAP = 8  # pixels between them


def write_side_by_side(path: Path, photo: np.ndarray, restored: np.ndarray, profile: bytes | None = None) -> None:
    """Write a PNG: left the photo, its pixels repeated, right the restoration; the square with the strongest Laplacian. Both
    are uint8 or uint16, (height, width, 3) RGB or (height, width) grey, the restoration a whole number of times larger. Their
    colours are in the space of `profile`, those of the PNG are sRGB."""
    scale = restored.shape[0] // photo.shape[0]
    height, width = (min(SIDE // scale, size) for size in photo.shape[:2])
    places = [(top, left) for top in _starts(photo.shape[0], height) for left in _starts(photo.shape[1], width)]
    top, left = max(places, key=lambda place: np.abs(cv2.Laplacian(
        cv2.cvtColor(_crop(photo, *place, height, width, None), cv2.COLOR_RGB2GRAY), cv2.CV_16S)).mean())
    before = _crop(photo, top, left, height, width, profile).repeat(scale, axis=0).repeat(scale, axis=1)
    after = _crop(restored, top * scale, left * scale, height * scale, width * scale, profile)
    gap = np.full((height * scale, GAP, 3), 255, np.uint8)
    write_png(path, np.hstack((before, gap, after)))


def _starts(size: int, part: int) -> list[int]:
    return [*range(0, size - part, part), size - part]


def _crop(colour: np.ndarray, top: int, left: int, height: int, width: int, profile: bytes | None) -> np.ndarray:
    """uint8 sRGB."""
    return to_srgb(np.array(colour[top : top + height, left : left + width]), profile)
