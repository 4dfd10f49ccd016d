"""Crops of a test set for the comparison pictures: of which images, and where they are cut.

Of the first image of each scene two squares: the one with the most detail of the truth, or of the input where there is none,
and one at a random place. Both are cut before any score is known, so how outputs look has no part in it.
"""
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.core.seeds import rng
from pipeline.images.shards import Shard, ShardWriter, write_absent
from pipeline.images.test_sets import test_images

DETAIL, RANDOM = "detail", "random"
SIDES = {DETAIL: 192, RANDOM: 144}  # pixels of the output on a side, or what of it a smaller image has
SCENES = 64
STRIDE = 8  # of the search for the most detail
PICTURED = ("captures", "synthetic")  # the first of these test sets that has images is the one that is cut


class Window(NamedTuple):
    """A square in pixels of the input."""
    top: int
    left: int
    side: int


class SceneCrops:
    """The crops of one entry of the benchmark: of the test set's inputs, of their truth, and of the outputs of its rows."""

    def __init__(self, tests: Path, scale: int, seed: int):
        """`scale`: how many times larger than its input the truth is; `seed`: of the random places."""
        shards = {name: test_images(tests, "inputs", name) for name in PICTURED}
        self.test_set = next((name for name, shard in shards.items() if len(shard)), None)
        nothing = next((shard.absent for shard in shards.values() if shard.absent), "no images")
        self.absent = dict.fromkeys(("inputs", "targets", "outputs"), None if self.test_set else nothing)
        self.crops: dict[str, list[tuple[str, str, np.ndarray, dict]]] = {side: [] for side in self.absent}
        if self.test_set:
            self.inputs, targets = shards[self.test_set], test_images(tests, "targets", self.test_set)
            self.windows = {i: windows(self.inputs[i], None if targets.absent else targets[i], scale,
                                       rng(seed, "report/crops", i)) for i in first_of_scenes(self.inputs.scenes)}
            self.absent["targets"] = targets.absent
            self._cut("inputs", self.inputs)
            self._cut("targets", targets)

    def take(self, row: str, test_set: str, outputs: Shard) -> None:
        """Cut a row's outputs on a test set, all of it, if it is the one that is pictured."""
        if test_set == self.test_set:
            self._cut("outputs", outputs, row=row)

    def write(self, folder: Path | str) -> None:
        """Write the shards inputs, targets and outputs. Each image says its `place` (detail or random) and its `test_set`, in
        the last its `row`."""
        for side, crops in self.crops.items():
            if self.absent[side]:
                write_absent(Path(folder, side), self.absent[side])
                continue
            with ShardWriter(Path(folder, side)) as writer:
                for name, scene, crop, origin in crops:
                    writer.add(name, scene, crop, **origin)

    def _cut(self, side: str, images: Shard, **origin) -> None:
        """The windows of the inputs, in images of the same views, which may be some whole times larger."""
        for i, places in self.windows.items() if not images.absent else ():
            entry, image = self.inputs.images[i], images[i]
            times = max(1, len(image) // entry["height"])
            for place, window in places.items():
                top, left, size = (times * value for value in window)
                crop = image[top : top + size, left : left + size].copy()  # a view would keep the whole file
                self.crops[side].append((entry["name"], entry["scene"], crop,
                                         origin | {"test_set": self.test_set, "place": place}))


def first_of_scenes(scenes: list[str]) -> list[int]:
    """The index of the first image of each scene; of at most SCENES of them, evenly spread."""
    first = sorted({scene: i for i, scene in reversed([*enumerate(scenes)])}.values())
    return [first[i * len(first) // SCENES] for i in range(SCENES)] if len(first) > SCENES else first


def windows(image: np.ndarray, truth: np.ndarray | None, scale: int, random: np.random.Generator) -> dict[str, Window]:
    """Where an input, uint8 HWC, is cut; its `truth` is `scale` times as large."""
    sides = {place: max(1, min(side // scale, *image.shape[:2])) for place, side in SIDES.items()}
    if truth is None:
        detail = most_detail(image, sides[DETAIL])
    else:
        detail = (offset // scale for offset in most_detail(truth, scale * sides[DETAIL]))
    anywhere = (int(random.integers(length - sides[RANDOM] + 1)) for length in image.shape[:2])
    return {DETAIL: Window(*detail, sides[DETAIL]), RANDOM: Window(*anywhere, sides[RANDOM])}


def most_detail(image: np.ndarray, side: int) -> tuple[int, int]:
    """Top and left of the square with the largest sum of absolute differences between neighbouring pixels."""
    grey = image.sum(axis=2, dtype=np.int32)
    detail = np.zeros_like(grey)
    detail[1:] += abs(np.diff(grey, axis=0))
    detail[:, 1:] += abs(np.diff(grey, axis=1))
    total = np.pad(detail.cumsum(axis=0, dtype=np.int64).cumsum(axis=1), ((1, 0), (1, 0)))
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    sums = sums[::STRIDE, ::STRIDE]
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    return int(top) * STRIDE, int(left) * STRIDE
