"""Stage 1: train a network from scratch on pairs: `python -m pipeline.stages.stage1 NAME`, an entry of `networks`."""
from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.train.methods.supervised import Supervised
from pipeline.train.run import train_on_pairs


def main(name: str) -> None:
    p = params.load()
    entry = p.entry("networks", name)
    train_on_pairs(name, Supervised, p.stage1_of(name), p.seed, p.threads, entry.inputs, entry.targets, arch=entry.arch,
                   options=entry.options)


if __name__ == "__main__":
    run_stage(main)
