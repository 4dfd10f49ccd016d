"""Intervals for mean scores and their differences, over the scenes of a test set and the seeds of a training.

Every seed is scored on the same scenes, so the scores form a table, seeds x scenes, and both ways of drawing it again
count: other scenes, and other trainings. Images of one scene go together.

Each level is resampled by itself, with replacement; the variance of the statistic over the resamples, times n / (n - 1),
is what this level contributes. The two are added, which counts what seeds and scenes do together twice: mildly
conservative. The interval is Student's t with Satterthwaite's degrees of freedom, v^2 / sum(v_i^2 / (n_i - 1)).
docs/experiments.md says why it is not percentiles of a crossed bootstrap.
"""
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy.special import stdtrit  # Student's t; scipy.stats takes most of a second to import

from pipeline.core.seeds import rng

RESAMPLES = 4000  # of each level
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval; `low` and `high` are None where a single scene allows none."""
    value: float
    low: float | None
    high: float | None

    @property
    def tie(self) -> bool:
        """Whether 0 is inside."""
        return self.low is not None and self.low <= 0 <= self.high


@lru_cache
def weights(n: int, level: str) -> np.ndarray:
    """How often each of `n` seeds or scenes is in each resample of this level, float64 (RESAMPLES, n)."""
    return rng(0, f"bootstrap/{level}", n).multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(float)


def means(totals: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean over all images, then that of each resample of the scenes, then of each resample of the seeds.

    `totals` and `counts` are (seeds, scenes): the sum of the scores of a scene's images, and how many they are. Each seed
    and each scene has to have some.
    """
    parts = [[totals.sum() / counts.sum()]]
    for axis, level in ((1, "scenes"), (0, "seeds")):
        drawn = weights(totals.shape[axis], level)
        parts.append((drawn @ totals.sum(1 - axis)) / (drawn @ counts.sum(1 - axis)))
    return np.concatenate(parts)


def interval(statistic: np.ndarray, seeds: int, scenes: int) -> Interval:
    """The interval of a statistic that was computed elementwise from `means` of so many seeds and scenes.

    With one seed it is over the scenes alone.
    """
    value = float(statistic[0])
    if scenes == 1:
        return Interval(value, None, None)
    drawn = ((scenes, statistic[1 : 1 + RESAMPLES]), (seeds, statistic[1 + RESAMPLES :]))
    levels = [(n - 1, n / (n - 1) * values.var()) for n, values in drawn if n > 1]
    variance = sum(part for _, part in levels)
    if variance == 0:
        return Interval(value, value, value)
    freedom = variance**2 / sum(part**2 / degrees for degrees, part in levels)
    half = float(stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(variance))
    return Interval(value, value - half, value + half)


def matched(psnr: np.ndarray, points: np.ndarray, scores: np.ndarray, direction: str) -> np.ndarray:
    """The best mean score that controls reach with a mean PSNR of at least `psnr`, elementwise: for gains at equal fidelity.

    `points` and `scores` are the mean PSNR and score of each control, (controls, ...) for `psnr` (...); `direction` says
    where better lies, up or down. Controls can be mixed, a share of the images treated one way and the rest another, and
    means over images mix linearly: so every point of a line between two controls is reached, and with one condition no
    mixture of more does better. Where `psnr` is above that of all controls, it is the score of the one that comes closest.
    """
    sign = 1 if direction == "up" else -1
    best = np.where(points >= psnr, sign * scores, -np.inf).max(axis=0)
    for a, b in combinations(range(len(points)), 2):
        crosses = (points[a] - psnr) * (points[b] - psnr) < 0
        share = (psnr - points[a]) / np.where(crosses, points[b] - points[a], 1)
        mixed = sign * (scores[a] + share * (scores[b] - scores[a]))
        best = np.maximum(best, np.where(crosses, mixed, -np.inf))
    closest = np.take_along_axis(scores, points.argmax(axis=0)[None], axis=0)[0]
    return np.where(np.isneginf(best), closest, sign * best)
