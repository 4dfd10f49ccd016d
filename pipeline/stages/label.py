"""Label: a network's outputs on the train and val images of a set, kept as targets or inputs of another training.

    python -m pipeline.stages.label systems KEY   the paper's surrogates: the system's teacher on its captures
    python -m pipeline.stages.label labels KEY    a later round's network, a mapping

16 bits per value: rounding the surrogates to 8 would be an error of its own. The manifest's `disagreement` is the rms distance
of an ensemble's networks from their mean in 8-bit levels: the mean's squared error is the average of theirs minus its square,
whatever the truth (Krogh and Vedelsby, "Neural network ensembles, cross validation, and active learning", NIPS 1995, eq. 6).
"""
from pathlib import Path

import numpy as np

from pipeline.core import params
from pipeline.core.device import pick
from pipeline.core.edge import run_stage
from pipeline.core.files import need_space, write_json
from pipeline.core.progress import track
from pipeline.images.shards import Shard, ShardWriter, write_absent
from pipeline.restore.manifest import AbsentNetwork, leaves, read_manifest, tree_of
from pipeline.restore.model import Turned
from pipeline.restore.named import built
from pipeline.restore.pixels import quantise
from pipeline.restore.tiles import restore, usual_tile


def main(kind: str, key: str) -> None:
    p = params.load()
    entry = p.entry(kind, key)
    inputs, name = (f"sets/{entry.captures}", entry.teacher) if kind == "systems" else (entry.inputs, entry.network)
    output = Path("data/labels", key)
    shards = {split: Shard(Path("data", inputs, split)) for split in ("train", "val")}
    absent = shards["train"].absent
    try:
        tree = tree_of(name)
    except AbsentNetwork as reason:
        absent = f"{name} is absent: {reason}"
    if absent:
        for split in shards:
            write_absent(output / split, absent)
        write_json(output / "manifest.json", {"absent": absent})
        return
    means, loaded = tree["mean"] if isinstance(tree, dict) and "mean" in tree else [tree], {}
    teachers = [built(part, "models", pick(p.threads), loaded) for part in means]
    teachers = [Turned(teacher) for teacher in teachers] if entry.self_ensemble else teachers
    pixels = sum(image["height"] * image["width"] for shard in shards.values() for image in shard.images)
    need_space(output, 6 * pixels * teachers[0].scale**2, f"labels.{key}")
    spread = []
    for split, shard in shards.items():
        with ShardWriter(output / split, "uint16") as writer:
            for capture, image in track(zip(shard.images, shard), f"{key}: labelling {split}", len(shard)):
                answers = np.clip([restore(teacher, image, "float32") for teacher in teachers], 0, 1)
                mean = np.mean(answers, axis=0)
                spread.append(np.mean((answers - mean) ** 2))
                writer.add(capture["name"], capture["scene"], quantise(mean, "uint16"))
    disagreement = round(255 * float(np.sqrt(np.mean(spread))), 3)
    if len(teachers) > 1:
        print(f"{kind}.{key}: the {len(teachers)} networks of {name} lie {disagreement} levels (rms) from their mean; its "
              "squared error is smaller than theirs, on average, by the square of that")
    write_json(output / "manifest.json", {
        "teacher": tree, "weights": {leaf: read_manifest(Path("models", leaf))["weights"] for leaf in leaves(tree)},
        "disagreement": disagreement, "self_ensemble": entry.self_ensemble,
        "tile": max(map(usual_tile, teachers)), "margin": max(teacher.margin for teacher in teachers),
        "inputs": {split: shard.sha256 for split, shard in shards.items()},
        "images": {split: len(shard) for split, shard in shards.items()}})


if __name__ == "__main__":
    run_stage(main)
