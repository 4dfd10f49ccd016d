"""Numbers and tables as text, for Markdown and the terminal."""
import textwrap

import pandas as pd
from rich.console import Console
from rich.table import Table

from pipeline.score.registry import known

ARROWS = {"up": "↑", "down": "↓", "": ""}
WIDTH = 118  # columns of running text


def heading(metric: str) -> str:
    about = known(metric)
    return f"{about.title} {ARROWS[about.better]}".rstrip()


def texts_of(numbers: pd.DataFrame) -> pd.DataFrame:
    """Scores, a column for each metric -> how tables show them; what is NaN is an empty text."""
    texts = numbers.apply(lambda column: column.map(known(column.name).text, na_action="ignore"))
    return texts.astype(object).where(numbers.notna(), "")


def item(text: str) -> list[str]:
    """The lines of an item of a Markdown list."""
    return textwrap.wrap(text, WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False,
                         break_on_hyphens=False)


def note(text: str, width: int = WIDTH) -> str:
    """The same as one text, broken at hyphens too."""
    return textwrap.fill(text, min(width, WIDTH), initial_indent="- ", subsequent_indent="  ")


def count(counts: dict[str, int]) -> str:
    return f"{counts['images']} images of {counts['scenes']} scenes"


def pipes(label: str, table: pd.DataFrame) -> list[str]:
    """The lines of a Markdown table of texts: the index, headed `label`, then the columns, which end alike, as numbers do."""
    columns = []
    for title, texts, pad in [(label, table.index, str.ljust), *((*column, str.rjust) for column in table.items())]:
        width = max(map(len, [title, *texts]))
        rule = "-" * width if pad is str.ljust else "-" * (width - 1) + ":"
        columns.append([pad(text, width) for text in (title, rule, *texts)])
    return ["| " + " | ".join(line) + " |" for line in zip(*columns)]


def console_of(piped: int) -> Console:
    """As wide as the terminal, or `piped` columns where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=piped)


def terminal(label: str, table: pd.DataFrame) -> Table:
    """A table for the terminal; cells are texts, or rich's own."""
    drawn = Table(label, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in table:
        drawn.add_column(title, justify="right", no_wrap=True)
    for line in table.itertuples():
        drawn.add_row(*line)
    return drawn
