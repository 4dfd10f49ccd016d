"""The tables of the page: scores with the best and its ties, and the papers' figures."""
import math
from dataclasses import dataclass, field

from pipeline.compare.paired import Paired
from pipeline.compare.scores import Scores
from pipeline.compare.seeds import minus
from pipeline.compare.text import count, heading
from pipeline.report.tables import cells, figures
from pipeline.report.verdict import apart
from pipeline.score.registry import METRICS


@dataclass(frozen=True)
class TableCell:
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
    cells: list[TableCell] = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    test_set: str
    counts: str
    headings: list[tuple[str, str]]
    """Text, and where better lies: up, down or nothing."""
    lines: list[Line]


def score_table(group: Scores, paired: Paired, test_set: str, kind: dict[str, str]) -> Table:
    """The rows in reading order. Ties are told from the first of the best by the images that both have scores of."""
    texts, best = cells(group, test_set)
    published, lines = figures(group, test_set, texts.index), []
    first = {metric: next((row for row in texts.index if best.at[row, metric]), None) for metric in texts}
    for row in texts.index:
        line = Line(row, kind[row], group.parameters[row])
        for metric, text in texts.loc[row].items():
            tie = text and row not in group.oracles and _tie(paired, row, first[metric], metric)
            mark = "best" if best.at[row, metric] else "tie" if tie else ""
            line.cells.append(TableCell(text, group.rows[row][test_set].get(metric), mark))
        for figure in published.loc[row]:
            line.cells.append(TableCell("", None) if math.isnan(figure) else TableCell(f"{figure:g}", figure))
        lines.append(line)
    headings = [(heading(metric), METRICS[metric].better) for metric in texts]
    headings += [(f"{METRICS[metric].title}, paper", METRICS[metric].better) for metric in published]
    return Table(test_set, count(group.counts[test_set]), headings, lines)


def _tie(paired: Paired, row: str, best: str | None, metric: str) -> bool:
    """Whether a row cannot be told from the best; never for what is a score of a whole set, such as SWD."""
    if best is None or row == best or metric not in paired.metrics:
        return False
    difference = minus(paired, row, best, [metric]).get(metric)
    return difference is not None and difference.interval.low is not None and not apart(difference)
