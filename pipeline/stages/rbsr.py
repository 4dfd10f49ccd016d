"""RBSR's mapping to bicubic inputs, a reference for mappings by supervision alone; see train/rbsr.py.

    python -m pipeline.stages.rbsr blindsr-rbsr

Reads data/<inputs>, data/<targets> (train, val), data/<synthetic>/train and models/<encoder>; writes models/<name> and
metrics/curves/<name>.csv.
"""
from pathlib import Path

from pipeline.core import params
from pipeline.core.device import pick
from pipeline.core.edge import run as run_stage
from pipeline.images.shards import Shard, check_pairing
from pipeline.nets.build import build
from pipeline.restore.manifest import AbsentNetwork, read_manifest
from pipeline.restore.network import load_network
from pipeline.train.crops import Crops
from pipeline.train.rbsr import Rbsr
from pipeline.train.run import absent
from pipeline.train.steps import first_weights, run

VAL_CROPS = 64


def main(name: str) -> None:
    p = params.load()
    entry, settings = p.rbsr[name], p.rbsr[name].settings
    paths = {side: f"data/{getattr(entry, side)}" for side in ("inputs", "synthetic", "targets")}
    train = {side: Shard(Path(path, "train")) for side, path in paths.items()}
    val = {side: Shard(Path(paths[side], "val")) for side in ("inputs", "targets")}
    for shard in train.values():
        if shard.absent:
            return absent(name, shard.absent)
    for shards in (train, val):
        for side in shards:
            check_pairing(shards[side], shards["targets"], 1, paths[side], paths["targets"])
    device = pick(p.threads)
    try:
        about, encoder = read_manifest(Path("models", entry.encoder)), load_network(Path("models", entry.encoder), device)
    except AbsentNetwork as reason:
        return absent(name, f"{entry.encoder} is absent: {reason}")
    if not hasattr(encoder, "tail"):
        raise ValueError(f"rbsr.{name}.encoder: {entry.encoder} is of arch {about['arch']}, which has no tail")
    with first_weights(p.seed, f"{name}/weights"):
        network = build(entry.arch, entry.options)
    if network.scale != 1:
        raise ValueError(f"rbsr.{name}: {entry.arch} enlarges {network.scale} times; the mapping keeps the size")
    batches = Crops([(shard, 1) for shard in train.values()], settings.patch, settings.batch, p.seed, f"{name}/crops")
    fixed = Crops([(shard, 1) for shard in val.values()], settings.patch, VAL_CROPS, p.seed, "validation crops") if len(
        val["inputs"]) else None
    with first_weights(p.seed, f"{name}/discriminator"):
        method = Rbsr(settings, network, encoder, batches, fixed, device)
    made = {"seed": p.seed, "threads": p.threads, "settings": settings.model_dump(), "encoder": entry.encoder,
            "encoder_weights": about["weights"], **{side: shard.sha256 for side, shard in train.items()}}
    run(name, method, settings, entry.arch, entry.options, made, [about["code"], *(shard.sha256 for shard in val.values())])


if __name__ == "__main__":
    run_stage(main)
