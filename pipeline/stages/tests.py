"""Assemble the test sets of a task.

    python -m pipeline.stages.tests tests KEY   of an entry of `tests`: synthetic-val, captures-val, synthetic, captures
    python -m pipeline.stages.tests far KEY     of an entry of `far`: captures-far

Reads data/pairs/<synthetic> and data/sets/<captures, truth, reference>; writes below data/tests/KEY the shards
{inputs,targets}/{near,far}/<test set>, and reference/, the images that no training has seen and that SWD and NIQE compare with.
Truth reaches the benchmark here and nowhere else. What does not exist is absent here too.
"""
import shutil
from pathlib import Path

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.entries import Far, Tests
from pipeline.images.shards import Shard, check_pairing, write_absent
from pipeline.images.test_sets import FAR, folder_of

DATA = Path("data")


def copy_shard(source: Path, target: Path) -> None:
    """Copy a shard's files, or its word that it is absent."""
    shard = Shard(source)
    if not shard.absent and not len(shard):
        write_absent(target, f"{source.relative_to(DATA)} holds no images")
        return
    target.mkdir(parents=True)
    for file in sorted(source.iterdir()):
        shutil.copyfile(file, target / file.name)


def sources(entry: Tests | Far) -> dict[str, tuple[Path, Path, str, str]]:
    """Test set -> (inputs, targets, and what the user knows the two by)."""
    captures, truth = DATA / "sets" / entry.captures, DATA / "sets" / entry.truth
    key, *below = entry.truth.split("/")
    what = f"sets.{entry.captures}.folder", "/".join([f"sets.{key}.folder", *below])
    if isinstance(entry, Far):
        return {FAR: (captures / "test", truth / "test", *what)}
    pairs = DATA / "pairs" / entry.synthetic
    synthetic = f"pairs.{entry.synthetic} (inputs)", f"pairs.{entry.synthetic} (targets)"
    return {
        "synthetic-val": (pairs / "inputs/val", pairs / "targets/val", *synthetic),
        "captures-val": (captures / "val", truth / "val", *what),
        "synthetic": (pairs / "inputs/test", pairs / "targets/test", *synthetic),
        "captures": (captures / "test", truth / "test", *what),
    }


def scale_of_pair(inputs: Path, targets: Path, what_inputs: str, what_targets: str) -> int | None:
    """The scale from inputs to targets, None without truth. Raises ValueError when the two do not belong together."""
    inputs, targets = Shard(inputs), Shard(targets)
    if targets.absent:
        return None
    if inputs.absent:
        raise ValueError(f"{what_targets} holds the truth of {what_inputs}, which does not exist ({inputs.absent})")
    return check_pairing(inputs, targets, None, what_inputs, what_targets) if len(inputs) or len(targets) else None


def assemble(entry: Tests | Far, folder: Path) -> dict[str, int]:
    """Write the test sets of `entry` into `folder`, where they are made anew; returns the number of images of each."""
    found, scales = sources(entry), {}
    for inputs, targets, what_inputs, what_targets in found.values():
        if (scale := scale_of_pair(inputs, targets, what_inputs, what_targets)) is not None:
            scales[scale] = f"{what_targets} is {scale} times as large as {what_inputs}"
    if len(scales) > 1:
        raise ValueError(f"the test sets are of different scales: {'; '.join(scales.values())}")
    for side, place in (("inputs", 0), ("targets", 1)):
        shutil.rmtree(folder_of(folder, side, next(iter(found))).parent, ignore_errors=True)
        for name, paths in found.items():
            copy_shard(paths[place], folder_of(folder, side, name))
    counts = {name: len(Shard(folder_of(folder, "inputs", name))) for name in found}
    if isinstance(entry, Tests):
        shutil.rmtree(folder / "reference", ignore_errors=True)
        copy_shard(DATA / "sets" / entry.reference / "holdout", folder / "reference")
        counts["reference"] = len(Shard(folder / "reference"))
    return counts


def main(section: str, key: str) -> None:
    entry = params.load().entry(section, key)
    counts = assemble(entry, DATA / "tests" / key)
    print(f"{section}@{key}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


if __name__ == "__main__":
    run_stage(main)
