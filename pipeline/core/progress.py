"""Progress of long work: a bar in a terminal, a line every ten seconds in a log, both with rate and time left."""
import sys
import time
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from pipeline.core.stop import Stop

LOG_SECONDS = 10


class _Log:
    """The bar's stand-in when output is piped."""

    def __init__(self, title: str, total: float, done: int):
        self.title, self.total, self.done, self.first = title, total, done, done
        self.started = self.printed = time.monotonic()

    def advance(self, note: str = "", count: float = 1) -> None:
        self.done += count
        now = time.monotonic()
        if now - self.printed >= LOG_SECONDS or (self.done >= self.total and now - self.started >= 1):
            self.printed = now
            rate = max(self.done - self.first, 1e-9) / (now - self.started)
            left = max(self.total - self.done, 0) / rate
            done = f"{round(self.done, 1)}/{self.total}"
            print(f"{self.title}: {done}  {rate:.1f}/s  {left:.0f} s left  {note}".rstrip(), flush=True)


class _Bar:
    def __init__(self, progress: Progress, task):
        self.progress, self.task, self.started = progress, task, time.monotonic()
        self.count = 0

    def advance(self, note: str = "", count: float = 1) -> None:
        self.count += count
        rate = self.count / max(time.monotonic() - self.started, 1e-9)
        self.progress.update(self.task, advance=count, rate=f"{rate:.1f}/s", note=note)


@contextmanager
def progress(title: str, total: float, done: int = 0):
    """Yields an object with `advance(note="", count=1)`; `done` is where a resumed work starts."""
    if not sys.stdout.isatty():
        yield _Log(title, total, done)
        return
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
               TimeElapsedColumn(Column(min_width=7)), TimeRemainingColumn(table_column=Column(min_width=7)),
               TextColumn("{task.fields[note]}", table_column=Column(no_wrap=True, overflow="ellipsis"))]
    with Progress(*columns) as bar:
        yield _Bar(bar, bar.add_task(title, total=total, completed=done, rate="", note=""))


def track(items, title: str, total: int):
    """Iterate over `items`, showing progress; an orphan of a killed dvc exits, as its successor writes the same files."""
    stop = Stop()
    with progress(title, total) as bar:
        for item in items:
            yield item
            bar.advance()
            if reason := stop.asked():
                raise SystemExit(f"{title}: stopped ({reason})")
