"""Scores per image of several rows and seeds on one test set, and means over the images that rows have in common."""
from dataclasses import dataclass

import numpy as np

from pipeline.compare.stats import Interval, interval, means
from pipeline.report.revisions import Images


@dataclass(frozen=True)
class Difference:
    interval: Interval
    images: int
    """How many images it is of."""


@dataclass(frozen=True)
class Shared:
    """Means over the same images, as `stats.means` gives them, one array per (row, metric) asked for."""
    means: list[np.ndarray]
    seeds: int
    scenes: int
    images: int
    """Of the seed that has the fewest."""

    def difference(self, values: np.ndarray) -> Difference:
        """The interval of `values`, which were computed elementwise from the means."""
        return Difference(interval(values, self.seeds, self.scenes), self.images)


class Paired:
    def __init__(self, seeds: list[Images], test_set: str):
        self.rows: list[dict[str, dict]] = []
        """Per seed: row -> (scene, image) -> metric -> score."""
        for images in seeds:
            self.rows.append({})
            for (row, name, image, scene), scores in images.items():
                if name == test_set:
                    self.rows[-1].setdefault(row, {})[scene, image] = scores
        self.images = sorted({image for seed in self.rows for scores in seed.values() for image in scores})
        self.scenes, self._first = np.unique([scene for scene, _ in self.images], return_index=True)
        self.metrics = {metric for seed in self.rows for row in seed.values() for scores in row.values() for metric in scores}
        self._columns: dict[tuple[str, str], np.ndarray] = {}

    def _column(self, row: str, metric: str) -> np.ndarray:
        """(seeds, images), NaN where there is no score."""
        if (row, metric) not in self._columns:
            self._columns[row, metric] = np.array([
                [seed.get(row, {}).get(image, {}).get(metric, np.nan) for image in self.images] for seed in self.rows])
        return self._columns[row, metric]

    def shared(self, wanted: list[tuple[str, str]]) -> Shared | None:
        """The means of each (row, metric) over the images for which all are there; None when a seed has no such image."""
        scores = np.stack([self._column(row, metric) for row, metric in wanted])
        there = ~np.isnan(scores).any(axis=0)
        counts = np.add.reduceat(there, self._first, axis=-1, dtype=float)
        if not counts.any(axis=1).all():
            return None
        scenes = counts.any(axis=0)
        totals = np.add.reduceat(np.where(there, scores, 0), self._first, axis=-1)[..., scenes]
        resampled = [means(total, counts[:, scenes]) for total in totals]
        return Shared(resampled, *totals.shape[1:], int(there.sum(axis=1).min()))
