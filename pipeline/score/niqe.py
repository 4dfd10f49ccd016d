"""NIQE (Mittal, Soundararajan and Bovik, "Making a 'completely blind' image quality analyzer", IEEE SPL 2013).

Natural images, made locally free of mean and contrast (MSCN), follow generalised Gaussians whose parameters are alike.
The score is the distance of an image's distribution of these parameters from that of pristine images. With the authors'
model and patches of 96 the values are those of the authors' MATLAB release.
"""
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from scipy.special import gamma

from pipeline.degrade.bicubic import resize
from pipeline.score.fidelity import rounded_luma

PUBLISHED = "niqe_pris_params.npz"  # fitted on 125 natural photographs, as BasicSR (Apache-2.0) redistributes it
PUBLISHED_PATCH = 96
SHARPNESS = 0.75  # of its sharpest patch: what a pristine image's patch needs to be fitted
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))  # neighbours whose products are fitted: right, below, both diagonals
SHAPES = np.arange(0.2, 10.001, 0.001)
RATIOS = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))  # increasing
BETWEEN_RATIOS = (RATIOS[1:] + RATIOS[:-1]) / 2


class TooFewPatches(ValueError):
    """NIQE needs the covariance of at least two patches, and they are not there."""


class NiqeModel(NamedTuple):
    """The Gaussian of pristine patches: mean (36,), covariance (36, 36), side of a patch in pixels (even)."""
    mean: np.ndarray
    covariance: np.ndarray
    patch: int


def fit(images: Iterable[np.ndarray], patch: int) -> NiqeModel:
    """The model of pristine uint8 RGB HWC images, from patches over 0.75 times as sharp as their image's sharpest."""
    chosen = []
    for image in images:
        features, sharpness = patch_features(image, patch)
        if len(features):
            chosen.append(features[sharpness > SHARPNESS * sharpness.max()])
    features = np.concatenate(chosen) if chosen else np.empty((0, 36))
    return NiqeModel(*_gaussian(features, patch, "the pristine images have"), patch)


def published(folder: Path | str) -> NiqeModel:
    """The authors' model, from `folder`/niqe_pris_params.npz.

    Raises FileNotFoundError when the file is not there and ValueError when it holds something else.
    """
    path = Path(folder, PUBLISHED)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; `python -m pipeline fetch-trunks --from FOLDER` takes it over")
    try:
        with np.load(path) as stored:
            mean, covariance = np.asarray(stored["mu_pris_param"]).reshape(-1), np.asarray(stored["cov_pris_param"])
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not the published model of NIQE ({error})") from error
    if mean.shape != (36,) or covariance.shape != (36, 36):
        raise ValueError(f"{path}: mean {mean.shape} and covariance {covariance.shape}, wanted (36,) and (36, 36)")
    return NiqeModel(mean, covariance, PUBLISHED_PATCH)


def score(image: np.ndarray, model: NiqeModel) -> float:
    """NIQE of a uint8 RGB HWC image: at least 0, lower is more natural; comparable under one model only.

    sqrt((m - m')^T ((C + C') / 2)^+ (m - m')) with the means and covariances of its patches and of the model. Raises
    TooFewPatches for an image that holds fewer than two patches which are not flat.
    """
    mean, covariance = _gaussian(patch_features(image, model.patch)[0], model.patch, "the image has")
    # The cut-off keeps directions that few patches say nothing about from counting as infinitely sure.
    precision = np.linalg.pinv((covariance + model.covariance) / 2, rcond=1e-10, hermitian=True)
    difference = mean - model.mean
    return float(np.sqrt(max(difference @ precision @ difference, 0)))


def _gaussian(features: np.ndarray, patch: int, owner: str) -> tuple[np.ndarray, np.ndarray]:
    usable = features[np.isfinite(features).all(axis=1)]
    if len(usable) < 2:
        raise TooFewPatches(f"NIQE needs 2 patches of {patch}x{patch} pixels that are not flat; {owner} {len(usable)}")
    return usable.mean(axis=0), np.cov(usable, rowvar=False)


def patch_features(image: np.ndarray, patch: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, 36) of the n whole patches of an image, and the mean local contrast (n,) of each, row by row.

    18 features at full size, 18 at half. Flat patches give NaN.
    """
    rows, columns = image.shape[0] // patch, image.shape[1] // patch
    if not rows * columns:
        return np.empty((0, 36)), np.empty(0)
    gray = rounded_luma(image[: rows * patch, : columns * patch])  # as the release
    normalised, contrast = mscn(gray)
    half, _ = mscn(resize(gray[..., None], len(gray) // 2, gray.shape[1] // 2)[..., 0].astype(np.float64))
    features = [_features(_blocks(normalised, patch)), _features(_blocks(half, patch // 2))]
    return np.concatenate(features, axis=1), _blocks(contrast, patch).mean(axis=(1, 2))


def mscn(gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float64 luma -> (mean-subtracted contrast-normalised values, local deviation), by a 7x7 Gaussian of sigma 7/6."""
    window = cv2.getGaussianKernel(7, 7 / 6)

    def local_mean(values):
        return cv2.sepFilter2D(values, -1, window, window, borderType=cv2.BORDER_REPLICATE)

    mean = local_mean(gray)
    deviation = np.sqrt(np.abs(local_mean(gray * gray) - mean * mean))
    return (gray - mean) / (deviation + 1), deviation


def aggd(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moment fit of asymmetric generalised Gaussians to n samples (n, ...): shape, left and right scale, each (n,).

    Lasmar, Stitou and Berthoumieu, "Multiscale skewed heavy tailed model for texture analysis", ICIP 2009.
    """
    x = x.reshape(len(x), -1)
    squares, negative, positive = x * x, x < 0, x > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.sqrt((squares * negative).sum(axis=1) / negative.sum(axis=1))
        right = np.sqrt((squares * positive).sum(axis=1) / positive.sum(axis=1))
        skew = left / right
        ratio = np.abs(x).mean(axis=1) ** 2 / squares.mean(axis=1)
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = SHAPES[np.searchsorted(BETWEEN_RATIOS, ratio)]
    to_scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * to_scale, right * to_scale


def _features(blocks: np.ndarray) -> np.ndarray:
    """(n, side, side) MSCN values -> (n, 18): shape and mean scale; shape, mean and both scales of each product."""
    shape, left, right = aggd(blocks)
    columns = [shape, (left + right) / 2]
    for shift in SHIFTS:
        shape, left, right = aggd(blocks * np.roll(blocks, shift, axis=(1, 2)))
        columns += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(columns, axis=1)


def _blocks(image: np.ndarray, side: int) -> np.ndarray:
    """(rows * side, columns * side) -> (rows * columns, side, side)."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    return image.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
