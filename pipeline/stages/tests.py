"""Assemble the test sets of a task: `python -m pipeline.stages.tests KEY` (an entry of `tests` in params.yaml).

Reads data/pairs/<synthetic> and data/sets/<captures, truth, far, far_truth, reference>; writes below data/tests/KEY
the folders synthetic-val, captures-val, synthetic, captures and captures-far, each with the shards inputs/ and
targets/, and reference/, the images that no training has seen and that SWD and NIQE compare with. Truth reaches the
benchmark here and nowhere else. What does not exist is absent here too.
"""
import shutil
import sys
from pathlib import Path

from pipeline.core.params import ParamsError, load
from pipeline.core.settings import Tests
from pipeline.images.shards import Shard, check_pairing, write_absent

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


def sources(entry: Tests) -> dict[str, tuple[Path, Path, str, str]]:
    """Test set -> (inputs, targets, and what the user knows the two by)."""
    pairs, sets = DATA / "pairs" / entry.synthetic, DATA / "sets"
    synthetic = (f"pairs.{entry.synthetic} (inputs)", f"pairs.{entry.synthetic} (targets)")
    captures = (f"sets.{entry.captures}.folder", f"sets.{entry.truth}.folder")
    far = (f"sets.{entry.far}.folder", f"sets.{entry.far_truth}.folder")
    return {
        "synthetic-val": (pairs / "inputs/val", pairs / "targets/val", *synthetic),
        "captures-val": (sets / entry.captures / "val", sets / entry.truth / "val", *captures),
        "synthetic": (pairs / "inputs/test", pairs / "targets/test", *synthetic),
        "captures": (sets / entry.captures / "test", sets / entry.truth / "test", *captures),
        "captures-far": (sets / entry.far / "test", sets / entry.far_truth / "test", *far),
    }


def check(inputs: Path, targets: Path, what_inputs: str, what_targets: str) -> int | None:
    """The scale from inputs to targets, None without truth. Raises ValueError when the two do not belong together."""
    inputs, targets = Shard(inputs), Shard(targets)
    if targets.absent:
        return None
    if inputs.absent:
        raise ValueError(f"{what_targets} holds the truth of {what_inputs}, which does not exist ({inputs.absent})")
    return check_pairing(inputs, targets, None, what_inputs, what_targets) if len(inputs) or len(targets) else None


def assemble(entry: Tests, folder: Path) -> dict[str, int]:
    """Write the test sets of `entry` into `folder`, which is made anew; returns the number of images of each."""
    scales, counts = {}, {}
    for inputs, targets, what_inputs, what_targets in sources(entry).values():
        if (scale := check(inputs, targets, what_inputs, what_targets)) is not None:
            scales[scale] = f"{what_targets} is {scale} times as large as {what_inputs}"
    if len(scales) > 1:
        raise ValueError(f"the test sets are of different scales: {'; '.join(scales.values())}")
    shutil.rmtree(folder, ignore_errors=True)
    for name, (inputs, targets, *_) in sources(entry).items():
        copy_shard(inputs, folder / name / "inputs")
        copy_shard(targets, folder / name / "targets")
        counts[name] = len(Shard(folder / name / "inputs"))
    copy_shard(DATA / "sets" / entry.reference / "holdout", folder / "reference")
    return counts | {"reference": len(Shard(folder / "reference"))}


def main(key: str) -> None:
    try:
        params = load()
        if key not in params.tests:
            raise ParamsError(f"tests.{key}: no such entry, there are {', '.join(params.tests)}")
        counts = assemble(params.tests[key], DATA / "tests" / key)
    except (ParamsError, ValueError, FileNotFoundError) as error:
        raise SystemExit(f"tests@{key}: {error}") from error
    print(f"tests@{key}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
