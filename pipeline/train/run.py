"""From a method of training to a network on disk: what all trainings have in common."""
import inspect
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from pipeline.core.device import pick
from pipeline.core.files import sha256, sha256_of, write_json
from pipeline.core.imports import imported
from pipeline.core.seeds import torch_seed
from pipeline.restore.manifest import save_absent
from pipeline.restore.network import save_network
from pipeline.train import ranks
from pipeline.train.checkpoint import Checkpoint, only_one, work_folder
from pipeline.train.curves import write_curve
from pipeline.train.loop import Diverged, train

ROOT = Path(__file__).parents[2]


def train_network(name: str, settings, seed: int, threads: int, arch: str, options: dict, make, sources: dict,
                  also: list) -> None:
    """Train the network `name` by the method that `make(device)` gives; write it to models/ and its curve to metrics/curves/.

    `sources` are hashes and names of what the training is given, for the manifest. They, the arguments before them and `also`
    are all that shapes the training beside the code.

    With GPUS=n in the environment n processes train (train/ranks.py), and under torchrun as many as it says. `make` runs in
    each of them.
    """
    processes = ranks.process_count()
    if settings.batch % processes:
        raise ValueError(f"{name}: {processes} processes cannot share a batch of {settings.batch} evenly")
    if ranks.launch(threads):
        return
    ranks.join()
    device = pick(threads)
    # compile: false changes nothing
    values = settings.model_dump(by_alias=True, exclude=None if getattr(settings, "compile", False) else {"compile"})
    made = {"seed": seed, "threads": threads, "settings": values, **sources}
    if processes > 1:
        made["processes"] = processes  # sums are rounded differently, as with other threads
    first = ranks.first()
    method = make(device)
    code = _code(arch, type(method), make)
    folder = work_folder() / name / sha256_of([made, also, arch, options, device.type, torch.__version__, code])[:16]
    with only_one(folder) if first else nullcontext():
        checkpoint = Checkpoint(folder)
        started = time.monotonic()
        try:
            curve = train(method, settings.steps, settings.validate_every, checkpoint, name)
            ranks.leave()
            if not first:
                return
            save_network(Path("models", name), method.finish(), arch, options, made)
        except (Diverged, ValueError) as error:
            raise SystemExit(str(error)) from error
        write_curve(Path("metrics/curves", f"{name}.csv"), curve)
        seconds = round(time.monotonic() - started, 1)
        write_json(work_folder() / "times" / f"{name}.json", {"device": device.type, "seconds": seconds})
        checkpoint.remove()


def absent(name: str, reason: str) -> None:
    """Write the network `name` as one that could not be trained."""
    save_absent(Path("models", name), reason)
    write_curve(Path("metrics/curves", f"{name}.csv"), [])
    print(f"{name}: not trained: {reason}", flush=True)


@contextmanager
def first_weights(seed: int, purpose: str):
    """Networks built in here begin with weights drawn for `purpose`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, purpose))
        yield


def _code(arch: str, method: type, make) -> list[str]:
    """Hashes of the files that decide how a step is computed: a checkpoint of other code is not resumed. They are those of
    train/ and nets/ that this module, the method and the network import, and the one that puts the method together."""
    files = imported([__name__, method.__module__, f"pipeline.nets.{arch}"], ROOT).values()
    trained_by = {ROOT / path for path in set().union(*files) if path.parts[1] in ("train", "nets")}
    return [sha256(path) for path in sorted(trained_by | {Path(inspect.getsourcefile(make))})]
