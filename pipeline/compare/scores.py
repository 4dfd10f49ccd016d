"""The scores of rows, as stages and commands hand them on: from data/bench, and as the CSV of a task."""
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.core.files import write
from pipeline.score.names import TEST_SETS
from pipeline.score.registry import METRICS

KEYS = ("tests", "row", "test_set", "images", "scenes", "parameters")  # the columns of the CSV that are no scores


@dataclass
class Scores:
    """The scores of some rows on the test sets of one entry of `tests`."""
    rows: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)  # row -> test set -> metric -> value
    absent: list[dict[str, str]] = field(default_factory=list)  # row, test_set, metric (each may be *, for all) and reason
    counts: dict[str, dict[str, int]] = field(default_factory=dict)  # test set, or reference -> images, scenes
    parameters: dict[str, int] = field(default_factory=dict)  # row -> trainable weights of its networks
    networks: dict[str, list[str]] = field(default_factory=dict)  # row -> the networks of its chain
    flop: dict[str, int] = field(default_factory=dict)  # network -> operations of a training step per pixel of its input
    per_image: dict[str, dict[str, int]] = field(default_factory=dict)
    """Network that is learnt from each test image anew -> steps, and pixels of their patches, that one takes on average."""
    manifests: dict[str, dict] = field(default_factory=dict)  # network -> its manifest
    strengths: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """Row -> metric -> its value on captures at each of score/names.py's STRENGTHS."""
    published: dict[str, dict[str, float]] = field(default_factory=dict)  # row -> metric -> a paper's own figure
    oracles: dict[str, str] = field(default_factory=dict)
    """Row that truth reached, or that is a control of one -> how, in words; nothing for the oracle of a system."""

    def add(self, bench: dict) -> None:
        """Take over the content of one file of data/bench."""
        self.absent += bench["absent"]
        for name in ("rows", "counts", "parameters", "networks", "flop"):
            getattr(self, name).update(bench[name])
        for name in ("per_image", "manifests", "strengths"):
            getattr(self, name).update(bench.get(name, {}))

    def sort(self, order: list[str]) -> None:
        """The rows, and those of their networks, in this order."""
        self.rows, self.networks = ({row: found[row] for row in order if row in found} for found in (self.rows, self.networks))


def write_csv(path: Path | str, scores: dict[str, Scores]) -> None:
    """One line per row and test set, one column per metric; what was not computed is an empty field."""
    found = computed_metrics(scores)
    metrics = [name for name, metric in METRICS.items() if name in found or (metric.better and "asked" not in metric.needs)]
    lines = [{"tests": tests, "row": row, "test_set": name, "parameters": group.parameters[row], **group.counts[name],
              **sets[name]}
             for tests, group in scores.items() for row, sets in group.rows.items() for name in TEST_SETS if name in sets]
    table = pd.DataFrame(lines, columns=[*KEYS, *metrics, *sorted(found - METRICS.keys())])
    write(path, table.to_csv(index=False, lineterminator="\n"))


def read_table(file, names: Sequence[str]) -> pd.DataFrame:
    """A CSV of scores, a path or an open file: the columns `names` as texts, the others as they were written, NaN if empty."""
    return pd.read_csv(file, dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=[""])


def read_csv(path: Path | str) -> dict[str, Scores]:
    """The rows and counts of a file of `write_csv`, by entry of `tests`."""
    scores = {}
    for line in read_table(path, KEYS[:3]).to_dict("records"):
        tests, row, test_set, images, scenes, parameters = (line.pop(key) for key in KEYS)
        group = scores.setdefault(tests, Scores())
        group.rows.setdefault(row, {})[test_set] = {metric: value for metric, value in line.items() if pd.notna(value)}
        group.counts[test_set] = {"images": images, "scenes": scenes}
        group.parameters[row] = parameters
    return scores


def computed_metrics(scores: dict[str, Scores]) -> set[str]:
    """The metrics that were computed anywhere."""
    return {metric for group in scores.values() for sets in group.rows.values() for values in sets.values()
            for metric in values}
