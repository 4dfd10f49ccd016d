"""Progress of long work: a bar in a terminal, a line every ten seconds in a log, both with rate and time left."""
import sys
import time
from contextlib import contextmanager

from rich import get_console
from rich.constrain import Constrain
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from pipeline.core.stop import Stop

LOG_SECONDS = 10
WIDE = 120  # columns of a terminal that has room for a long bar and the time that went by


def _count(done: float, total: float) -> str:
    if isinstance(total, int) and isinstance(done, int):
        return f"{done}/{total}"
    digits = 2 if total >= 1 else 4
    return f"{done:.{digits}f}/{total:.{digits}f}"


def _rate(count: float, seconds: float) -> str:
    rate = count / max(seconds, 1e-9)
    return f"{rate:.1f}/s" if rate >= 1 or not rate else f"{rate:.2g}/s"


class _Log:
    """The bar's stand-in when output is piped."""

    def __init__(self, title: str, total: float, done: int):
        self.title, self.total, self.done, self.first = title, total, done, done
        self.started = self.printed = time.monotonic()

    def advance(self, note: str = "", count: float = 1) -> None:
        self.done += count
        now = time.monotonic()
        if now - self.printed >= LOG_SECONDS or (self.done >= self.total - 1e-9 and now - self.started >= 1):
            self.printed = now
            gained, seconds = self.done - self.first, now - self.started
            left = max(self.total - self.done, 0) * seconds / max(gained, 1e-9)
            done = f"{self.title}: {_count(self.done, self.total)}  {_rate(gained, seconds)}"
            print(f"{done}  {left:.0f} s left  {note}".rstrip(), flush=True)


class _Fitted(Progress):
    """As wide as the terminal, but for the ^C that it may write at the end of the line."""

    def get_renderables(self):
        yield Constrain(self.make_tasks_table(self.tasks), get_console().width - len("^C"))


class _Bar:
    def __init__(self, progress: Progress, title: str, total: float, done: int):
        self.progress, self.total, self.done, self.first, self.started = progress, total, done, done, time.monotonic()
        self.task = progress.add_task(title, total=total, completed=done, count=_count(done, total), rate="", note="")

    def advance(self, note: str = "", count: float = 1) -> None:
        self.done += count
        rate = _rate(self.done - self.first, time.monotonic() - self.started)
        self.progress.update(self.task, advance=count, count=_count(self.done, self.total), rate=rate, note=note)


@contextmanager
def progress(title: str, total: float, done: int = 0):
    """Yields an object with `advance(note="", count=1)`; `done` is where a resumed work starts."""
    if not sys.stdout.isatty():
        yield _Log(title, total, done)
        return
    with _Fitted(*_columns(get_console().width), expand=True) as bar:
        yield _Bar(bar, title, total, done)


def _columns(width: int) -> list:
    """What fits into a terminal: the note has what the others leave."""
    wide = width >= WIDE
    return [TextColumn("{task.description}"), BarColumn(40 if wide else 10), TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[rate]}"), *([TimeElapsedColumn(Column(min_width=7))] if wide else []),
            TimeRemainingColumn(table_column=Column(min_width=7)),
            TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1))]


def track(items, title: str, total: int):
    """Iterate over `items`, showing progress; an orphan of a killed dvc exits, as its successor writes the same files."""
    stop = Stop()
    with progress(title, total) as bar:
        for item in items:
            yield item
            bar.advance()
            if reason := stop.asked():
                raise SystemExit(f"{title}: stopped ({reason})")
