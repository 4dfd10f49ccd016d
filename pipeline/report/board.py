"""The tables of the page: scores with the best and its ties, and the papers' figures."""
from dataclasses import dataclass, field

from pipeline.measure.registry import METRICS
from pipeline.report.paired import Paired
from pipeline.report.seeds import minus
from pipeline.report.tables import Scores, cells, count, heading
from pipeline.report.verdict import apart


@dataclass(frozen=True)
class Cell:
    text: str
    value: float | None
    """What it is sorted by; None where nothing was computed."""
    mark: str = ""
    """best, tie, or nothing."""


@dataclass(frozen=True)
class Line:
    row: str
    kind: str
    weights: int
    cells: list[Cell] = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    test_set: str
    counts: str
    headings: list[tuple[str, str]]
    """Text, and where better lies: up, down or nothing."""
    lines: list[Line]


def table(group: Scores, paired: Paired, test_set: str, kind: dict[str, str]) -> Table:
    """The rows in reading order. Ties are told from the first of the best by the images that both have scores of."""
    metrics, rows = cells(group, test_set)
    shown = {} if test_set.endswith("-val") else {row: group.published.get(row, {}) for row in rows}
    published = [metric for metric in METRICS if any(metric in figures for figures in shown.values())]
    lines = {row: Line(row, kind[row], group.parameters[row]) for row in rows}
    for column, metric in enumerate(metrics):
        best = next((row for row, values in rows.items() if values[column][1]), None)
        for row, values in rows.items():
            text, bold = values[column]
            value = group.rows[row][test_set].get(metric)
            mark = "best" if bold else "tie" if text and kind[row] != "oracle" and _tie(paired, row, best, metric) else ""
            lines[row].cells.append(Cell(text, value, mark))
    for metric in published:
        for row, line in lines.items():
            value = shown[row].get(metric)
            line.cells.append(Cell("" if value is None else f"{value:g}", value))
    headings = [(heading(metric), METRICS[metric].better) for metric in metrics]
    headings += [(f"{METRICS[metric].title}, paper", METRICS[metric].better) for metric in published]
    return Table(test_set, count(group.counts[test_set]), headings, [*lines.values()])


def _tie(paired: Paired, row: str, best: str | None, metric: str) -> bool:
    """Whether a row cannot be told from the best; never for what is a score of a whole set, such as SWD."""
    if best is None or row == best or metric not in paired.metrics:
        return False
    difference = minus(paired, row, best, [metric]).get(metric)
    return difference is not None and difference.interval.low is not None and not apart(difference)
