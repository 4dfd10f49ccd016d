"""Squares around the faces in a picture, cut out as they are.

A crop is the square of the detected box, enlarged on each side by `margin` times the box's side, and moved into the picture
where it would reach over its border. Nothing is resampled, so a large crop is a face taken at a high resolution and a small
one a face taken at a low one (Liu, Shu and Wu, arXiv 1811.07268: faces from video clips without other processing). Size
classes are of the crop's side.
"""
from collections import Counter

import cv2
import numpy as np

from pipeline.images.cascade import find_faces


def crop_faces(image: np.ndarray, size: tuple[int, int], margin: float, neighbours: int, tally: Counter) -> list[np.ndarray]:
    """The faces of a uint8 (height, width, 3) RGB picture as views of it, uint8 (side, side, 3), from the top down.

    `size` is the class, [least, largest] side of a crop in pixels. `tally` counts pictures `searched`, pictures `without` a
    face, and the faces: `kept`, `too_small` and `too_large` for the class. A crop larger than the picture is too large.
    Faces far below the class are not looked for, so not counted.
    """
    enlarged = 1 + 2 * margin
    found = find_faces(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size[0] / enlarged, neighbours)
    tally.update(searched=1, without=int(not found))
    crops = []
    for top, left, box in found:
        side = round(box * enlarged)
        outcome = "too_small" if side < size[0] else "too_large" if side > min(size[1], *image.shape[:2]) else "kept"
        tally[outcome] += 1
        if outcome == "kept":
            row, column = (min(max(0, start + (box - side) // 2), length - side)
                           for start, length in zip((top, left), image.shape[:2]))
            crops.append(image[row : row + side, column : column + side])
    return crops
