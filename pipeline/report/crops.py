"""Crops of a test set for the comparison pictures: of which images, and where they are cut.

For every scene its first image, for at most SCENES scenes, evenly spread over the test set: what is worst, median and best
is found afterwards, and shall not have been chosen by how it looks. The crop is the square with the most detail (the largest
sum of differences between neighbouring pixels) of the truth, or of the input where there is none.
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
        self.absent = next((shard.absent for shard in shards.values() if shard.absent), "no images")
        self.outputs: list[tuple[dict, str, np.ndarray]] = []
        if self.test_set:
            self.inputs, self.targets = shards[self.test_set], test_images(tests, "targets", self.test_set)
            self.windows = {i: window(self.inputs[i], None if self.targets.absent else self.targets[i], scale)
                            for i in first_of_scenes(self.inputs.scenes)}

    def take(self, row: str, test_set: str, outputs: Shard) -> None:
        """Cut a row's outputs on a test set, all of it, if it is the one that is pictured."""
        if test_set == self.test_set:
            self.outputs += [(self.inputs.images[i], row, self._cut(i, outputs[i])) for i in self.windows]

    def write(self, folder: Path | str) -> None:
        """Write the shards inputs, targets and outputs; in the last, each image says its `row`, and all their `test_set`."""
        folder = Path(folder)
        if self.test_set is None:
            for name in ("inputs", "targets", "outputs"):
                write_absent(folder / name, self.absent)
            return
        self._write(folder / "inputs", self.inputs)
        if self.targets.absent:
            write_absent(folder / "targets", self.targets.absent)
        else:
            self._write(folder / "targets", self.targets)
        with ShardWriter(folder / "outputs") as writer:
            for entry, row, crop in self.outputs:
                writer.add(entry["name"], entry["scene"], crop, row=row, test_set=self.test_set)

    def _write(self, folder: Path, images: Shard) -> None:
        with ShardWriter(folder) as writer:
            for i in self.windows:
                writer.add(images.images[i]["name"], images.images[i]["scene"], self._cut(i, images[i]), test_set=self.test_set)

    def _cut(self, i: int, image: np.ndarray) -> np.ndarray:
        """The window of input `i` in an image of the same view, which may be some whole times larger."""
        scale = max(1, image.shape[0] // self.inputs.images[i]["height"])
        top, left, side = (scale * value for value in self.windows[i])
        return image[top : top + side, left : left + side].copy()  # a view would keep the whole file


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
