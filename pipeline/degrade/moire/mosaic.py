"""Steps 1 and 2: the screen shows an image as a mosaic of red, green and blue sub-pixels.

Each pixel of the screen is a grid of rectangular cells, each lit in one primary in proportion to the linear light of the
pixel's value, or dark. Layouts: vertical stripes RGB, the same as BGR, stripes below a dark row (LCDMoire, arXiv 1911.02498),
a panel on its side, and Diamond PenTile: green at every pixel, red and blue at every other, half a pixel off.
"""
from functools import cache

import cv2
import numpy as np

from pipeline.degrade.camera import to_linear

LAYOUTS = {  # cells of one period, K dark; and cells on each side of a pixel
    "stripe": (("RGB", "RGB", "RGB"), 3),
    "bgr": (("BGR", "BGR", "BGR"), 3),
    "krgb": (("KKK", "RGB", "RGB"), 3),
    "turned": (("RRR", "GGG", "BBB"), 3),
    "pentile": (("RKBK", "KGKG", "BKRK", "KGKG"), 2),
}
LINEAR = to_linear(np.arange(256, dtype=np.uint8))


def period(layout: str) -> int:
    """Pixels after which the layout repeats itself, on both axes."""
    rows, side = LAYOUTS[layout]
    return len(rows) // side


def lit(layout: str) -> np.ndarray:
    """The share of the screen's area that is lit in red, green and blue: what the mosaic leaves of the light."""
    rows, _ = LAYOUTS[layout]
    return np.array([sum(row.count(primary) for row in rows) for primary in "RGB"]) / len(rows) ** 2


@cache
def green_centre(layout: str) -> tuple[float, float]:
    """(down, right) from a pixel's centre to the centre of its green light, in pixels: where the camera sees its content."""
    rows, side = LAYOUTS[layout]
    places = np.argwhere(np.array([list(row) for row in rows]) == "G") + 0.5
    return tuple(float(offset) for offset in (places / side % 1).mean(axis=0) - 0.5)


def mosaic(pixels: np.ndarray, layout: str, response: np.ndarray) -> np.ndarray:
    """uint8 sRGB (height, width, 3), from a multiple of `period` -> float32 (cells * height, cells * width, 3).

    Channel c is what the sensor's filter c gets from each cell: response[c, p] times the linear light, in [0, 1], of the
    cell's primary p. A red or blue cell of PenTile, at the corner of four pixels, shows their mean.
    """
    rows, side = LAYOUTS[layout]
    repeat, (height, width) = period(layout), pixels.shape[:2]
    light = cv2.LUT(pixels, LINEAR)
    if repeat > 1:
        light[..., ::2] = cv2.blur(light, (2, 2), anchor=(1, 1), borderType=cv2.BORDER_REPLICATE)[..., ::2]
    planes = dict(zip("RGB", cv2.split(light)))
    black = np.zeros((height, width), np.float32)
    seen = {primary: [plane * np.float32(gain) if gain else black for gain in response[:, index]]
            for index, (primary, plane) in enumerate(planes.items())} | {"K": [black] * 3}
    out, strips = np.empty((height, side, width, side * 3), np.float32), {}
    for i, row in enumerate(rows):
        for k in range(repeat):
            letters = row[k * side : (k + 1) * side]
            if letters not in strips:  # one row of cells of each row of pixels
                strips[letters] = cv2.merge([plane for letter in letters for plane in seen[letter]])
            out[i // side :: repeat, i % side, k::repeat] = strips[letters][i // side :: repeat, k::repeat]
    return out.reshape(height * side, width * side, 3)
