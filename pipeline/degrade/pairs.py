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
from pipeline.degrade.calibrate import Estimate
from pipeline.degrade.moire.exposure import metered
from pipeline.degrade.moire.geometry import Geometry, fitting
from pipeline.degrade.moire.simulate import draw as draw_photograph
from pipeline.degrade.moire.simulate import photograph
from pipeline.degrade.recipe import degrade
from pipeline.images.shards import Shard


def is_cropped(entry: Pairs, split: str) -> bool:
    return split == "train" and entry.patches > 0


def place_of(shard: Shard, areas: np.ndarray, entry: Pairs, split: str, index: int, draw: np.random.Generator) -> dict:
    """Which image the target of pair `index` is cut from, and where."""
    if not is_cropped(entry, split):
        height, width = (shard.images[index][side] // entry.step * entry.step for side in ("height", "width"))
        return {"image": index, "top": 0, "left": 0, "height": height, "width": width}
    image = _chosen(areas, draw)
    top, left = (int(draw.integers(shard.images[image][side] - entry.size + 1)) for side in ("height", "width"))
    return {"image": image, "top": top, "left": left, "height": entry.size, "width": entry.size}


def cut(shard: Shard, place: dict) -> np.ndarray:
    top, left = place["top"], place["left"]
    return shard[place["image"]][top : top + place["height"], left : left + place["width"]]


def _chosen(areas: np.ndarray, draw: np.random.Generator) -> int:
    return int(np.searchsorted(areas, draw.integers(areas[-1]), side="right"))


def make_pair(clean: Path, entry: Pairs, recipe: Recipe, estimate: Estimate | None, seed: int, key: str, split: str,
              index: int) -> tuple[np.ndarray, np.ndarray | None, dict]:
    """The input of one pair, its target, and where it lies in the clean image and what was drawn for it.

    The target is None where it is the clean image at that place, as it is: `cut` gets it without a detour.
    """
    _settle()
    shard, areas = _opened(clean, (clean / "index.json").stat().st_mtime_ns, entry.size)
    draw = rng(seed, f"pairs/{key}/{split}", index)
    if recipe.kind == "moire":
        return _photographed(shard, areas, entry, recipe, split, index, draw)
    place = place_of(shard, areas, entry, split, index, draw)
    image, drawn = degrade(np.array(cut(shard, place)), recipe, entry.scale, draw, estimate)
    return image, None, place | drawn


def _photographed(shard, areas, entry, recipe, split, index, draw):
    """A pair whose target goes through the camera's geometry: the place is what the camera sees of the clean image, which is
    more than the pair's own size, and goes on mirrored where the image ends."""
    image = _chosen(areas, draw) if is_cropped(entry, split) else index
    sides = shard.images[image]["height"], shard.images[image]["width"]
    drawn = draw_photograph(recipe, draw)
    if recipe.metering:
        drawn["exposure"] += metered(shard[image], recipe.metering)
    shape = (entry.size, entry.size) if is_cropped(entry, split) else fitting(sides, recipe, drawn)
    geometry = Geometry(shape, recipe, drawn)
    height, width = (min(seen, side) for seen, side in zip(geometry.window.tolist(), sides))
    top, left = int(draw.integers(sides[0] - height + 1)), int(draw.integers(sides[1] - width + 1))
    place = {"image": image, "top": top, "left": left, "height": height, "width": width}
    return *photograph(cut(shard, place), shape, recipe, drawn, draw, geometry), place | drawn


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
