"""PSNR after a capture's small displacements from its truth are taken back: a diagnostic for real pairs.

The displacement is estimated from the *capture* and the truth, once for each image, so it is the same for every row and
flatters none. Lucas and Kanade, "An iterative image registration technique with an application to stereo vision", IJCAI 1981,
on band-passed luma and with a gain, as a capture is softer than its truth: first one shift of the whole image, then one for
each place.
"""
from functools import partial
from hashlib import blake2b

import cv2
import numpy as np

from pipeline.degrade.bicubic import resize
from pipeline.score.fidelity import luma, psnr

STEPS = 5
WINDOW = 18.0  # sigma in pixels of what is looked at around each place
SMOOTH = 9.0  # sigma in pixels of the smoothing of the displacements
RIDGE = 0.02  # of the mean structure tensor: how much holds a place to the whole image's shift
FURTHEST = 1.5  # pixels from that shift
GAIN = (0.3, 3.0)
BORDER = 8  # pixels that are not scored
PAD = 16  # pixels mirrored at each border, so that opposite borders do not leak into each other
KEPT = 64  # displacements that are kept, of the latest images


class Registered:
    """Scores outputs; keeps the displacements of the latest images, which all rows share."""

    def __init__(self):
        self.flows: dict[bytes, np.ndarray] = {}

    def __call__(self, output: np.ndarray, truth: np.ndarray, capture: np.ndarray) -> float:
        """PSNR in dB of uint8 RGB HWC images. The output is moved by the displacements between the capture, which may be
        smaller, and the truth. `inf` where nothing is left."""
        key = blake2b(truth.tobytes() + capture.tobytes(), digest_size=16).digest()
        if key not in self.flows:
            if len(self.flows) >= KEPT:
                self.flows.pop(next(iter(self.flows)), None)
            self.flows[key] = displacements(capture, truth)
        return psnr(moved(output, self.flows[key]), truth, BORDER)


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
    local = partial(cv2.GaussianBlur, ksize=(0, 0), sigmaX=WINDOW, borderType=cv2.BORDER_REFLECT)
    for _ in range(STEPS):
        a, b, c, e, f = _terms(_warped(seen, flow), wanted, local)
        ridge = RIDGE * (a + c).mean() / 2
        back = ridge * (whole - flow)
        a, c, e, f = a + ridge, c + ridge, e + back[..., 0], f + back[..., 1]
        step = np.stack([c * e - b * f, a * f - b * e], -1) / (a * c - b * b)[..., None]
        away = flow + step - whole
        away *= np.minimum(1, FURTHEST / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-6))
        flow = (whole + cv2.GaussianBlur(away, (0, 0), SMOOTH, borderType=cv2.BORDER_REFLECT)).astype(np.float32)
    return flow


def _terms(seen: np.ndarray, wanted: np.ndarray, mean) -> tuple:
    """The normal equations [[a, b], [b, c]] step = [e, f] of wanted = gain (seen + gradient . step)."""
    gain = np.clip(mean(seen * wanted) / np.maximum(mean(seen * seen), 1e-6), *GAIN)
    down, across = np.gradient(seen)
    across, down, rest = gain * across, gain * down, wanted - gain * seen
    return tuple(mean(values) for values in (across * across, across * down, down * down, across * rest, down * rest))


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
    padded = np.pad(output.astype(np.float64), ((PAD, PAD), (PAD, PAD), (0, 0)), mode="symmetric")
    height, width = padded.shape[:2]
    spectrum, larger = np.fft.fft2(padded, axes=(0, 1)), np.zeros((2 * height, 2 * width, 3), complex)
    rows, columns = (np.fft.fftfreq(size, 1 / size).astype(int) for size in (height, width))
    larger[np.ix_(rows, columns)] = 4 * spectrum
    twice = np.fft.ifft2(larger, axes=(0, 1)).real[2 * PAD : -2 * PAD, 2 * PAD : -2 * PAD].astype(np.float32)
    return np.clip(np.rint(_warped(twice, flow, 2, cv2.INTER_LANCZOS4)), 0, 255).astype(np.uint8)
