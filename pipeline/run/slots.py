"""How many stages run at once on this machine, and on what."""
import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.core import memory
from pipeline.run import stage
from pipeline.run.stage import Job


class Slots(NamedTuple):
    """What the stages that run at once share."""
    jobs: int
    memory: int
    """Bytes."""
    gpus: Sequence[str] = ()
    """As in CUDA_VISIBLE_DEVICES. A stage gets the one that the fewest others have."""

    run_stage = staticmethod(stage.run_stage)
    signal_all = staticmethod(stage.signal_all)

    def place(self, job: Job, running: Collection[Job]) -> Job | None:
        """The job with its GPU; None while there is no room for it beside those that run. One always has room."""
        if running and (len(running) >= self.jobs or sum(other.memory for other in [*running, job]) > self.memory):
            return None
        if not self.gpus:
            return job
        taken = Counter(other.env["CUDA_VISIBLE_DEVICES"] for other in running)
        return job._replace(env={"CUDA_VISIBLE_DEVICES": min(self.gpus, key=lambda gpu: taken[gpu])})


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
