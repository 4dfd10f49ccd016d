"""MATLAB's `imresize`: bicubic, antialiased when it shrinks.

Resizing one axis is a product with a sparse matrix whose rows hold the kernel, so an image is two products. The mirror
at the border is folded into the matrix. No BLAS takes part: the sums run in one fixed order, whatever the thread count.

Keys' kernel with a = -0.5, widened by 1/scale when shrinking; pixel centres at half-integers; symmetric border (the
edge pixel is repeated). Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 1981.
"""
from functools import lru_cache

import cv2
import numpy as np
from scipy.sparse import coo_array, csr_array

SLAB = 32  # output rows at a time, so that what is in floating point stays in the cache


def round_to_uint8(image: np.ndarray) -> np.ndarray:
    """Float values in 8-bit levels -> uint8, as MATLAB's im2uint8: clipped to [0, 255], halves rounded up."""
    rounded = image + image.dtype.type(0.5)
    np.clip(rounded, 0, 255.5, out=rounded)
    return rounded.astype(np.uint8)


def resize(image: np.ndarray, height: int, width: int, scale: float | None = None) -> np.ndarray:
    """HWC image of any real dtype and range -> float32 (height, width, C) in that range, neither clipped nor rounded.

    Each axis is scaled by the ratio of its sizes, so that the corners of both images coincide. A given `scale` acts on
    both axes instead, from the top left corner, as MATLAB does for a factor (sizes are then ceil(size * scale)).
    """
    return _resize(image, height, width, scale, np.float32)


def resize_uint8(image: np.ndarray, height: int, width: int, scale: float | None = None) -> np.ndarray:
    """uint8 HWC -> uint8 (height, width, C), as MATLAB does it: rounded after each axis, the more shrunk one first.

    This, not one rounding at the end, reproduces the `LR_bicubic` files of the standard test sets bit by bit.
    """
    if image.dtype != np.uint8:
        raise ValueError(f"image is {image.dtype}, wanted uint8")
    return _resize(image, height, width, scale, np.uint8)


def downscale(image: np.ndarray, scale: int) -> np.ndarray:
    """uint8 HWC -> uint8 of 1/scale the height and width; both must be multiples of `scale`."""
    height, width = image.shape[:2]
    if height % scale or width % scale:
        raise ValueError(f"an image of {width}x{height} pixels cannot be divided by {scale}: crop it first")
    return resize_uint8(image, height // scale, width // scale)


def _resize(image, height, width, scale, dtype):
    if image.ndim != 3 or min(*image.shape, height, width) < 1:
        raise ValueError(f"cannot resize an array of shape {image.shape} to {width}x{height}: wanted (height, width, "
                         "channels)")
    scale_y, scale_x = (scale or height / image.shape[0]), (scale or width / image.shape[1])
    if scale_y <= scale_x:
        return _columns(_rows(image, height, scale_y, dtype), width, scale_x, dtype)
    return _rows(_columns(image, width, scale_x, dtype), height, scale_y, dtype)


def _columns(image, width, scale, dtype):
    return _transpose(_rows(_transpose(image), width, scale, dtype))


def _rows(image: np.ndarray, height: int, scale: float, dtype) -> np.ndarray:
    """Resize axis 0 to (height, W, C) of `dtype`, float32 or uint8."""
    _, width, channels = image.shape
    flat = np.ascontiguousarray(image).reshape(len(image), width * channels)
    resized = np.empty((height, width * channels), dtype)
    for start, first, last, weights in _slabs(len(image), height, scale):
        slab = weights @ flat[first:last].astype(np.float32)
        resized[start : start + SLAB] = round_to_uint8(slab) if dtype == np.uint8 else slab
    return resized.reshape(height, width, channels)


def _transpose(image: np.ndarray) -> np.ndarray:
    height, width, channels = image.shape
    return cv2.transpose(image).reshape(width, height, channels)


@lru_cache(maxsize=64)
def _slabs(size: int, resized: int, scale: float) -> list[tuple[int, int, int, csr_array]]:
    """The matrix from `size` to `resized` pixels, cut into (first output row, first and end input row, weights)."""
    whole, slabs = _weights(size, resized, scale), []
    for start in range(0, resized, SLAB):
        part = whole[start : start + SLAB]
        first, last = int(part.indices.min()), int(part.indices.max()) + 1
        slabs.append((start, first, last, part[:, first:last]))
    return slabs


def _weights(size: int, resized: int, scale: float) -> csr_array:
    """Kernel weights as a float32 matrix (resized, size); each row sums to one."""
    shrink = min(scale, 1.0)
    taps = int(np.ceil(4 / shrink)) + 2
    centres = (np.arange(resized) + 0.5) / scale - 0.5
    positions = np.floor(centres - 2 / shrink).astype(np.int64)[:, None] + np.arange(taps)
    weights = keys(shrink * (centres[:, None] - positions))
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = positions % (2 * size)
    mirrored = np.minimum(mirrored, 2 * size - 1 - mirrored)
    rows = np.repeat(np.arange(resized), taps)
    matrix = coo_array((weights.ravel(), (rows, mirrored.ravel())), shape=(resized, size)).tocsr()
    matrix.eliminate_zeros()
    return matrix.astype(np.float32)


def keys(x: np.ndarray) -> np.ndarray:
    """Keys' kernel at distances x in pixels; 0 from 2 on."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
