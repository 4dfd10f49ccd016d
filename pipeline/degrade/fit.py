"""Ranges of a random recipe, narrowed to captures without truth (approximate Bayesian computation).

Clean crops are degraded with values drawn from the recipe's own ranges, and each is described by statistics. A regression tells
the values from the statistics. Where it can, the distribution of a value over the captures is sought, as a Beta over the own
range: simulated crops count for a capture by how near their predictions are to its own, the Beta moves to the moments of the
values so weighted, and both again until it rests. What comes out is the range of the uniform distribution of the same mean and
deviation. This is ABC (Beaumont, Zhang and Balding, "Approximate Bayesian computation in population genetics", Genetics 2002)
with regression predictions as summaries (Fearnhead and Prangle, JRSS B 2012), and EM for what the captures share.
"""
from typing import NamedTuple

import numpy as np
from scipy.special import betaln

from pipeline.core.recipes import Random
from pipeline.core.seeds import rng

LEAST_R2 = 0.1
"""Of the regression, on clean images that it has not seen, below which a value keeps its range."""
LEAST_ESS = 20
"""Simulated crops that count for a capture, below which the captures are unlike anything simulated, and nothing is believed."""
FOLDS = 4
RIDGE = 0.3  # in standardised statistics
KERNEL = 0.6  # in errors of the regression
ROUNDS = 60
CUT = 3.0  # deviations at which statistics are cut off


class Bank(NamedTuple):
    """Simulated crops."""
    statistics: np.ndarray  # (n, statistics)
    values: np.ndarray  # (n, parameters), as drawn
    scenes: np.ndarray  # (n,), of the clean images

    def part(self, chosen: np.ndarray) -> "Bank":
        return Bank(*(one[chosen] for one in self))


class Found(NamedTuple):
    """What the captures say of each parameter."""
    r2: np.ndarray  # (parameters,): share of the variance that the regression tells on images it has not seen
    narrowed: np.ndarray  # (parameters,): whether that was enough
    ends: np.ndarray  # (parameters, 2): of the range, as shares of the recipe's own
    ess: float  # the effective number of simulated crops that count for a capture; the median over captures

    @property
    def refused(self) -> str:
        """Why nothing is believed, in words; empty when it is."""
        if not self.narrowed.any():
            return f"no parameter is told from the statistics: the highest R2 is {self.r2.max():.2f}, wanted {LEAST_R2}"
        if self.ess < LEAST_ESS:
            return (f"the captures are unlike the simulated crops: {self.ess:.0f} of these count for a capture, wanted "
                    f"{LEAST_ESS}. The recipe's ranges may be too narrow, or the clean images of another kind")
        return ""


def search(bank: Bank, captures: np.ndarray, recipe: Random, parameters: tuple[str, ...], seed: int) -> Found:
    """`captures` (m, statistics) describe crops of captures, of the same size as the bank's, which was drawn by `recipe`.

    Raises ValueError for a bank of fewer than 4 scenes.
    """
    low, high = np.array([recipe.ranges[name] for name in parameters]).T
    values = (bank.values - low) / (high - low)
    middle, deviation = bank.statistics.mean(axis=0), bank.statistics.std(axis=0) + 1e-6
    known, asked = (np.clip((one - middle) / deviation, -CUT, CUT) for one in (bank.statistics, captures))
    fold = folds(bank.scenes, FOLDS, seed)
    told, of_captures = np.empty_like(values), np.empty((FOLDS, len(captures), values.shape[1]))
    for k in range(FOLDS):
        predict = ridge(known[fold != k], values[fold != k])
        told[fold == k], of_captures[k] = predict(known[fold == k]), predict(asked)
    error = ((told - values) ** 2).mean(axis=0)
    r2 = 1 - error / values.var(axis=0)
    narrowed = r2 >= LEAST_R2
    near = np.zeros((len(told), len(captures)))
    for d in np.flatnonzero(narrowed):  # each capture as the regression sees it that has not seen the crop's scene
        near -= ((told[:, d, None] - of_captures[fold, :, d]) / (KERNEL * np.sqrt(error[d]))) ** 2 / 2
    shape = np.ones((len(r2), 2))
    for _ in range(ROUNDS):
        weights = _weights(near, values, shape).mean(axis=1)
        for d in np.flatnonzero(narrowed):
            mean = weights @ values[:, d]
            variance = max(weights @ (values[:, d] - mean) ** 2, 2e-4)
            shape[d] = np.array([mean, 1 - mean]) * max(mean * (1 - mean) / variance - 1, 0.3)
    ess = 1 / (_weights(near, values, shape) ** 2).sum(axis=0)
    return Found(r2, narrowed, _ends(shape, narrowed), float(np.median(ess)))


