"""Luma, and which pixels and channels of two images are compared."""
import numpy as np

BT601 = np.array([65481.0, 128553.0, 24966.0])  # over 255,000: whole numbers, so that sums are exact and ties are ties


def luma(image: np.ndarray) -> np.ndarray:
    """uint8 RGB HWC -> float64 (height, width) in [16, 235]: ITU-R BT.601's Y as MATLAB's rgb2ycbcr, not rounded."""
    return image @ BT601 / 255_000 + 16


def rounded_luma(image: np.ndarray) -> np.ndarray:
    """`luma` in whole levels, halves rounded up: what MATLAB's rgb2ycbcr makes of 8-bit images."""
    return np.floor(luma(image) + 0.5)


def compared(a: np.ndarray, b: np.ndarray, border: int, channel: str,
             round_luma: bool) -> tuple[np.ndarray, np.ndarray]:
    """Both uint8 HWC images without `border` pixels on each side: as they are for channel `rgb`, their luma for `y`.

    `round_luma` rounds luma to whole levels, as evaluations in MATLAB do; the code of EDSR and RCAN, and most since, does
    not.
    """
    if a.shape != b.shape or a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"the images are {a.dtype} {a.shape} and {b.dtype} {b.shape}, wanted uint8 and one shape")
    height, width = a.shape[:2]
    if min(height, width) <= 2 * border:
        raise ValueError(f"nothing is left of {width}x{height} pixels without a border of {border}")
    inner = (slice(border, height - border), slice(border, width - border))
    if channel == "rgb":
        return a[inner], b[inner]
    convert = rounded_luma if round_luma else luma
    return convert(a[inner]), convert(b[inner])
