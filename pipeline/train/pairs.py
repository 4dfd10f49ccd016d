"""Training on pairs: what stage 1, stage 2, the oracle, further rounds and SRGAN have in common."""
from pathlib import Path

from pipeline.core.settings import Stage2Settings, Training
from pipeline.images.shards import Shard, check_pairing
from pipeline.nets.build import build
from pipeline.restore.manifest import AbsentNetwork, read_manifest
from pipeline.restore.network import load_network
from pipeline.train import ranks
from pipeline.train.crops import Crops
from pipeline.train.run import absent, first_weights, train_network

VAL_CROPS = 64


def train_on_pairs(name: str, method, settings: Training, seed: int, threads: int, inputs: str, targets: str, *,
                   clean: str | None = None, start: str | None = None, arch: str | None = None, options: dict | None = None,
                   sources: dict | None = None) -> None:
    """Train the network `name` by `method`, a class of train/methods with the arguments of Supervised.

    `inputs` and `targets` are sets below data/, `clean` one below data/sets; it begins from the network `start`, or anew from
    `arch` and `options`. `sources` are further ones of run.run. When something is absent (captures without truth), the network
    is written as absent, with the reason.
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
