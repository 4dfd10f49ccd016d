"""Scores per image of several rows and seeds on one test set, and means over the images that rows have in common."""
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.compare.revisions import Images
from pipeline.compare.stats import Interval, interval, means


@dataclass(frozen=True)
class Difference:
    interval: Interval
    images: int  # how many images it is of


@dataclass(frozen=True)
class Shared:
    """Means over the same images, as `stats.means` gives them, one array per (row, metric) asked for."""
    means: list[np.ndarray]
    seeds: int
    scenes: int
    images: int  # of the seed that has the fewest

    def difference(self, values: np.ndarray) -> Difference:
        """The interval of `values`, which were computed elementwise from the means."""
        return Difference(interval(values, self.seeds, self.scenes), self.images)


class Paired:
    def __init__(self, seeds: list[Images], test_set: str):
        tables = [images[images.index.get_level_values("test_set") == test_set].droplevel("test_set")
                  .dropna(axis="columns", how="all") for images in seeds]
        self.rows: list[set[str]] = [set(table.index.get_level_values("row")) for table in tables]
        """Per seed: the rows that have images."""
        self.metrics = {metric for table in tables for metric in table}
        places = pd.concat(tables).index.droplevel("row").reorder_levels(["scene", "image"]).unique().sort_values()
        self.images = [*places]  # (scene, image)
        self.scenes, self._first = np.unique(places.get_level_values("scene"), return_index=True)
        self._tables = [table.unstack("row").reorder_levels(["scene", "image"]).reindex(places) for table in tables]
        self._columns: dict[tuple[str, str], np.ndarray] = {}

    def scores(self, row: str) -> dict[tuple[str, str], dict[str, float]]:
        """(scene, image) -> metric -> score of a row, of the first seed."""
        if row not in self.rows[0]:
            return {}
        table = self._tables[0].xs(row, axis="columns", level="row")
        return {place: line.dropna().to_dict() for place, line in table.iterrows()}

    def _column(self, row: str, metric: str) -> np.ndarray:
        """(seeds, images), NaN where there is no score."""
        if (row, metric) not in self._columns:
            nothing = np.full(len(self.images), np.nan)
            self._columns[row, metric] = np.array([table[metric, row] if (metric, row) in table else nothing
                                                   for table in self._tables])
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
