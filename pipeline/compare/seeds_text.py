"""The sections of `compare/seeds.py` as text: for the terminal, as Markdown, as CSV."""
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from rich.console import Console
from rich.text import Text

from pipeline.compare.seeds import Section, in_order
from pipeline.compare.text import count, heading, note, pipes, terminal
from pipeline.core.files import write
from pipeline.core.params import Params
from pipeline.score.registry import is_level, known

FEW_SCENES = 10
COLOURS = {"better": "green", "worse": "red", "tie": "dim"}


@dataclass(frozen=True)
class SeedCell:
    text: str = ""
    interval: str = ""
    verdict: str = ""


class Block(NamedTuple):
    title: str
    table: pd.DataFrame  # of SeedCell: a line for each row, a column for each metric by its heading


class Comparison:
    """What was compared, and all there is to say of it."""

    def __init__(self, params: Params, seeds: list[int], against: str | None, sections: list[Section]):
        self.params, self.seeds, self.against, self.sections = params, seeds, against, sections

    def blocks(self, section: Section) -> Iterator[Block]:
        counts = count({"images": section.images, "scenes": section.scenes})
        title = f"{self.params.tasks[section.task].title}, {section.name} ({counts}), "
        title += f"mean ± SD over seeds {', '.join(map(str, self.seeds))}" if len(self.seeds) > 1 else f"seed {self.seeds[0]}"
        yield _block(title, section.part("mean"), _spread)
        if len(found := section.part("minus-base")):
            yield _block(f"{section.name}: minus {self.against or 'its stage 1'}", found, _difference)
        if len(found := section.part("minus-control")):
            title, table = _block(f"{section.name}: minus the controls of its stage 1", found, _difference)
            yield Block(title, table.rename(columns={heading("psnr"): "PSNR-top ↑"}))

    def notes(self, section: Section) -> list[str]:
        """What holds for one section: too few scenes, images left out, what could not be compared."""
        found, differences = [], section.table[section.table["what"] != "mean"]
        if section.scenes < FEW_SCENES and len(differences):
            found.append(f"Few scenes ({section.scenes}): the intervals are rough, and too narrow if other scenes differ more."
                         if section.scenes > 1 else "One scene: there are no intervals.")
        fewer = differences[differences["images"] < section.images]
        for (metric, images), lines in fewer.groupby(["metric", "images"], sort=False):
            names = ", ".join(lines["row"].unique())
            found.append(f"{known(metric).title}: {images} of {section.images} images can be compared, of {names}.")
        return found + [f"{note}." for note in section.notes]

    def conventions(self) -> list[str]:
        """How all the numbers were made."""
        found = []
        if len(self.seeds) == 1:
            found.append("One seed: the intervals are over scenes alone and say nothing of how much another training differs.")
        if len(self.seeds) == 2:
            found.append("Two seeds: one degree of freedom makes the intervals wide; a third seed narrows them most.")
        kinds = {what for section in self.sections for what in section.table["what"]}
        if kinds - {"mean"}:
            over = "scenes and seeds" if len(self.seeds) > 1 else "scenes"
            found.append(f"[a, b]: 95 % interval of the paired difference over {over}; tie: 0 is inside. Each stands alone: "
                         "of 20 true ties, one shows as a difference. Scores of a whole set, such as SWD, have none.")
        if "minus-control" in kinds:
            found.append("The controls are stage 1 itself, and its output changed without learning: sharpened with or without "
                         "noise, mixed with the input, or what else bench and tests name. Each metric of a row is compared "
                         "with the best mixture of controls that has at least the row's PSNR. If no control has so much, it is "
                         "compared with the control that is closest in PSNR. PSNR-top is the row's PSNR minus the highest of a "
                         "control.")
        return found

    def show(self, console: Console) -> None:
        for section in self.sections:
            for block in self.blocks(section):
                console.print(block.title, style="bold", markup=False)
                for part in _fitting(block.table, console.width):
                    console.print(terminal("row", part.map(_rich_cell)), "")
            _print_notes(console, self.notes(section))
        _print_notes(console, self.conventions())

    def markdown(self) -> str:
        lines = []
        for section in self.sections:
            for block in self.blocks(section):
                texts = block.table.map(lambda cell: f"{cell.text} {cell.interval}".strip())
                lines += [f"## {block.title}", "", *pipes("row", texts), ""]
            lines += [*map(note, self.notes(section)), *([""] if self.notes(section) else [])]
        return "\n".join([*lines, *map(note, self.conventions())]).rstrip() + "\n"

    def write_csv(self, path: Path | str) -> None:
        """One line per row, metric and kind of number: mean, minus-base, minus-control."""
        keys = {(section.task, section.tests, section.test_set): section.table for section in self.sections}
        table = pd.concat(keys, names=["task", "tests", "test_set"]).droplevel(-1).reset_index()
        write(path, table.to_csv(index=False, float_format="%.6f", lineterminator="\n"))


def _block(title: str, lines: pd.DataFrame, cell) -> Block:
    """What people read: all metrics but the levels of SWD, which are in the CSV."""
    rows: dict[str, dict[str, SeedCell]] = {}
    for line in lines.itertuples():
        if not is_level(line.metric):
            rows.setdefault(line.row, {})[line.metric] = cell(line)
    metrics = in_order({metric for cells in rows.values() for metric in cells})
    texts = [[cells.get(metric, SeedCell()) for metric in metrics] for cells in rows.values()]
    return Block(title, pd.DataFrame(texts, index=[*rows], columns=[*map(heading, metrics)]))


def _spread(line) -> SeedCell:
    text = known(line.metric).text
    return SeedCell(text(line.value) + (f" ± {text(line.sd)}" if pd.notna(line.sd) else ""))


def _difference(line) -> SeedCell:
    about = known(line.metric)
    value = about.text(line.value, "+")
    if pd.isna(line.low):
        return SeedCell(value)
    limits = f"[{about.text(line.low, '+')}, {about.text(line.high, '+')}]"
    if line.low <= 0 <= line.high:
        return SeedCell("tie", limits, "tie")
    if not about.better:
        return SeedCell(value, limits)
    verdict = "better" if (line.value > 0) == (about.better == "up") else "worse"
    return SeedCell(f"{value} {verdict}", limits, verdict)


def _fitting(table: pd.DataFrame, width: int) -> Iterator[pd.DataFrame]:
    """The columns, as many at a time as fit beside the rows' names."""
    first, start = max(map(len, table.index)), 0
    left = first
    for end, (title, cells) in enumerate(table.items()):
        column = 2 + max([len(title), *(max(len(cell.text), len(cell.interval)) for cell in cells)])
        if end > start and left + column > width:
            yield table.iloc[:, start:end]
            left, start = first, end
        left += column
    yield table.iloc[:, start:]


def _rich_cell(cell: SeedCell) -> Text:
    text = Text(cell.text, style=COLOURS.get(cell.verdict, ""))
    return text.append(f"\n{cell.interval}", style="dim") if cell.interval else text


def _print_notes(console: Console, notes: list[str]) -> None:
    for text in notes:
        console.print(note(text, console.width), markup=False)
    if notes:
        console.print()