def folds(groups: np.ndarray, count: int, seed: int) -> np.ndarray:
    """A number below `count` for each entry, the same within a group. Raises ValueError for fewer groups than that."""
    names, place = np.unique(groups, return_inverse=True)
    if len(names) < count:
        raise ValueError(f"a fit needs images of at least {count} scenes on each side, and found {len(names)}")
    return rng(seed, "fit/folds", count).permutation(place.max() + 1)[place] % count


def ridge(known: np.ndarray, values: np.ndarray):
    """A linear regression of (n, values) from (n, statistics) with an L2 penalty, as a function of other statistics."""
    middle, mean = known.mean(axis=0), values.mean(axis=0)
    centred = known - middle
    moments = centred.T @ centred / len(known) + RIDGE * np.eye(known.shape[1])
    slopes = np.linalg.solve(moments, centred.T @ (values - mean) / len(known))
    return lambda asked: (asked - middle) @ slopes + mean


def _weights(near: np.ndarray, values: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """How much each crop counts for each capture, (crops, captures), each capture's with sum one."""
    inside = np.clip(values, 1e-3, 1 - 1e-3)
    density = ((shape[:, 0] - 1) * np.log(inside) + (shape[:, 1] - 1) * np.log1p(-inside) - betaln(*shape.T)).sum(axis=1)
    logs = near + density[:, None]
    weights = np.exp(logs - logs.max(axis=0))
    return weights / weights.sum(axis=0)


def _ends(shape: np.ndarray, narrowed: np.ndarray) -> np.ndarray:
    total = shape.sum(axis=1)
    mean = shape[:, 0] / total
    half = np.sqrt(3 * mean * (1 - mean) / (total + 1))  # a uniform distribution reaches sqrt(3) deviations from its mean
    return np.where(narrowed[:, None], np.clip(np.stack([mean - half, mean + half], axis=1), 0, 1), [0.0, 1.0])


def ranges(recipe: Random, parameters: tuple[str, ...], ends: np.ndarray) -> dict[str, list[float]]:
    """The ends in units of the recipe, by parameter, to three decimals."""
    found = {}
    for name, shares in zip(parameters, ends):
        low, high = recipe.ranges[name]
        found[name] = [round(float(low + (high - low) * share), 3) for share in shares]
    return found


def told_apart(crops: Bank, captures: np.ndarray, scenes: np.ndarray, seed: int) -> float:
    """Mean AUC in [0, 1] of linear classifiers that tell captures, (m, statistics) of `scenes` (m,), from simulated crops.

    Each is tried on scenes of both sides that it has not seen. 0.5: it cannot tell them. Raises ValueError below 4 scenes.
    """
    middle, deviation = crops.statistics.mean(axis=0), crops.statistics.std(axis=0) + 1e-6
    simulated, real = (np.clip((one - middle) / deviation, -CUT, CUT) for one in (crops.statistics, captures))
    of_crops, of_captures, areas = folds(crops.scenes, FOLDS, seed), folds(scenes, FOLDS, seed), []
    for k in range(FOLDS):
        learnt, seen = simulated[of_crops != k], real[of_captures != k]
        both = np.concatenate([learnt, np.repeat(seen, max(1, round(len(learnt) / len(seen))), axis=0)])
        predict = ridge(both, (np.arange(len(both)) >= len(learnt)).astype(float)[:, None])
        higher = predict(real[of_captures == k]) - predict(simulated[of_crops == k]).T
        areas.append(((higher > 0) + (higher == 0) / 2).mean())
    return float(np.mean(areas))
