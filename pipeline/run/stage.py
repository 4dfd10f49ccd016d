"""One stage, run by DVC in a process of its own: `dvc repro -s STAGE`.

The processes are forked from one that has imported DVC, as the import takes longer than what DVC then does. Each leads a group
of processes, to which all that it starts belongs, so that they stop together: when they are told to, and when the process that
waits for them has gone.
"""
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import connection
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from pipeline.check import lockfile

LOGS, HELD, RUNNING = Path(".work/logs"), Path(".work/repro.lock"), Path(".work/running")
FORKABLE = "forkserver" in multiprocessing.get_all_start_methods()
"""Whether stages can run in forked processes. Windows has none."""
PRELOADED = [
    "pipeline.run.stage", "dvc.cli.parser", "dvc.data_cloud", "dvc.parsing.context", "dvc.repo.artifacts", "dvc.repo.datasets",
    "dvc.repo.index", "dvc.repo.metrics", "dvc.repo.params", "dvc.repo.plots", "dvc.repo.stage", "dvc.rwlock", "dvc.scm",
    "dvc.stage.cache", "dvc.utils.strictyaml", "dvc_data.hashfile.db.local", "networkx", "scmrepo.git"]
PATIENCE = 10
"""Seconds that stages have to stop after SIGINT, which lets dvc tidy up. A shell may miss it; then comes SIGTERM."""
END_SECONDS = 60  # what is left of a stage may take so long to save its state; then it is killed


class Job(NamedTuple):
    stage: str
    """As DVC names it."""
    force: bool
    memory: float
    """Bytes that it is expected to need."""
    networks: bool
    """Whether it trains or applies networks."""
    env: dict[str, str] = {}
    gpu: bool = False
    """Whether it runs on one of the workers that have a GPU."""


class Outcome(NamedTuple):
    stage: str
    code: int | None
    """That of dvc, or None where it was killed."""
    how: str
    """ran, cached (in DVC's run cache) or unchanged."""
    start: float
    end: float
    """Seconds since 1970."""
    cpu: float
    """CPU seconds of the stage's command."""
    dvc: float
    """CPU seconds of DVC."""
    peak: int
    """Bytes of memory that the largest process of the command took at most."""
    worker: str = ""
    """Where it ran, if not in this process."""


@cache
def _forks():
    """What makes processes, each forked from one that has imported DVC."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def log_of(stage: str) -> Path:
    """The file that has what a stage printed."""
    return LOGS / f"{stage.replace('/', '_')}.log"


def run_stage(job: Job, wanted: Callable[[], bool] | None = None) -> Outcome:
    """Run a stage and wait for it; what it prints goes to its log. It is told to stop once it is not `wanted` any more."""
    log = log_of(job.stage)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    start = time.time()
    receiver, sender = _forks().Pipe(duplex=False)
    process = _forks().Process(target=_reproduce, args=(job, sender), name=job.stage)
    try:
        process.start()
        sender.close()
        if wanted:
            _watch(process.pid, receiver, wanted)
        code, *usage = receiver.recv()
    except (EOFError, ConnectionError):  # it was killed, or Ctrl-C came before there was a process to fork from
        code, usage = None, [0.0, 0.0, 0]
    if process.pid:
        process.join()
        _end(process.pid)
    text = log.read_text(encoding="utf-8", errors="replace")
    how = ("ran" if f"Running stage '{job.stage}'" in text else
           "cached" if f"Stage '{job.stage}' is cached" in text else "unchanged")
    return Outcome(job.stage, code, how, start, time.time(), *usage)


def _watch(group: int, receiver: connection.Connection, wanted: Callable[[], bool]) -> None:
    """Returns when a stage has sent what it sends at its end, or has gone. Stops it when it is not wanted any more."""
    while not receiver.poll(1):
        if not wanted():
            _signal(group, signal.SIGINT)
            if not receiver.poll(PATIENCE):
                _signal(group, signal.SIGTERM)
            return


def signal_all(number: int) -> None:
    """Send a signal to all stages that run here, and to all processes of theirs."""
    for process in multiprocessing.active_children():
        _signal(process.pid, number)


@contextmanager
def only_command():
    """Hold the folder's lock, once no other command runs in it, nor any stage that an earlier one left behind."""
    with _locked(HELD, "another `python -m pipeline repro` in this folder"):
        for path in RUNNING.glob("*.lock"):
            with _locked(path, f"{path.stem}, a stage of an earlier `python -m pipeline repro`,"):
                pass
        yield


def _locked(path: Path, holder: str):
    """A context manager that holds a lock, which this call waits for. The system lets go of it when the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        print(f"waiting for {holder} to end", flush=True)
        return lock.acquire()


def _reproduce(job: Job, sender: connection.Connection) -> None:
    """In the process of the stage."""
    import resource

    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts commands in the background that ignore it
    with open(log_of(job.stage), "ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ.update(job.env)
    threading.Thread(target=_stop_when_alone, daemon=True).start()
    from dvc.cli import main
    from dvc.dvcfile import Lockfile
    from dvc.lock import LockError
    from dvc.repo import Repo

    from pipeline.run.entry import write_entries

    Lockfile.dump_stages = write_entries
    with _locked(RUNNING / f"{log_of(job.stage).stem}.lock", job.stage):
        code = main(["--wait-for-lock", "repro", "--single-item", *(["--force"] if job.force else []), job.stage])
        if code == 0:  # so DVC has read dvc.lock
            with suppress(LockError), Repo(".").lock:  # where it is held for long, the next stage does it
                if not lockfile.lost(lockfile.read(lockfile.LOCK)):
                    lockfile.keep()
    sys.stdout.flush()
    own, command = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    peak = command.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with suppress(BrokenPipeError):  # nobody waits for it any more
        sender.send((code, command.ru_utime + command.ru_stime, own.ru_utime + own.ru_stime, peak))


def _stop_when_alone() -> None:
    connection.wait([multiprocessing.parent_process().sentinel])
    os.killpg(0, signal.SIGINT)
    time.sleep(PATIENCE)
    os.killpg(0, signal.SIGTERM)


def _end(group: int) -> None:
    """Where dvc was killed, its stage still runs: stop it."""
    _signal(group, signal.SIGTERM)
    deadline = time.monotonic() + END_SECONDS
    while _signal(group, 0):
        if time.monotonic() > deadline:
            _signal(group, signal.SIGKILL)
        time.sleep(0.05)


def _signal(group: int, number: int) -> bool:
    """Whether there is such a group of processes."""
    try:
        os.killpg(group, number)
        return True
    except ProcessLookupError:
        return False
