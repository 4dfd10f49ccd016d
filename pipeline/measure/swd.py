"""Sliced Wasserstein distance between the patches of two sets of images.

After Karras et al., "Progressive growing of GANs", ICLR 2018: 7x7 patches of Laplacian pyramid levels as points, the
distance of two point clouds as the mean over random directions of the 1-d Wasserstein distance. Unlike there the
patches are not normalised, as their contrast is what blur takes away. All levels are band-pass: a drift of colour does
not show.
"""
import cv2
import numpy as np

from pipeline.core.seeds import rng

PATCH = 7
LEVELS = 3
SMALLEST = 16  # pixels across a level; below that nearly all patches touch the border


def swd(images, references, patches: int, projections: int, seed: int) -> tuple[dict[int, float], float]:
    """Distance of two sets of uint8 RGB HWC images, per pyramid level (0 is the finest) and as their mean.

    1000 times the distance for values in [0, 1]; at least 0, 0 for a set and itself, lower is closer. The sets need not
    pair. Levels for which an image of either set is too small are absent. Deterministic in `seed`.
    """
    return distances(sample(images, patches, seed), sample(references, patches, seed), projections, seed)


def sample(images, patches: int, seed: int) -> dict[int, np.ndarray]:
    """Random patches of a set (a list or a Shard), level -> float32 (patches, 7 * 7 * 3); images give equally many.

    Images are read one at a time. Two sets of the same sizes are cut at the same places. Raises ValueError for an empty
    set.
    """
    if not len(images):
        raise ValueError("SWD of an empty set of images")
    share, rest = divmod(patches, len(images))
    draws = [rng(seed, "swd/positions", level) for level in range(LEVELS)]
    gathered, levels = [[] for _ in range(LEVELS)], LEVELS
    for index, image in enumerate(images):
        pyramid = laplacian_pyramid(image)
        levels = min(levels, len(pyramid))
        for level, band in enumerate(pyramid[:levels]):
            gathered[level].append(_random_patches(band, share + (index < rest), draws[level]))
    if not levels:
        raise ValueError(f"SWD needs images of {SMALLEST}x{SMALLEST} pixels")
    return {level: np.concatenate(gathered[level]) for level in range(levels)}


def distances(a: dict[int, np.ndarray], b: dict[int, np.ndarray], projections: int,
              seed: int) -> tuple[dict[int, float], float]:
    """`swd` of two samples of equally many patches."""
    found = {}
    for level in sorted(a.keys() & b.keys()):
        draw = rng(seed, "swd/directions", level)
        directions = draw.standard_normal((a[level].shape[1], projections), dtype=np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        sorted_a, sorted_b = (np.sort(points[level] @ directions, axis=0) for points in (a, b))
        found[level] = 1000 * float(np.mean(np.abs(sorted_a - sorted_b), dtype=np.float64))
    return found, float(np.mean(list(found.values())))


def laplacian_pyramid(image: np.ndarray) -> list[np.ndarray]:
    """uint8 HWC -> up to LEVELS float32 HWC band-pass images of the values in [0, 1], finest first.

    Burt and Adelson, "The Laplacian pyramid as a compact image code", IEEE TCOM 1983.
    """
    image, bands = image.astype(np.float32) / 255, []
    while len(bands) < LEVELS and min(image.shape[:2]) >= SMALLEST:
        coarse = cv2.pyrDown(image)
        bands.append(image - cv2.pyrUp(coarse, dstsize=image.shape[1::-1]))
        image = coarse
    return bands


def _random_patches(band: np.ndarray, count: int, draw: np.random.Generator) -> np.ndarray:
    height, width, _ = band.shape
    top, left = draw.integers(height - PATCH + 1, size=count), draw.integers(width - PATCH + 1, size=count)
    windows = np.lib.stride_tricks.sliding_window_view(band, (PATCH, PATCH), axis=(0, 1))
    return windows[top, left].reshape(count, -1)
