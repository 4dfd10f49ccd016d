"""PSNR after a capture's small displacements from its truth are taken back: a diagnostic for real pairs.

The displacement is estimated from the *capture* and the truth, once for each image, so it is the same for every row and
flatters none. Lucas and Kanade, "An iterative image registration technique with an application to stereo vision", IJCAI 1981,
on band-passed luma and with a gain, as a capture is softer than its truth: first one shift of the whole image, then one for
each place.
"""
from functools import partial

import cv2
import numpy as np
from scipy import fft

from pipeline.degrade.bicubic import resize
from pipeline.score.fidelity import luma, psnr
from pipeline.score.kept import Kept

STEPS = 5
WINDOW = 18.0  # sigma in pixels of what is looked at around each place
SMOOTH = 9.0  # sigma in pixels of the smoothing of the displacements
RIDGE = 0.02  # of the mean structure tensor: how much holds a place to the whole image's shift
FURTHEST = 1.5  # pixels from that shift
GAIN = (0.3, 3.0)
BORDER = 8  # pixels that are not scored
PAD = 16  # pixels mirrored at each border, so that opposite borders do not leak into each other


class Registered:
    """Scores outputs; keeps the displacements of the latest images, which all rows share."""

    def __init__(self):
        self.flows = Kept(lambda capture, truth: [displacements(capture, truth)])

    def __call__(self, output: np.ndarray, truth: np.ndarray, capture: np.ndarray) -> float:
        """PSNR in dB of uint8 RGB HWC images. The output is moved by the displacements between the capture, which may be
        smaller, and the truth. `inf` where nothing is left."""
        (flow,) = self.flows(capture, truth)
        return psnr(moved(output, flow), truth, BORDER)


def displacements(capture: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """float32 (height, width, 2): where each place of the truth is in the capture, enlarged to its size: x and y in pixels
    to be added."""
    height, width = truth.shape[:2]
    seen, wanted = (_band(luma(image)) for image in (np.clip(np.rint(resize(capture, height, width)), 0, 255), truth))
    whole = np.zeros(2)
    for _ in range(STEPS):
        a, b, c, e, f = _terms(_warped(seen, np.broadcast_to(whole, (height, width, 2))), wanted, lambda values: values.mean())
        whole = whole + np.linalg.solve([[a, b], [b, c]], [e, f])
    flow = np.broadcast_to(whole, (height, width, 2)).astype(np.float32)
    around, smooth = (partial(_blurred, gain=_gain(height, width, sigma)) for sigma in (WINDOW, SMOOTH))
    for _ in range(STEPS):
        a, b, c, e, f = _terms(_warped(seen, flow), wanted, around)
        ridge = RIDGE * (a + c).mean() / 2
        a, c = a + ridge, c + ridge
        e, f = (right + ridge * (whole[i] - flow[..., i]) for i, right in enumerate((e, f)))
        determinant = a * c - b * b
        steps = (c * e - b * f) / determinant, (a * f - b * e) / determinant
        away = [flow[..., i] + step - whole[i] for i, step in enumerate(steps)]
        limit = np.minimum(1, FURTHEST / np.maximum(np.hypot(*away), 1e-6))
        flow = np.stack([whole[i] + smooth(limit * part) for i, part in enumerate(away)], -1).astype(np.float32)
    return flow


def _terms(seen: np.ndarray, wanted: np.ndarray, mean) -> tuple:
    """The normal equations [[a, b], [b, c]] step = [e, f] of wanted = gain (seen + gradient . step)."""
    gain = np.clip(mean(seen * wanted) / np.maximum(mean(seen * seen), 1e-6), *GAIN)
    down, across = np.gradient(seen)
    across, down, rest = gain * across, gain * down, wanted - gain * seen
    return tuple(mean(values) for values in (across * across, across * down, down * down, across * rest, down * rest))


def _gain(height: int, width: int, sigma: float) -> np.ndarray:
    """(height, width): the share of each cosine of an image that is left by OpenCV's Gaussian, which ends at 4 sigma pixels."""
    half = cv2.getGaussianKernel(2 * round(4 * sigma) + 1, sigma)[round(4 * sigma) :, 0]
    half[1:] *= 2
    down, across = (np.cos(np.pi / size * np.outer(np.arange(size), np.arange(len(half)))) @ half for size in (height, width))
    return np.outer(down, across)


def _blurred(plane: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """The plane, mirrored at its borders, after a Gaussian: by cosines, as 145 taps take four times as long."""
    return fft.idctn(gain * fft.dctn(plane), overwrite_x=True)


def _band(grey: np.ndarray) -> np.ndarray:
    """What is larger than 1.5 pixels and smaller than 8."""
    return cv2.GaussianBlur(grey, (0, 0), 1.5) - cv2.GaussianBlur(grey, (0, 0), 8)


def _warped(plane: np.ndarray, flow: np.ndarray, scale: int = 1, interpolation=cv2.INTER_CUBIC) -> np.ndarray:
    """The plane, or an image that is `scale` times larger than the flow, at the places that the flow names."""
    height, width = flow.shape[:2]
    x, y = np.arange(width)[None] + flow[..., 0], np.arange(height)[:, None] + flow[..., 1]
    return cv2.remap(plane, (scale * x).astype(np.float32), (scale * y).astype(np.float32), interpolation,
                     borderMode=cv2.BORDER_REFLECT_101)


def moved(output: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """uint8 HWC -> the same with each place taken from where the flow says, by way of the image enlarged twice."""
    return np.clip(np.rint(_warped(_enlarged(output), flow, 2, cv2.INTER_LANCZOS4)), 0, 255).astype(np.uint8)


def _enlarged(image: np.ndarray) -> np.ndarray:
    """uint8 HWC -> float32, twice as high and wide: by the Fourier series of the image with its mirrored borders."""
    twice = padded = np.pad(image.astype(np.float64), ((PAD, PAD), (PAD, PAD), (0, 0)), mode="symmetric")
    for axis in (1, 0):
        twice = _with_halves(twice, axis)
    height, width = padded.shape[:2]
    if height % 2 == width % 2 == 0:  # a checkerboard is a wave between its pixels, too, but not along either axis
        board = 1.0 - 2 * (np.add.outer(np.arange(height), np.arange(width)) % 2)[..., None]
        twice[1::2, 1::2] -= (board * (board * padded).mean(axis=(0, 1)))[PAD:-PAD, PAD:-PAD]
    return twice.astype(np.float32)


def _with_halves(values: np.ndarray, axis: int) -> np.ndarray:
    """The values without their padding, and behind each the one half a pixel further, by the Fourier series along `axis`."""
    spectrum = fft.rfft(values, axis=axis)
    turn = np.exp(1j * np.pi / values.shape[axis] * np.arange(spectrum.shape[axis]))
    spectrum *= np.expand_dims(turn, [other for other in range(3) if other != axis])
    halves = fft.irfft(spectrum, values.shape[axis], axis=axis, overwrite_x=True)
    inner = (slice(None),) * axis + (slice(PAD, -PAD),)
    pairs = np.stack([values[inner], halves[inner]], axis + 1)
    return pairs.reshape(*values.shape[:axis], -1, *values.shape[axis + 1 :])
