"""Trainings of several seeds side by side: means, spreads, and differences with intervals.

Each row of a system is compared with the system's stage 1, and with the controls of that stage 1 at equal PSNR.
"""
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd

from pipeline.compare.paired import Difference, Paired
from pipeline.compare.revisions import Revision, joined
from pipeline.compare.stats import matched
from pipeline.core.graph import Graph, graph
from pipeline.core.params import Params
from pipeline.score.names import TEST_SETS, control_rows, reading_order
from pipeline.score.registry import METRICS, known

COLUMNS = ["row", "metric", "what", "value", "sd", "low", "high", "images"]


@dataclass
class Section:
    """What there is to say of one test set."""
    task: str
    tests: str
    test_set: str
    name: str  # the test set, with `tests` before it where a task has several
    images: int
    scenes: int
    table: pd.DataFrame
    """COLUMNS: a line for each row, metric and kind of number. `what` is one of

    - mean: the mean over seeds of a set's score, `sd` their standard deviation, NaN with one seed;
    - minus-base: minus the stage 1 of the row's system, or minus the row that all are held against, with the ends of the
      interval, NaN with one scene, and of how many images it is;
    - minus-control: the same, minus the best that the controls of this stage 1 reach at the row's PSNR or above; in psnr, minus
      their highest."""
    notes: list[str] = field(default_factory=list)

    def part(self, what: str) -> pd.DataFrame:
        return self.table[self.table["what"] == what]


def sections(revisions: list[Revision], tasks: list[str], test_sets: list[str], against: str | None) -> Iterator[Section]:
    """A section for each test set with scores; `against` is a row that takes the place of each row's own stage 1."""
    lineage = graph(revisions[0].params)
    for task in tasks:
        groups = {}
        for key, tests in lineage.entries(task).items():
            groups.setdefault(tests, []).append(key)
        for tests, keys in groups.items():
            merged = [joined([revision.images[key] for key in keys]) for revision in revisions]
            for test_set in (name for name in TEST_SETS if name in test_sets):
                paired = Paired(merged, test_set)
                if paired.images:
                    name = test_set if len(groups) == 1 else f"{tests}: {test_set}"
                    yield _section(revisions, lineage, task, tests, test_set, name, paired, against)


def _section(revisions: list[Revision], lineage: Graph, task: str, tests: str, test_set: str, name: str, paired: Paired,
             against: str | None) -> Section:
    params, notes = lineage.params, []
    rows = [row for row in reading_order(lineage, task) if any(row in seed for seed in paired.rows)]
    metrics = in_order(paired.metrics)
    lines = [line for row in rows for line in _spread(
        row, [item.scores[task].get(row, {}).get(test_set, {}) for item in revisions], notes)]
    own = {row: start for row, start in lineage.first_stages(task).items() if row in rows and start in rows}
    bases = {row: against for row in rows if row != against and against in rows} if against else own
    for row in (row for row in rows if row in bases):
        lines += _lines(row, "minus-base", minus(paired, row, bases[row], metrics))
    compared = False
    for row in (row for row in rows if row in own):
        found = beyond(paired, row, controls(params, tests, own[row]), metrics, notes)
        lines += _lines(row, "minus-control", found)
        compared = compared or bool(found)
    if own and not compared:
        notes.append("Not compared with the control: " + ("it is not scored on this test set" if "psnr" in metrics else
                                                          "without truth there is no PSNR to match it at"))
    table = pd.DataFrame(lines, columns=COLUMNS).astype({"images": "Int64"})
    return Section(task, tests, test_set, name, len(paired.images), len(paired.scenes), table, notes)


def _lines(row: str, what: str, found: dict[str, Difference]) -> list[dict]:
    return [{"row": row, "metric": metric, "what": what, "images": difference.images} | asdict(difference.interval)
            for metric, difference in found.items()]


def _spread(row: str, scores: list[dict[str, float]], notes: list[str]) -> list[dict]:
    """Mean and spread of each metric, given the scores of each seed."""
    seeds, lines = pd.DataFrame(scores), []
    for metric in in_order(seeds):
        values = seeds[metric].dropna()
        if len(values) < len(scores):
            notes.append(f"{metric} of {row}: {len(values)} of {len(scores)} seeds have it")
        lines.append({"row": row, "metric": metric, "what": "mean", "value": values.mean(), "sd": values.std()})
    return lines


def in_order(metrics) -> list[str]:
    """Metrics in the order they are read in; those without a known direction last."""
    known = list(METRICS)
    return sorted(metrics, key=lambda metric: (known.index(metric) if metric in known else len(known), metric))


def controls(params: Params, tests: str, start: str) -> list[str]:
    """The rows that a network trained from `start` has to beat: stage 1 itself, and its controls.

    The input and its controls are not among them: what is asked is whether training did more than such changes do to the same
    stage 1. Whether a row is worth more than the input, blurred perhaps, is what `--against` tells.
    """
    return [start, *control_rows(start, params.bench, params.tests[tests])]


def minus(paired: Paired, row: str, base: str, metrics: list[str]) -> dict[str, Difference]:
    """The row minus `base`, image by image."""
    found = {}
    for metric in metrics:
        if shared := paired.shared([(row, metric), (base, metric)]):
            found[metric] = shared.difference(shared.means[0] - shared.means[1])
    return found


def beyond(paired: Paired, row: str, controls: list[str], metrics: list[str], notes: list[str]) -> dict[str, Difference]:
    """The row minus what the controls reach at its PSNR or above, matched anew in every resample.

    Metrics without a direction have no best, and without PSNR there is nothing to match: they are left out.
    """
    found = {}
    for metric in (metric for metric in metrics if known(metric).better):
        shared = paired.shared([(name, column) for name in (row, *controls) for column in ("psnr", metric)])
        if shared is None:
            continue
        psnr, score = np.stack(shared.means[::2]), np.stack(shared.means[1::2])
        if metric == "psnr":
            reached = psnr[1:].max(axis=0)
            if psnr[0, 0] < psnr[1:, 0].min():
                notes.append(f"{row} is below all of its controls in PSNR: its gains may be bought with PSNR alone")
        else:
            reached = matched(psnr[0], psnr[1:], score[1:], METRICS[metric].better)
        found[metric] = shared.difference(score[0] - reached)
    return found
