"""RBSR's mapping to bicubic inputs, a reference for mappings by supervision alone: `python -m pipeline.stages.rbsr NAME`; see
train/methods/rbsr.py.
"""
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.images.shards import Shard, check_pairing
from pipeline.nets.build import build
from pipeline.restore.manifest import AbsentNetwork, read_manifest
from pipeline.restore.network import load_network
from pipeline.train import ranks
from pipeline.train.crops import Crops
from pipeline.train.methods.rbsr import Rbsr
from pipeline.train.run import absent, first_weights, train_network, validation_crops


def main(name: str) -> None:
    p = params.load()
    entry = p.entry("rbsr", name)
    settings = entry.settings
    paths = {side: f"data/{getattr(entry, side)}" for side in ("inputs", "synthetic", "targets")}
    train = {side: Shard(Path(path, "train")) for side, path in paths.items()}
    val = {side: Shard(Path(paths[side], "val")) for side in ("inputs", "targets")}
    for shard in train.values():
        if shard.absent:
            return absent(name, shard.absent)
    for side in ("inputs", "synthetic"):
        check_pairing(train[side], train["targets"], 1, paths[side], paths["targets"])
    try:
        about, encoder = read_manifest(Path("models", entry.encoder)), load_network(Path("models", entry.encoder))
    except AbsentNetwork as reason:
        return absent(name, f"{entry.encoder} is absent: {reason}")
    if not hasattr(encoder, "tail"):
        raise ValueError(f"rbsr.{name}.encoder: {entry.encoder} is of arch {about['arch']}, which has no tail")
    with first_weights(p.seed, f"{name}/weights"):
        network = build(entry.arch, entry.options)
    if network.scale != 1:
        raise ValueError(f"rbsr.{name}: {entry.arch} enlarges {network.scale} times; the mapping keeps the size")

    def make(device):
        crops = Crops([(shard, 1) for shard in train.values()], settings.patch, settings.batch, p.seed, f"{name}/crops",
                      ranks.part())
        fixed = validation_crops(val["inputs"], val["targets"], 1, settings.patch, p.seed)
        with first_weights(p.seed, f"{name}/discriminator"):
            return Rbsr(settings, network, encoder, crops, fixed, device)

    train_network(name, settings, p.seed, p.threads, entry.arch, entry.options, make,
        {side: shard.sha256 for side, shard in train.items()} | {"encoder": entry.encoder, "encoder_weights": about["weights"]},
        [about["code"], *(shard.sha256 for shard in val.values())])


if __name__ == "__main__":
    run_stage(main)
