"""The state of an unfinished training: one file in `.work/`, replaced atomically, gone once the network is written."""
import fcntl
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import torch

from pipeline.core.files import need_space, replacing

LOCK_SECONDS = 60  # an orphan of a killed dvc needs a moment to notice, save and exit


def work_folder() -> Path:
    """`.work` in the project, or RESTAGE_WORK (an absolute folder lets `dvc exp run --temp` resume too)."""
    return Path(os.environ.get("RESTAGE_WORK", ".work"))


@contextmanager
def only_one(name: str, wait: float = LOCK_SECONDS):
    """Hold the lock of one network's training; waits for another holder, then exits naming its pid."""
    path = work_folder() / "locks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as handle:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                handle.seek(0)
                holder = handle.read().strip() or "unknown"
                if time.monotonic() > deadline:
                    raise SystemExit(f"{name} is being trained by process {holder}; wait for it or stop it") from None
                if time.monotonic() > deadline - wait + 1:
                    print(f"waiting for process {holder}, which is training {name}", flush=True)
                time.sleep(min(1, wait))
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


class Checkpoint:
    """`folder/state.pt`; `folder` carries the fingerprint of all that shapes the training, so no other run's state is met."""

    def __init__(self, folder: Path):
        self.path = folder / "state.pt"

    def load(self) -> dict | None:
        """The saved state, or None."""
        if not self.path.is_file():
            return None
        return torch.load(self.path, weights_only=True, map_location="cpu")

    def save(self, state: dict) -> None:
        size = self.path.stat().st_size if self.path.is_file() else 0
        need_space(self.path.parent, 2 * size, "a checkpoint")
        with replacing(self.path) as handle:
            torch.save(state, handle)

    def remove(self) -> None:
        shutil.rmtree(self.path.parent, ignore_errors=True)
