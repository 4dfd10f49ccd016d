"""The tables of the page: what a row is, its scores with the best and its ties, and the papers' figures."""
from dataclasses import dataclass, field

from pipeline.core.params import Params
from pipeline.measure.names import METRICS, control_rows, input_control_rows, row_name, system_of
from pipeline.report.paired import Paired
from pipeline.report.seeds import minus
from pipeline.report.tables import TITLES, Scores, cells, count, heading
from pipeline.report.verdict import apart, saw_truth


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


def kinds(params: Params, task: str, tests: str, group: Scores) -> dict[str, str]:
    """Row -> what it is: input, control, stage 1, stage 2, further round, oracle, chain, or the name of a reference method."""
    found = {}
    names = {row_name(params, key): key for key, row in params.rows.items() if row.task == task}
    entry, changed = params.tests[tests], set()
    for row in group.rows:
        first = params.rows[names[row]].first if row in names else ""
        if first == "none":
            found[row] = "input"
            changed |= input_control_rows(row, entry).keys()
        elif first or row in group.networks:
            found[row] = _kind(params, row, group.networks.get(row, []), names.get(row))
        changed |= control_rows(row, params.bench, entry).keys()
    return {row: found.get(row, "control" if row in changed else "chain") for row in group.rows}


def _kind(params: Params, row: str, chain: list[str], key: str | None) -> str:
    if saw_truth(params, chain):
        return "oracle"
    if len(chain) != 1:
        return "chain"
    if chain[0] in params.networks or chain[0] in {system.start for system in params.systems.values()}:
        return "stage 1"
    if chain[0] in params.imports:
        return "imported"
    others = {"CycleGAN": params.cyclegans, "RBSR": params.rbsr, "SRGAN": params.srgan, "ZSSR": params.zssr}
    for name, section in others.items():
        if chain[0] in section:
            return name
    if chain[0] in params.adabn:
        return "AdaBN"
    if key is not None and chain[0] in params.finetunes:
        return "further round" if system_of(params, key) else "fine-tuned"
    return "GAN" if chain[0].endswith("-gan") else "stage 2"


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
    headings = [(heading(metric), METRICS[metric]) for metric in metrics]
    headings += [(f"{TITLES[metric]}, paper", METRICS[metric]) for metric in published]
    return Table(test_set, count(group.counts[test_set]), headings, [*lines.values()])


def _tie(paired: Paired, row: str, best: str | None, metric: str) -> bool:
    """Whether a row cannot be told from the best; never for what is a score of a whole set, such as SWD."""
    if best is None or row == best or metric not in paired.metrics:
        return False
    difference = minus(paired, row, best, [metric]).get(metric)
    return difference is not None and difference.interval.low is not None and not apart(difference)
