"""Find sets that hold images of truth under another name: `python -m pipeline.stages.truths`.

Reads data/contents/*.json, what ingest has found in each set of params.yaml; writes data/truths.json: set -> why it counts as
truth, of those whose folder and patterns do not tell. An image is the same when all its pixels are, whatever its file.
`select` does not read this: what it may know does not depend on the truth being there.
"""
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run
from pipeline.core.files import read_json, write_json
from pipeline.core.graph import Graph, graph

CONTENTS, TRUTHS = Path("data/contents"), Path("data/truths.json")
TRAINED_ON, OF_TRUTH = ("train", "val"), ("train", "val", "test")
"""Splits: a holdout is of captures that nothing is trained, chosen or scored on."""


def held(contents: dict[str, dict[str, list[str]]], lineage: Graph) -> dict[str, str]:
    """Set -> why it counts as truth; `contents` is set -> split -> digests of its images."""
    found = {}
    images = {key: {digest for part in TRAINED_ON for digest in splits.get(part, ())} for key, splits in contents.items()}
    for truth in lineage.truths:
        of_truth = {digest for part in OF_TRUTH for digest in contents[truth].get(part, ())}
        for key in (key for key in contents if key not in lineage.truths):
            if shared := len(images[key] & of_truth):
                found[key] = f"sets.{key}, which holds {shared} of the images of sets.{truth}"
    return found


def main() -> None:
    p = params.load()
    contents = {name: splits for key in p.sets for name, splits in read_json(CONTENTS / f"{key}.json").items()}
    found = held(contents, graph(p))
    for why in found.values():
        print(f"truths: {why}: what is trained on it is an oracle", flush=True)
    write_json(TRUTHS, found)


if __name__ == "__main__":
    run(main)
