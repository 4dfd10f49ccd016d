"""Label: a network's outputs on the train and val images of a set, kept as targets or inputs of another training.

    python -m pipeline.stages.label systems sr-edsr       the paper's surrogates: the stage-1 network on the captures
    python -m pipeline.stages.label labels NAME           params labels: a later round's network, a mapping

Reads models/<network> and data/<inputs>; writes data/labels/<key>. 16 bits per value: rounding the surrogates to 8 would
be an error of its own.
"""
from pathlib import Path

from pipeline.core import params
from pipeline.core.device import pick
from pipeline.core.edge import run
from pipeline.core.files import need_space, write_json
from pipeline.core.progress import track
from pipeline.images.shards import Shard, ShardWriter, write_absent
from pipeline.restore.apply import TILE, apply, quantise, self_ensemble
from pipeline.restore.network import AbsentNetwork, load_network, read_manifest


def main(kind: str, key: str) -> None:
    p = params.load()
    if kind == "systems":
        name, inputs, ensemble = p.systems[key].start, f"sets/{p.systems[key].captures}", p.systems[key].ensemble
    else:
        name, inputs, ensemble = p.labels[key].network, p.labels[key].inputs, p.labels[key].ensemble
    output = Path("data/labels", key)
    shards = {split: Shard(Path("data", inputs, split)) for split in ("train", "val")}
    absent = shards["train"].absent
    try:
        network = read_manifest(Path("models", name))
    except AbsentNetwork as reason:
        absent = f"{name} is absent: {reason}"
    if absent:
        for split in shards:
            write_absent(output / split, absent)
        write_json(output / "manifest.json", {"absent": absent})
        return
    model = load_network(Path("models", name), pick(p.threads))
    pixels = sum(image["height"] * image["width"] for shard in shards.values() for image in shard.images)
    need_space(output, 6 * pixels * model.scale**2, f"labels.{key}")
    for split, shard in shards.items():
        with ShardWriter(output / split, "uint16") as writer:
            for entry, image in track(zip(shard.images, shard), f"{key}: labelling {split}", len(shard)):
                restored = self_ensemble(model, image) if ensemble else apply([model], image)
                writer.add(entry["name"], entry["scene"], quantise(restored, "uint16"))
    write_json(output / "manifest.json", {
        "network": name, "weights": network["weights"], "ensemble": ensemble, "tile": TILE, "margin": model.radius,
        "inputs": {split: shard.sha256 for split, shard in shards.items()},
        "images": {split: len(shard) for split, shard in shards.items()}})


if __name__ == "__main__":
    run(main)
