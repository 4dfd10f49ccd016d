"""What the controls reach at a given PSNR, so that a perceptual gain is compared at equal fidelity."""
from itertools import combinations

import numpy as np


def matched(psnr: np.ndarray, points: np.ndarray, scores: np.ndarray, direction: str) -> np.ndarray:
    """The best mean score that controls reach with a mean PSNR of at least `psnr`, elementwise.

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
