"""Sliced Wasserstein distance between the patches of two sets of images.

After Karras et al., "Progressive growing of GANs", ICLR 2018: 7x7 patches of every level of a Laplacian pyramid, down to
16 pixels across, as points; the distance of two point clouds as the mean over random directions of the 1-d Wasserstein
distance. The coarsest level is the low-pass image that is left, all others are band-pass.

Two things differ. Patches are not normalised, as their contrast is what blur takes away. And the low-pass level stands by
itself, outside the mean: it tells whether two sets show the same scenes in the same light, and that outweighs all else (it is
40 between two halves of one set of photographs, where each band is 3 to 5). A drift of colour shows nowhere else.
"""
import cv2
import numpy as np

from pipeline.core.seeds import rng

PATCH = 7
SMALLEST = 16  # pixels across the coarsest level; below that nearly all patches touch the border
LOW = "low"

Sample = list[tuple[np.ndarray, np.ndarray]]
"""Level, 0 being the finest -> patches of its band-pass image, and at the same places of its low-pass image: each
float32 (patches, 7 * 7 * 3)."""


def sample_pyramids(images, patches: int, seed: int) -> Sample:
    """Random patches of a set of uint8 RGB HWC images (a list or a Shard); images give equally many.

    Images are read one at a time. Two sets of the same sizes are cut at the same places. Raises ValueError for an empty
    set, and for images of less than 32 pixels, which have no band-pass level.
    """
    if not len(images):
        raise ValueError("SWD of an empty set of images")
    share, rest = divmod(patches, len(images))
    draws, gathered = [], None
    for index, image in enumerate(images):
        pyramid = laplacian_pyramid(image)
        gathered = [[] for _ in pyramid] if gathered is None else gathered[: len(pyramid)]
        draws += [rng(seed, "swd/positions", level) for level in range(len(draws), len(pyramid))]
        for found, levels, draw in zip(gathered, pyramid, draws):
            found.append(_random_patches(levels, share + (index < rest), draw))
    if len(gathered) < 2:
        raise ValueError(f"SWD needs images of {2 * SMALLEST}x{2 * SMALLEST} pixels")
    return [tuple(np.concatenate(points) for points in zip(*found)) for found in gathered]


def distances(a: Sample, b: Sample, projections: int, seed: int) -> tuple[dict[str, float], float]:
    """Distance of two samples of equally many patches, per pyramid level and as the mean over the band-pass levels.

    Levels are named "0" (the finest), "1", ... and "low". 1000 times the distance for values in [0, 1]; at least 0, 0 for a set
    and itself, lower is closer. The sets need not pair. The smallest image of both says how many levels there are.
    """
    found, last = {}, min(len(a), len(b)) - 1
    for level in range(last + 1):
        draw = rng(seed, "swd/directions", level)
        directions = draw.standard_normal((PATCH * PATCH * 3, projections), dtype=np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        clouds = (points[level][level == last] for points in (a, b))
        sorted_a, sorted_b = (np.sort(directions.T @ cloud.T, axis=1) for cloud in clouds)
        distance = 1000 * float(np.mean(np.abs(sorted_a - sorted_b), dtype=np.float64))
        found[LOW if level == last else str(level)] = distance
    return found, float(np.mean([found[str(level)] for level in range(last)]))


def laplacian_pyramid(image: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """uint8 HWC -> the band-pass and the low-pass image of each level, float32 HWC, values in [0, 1], finest first.

    Burt and Adelson, "The Laplacian pyramid as a compact image code", IEEE TCOM 1983. Sides are halved, rounded up, while
    SMALLEST pixels remain.
    """
    low, levels = image.astype(np.float32) / 255, []
    while min(low.shape[:2]) >= SMALLEST:
        coarse = cv2.pyrDown(low)
        levels.append((low - cv2.pyrUp(coarse, dstsize=low.shape[1::-1]), low))
        low = coarse
    return levels


def _random_patches(images: tuple[np.ndarray, ...], count: int, draw: np.random.Generator) -> list[np.ndarray]:
    """The same `count` places of several images of one shape: (count, 7 * 7 * channels) of each."""
    height, width, _ = images[0].shape
    top, left = draw.integers(height - PATCH + 1, size=count), draw.integers(width - PATCH + 1, size=count)
    windows = (np.lib.stride_tricks.sliding_window_view(image, (PATCH, PATCH), axis=(0, 1)) for image in images)
    return [window[top, left].reshape(count, -1) for window in windows]
