"""Crops of a test set for the comparison pictures: of which images, and where they are cut.

Of the first image of each scene, the square with the most detail of the truth, or of the input where there is none. What is
worst, median and best is found afterwards, and shall not have been chosen by how it looks.
"""
from pathlib import Path

import numpy as np

from pipeline.images.shards import Shard, ShardWriter, write_absent
from pipeline.images.test_sets import test_images

SIDE = 96  # pixels of the output on a side, or what of it a smaller image has
SCENES = 64
STRIDE = 8  # of the search for the crop
PICTURED = ("captures", "synthetic")  # the first of these test sets that has images is the one that is cut


class SceneCrops:
    """The crops of one entry of the benchmark: of the test set's inputs, of their truth, and of the outputs of its rows."""

    def __init__(self, tests: Path, scale: int):
        """`scale`: how many times larger than its input the truth is."""
        shards = {name: test_images(tests, "inputs", name) for name in PICTURED}
        self.test_set = next((name for name, shard in shards.items() if len(shard)), None)
        nothing = next((shard.absent for shard in shards.values() if shard.absent), "no images")
        self.absent = dict.fromkeys(("inputs", "targets", "outputs"), None if self.test_set else nothing)
        self.crops: dict[str, list[tuple[str, str, np.ndarray, dict]]] = {side: [] for side in self.absent}
        if self.test_set:
            self.inputs, targets = shards[self.test_set], test_images(tests, "targets", self.test_set)
            self.windows = {i: window(self.inputs[i], None if targets.absent else targets[i], scale)
                            for i in first_of_scenes(self.inputs.scenes)}
            self.absent["targets"] = targets.absent
            self._cut("inputs", self.inputs)
            self._cut("targets", targets)

    def take(self, row: str, test_set: str, outputs: Shard) -> None:
        """Cut a row's outputs on a test set, all of it, if it is the one that is pictured."""
        if test_set == self.test_set:
            self._cut("outputs", outputs, row=row)

    def write(self, folder: Path | str) -> None:
        """Write the shards inputs, targets and outputs; in the last, each image says its `row`, and all their `test_set`."""
        for side, crops in self.crops.items():
            if self.absent[side]:
                write_absent(Path(folder, side), self.absent[side])
                continue
            with ShardWriter(Path(folder, side)) as writer:
                for name, scene, crop, origin in crops:
                    writer.add(name, scene, crop, **origin)

    def _cut(self, side: str, images: Shard, **origin) -> None:
        """The windows of the inputs, in images of the same views, which may be some whole times larger."""
        for i, place in self.windows.items() if not images.absent else ():
            entry, image = self.inputs.images[i], images[i]
            top, left, size = (max(1, len(image) // entry["height"]) * value for value in place)
            crop = image[top : top + size, left : left + size].copy()  # a view would keep the whole file
            self.crops[side].append((entry["name"], entry["scene"], crop, origin | {"test_set": self.test_set}))


def first_of_scenes(scenes: list[str]) -> list[int]:
    """The index of the first image of each scene; of at most SCENES of them, evenly spread."""
    first = sorted({scene: i for i, scene in reversed([*enumerate(scenes)])}.values())
    return [first[i * len(first) // SCENES] for i in range(SCENES)] if len(first) > SCENES else first


def window(image: np.ndarray, truth: np.ndarray | None, scale: int) -> tuple[int, int, int]:
    """Top, left and side of the crop in pixels of the input, uint8 HWC; `truth` is `scale` times as large."""
    side = max(1, min(SIDE // scale, *image.shape[:2]))
    if truth is None:
        return *most_detail(image, side), side
    top, left = most_detail(truth, scale * side)
    return top // scale, left // scale, side


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
