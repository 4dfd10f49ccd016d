"""Which places of the crops the page shows: where a row differs most from what it is to beat, and random ones."""
import statistics
from typing import NamedTuple

import numpy as np

from pipeline.core.seeds import rng
from pipeline.report.crops import DETAIL, RANDOM, SIDES
from pipeline.score.registry import METRICS, of_family

SIDE = SIDES[RANDOM]  # pixels of the output on a side
COUNT = 3  # places of a kind
STRIDE = 8  # at least, of the search, in pixels of the output
MOST, LEAST, ANY = "Most different", "Least gain", "Random"

Crops = dict[str, np.ndarray]
"""Name -> uint8 HWC: the same square of a scene, each as large as it is or some whole times smaller."""


class Place(NamedTuple):
    what: str  # MOST, LEAST or ANY
    scene: str
    square: str  # the crop that it lies in, DETAIL or RANDOM
    top: int  # of the place in this crop, in pixels of the largest of its crops
    left: int
    side: int
    difference: float
    """Mean absolute difference between the row and the nearest of what it is to beat, in 8-bit levels."""

    def of(self, crop: np.ndarray, crops: Crops) -> np.ndarray:
        """The place in one of the crops of its square."""
        times = largest(crops) // len(crop)
        top, left, side = (value // times for value in (self.top, self.left, self.side))
        return crop[top : top + side, left : left + side]


def places(crops: dict[str, dict[str, Crops]], names: list[str], gain: dict[str, float], seed: int) -> list[Place]:
    """COUNT places of different scenes where the row differs most, one of the scene with the least `gain`, and COUNT at random.

    `crops` are place -> scene -> crops. `names` are what the row is to beat, and last the row. Of equal ones the first counts.
    """
    found = {scene: most_different(MOST, scene, squares, names) for scene, squares in crops[DETAIL].items()
             if names[-1] in squares}
    most = sorted(found.values(), key=lambda place: -place.difference)[:COUNT]
    least = [found[scene]._replace(what=LEAST) for scene in sorted(gain, key=gain.get)[:1]
             if scene in found and found[scene] not in most]
    drawn = [scene for scene in crops[RANDOM] if names[-1] in crops[RANDOM][scene]]
    drawn = [drawn[i] for i in rng(seed, "report/places").permutation(len(drawn))[:COUNT]]
    return [*most, *least, *(most_different(ANY, scene, crops[RANDOM][scene], names) for scene in drawn)]


def most_different(what: str, scene: str, crops: Crops, names: list[str]) -> Place:
    """The place of a square where the row is farthest from the nearest of the others; all of a square that is no larger."""
    size = largest(crops)
    smallest = min(map(len, crops.values()))
    times = size // smallest
    side, step = min(SIDE // times * times, size), -(-STRIDE // times) * times
    row = enlarged(crops[names[-1]], size)
    others = [enlarged(crops[name], size) for name in names[:-1] if name in crops and name != names[-1]]
    means = [_means(np.abs(row - other).mean(axis=2), side)[::step, ::step] for other in others]
    nearest = np.min(means, axis=0) if means else np.zeros((1, 1))
    top, left = np.unravel_index(nearest.argmax(), nearest.shape)
    square = DETAIL if what != ANY else RANDOM
    return Place(what, scene, square, int(top) * step, int(left) * step, side, float(nearest[top, left]))


def largest(crops: Crops) -> int:
    """The side of the largest."""
    return max(map(len, crops.values()))


def enlarged(crop: np.ndarray, size: int) -> np.ndarray:
    """float64, with pixels repeated."""
    times = size // len(crop)
    return crop.repeat(times, axis=0).repeat(times, axis=1).astype(float)


def _means(values: np.ndarray, side: int) -> np.ndarray:
    """The mean of each square of so many pixels."""
    total = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    return (total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]) / side**2


def gains(images: dict[tuple[str, str], dict[str, float]], base: dict[tuple[str, str], dict[str, float]] | None,
          scenes: list[str]) -> tuple[str, dict[str, float]]:
    """The first of LPIPS, PSNR and NIQE that both have, and what the row gains in it over the base: a mean over the images of
    each of the `scenes`.

    `images` and `base` are (scene, image) -> metric -> score; without a base, it is the score itself with the sign that makes
    more the better. An empty name and nothing when no metric is there.
    """
    for metric in (*of_family("perceptual"), *of_family("fidelity"), *of_family("blind")):
        sign = 1 if METRICS[metric].better == "up" else -1
        found: dict[str, list[float]] = {}
        for (scene, image), scores in images.items():
            other = {metric: 0.0} if base is None else base.get((scene, image), {})
            if scene in scenes and metric in scores and metric in other:
                found.setdefault(scene, []).append(sign * (scores[metric] - other[metric]))
        if found:
            return metric, {scene: statistics.fmean(values) for scene, values in found.items()}
    return "", {}
