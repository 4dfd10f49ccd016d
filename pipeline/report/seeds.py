"""Trainings of several seeds side by side: means, spreads, and differences with intervals.

Each row of a system is compared with the system's stage 1, and with the controls of that stage 1 at equal PSNR.
"""
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pipeline.compare.matched import matched
from pipeline.core.params import Params
from pipeline.measure.names import SYSTEM_NETWORKS, TEST_SETS, control_rows, entries, reading_order, system_of
from pipeline.measure.registry import METRICS, known
from pipeline.report.paired import Difference, Paired
from pipeline.report.revisions import Revision

Differences = dict[str, dict[str, Difference]]
"""Row -> metric -> difference."""


@dataclass(frozen=True)
class Spread:
    """The mean over seeds of a set's score, and its standard deviation; None with one seed."""
    mean: float
    sd: float | None


@dataclass
class Section:
    """What there is to say of one test set."""
    task: str
    tests: str
    test_set: str
    name: str
    """The test set, with `tests` before it where a task has several."""
    images: int
    scenes: int
    spreads: dict[str, dict[str, Spread]]
    """Row -> metric -> mean and spread."""
    base: Differences
    """Minus the stage 1 of the row's system, or minus the row that all are held against."""
    control: Differences
    """Minus the best that the controls of this stage 1 reach at the row's PSNR or above; in psnr, minus their highest."""
    notes: list[str] = field(default_factory=list)


def sections(revisions: list[Revision], tasks: list[str], test_sets: list[str], against: str | None) -> Iterator[Section]:
    """A section for each test set with scores; `against` is a row that takes the place of each row's own stage 1."""
    params = revisions[0].params
    for task in tasks:
        groups = {}
        for key, tests in entries(params, task).items():
            groups.setdefault(tests, []).append(key)
        for tests, keys in groups.items():
            merged = [{line: scores for key in keys for line, scores in revision.images[key].items()}
                      for revision in revisions]
            for test_set in (name for name in TEST_SETS if name in test_sets):
                paired = Paired(merged, test_set)
                if paired.images:
                    name = test_set if len(groups) == 1 else f"{tests}: {test_set}"
                    yield _section(revisions, task, tests, test_set, name, paired, against)


def _section(revisions: list[Revision], task: str, tests: str, test_set: str, name: str, paired: Paired,
             against: str | None) -> Section:
    params, notes = revisions[0].params, []
    rows = [row for row in reading_order(params, task) if any(row in seed for seed in paired.rows)]
    metrics = in_order(paired.metrics)
    scores = {row: [item.scores[task].get(row, {}).get(test_set, {}) for item in revisions] for row in rows}
    spreads = {row: spread(scores[row], row, notes) for row in rows}
    own = {row: start for row, start in starts(params, task).items() if row in rows and start in rows}
    bases = {row: against for row in rows if row != against and against in rows} if against else own
    base = {row: minus(paired, row, bases[row], metrics) for row in rows if row in bases}
    control = {row: beyond(paired, row, controls(params, tests, own[row]), metrics, notes) for row in rows if row in own}
    if own and not any(control.values()):
        notes.append("Not compared with the control: " + ("it is not scored on this test set" if "psnr" in metrics else
                                                          "without truth there is no PSNR to match it at"))
    return Section(task, tests, test_set, name, len(paired.images), len(paired.scenes), spreads,
                   {row: found for row, found in base.items() if found},
                   {row: found for row, found in control.items() if found}, notes)


def in_order(metrics) -> list[str]:
    """Metrics in the order they are read in; those without a known direction last."""
    known = list(METRICS)
    return sorted(metrics, key=lambda metric: (known.index(metric) if metric in known else len(known), metric))


def starts(params: Params, task: str) -> dict[str, str]:
    """Row -> its stage 1, for what was trained from one."""
    found = {}
    for key, system in params.systems.items():
        if system.task == task:
            found |= {f"{key}-{name}": system.start for name in SYSTEM_NETWORKS}
    for key, row in params.rows.items():
        if row.task == task and (system := system_of(params, key)):
            found[key] = params.systems[system].start
    return found


def controls(params: Params, tests: str, start: str) -> list[str]:
    """The rows that a network trained from `start` has to beat: stage 1 itself, and its controls.

    The input and its controls are not among them: what is asked is whether training did more than such changes do to the same
    stage 1. Whether a row is worth more than the input, blurred perhaps, is what `--against` tells.
    """
    return [start, *control_rows(start, params.bench, params.tests[tests])]


def spread(scores: list[dict[str, float]], row: str, notes: list[str]) -> dict[str, Spread]:
    """Mean and spread of each metric, given the scores of each seed."""
    found = {}
    for metric in in_order({metric for values in scores for metric in values}):
        values = [seed[metric] for seed in scores if metric in seed]
        if len(values) < len(scores):
            notes.append(f"{metric} of {row}: {len(values)} of {len(scores)} seeds have it")
        found[metric] = Spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)
    return found


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
