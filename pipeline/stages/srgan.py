"""SRGAN: a trained network goes on on pairs, with a content loss on VGG's features and an adversary. Without VGG's weights in
data/trunks the network is absent. `python -m pipeline.stages.srgan NAME`
"""
from functools import partial
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.restore.manifest import AbsentNetwork
from pipeline.train.methods.srgan import Content, Srgan
from pipeline.train.run import absent, train_on_pairs


def main(name: str) -> None:
    p = params.load()
    entry = p.entry("srgan", name)
    try:
        content = Content(Path("data/trunks"), entry.backbone, entry.layer, entry.content)
    except AbsentNetwork as reason:
        return absent(name, str(reason))
    train_on_pairs(name, partial(Srgan, content=content), entry.settings, p.seed, p.threads, entry.inputs, entry.targets,
                   clean=entry.clean, start=entry.start, sources={"content": content.sources})


if __name__ == "__main__":
    run_stage(main)
