"""Stopping on request: Ctrl-C, SIGTERM, or the death of the `dvc repro` that started this stage.

A killed dvc leaves its stage running as an orphan, and the next `dvc repro` would start a second one beside it; so an
orphan stops by itself.
"""
import os
import signal

import psutil

SHELLS = {"sh", "dash", "bash", "zsh", "fish"}


class Stop:
    """As a context manager it takes over SIGINT and SIGTERM; `asked()` is then polled by long loops."""

    def __init__(self):
        self.signal = None
        self.lineage = _lineage() if "DVC_ROOT" in os.environ else []  # dvc sets it for the commands it runs

    def __enter__(self):
        self.handlers = {number: signal.signal(number, self._remember) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error):
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _remember(self, number, frame):
        self.signal = number

    def asked(self) -> str | None:
        """Why to stop, in words, or None."""
        if self.signal is not None:
            return signal.Signals(self.signal).name
        if any(_parent_of(process) != parent for process, parent in self.lineage):
            self.signal = signal.SIGTERM
            return "dvc is gone"
        return None

    @property
    def exit_code(self) -> int:
        return 128 + (self.signal or signal.SIGTERM)  # another of several processes may have been asked


def _lineage() -> list[tuple[psutil.Process, int]]:
    """This process and the shells and torchrun between it and dvc, each with its parent's pid; an orphan's parent changes."""
    process, lineage = psutil.Process(), []
    torchrun = process.ppid() if "TORCHELASTIC_RUN_ID" in os.environ else None
    while process is not None:
        lineage.append((process, process.ppid()))
        process = process.parent()
        if process is not None and process.name() not in SHELLS and process.pid != torchrun:
            break
    return lineage


def _parent_of(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return None
