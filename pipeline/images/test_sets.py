"""The test sets of an entry of `tests`, below data/tests/KEY: {inputs,targets}/{near,far}/NAME are shards, reference/ is one.

Inputs and targets lie apart, as ZSSR learns from the inputs and may not see the targets. `far` is there where params.yaml has
an entry KEY of `far`.
"""
from pathlib import Path

from pipeline.core.settings import TestSet
from pipeline.images.shards import Shard

FAR: TestSet = "captures-far"


def folder_of(tests: Path, side: str, name: str) -> Path:
    """Where a test set's `inputs` or `targets` lie; `tests` is data/tests/KEY."""
    return tests / side / ("far" if name == FAR else "near") / name


def test_images(tests: Path, side: str, name: str) -> Shard:
    """The `inputs` or `targets` of a test set; absent, with the reason, where there is no entry of `far`."""
    folder = folder_of(tests, side, name)
    if name == FAR and not folder.is_dir():
        return Shard.missing(folder, f"far.{tests.name}: no such entry")
    return Shard(folder)
