"""Luma, and which pixels and channels of two images are compared."""
import numpy as np

BT601 = np.array([65.481, 128.553, 24.966]) / 255


def luma(image: np.ndarray) -> np.ndarray:
    """uint8 RGB HWC -> float64 (height, width) in [16, 235]: ITU-R BT.601's Y as MATLAB's rgb2ycbcr, not rounded."""
    return image @ BT601 + 16


def compared(a: np.ndarray, b: np.ndarray, border: int, channel: str) -> tuple[np.ndarray, np.ndarray]:
    """Both uint8 HWC images without `border` pixels on each side: as they are for channel `rgb`, their luma for `y`."""
    if a.shape != b.shape or a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"the images are {a.dtype} {a.shape} and {b.dtype} {b.shape}, wanted uint8 and one shape")
    height, width = a.shape[:2]
    if min(height, width) <= 2 * border:
        raise ValueError(f"nothing is left of {width}x{height} pixels without a border of {border}")
    inner = (slice(border, height - border), slice(border, width - border))
    return (a[inner], b[inner]) if channel == "rgb" else (luma(a[inner]), luma(b[inner]))
