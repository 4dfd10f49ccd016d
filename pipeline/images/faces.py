"""Upright frontal faces by OpenCV's cascade of local binary patterns, in the copy that scikit-image bundles.

OpenCV 5 has neither the classifier nor its cascades: they moved to opencv_contrib. scikit-image's own classifier sums the
image in single precision, too coarse to compare small blocks far from the upper left: it misses faces at the lower right
of a 1920x1080 frame that it sees elsewhere. Here sums are whole numbers. Nor are features enlarged, and so rounded: the
image shrinks until a face is as large as those the cascade was trained on.

Features: Zhang et al., "Face detection based on multi-block LBP representation" (ICB 2007). How windows are scanned and
grouped is OpenCV's practice (detectMultiScale).
"""
import xml.etree.ElementTree as xml
from collections import Counter
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from scipy.sparse.csgraph import connected_components
from skimage import data_dir

WINDOW = 24  # pixels; no smaller face is found
ENLARGED = 1.2  # from one size of faces that is looked for to the next
ALIKE = 0.2  # windows whose sides lie no further apart than this share of the smaller one are of one face
BAND = 64  # rows of windows at a time
# Weights of the eight blocks around the middle one of 3x3, by rows, as the cascade's tables have them
NEIGHBOURS, WEIGHTS = [0, 1, 2, 3, 5, 6, 7, 8], [128, 64, 32, 1, 16, 2, 4, 8]


def crop_faces(image: np.ndarray, size: tuple[int, int], margin: float, neighbours: int, tally: Counter) -> list[np.ndarray]:
    """The faces of a uint8 (height, width, 3) RGB picture as views of it, uint8 (side, side, 3), from the top down.

    A crop is the square of the detected box, enlarged on each side by `margin` times the box's side, and moved into the picture
    where it would reach over its border. Nothing is resampled, so a large crop is a face taken at a high resolution and a small
    one a face taken at a low one (Liu, Shu and Wu, arXiv 1811.07268: faces from video clips without other processing).

    `size` is the class, [least, largest] side of a crop in pixels. `tally` counts pictures `searched`, pictures `without` a
    face, and the faces: `kept`, `too_small` and `too_large` for the class. A crop larger than the picture is too large. Faces
    far below the class are not looked for, so not counted.
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


def find_faces(grey: np.ndarray, least: float, neighbours: int) -> list[tuple[int, int, int]]:
    """Faces in a uint8 (height, width) image as (top, left, side) in pixels, from the top; all lie within the image.

    Looked for are sides of WINDOW * ENLARGED^k, from about two thirds of `least` to the image's shorter side: a face is
    seen in windows of several sizes and places, and its box is their mean. What fewer than `neighbours` see is no face.
    """
    seen, side = [np.empty((0, 3))], float(WINDOW)
    while side <= min(grey.shape):
        if side >= least / ENLARGED**2:
            factor = side / WINDOW
            height, width = (max(WINDOW, int(length / factor)) for length in grey.shape)
            small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
            places = search_windows(small) * np.array(grey.shape) / (height, width)
            seen.append(np.column_stack([places, np.full(len(places), side)]))
        side *= ENLARGED
    boxes = _grouped(np.concatenate(seen), neighbours)
    sides = np.minimum(np.rint(boxes[:, 2:]), min(grey.shape))
    corners = np.clip(np.rint(boxes[:, :2] + boxes[:, 2:] / 2 - sides / 2), 0, grey.shape - sides)
    return sorted(map(tuple, np.column_stack([corners, sides]).astype(int).tolist()))


def search_windows(grey: np.ndarray) -> np.ndarray:
    """(top, left) of all windows of 24x24 pixels that the cascade takes for faces: int (n, 2)."""
    total = cv2.integral(grey)  # int32; where it runs over, differences are right all the same
    rows, columns = (max(0, length - WINDOW + 1) for length in grey.shape)
    (first, *others), pitch, found = _stages(), total.shape[1], [np.empty((0, 2), int)]
    for start in range(0, rows, BAND):  # the first stage, which sees all windows, needs no indices
        end = min(start + BAND, rows)
        passing = _passes(first, lambda y, x: total[start + y : end + y, x : x + columns])  # noqa: B023
        found.append(np.argwhere(passing) + (start, 0))
    left = np.concatenate(found)
    for stage in others:
        here = left @ (pitch, 1)
        left = left[_passes(stage, lambda y, x: total.ravel()[here + (y * pitch + x)])]  # noqa: B023
    return left


def _passes(stage, corner) -> np.ndarray:
    """Whether windows pass a stage; `corner(row, column)` are the integral image's values that far from the windows' own."""
    threshold, weak = stage
    votes = 0.0
    for (left, top, width, height), table in weak:
        corners = [[corner(top + i * height, left + j * width) for j in range(4)] for i in range(4)]
        strips = [[row[j + 1] - row[j] for j in range(3)] for row in corners]
        blocks = [strips[i + 1][j] - strips[i][j] for i in range(3) for j in range(3)]
        votes = votes + table[sum((blocks[k] >= blocks[4]) * np.uint8(weight) for k, weight in zip(NEIGHBOURS, WEIGHTS))]
    return votes >= threshold


@cache
def _stages() -> list[tuple[float, list]]:
    """(threshold, [(left, top, width and height of a block, the vote for each of the 256 patterns)]) of each stage."""
    root = xml.parse(Path(data_dir, "lbpcascade_frontalface_opencv.xml")).getroot().find("cascade")
    blocks = [tuple(map(int, rect.text.split())) for rect in root.iter("rect")]
    stages = []
    for stage in root.find("stages"):
        weak = []
        for tree in stage.find("weakClassifiers"):
            _, _, feature, *words = map(int, tree.find("internalNodes").text.split())
            yes, no = map(float, tree.find("leafValues").text.split())
            votes = [yes if words[code >> 5] >> (code & 31) & 1 else no for code in range(256)]
            weak.append((blocks[feature], np.array(votes)))
        stages.append((float(stage.find("stageThreshold").text) - 1e-5, weak))  # less what the file rounds
    return stages


def _grouped(boxes: np.ndarray, neighbours: int) -> np.ndarray:
    """The means (n, 3) of groups of at least `neighbours` boxes (top, left, side); of a face within another, the surer one."""
    if len(boxes) == 0:
        return boxes
    first, side = boxes[:, :2], boxes[:, 2]
    last = first + side[:, None]
    apart = np.maximum(np.abs(first[:, None] - first).max(-1), np.abs(last[:, None] - last).max(-1))
    _, group = connected_components(apart <= ALIKE * np.minimum(side[:, None], side))
    counts = np.bincount(group)
    kept = np.empty((0, 3))
    for k in np.argsort(-counts, kind="stable")[: np.count_nonzero(counts >= neighbours)]:
        face = boxes[group == k].mean(0)
        inside = np.abs(kept[:, :2] + kept[:, 2:] / 2 - face[:2] - face[2] / 2).max(-1) < kept[:, 2] / 2
        kept = kept if inside.any() else np.vstack([kept, face])
    return kept
