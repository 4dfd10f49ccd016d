"""From a method of training to a network on disk: what all trainings have in common, and those on pairs besides."""
import csv
import inspect
import time
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import torch

from pipeline.core.device import pick
from pipeline.core.files import replacing, sha256, sha256_of, write_json
from pipeline.core.imports import imported
from pipeline.core.seeds import torch_seed
from pipeline.core.settings import Stage2Settings, Training
from pipeline.images.shards import Shard, check_pairing
from pipeline.nets.build import build
from pipeline.restore.manifest import AbsentNetwork, read_manifest, save_absent
from pipeline.restore.network import load_network, save_network
from pipeline.train import ranks
from pipeline.train.checkpoint import Checkpoint, only_one, work_folder
from pipeline.train.crops import Crops
from pipeline.train.loop import train

ROOT = Path(__file__).parents[2]
VAL_CROPS = 64


def train_network(name: str, settings, seed: int, threads: int, arch: str, options: dict, make, sources: dict,
                  also: list) -> None:
    """Train the network `name` by the method that `make(device)` gives; write it to models/ and its curve to metrics/curves/.
    The curve is there from its first row on, for whoever watches it.

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
        table = Path("metrics/curves", f"{name}.csv")

        def watch(rows: list[dict]) -> None:
            with suppress(PermissionError):  # of Windows, while somebody reads it
                if first and rows:
                    write_curve(table, rows)

        curve = train(method, settings.steps, settings.validate_every, checkpoint, name, watch)
        ranks.leave()
        if not first:
            return
        save_network(Path("models", name), method.finish(), arch, options, made)
        write_curve(table, curve)
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


def write_curve(path: Path, curve: list[dict]) -> None:
    """Write the rows of `train.loop.train` as CSV; no training gives a header alone."""
    fields = list(dict.fromkeys(field for row in curve for field in row)) or ["step"]
    with replacing(path, "w") as handle:
        table = csv.DictWriter(handle, fields, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows({field: f"{value:.6g}" for field, value in row.items()} for row in curve)


def train_on_pairs(name: str, method, settings: Training, seed: int, threads: int, inputs: str, targets: str, *,
                   clean: str | None = None, start: str | None = None, arch: str | None = None, options: dict | None = None,
                   sources: dict | None = None) -> None:
    """Train the network `name` by `method`, a class of train/methods with the arguments of Supervised.

    `inputs` and `targets` are sets below data/, `clean` one below data/sets; it begins from the network `start`, or anew from
    `arch` and `options`. `sources` are further ones for the manifest. When something is absent (captures without truth), the
    network is written as absent, with the reason.
    """
    paths = {"inputs": f"data/{inputs}", "targets": f"data/{targets}"}
    shards, val = ({side: Shard(Path(path, split)) for side, path in paths.items()} for split in ("train", "val"))
    for shard in shards.values():
        if shard.absent:
            return absent(name, shard.absent)
    scale = check_pairing(*shards.values(), None, *paths.values())
    weights = None
    if start:
        try:
            manifest = read_manifest(Path("models", start))
        except AbsentNetwork as reason:
            return absent(name, f"{start} is absent: {reason}")
        arch, options, weights = manifest["arch"], manifest["options"], manifest["weights"]
        network = load_network(Path("models", start), trainable=True)
    else:
        with first_weights(seed, f"{name}/weights"):
            network = build(arch, options)
    if network.scale != scale:
        raise ValueError(f"{name}: {arch} enlarges {network.scale} times, but data/{targets} is {scale} times data/{inputs}")
    adversarial = isinstance(settings, Stage2Settings) and settings.lambda_ > 0
    unpaired = Shard(Path("data/sets", clean, "train")) if adversarial else None
    if adversarial and unpaired.absent:
        return absent(name, unpaired.absent)

    def make(device):
        crops = Crops([(shards["inputs"], 1), (shards["targets"], scale)], settings.patch, settings.batch, seed,
                      f"{name}/crops", ranks.part())
        more = {"clean": Crops([(unpaired, 1)], settings.patch * scale, settings.batch, seed, f"{name}/clean",
                               ranks.part())} if adversarial else {}
        fixed = validation_crops(val["inputs"], val["targets"], scale, settings.patch, seed)
        with first_weights(seed, f"{name}/discriminator"):
            return method(settings, network, crops, fixed, device, **more)

    train_network(name, settings, seed, threads, arch, options, make,
        {"start": start, "start_weights": weights, "clean": unpaired.sha256 if adversarial else None,
         **{side: shard.sha256 for side, shard in shards.items()}, **(sources or {})},
        [shard.sha256 for shard in val.values()])


def validation_crops(inputs: Shard, targets: Shard, scale: int, patch: int, seed: int) -> Crops | None:
    """A fixed batch of (input, target); None when the split is empty."""
    if not len(inputs):
        return None
    check_pairing(inputs, targets, scale, str(inputs.folder), str(targets.folder))
    return Crops([(inputs, 1), (targets, scale)], patch, VAL_CROPS, seed, "validation crops")
