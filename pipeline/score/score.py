"""Score outputs on a test set: numbers for what can be computed, reasons for what cannot."""
import csv
import math
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.core.files import replacing
from pipeline.core.progress import track
from pipeline.core.settings import Bench
from pipeline.images.shards import Shard
from pipeline.score.names import CONTROL_SETS
from pipeline.score.registry import METRICS, known

DIGITS = 4


@dataclass
class Result:
    """Scores of some rows, what is missing and why, and a line per row, test set and image."""
    rows: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    absent: list[dict[str, str]] = field(default_factory=list)
    images: list[dict] = field(default_factory=list)

    def miss(self, row: str, test_set: str, metric: str, reason: str) -> None:
        """Note that something was not computed; `*` stands for all."""
        self.absent.append({"row": row, "test_set": test_set, "metric": metric, "reason": reason})

    def without_truth(self, rows: list[str], test_set: str) -> dict:
        """What is known of `rows` on a test set without its truth: `rows`, row -> metric -> value, and what is `absent`."""
        scores = {row: self.rows[row][test_set] for row in rows if test_set in self.rows.get(row, {})}
        return {"rows": {row: {metric: value for metric, value in values.items() if "truth" not in known(metric).needs}
                         for row, values in scores.items()},
                "absent": [item for item in self.absent if item["row"] in rows and item["test_set"] in (test_set, "*")
                           and "truth" not in known(item["metric"]).needs]}

    def write_images(self, path: Path | str) -> None:
        """The line per image as CSV; what was not computed is an empty field. What nobody asked for has no column."""
        columns = [name for name, metric in METRICS.items() if "set" not in metric.needs
                   and ("asked" not in metric.needs or any(name in line for line in self.images))]
        columns.sort(key=lambda name: (not METRICS[name].better, "asked" in METRICS[name].needs))  # a stable sort
        with replacing(path, "w") as handle:
            writer = csv.DictWriter(handle, ["row", "test_set", "image", "scene", *columns], lineterminator="\n")
            writer.writeheader()
            for line in self.images:
                writer.writerow(line | {name: f"{line[name]:.{DIGITS}f}" for name in columns if name in line})


class Scoring(NamedTuple):
    """What a metric can know before the first image."""
    settings: Bench
    reference: Shard
    trunks: Path | str  # the folder of weights and models that were fetched
    device: str = "cpu"


class Scorer:
    """The metrics, made ready once for all rows. `threads` images are scored at a time, whose scores do not depend on it."""

    def __init__(self, settings: Bench, reference: Shard, trunks: Path | str, device="cpu", asked: tuple[str, ...] = (),
                 threads: int = 1):
        self.threads, scoring = threads, Scoring(settings, reference, trunks, device)
        self.measures: dict[str, Callable] = {}
        self.reasons: dict[str, str] = {}
        for name, metric in METRICS.items():
            if "asked" in metric.needs and name not in asked:
                continue
            if "reference" in metric.needs and reference.absent:
                self.reasons[name] = f"no clean reference: {reference.absent}"
                continue
            try:
                if measure := metric.measure(scoring):
                    self.measures[name] = measure
            except FileNotFoundError as reason:  # weights that were not fetched
                self.reasons[name] = str(reason)
            except ValueError as error:
                if "reference" not in metric.needs:
                    raise
                self.reasons[name] = f"the clean reference does not do: {error}"

    def score(self, result: Result, row: str, test_set: str, inputs: Shard, outputs: Shard, targets: Shard) -> None:
        """Add the scores of a row's outputs (uint8) on one test set to `result`.

        Images for which a metric does not exist (an infinite PSNR, too few patches for NIQE) are left out of its mean,
        and the result says so.
        """
        here = {name for name, metric in METRICS.items() if "captures" not in metric.needs or test_set in CONTROL_SETS}
        reasons = {name: reason for name, reason in self.reasons.items() if name in here}
        single, whole = {}, {}  # metric -> what scores, and the shards it is given
        for name in (name for name in self.measures if name in here):
            needs = METRICS[name].needs
            if "truth" in needs and targets.absent:
                reasons[name] = f"no truth: {targets.absent}"
                continue
            shards = [outputs] + [targets] * ("truth" in needs) + [inputs] * ("input" in needs)
            (whole if "set" in needs else single)[name] = self.measures[name], shards
        found: dict[str, list[float]] = {}
        failures: dict[str, list[str]] = {}  # metric -> why it does not exist, of each image left out
        with ThreadPoolExecutor(self.threads) as pool:  # NumPy and SciPy let go of Python while they work
            lines = pool.map(partial(_scores_of, single), range(len(outputs)))
            lines = track(lines, f"{row}: {test_set}, scoring", len(outputs))
            for image, (values, failed) in zip(outputs.images, lines, strict=True):
                line = {"row": row, "test_set": test_set, "image": image["name"], "scene": image["scene"]}
                result.images.append(line | values)
                for metric, value in values.items():
                    found.setdefault(metric, []).append(value)
                for metric, reason in failed.items():
                    failures.setdefault(metric, []).append(reason)
        reasons |= {metric: by_kind(why) for metric, why in failures.items()}
        scores = {metric: float(np.mean(values)) for metric, values in found.items()}
        for name, (measure, shards) in whole.items():
            try:
                value = measure(*shards)
                scores |= value if isinstance(value, dict) else {name: value}
            except ValueError as error:
                reasons[name] = str(error)
        if scores:
            rounded = {metric: round(value, DIGITS) for metric, value in scores.items()}
            result.rows.setdefault(row, {})[test_set] = rounded
        for metric, reason in reasons.items():
            if values := found.get(metric):
                reason = f"{len(outputs) - len(values)} of {len(outputs)} images are left out of the mean: {reason}"
            result.miss(row, test_set, metric, reason)


def by_kind(reasons: list[str]) -> str:
    """Reasons of several images as one: the first of each kind, and of how many images it is where there are more kinds.
    Reasons that differ in numbers alone are of a kind."""
    kinds: dict[str, list[str]] = {}
    for reason in reasons:
        kinds.setdefault(re.sub(r"\d+", "#", reason), []).append(reason)
    if len(kinds) == 1:
        return reasons[0]
    return "; ".join(f"{alike[0]} ({len(alike)} {'image' if len(alike) == 1 else 'images'})" for alike in kinds.values())


def _scores_of(measures: dict[str, tuple[Callable, list[Shard]]], i: int) -> tuple[dict[str, float], dict[str, str]]:
    """The metrics of image i, and why others do not exist for it."""
    values, failed = {}, {}
    for name, (measure, shards) in measures.items():
        try:
            value = measure(*(shard[i] for shard in shards))
        except ValueError as error:
            failed[name] = str(error)
            continue
        if math.isfinite(value):
            values[name] = value
        else:
            failed[name] = f"{name} is not finite (the output equals the truth)"
    return values, failed
