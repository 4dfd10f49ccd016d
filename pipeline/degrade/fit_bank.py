"""Crops for degrade/fit.py: simulated ones, and those of captures, described by their statistics."""
from functools import lru_cache
from pathlib import Path

import cv2
import joblib
import numpy as np

from pipeline.core.recipes import Random
from pipeline.core.seeds import rng
from pipeline.degrade.fit import Bank
from pipeline.degrade.fit_statistics import statistics
from pipeline.degrade.recipe import How, degrade
from pipeline.images.shards import Shard

LEAST, MOST = 32, 64  # pixels, side of a crop of the captures' size
CAPTURES = 300  # crops of captures at most
PER_WORKER = 1000  # crops that are worth the seconds it takes to start one more worker


def side_of(captures: Shard, clean: Shard, scale: int) -> int:
    """The side of the crops in pixels of the captures: the largest multiple of 8 that every image holds, 64 at most.

    Raises ValueError below 32.
    """
    smallest = [min(image["height"], image["width"]) for shard in (captures, clean) for image in shard.images]
    split = len(captures)
    side = min(MOST, min(smallest[:split]), min(smallest[split:]) // scale) // 8 * 8
    if side < LEAST:
        raise ValueError(f"the smallest image of {captures.folder} and, by {scale}, of {clean.folder} hold no crop of "
                         f"{LEAST}x{LEAST} pixels to describe")
    return side


def of_captures(shard: Shard, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(m, statistics), and the scenes (m,): of the middle crop of each image, or of 300 evenly spread ones.

    Crops lie along the 8x8 grid of their image's JPEG.
    """
    chosen = np.unique(np.linspace(0, len(shard) - 1, min(len(shard), CAPTURES)).astype(int))
    found = []
    for i in chosen:
        top, left = ((length - side) // 16 * 8 for length in shard[i].shape[:2])
        found.append(statistics(np.asarray(shard[i])[top : top + side, left : left + side]))
    return np.array(found), np.array(shard.scenes)[chosen]


def simulate(clean: Path, recipe: Random, parameters: tuple[str, ...], scale: int, side: int, count: int, seed: int,
             purpose: str) -> Bank:
    """`count` random crops of the clean images of a shard, flipped at random and degraded by the recipe.

    Crop i depends on (seed, purpose, i) alone.
    """
    clean, jobs = clean.resolve(), min(joblib.cpu_count(), 1 + count // PER_WORKER)
    work = (joblib.delayed(_crop)(clean, recipe, scale, side, seed, purpose, i) for i in range(count))
    made = joblib.Parallel(jobs, batch_size=50)(work)
    scenes = Shard(clean).scenes
    return Bank(np.array([described for described, *_ in made]),
                np.array([[drawn[name] for name in parameters] for _, drawn, _ in made]),
                np.array([scenes[image] for *_, image in made]))


@lru_cache(maxsize=2)
def _opened(clean: Path) -> Shard:
    cv2.setNumThreads(1)
    return Shard(clean)


def _crop(clean: Path, recipe: Random, scale: int, side: int, seed: int, purpose: str, i: int):
    shard, draw = _opened(clean), rng(seed, purpose, i)
    image = int(draw.integers(len(shard)))
    top, left = (int(draw.integers(length - side * scale + 1)) for length in shard[image].shape[:2])
    part = np.asarray(shard[image])[top : top + side * scale, left : left + side * scale]
    part = part[:, ::-1] if draw.integers(2) else part
    degraded, _, drawn = degrade(np.ascontiguousarray(part), draw, How(recipe, scale))
    return statistics(degraded), drawn, image
