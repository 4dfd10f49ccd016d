"""A network that is made of others and not trained: one behind the other (SECTION `chains`), or the mean or the bands of two
(`ensembles`): `python -m pipeline.stages.combine SECTION KEY`. Its manifest names them; their weights stay where they are.
"""
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import sha256_of, write_json
from pipeline.restore.manifest import FORMAT, AbsentNetwork, read_manifest, save_absent

ARCH = {"chains": "chain", "ensembles": "ensemble"}


def main(section: str, key: str) -> None:
    entry, output = params.load().entry(section, key), Path("models", key)
    names = [entry.first, entry.then if section == "chains" else entry.second]
    parts = []
    for name in names:
        try:
            parts.append(read_manifest(Path("models", name)))
        except AbsentNetwork as reason:
            save_absent(output, f"{name} is absent: {reason}")
            print(f"{key}: not made: {name} is absent: {reason}", flush=True)
            return
    first, second = (part["scale"] for part in parts)
    if section == "ensembles" and first != second:
        raise ValueError(f"ensembles.{key}: {names[0]} enlarges {first} times and {names[1]} {second} times; wanted one scale")
    weights = dict(zip(names, (part["weights"] for part in parts)))
    how = {"below": entry.below} if section == "ensembles" and entry.below else {}
    write_json(output / "manifest.json", {
        "format": FORMAT, "arch": ARCH[section], "parts": names, "scale": first * second if section == "chains" else first,
        "weights": sha256_of([ARCH[section], names, weights, *how.values()]), "made": {"parts": weights}} | how)


if __name__ == "__main__":
    run_stage(main)
