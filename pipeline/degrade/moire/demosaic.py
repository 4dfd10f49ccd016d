"""Step 8: the two missing colours of each pixel.

bilinear: means of the nearest pixels of that colour. malvar: these, corrected by the Laplacian of the colour that is there
(Malvar, He, Cutler, "High-quality linear interpolation for demosaicing of Bayer-patterned color images", ICASSP 2004).
edge: green along the weaker gradient, by OpenCV.
"""
import cv2
import numpy as np

from pipeline.degrade.moire.cfa import sites

PAD = 2
"""Pixels around an image that are read."""

# Malvar et al., fig. 2, times 8.
GREEN = np.float32([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]])
ALONG = np.float32([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]])
ACROSS = np.float32([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]])


def demosaic(raw: np.ndarray, pattern: str, method: str) -> np.ndarray:
    """uint16 (height + 2 PAD, width + 2 PAD), pattern from its top left -> uint16 RGB (height, width, 3)."""
    if method == "malvar":
        return malvar(raw, pattern)
    code = getattr(cv2, f"COLOR_Bayer{pattern}2RGB{'_EA' if method == 'edge' else ''}")
    return cv2.demosaicing(raw, code)[PAD:-PAD, PAD:-PAD]


def malvar(raw: np.ndarray, pattern: str) -> np.ndarray:
    light = raw.astype(np.float32)
    inner = slice(PAD, -PAD), slice(PAD, -PAD)
    green, beside, above, across = (cv2.filter2D(light, -1, kernel / 8)[inner] for kernel in (GREEN, ALONG, ALONG.T, ACROSS))
    colours = np.empty((*green.shape, 3), np.float32)
    light = light[inner]
    red_row = pattern.index("R") // 2
    for row, column, there in sites(pattern):
        place = slice(row, None, 2), slice(column, None, 2)
        red = light if there == 0 else across if there == 2 else beside if row == red_row else above
        blue = light if there == 2 else across if there == 0 else above if row == red_row else beside
        for channel, plane in enumerate((red, light if there == 1 else green, blue)):
            colours[(*place, channel)] = plane[place]
    np.clip(colours, 0, 65535, out=colours)
    colours += np.float32(0.5)
    return colours.astype(np.uint16)
