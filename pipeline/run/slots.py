"""How many stages run at once, and on what."""
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.core import memory


class Slots(NamedTuple):
    """What the stages that run at once share."""
    jobs: int
    memory: int
    """Bytes."""
    gpus: Sequence[str] = ()
    """As in CUDA_VISIBLE_DEVICES. A stage gets the one that the fewest others have."""


def slots(jobs: int, gpus: Sequence[str], threads: int) -> Slots:
    """`jobs` 0: as many as there are GPUs, or on a machine without one, as many as have `threads` cores each."""
    if int(os.environ.get("GPUS") or 1) > 1:  # each training takes all of them
        return Slots(jobs or 1, memory.free())
    gpus = gpus or found()
    if not jobs and not gpus:
        import joblib

        jobs = max(1, joblib.cpu_count() // threads)  # of a container, where it has fewer than the machine
    return Slots(jobs or len(gpus), memory.free(), gpus)


def found() -> list[str]:
    """The GPUs that stages would use."""
    if not os.environ.get("RESTAGE_DEVICE", "cuda").startswith("cuda"):
        return []
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [gpu for gpu in visible.split(",") if gpu]
    return [str(index) for index, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
