"""Step 6: the Bayer colour filter array: each photosite sees one colour (Bayer, US patent 3,971,065)."""
import numpy as np

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")  # the 2x2 pixels from the top left, row by row


def sites(pattern: str):
    """Yields (row, column, channel) of the four places of a pattern."""
    for place, letter in enumerate(pattern):
        yield place // 2, place % 2, "RGB".index(letter)


def cfa(light: np.ndarray, pattern: str) -> np.ndarray:
    """(height, width, 3) -> (height, width) of the same dtype: at each pixel the channel that its filter passes."""
    raw = np.empty(light.shape[:2], light.dtype)
    for row, column, channel in sites(pattern):
        raw[row::2, column::2] = light[row::2, column::2, channel]
    return raw
