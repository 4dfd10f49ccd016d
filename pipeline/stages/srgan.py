"""SRGAN: a trained network goes on on pairs, with a content loss on VGG's features and an adversary.

    python -m pipeline.stages.srgan sr-srgan

Reads models/<start>, data/<inputs> and data/<targets> (train, val), data/sets/<clean>/train and data/trunks; writes
models/<name> and metrics/curves/<name>.csv. Without VGG's weights the network is absent.
"""
from functools import partial
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.train.content import Content, MissingLayer
from pipeline.train.methods.srgan import Srgan
from pipeline.train.pairs import train_on_pairs
from pipeline.train.run import absent

TRUNKS = Path("data/trunks")


def main(name: str) -> None:
    p = params.load()
    entry = p.srgan[name]
    try:
        content = Content(TRUNKS, entry.backbone, entry.layer, entry.content)
    except MissingLayer as reason:
        return absent(name, str(reason))
    train_on_pairs(name, partial(Srgan, content=content), entry.settings, p.seed, p.threads, entry.inputs, entry.targets,
                   clean=entry.clean, start=entry.start, sources={"content": content.sources})


if __name__ == "__main__":
    run_stage(main)
