"""The state of an unfinished training in `.work/`: the last two, each whole or absent, gone once the network is written."""
import io
import os
import shutil
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from pipeline.core.files import need_space, replacing
from pipeline.core.stop import Stop

POLL_SECONDS = 1  # between two looks at a lock that another process holds


def work_folder() -> Path:
    """`.work` in the project, or RESTAGE_WORK (an absolute folder lets `dvc exp run --temp` resume too)."""
    return Path(os.environ.get("RESTAGE_WORK", ".work"))


@contextmanager
def only_one(folder: Path):
    """Hold the lock of the training whose state is in `folder`; waits for another holder, such as an orphan of a killed dvc.

    The folder carries the training's fingerprint, so other trainings of the same name run at the same time. Raises
    SystemExit when asked to stop.
    """
    path = work_folder() / "locks" / f"{folder.parent.name}-{folder.name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    holder, lock, told = path.with_name(f"{path.name}.pid"), FileLock(path), False
    with Stop() as stop:
        while not _acquired(lock):
            if reason := stop.asked():
                print(f"{folder.parent.name}: stopped ({reason}) while it waited", flush=True)
                raise SystemExit(stop.exit_code)
            if not told:
                told = True
                with suppress(OSError):  # the holder has gone meanwhile
                    print(f"{folder.parent.name}: waiting for process {holder.read_text()}, which runs the same training",
                          flush=True)
    try:
        holder.write_text(str(os.getpid()))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=POLL_SECONDS)
    except Timeout:
        return False
    return True


class Checkpoint:
    """`folder/state.pt`, and `folder/previous.pt`, the one before it. `folder` carries the fingerprint of all that shapes the
    training, and each file says so, so no other run's state is met."""

    def __init__(self, folder: Path):
        self.path, self.previous, self.fingerprint = folder / "state.pt", folder / "previous.pt", folder.name

    def load(self) -> dict | None:
        """The last saved state that is whole, or None. A damaged file is named, and moved aside to NAME.damaged."""
        for path in (self.path, self.previous):
            if not path.is_file():
                continue
            try:
                return _read(path.read_bytes(), self.fingerprint)
            except BadCheckpoint as error:
                path.replace(path.with_name(f"{path.name}.damaged"))
                print(f"{path}: {error}; " + ("the one before it is taken" if path == self.path and self.previous.is_file() else
                                              "there is none before it, so the training begins anew"), flush=True)
        return None

    def save(self, state: dict) -> None:
        size = self.path.stat().st_size if self.path.is_file() else 0
        need_space(self.path.parent, 2 * size, "a checkpoint")
        with replacing(self.path) as handle:
            torch.save(state | {"of": self.fingerprint}, handle)
            if size:
                with suppress(OSError):  # a disk without hard links keeps one checkpoint
                    link = self.previous.with_name("link")
                    link.unlink(missing_ok=True)
                    os.link(self.path, link)
                    os.replace(link, self.previous)

    def remove(self) -> None:
        shutil.rmtree(self.path.parent, ignore_errors=True)


class BadCheckpoint(ValueError):
    """A file that holds no state of this training."""


def _read(content: bytes, fingerprint: str) -> dict:
    """The state in a file's content; torch does not look at the checksums in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()
        state = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except MemoryError:
        raise
    except Exception as error:  # a damaged file fails in every way there is
        raise BadCheckpoint(f"damaged or no checkpoint ({type(error).__name__}, {len(content)} bytes)") from error
    if damaged:
        raise BadCheckpoint(f"damaged (the checksum of {damaged} is wrong)")
    if not isinstance(state, dict) or state.get("of") != fingerprint:
        raise BadCheckpoint("holds something else than the state of this training")
    return state
