"""CycleGAN between captures and unpaired clean images, a reference for systems: no synthesis, no surrogates, no pairs.
`python -m pipeline.stages.cyclegan NAME` keeps the generator that restores captures (train/methods/cyclegan.py).
"""
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.images.shards import Shard
from pipeline.nets.build import build
from pipeline.train import ranks
from pipeline.train.crops import Crops
from pipeline.train.methods.cyclegan import CycleGan, PatchGan, Pool
from pipeline.train.run import absent, first_weights, train_network

SIDES = ("clean", "captures")


def main(name: str) -> None:
    p = params.load()
    entry = p.entry("cyclegans", name)
    settings = entry.settings
    shards = {side: Shard(Path("data/sets", getattr(entry, side), "train")) for side in SIDES}
    for shard in shards.values():
        if shard.absent:
            return absent(name, shard.absent)
    generators, discriminators = [], []
    for side in SIDES:  # a generator of such images, and their discriminator
        with first_weights(p.seed, f"{name}/generator of {side}"):
            generators.append(build(entry.arch, entry.options))
        with first_weights(p.seed, f"{name}/discriminator of {side}"):
            discriminators.append(PatchGan(settings.d_layers, settings.d_features))
    if generators[0].scale != 1:
        raise ValueError(f"cyclegans.{name}: {entry.arch} enlarges {generators[0].scale} times; a generator keeps the size")

    def make(device):
        clean, captures = (Crops([(shards[side], 1)], settings.patch, settings.batch, p.seed, f"{name}/{side}", ranks.part())
                           for side in SIDES)
        pools = [Pool(settings.pool, p.seed, f"{name}/pool of {side}") for side in SIDES]
        return CycleGan(settings, generators, discriminators, captures, clean, pools, device)

    train_network(name, settings, p.seed, p.threads, entry.arch, entry.options, make,
        {side: shard.sha256 for side, shard in shards.items()}, [])


if __name__ == "__main__":
    run_stage(main)
