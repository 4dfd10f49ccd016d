"""What is seen of a run: in a terminal what runs and what waits, else a line for each stage that has ended."""
import logging
import time
from collections.abc import Iterable

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.run import times
from pipeline.run.dag import Dag
from pipeline.run.stage import Job, Outcome, log_of

LAST_LINES = 15
"""Of the log of a stage that failed."""
TAIL = 4096  # bytes
WORDS = {"ran": "done", "cached": "taken from DVC's cache", "unchanged": "unchanged"}


class Show:
    """As a context manager while stages run."""

    def __init__(self, dag: Dag, jobs: int):
        self.dag, self.jobs = dag, jobs
        self.took = times.seconds(dag.stages, times.recorded())
        self.running: dict[str, float] = {}
        self.left = dict(dag.needs)  # those that are not done
        self.some = self.stopped = False
        self.console = Console(highlight=False)
        self.live = Live(get_renderable=self.board, console=self.console, refresh_per_second=2, transient=True)

    def __enter__(self):
        self.mended(self.dag.missing)

    def __exit__(self, *error):
        self.live.stop()

    def line(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style), soft_wrap=True)

    def passed(self, stage: str) -> None:
        """A stage is as dvc.lock says."""
        del self.left[stage]

    def started(self, stage: str) -> None:
        self.running[stage] = time.monotonic()
        self.some = True
        if self.console.is_terminal and not self.live.is_started:
            logging.getLogger("dvc.progress").setLevel(logging.CRITICAL)  # its bars would stand in between
            self.live.start()

    def finished(self, outcome: Outcome) -> None:
        del self.running[outcome.stage]
        count = f"{len(self.dag.stages) - len(self.left) + 1}/{len(self.dag.stages)}"
        seconds = f"{outcome.end - outcome.start:.1f} s"
        if outcome.code == 0:
            del self.left[outcome.stage]
            self.line(f"{count}  {outcome.stage}: {WORDS[outcome.how]}, {seconds}")
            return
        if self.stopped:
            self.line(f"{outcome.stage}: stopped after {seconds}")
            return
        log, how = log_of(outcome.stage), "killed" if outcome.code is None else "failed"
        where = f" on {outcome.worker}" if outcome.worker else ""
        self.line(f"{outcome.stage}: {how} after {seconds}{where}; {log} ends with", "bold red")
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        self.line("\n".join(f"    {line}" for line in lines[-LAST_LINES:]))

    def stopping(self, jobs: Iterable[Job]) -> None:
        self.stopped = True
        self.line(f"stopping {', '.join(job.stage for job in jobs)}; press Ctrl-C again to kill them", "yellow")

    def mended(self, missing: str | None) -> None:
        """`missing` was what dvc.lock lacked, if it lacked anything."""
        if missing:
            self.line(f"dvc.lock was cut off: {missing}. It has been repaired.", "yellow")

    def end(self, not_run: list[str], failed: list[str]) -> None:
        if failed and not self.stopped:
            self.line(f"failed: {', '.join(failed)}", "bold red")
        if self.stopped:
            self.line(f"{len(not_run) + len(failed)} stages are left; the next call goes on with them", "yellow")
        elif not_run:
            self.line(f"not run: {', '.join(not_run)}", "yellow")
        if not self.some:
            self.line("Data and pipelines are up to date.")

    def board(self) -> Group:
        """What runs, with the last line of its log, which has rate and time left; and how much is left of all."""
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for stage, since in [*self.running.items()]:
            table.add_row(stage, f"{time.monotonic() - since:.0f} s", last_line(stage))
        waits = len(self.left) - len(self.running)
        words = f"{len(self.dag.stages) - len(self.left)} of {len(self.dag.stages)} done, {len(self.running)} run, {waits} wait"
        return Group(table, Text(f"{words}{self.time_left()}", "bold"))

    def time_left(self) -> str:
        """As long as what is left took when it last ran here."""
        now, left = time.monotonic(), [*self.left]
        took = {stage: max(self.took[stage] - now + self.running.get(stage, now), 0) for stage in left}
        if not left or not all(self.took[stage] for stage in left):
            return ""
        seconds = times.simulated({stage: self.dag.needs[stage] & self.left.keys() for stage in left}, took, self.jobs)
        return f", {seconds / 60:.0f} min left" if seconds >= 90 else f", {seconds:.0f} s left" if seconds >= 1 else ""


def last_line(stage: str) -> str:
    """Of what a stage has printed."""
    try:
        with open(log_of(stage), "rb") as handle:
            handle.seek(max(handle.seek(0, 2) - TAIL, 0))
            lines = handle.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")
