"""One synthetic pair at a time, and many of them by several processes."""
from functools import cache, lru_cache
from pathlib import Path

import cv2
import joblib
import numpy as np

from pipeline.core.memory import keep_memory
from pipeline.core.recipes import Recipe
from pipeline.core.seeds import rng
from pipeline.core.sources import Pairs
from pipeline.degrade.calibrate import Measured
from pipeline.degrade.recipe import FRAMES, How, degrade
from pipeline.images.shards import Shard


def is_cropped(entry: Pairs, split: str) -> bool:
    return split == "train" and entry.patches > 0


def place_of(shard: Shard, areas: np.ndarray, entry: Pairs, kind: str, split: str, index: int,
             draw: np.random.Generator) -> dict:
    """Which image pair `index` is made of, and the part of it that a degradation of this kind is given."""
    cropped = is_cropped(entry, split)
    image = int(np.searchsorted(areas, draw.integers(areas[-1]), side="right")) if cropped else index
    sides = shard.images[image]["height"], shard.images[image]["width"]
    if kind in FRAMES:
        top, left, (height, width) = 0, 0, sides
    elif cropped:
        top, left = (int(draw.integers(side - entry.size + 1)) for side in sides)
        height = width = entry.size
    else:
        top, left, (height, width) = 0, 0, (side // entry.step * entry.step for side in sides)
    return {"image": image, "top": top, "left": left, "height": height, "width": width}


def make_pair(clean: Path, entry: Pairs, recipe: Recipe, camera: Measured | None, seed: int, key: str, split: str,
              index: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """The input of one pair, its target, and where it lies in the clean image and what was drawn for it."""
    _settle()
    shard, areas = _opened(clean, (clean / "index.json").stat().st_mtime_ns, entry.size)
    draw = rng(seed, f"pairs/{key}/{split}", index)
    place = place_of(shard, areas, entry, recipe.kind, split, index, draw)
    top, left = place["top"], place["left"]
    part = np.asarray(shard[place["image"]])[top : top + place["height"], left : left + place["width"]]
    how = How(recipe, entry.scale, camera, entry.size if is_cropped(entry, split) else None)
    image, target, drawn = degrade(part, draw, how)
    return image, np.array(target), place | drawn  # a copy: the image itself is a file's


@cache
def _settle() -> None:
    """Once in each process."""
    cv2.setNumThreads(1)
    keep_memory()


@lru_cache(maxsize=4)
def _opened(clean: Path, made: int, size: int) -> tuple[Shard, np.ndarray]:
    """A shard, and the running sum of the areas of its images that hold a crop of `size`; kept open between pairs."""
    shard = Shard(clean)
    areas = [image["height"] * image["width"] * (min(image["height"], image["width"]) >= size) for image in shard.images]
    return shard, np.cumsum(areas, dtype=np.int64)


def make_pairs(jobs: int, count: int, slab: int, *arguments):
    """Yield `make_pair(*arguments, index)` for every index in order, computed by `jobs` processes, `slab` at a time."""
    with joblib.Parallel(jobs, return_as="generator", pre_dispatch="2*n_jobs") as pool:
        for start in range(0, count, slab):
            yield from pool(joblib.delayed(make_pair)(*arguments, index) for index in range(start, min(start + slab, count)))
