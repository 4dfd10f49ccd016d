"""Training data: random crops as a pure function of (seed, step, sample), so that a resumed run sees the same ones."""
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch

from pipeline.core.seeds import rng
from pipeline.images.shards import Shard


class Crops:
    """Square crops of `patch` pixels, positions uniform over all images; `aligned` shards are cropped at the same places.

    `aligned` is a list of (shard, scale); the patch is in pixels of a shard with scale 1. Images smaller than a patch are
    left out, and said so; a shard without a larger one is a ValueError. With `part` (i, n) only the i-th of n equal parts of
    each batch is read; n has to divide `batch`.
    """

    def __init__(self, aligned: list[tuple[Shard, int]], patch: int, batch: int, seed: int, purpose: str,
                 part: tuple[int, int] = (0, 1)):
        self.aligned, self.patch, self.batch, self.seed, self.purpose = aligned, patch, batch, seed, purpose
        self.samples = range(batch * part[0] // part[1], batch * (part[0] + 1) // part[1])
        shard, scale = aligned[0]
        if not len(shard):
            raise ValueError(f"{shard.folder}: no images to train on" + (f" ({shard.absent})" if shard.absent else ""))
        sizes = np.array([(image["height"] // scale, image["width"] // scale) for image in shard.images])
        self.free = sizes - patch + 1
        if (small := np.flatnonzero(sizes.min(axis=1) < patch)).size:
            image = shard.images[small[0]]
            what = (f"{shard.folder}: {small.size} of {len(shard)} images are smaller than a patch of {patch * scale} pixels, "
                    f"the first is {image['name']!r} with {image['width']}x{image['height']}")
            if small.size == len(shard):
                raise ValueError(what)
            print(f"{what}; they are left out", flush=True)
            self.free[small] = 0
        self.ends = np.cumsum(self.free.prod(axis=1))

    def place(self, step: int, sample: int) -> tuple[int, int, int, int]:
        """Image, top, left and one of eight orientations of one crop."""
        draw = rng(self.seed, self.purpose, step * self.batch + sample)
        position, orientation = draw.integers(self.ends[-1]), int(draw.integers(8))
        image = int(np.searchsorted(self.ends, position, side="right"))
        top, left = divmod(int(position - (self.ends[image - 1] if image else 0)), int(self.free[image, 1]))
        return image, top, left, orientation

    def __call__(self, step: int) -> list[torch.Tensor]:
        """The batch of a step, or its part: one float32 NCHW tensor in [0, 1], in channels_last order, per aligned shard."""
        places = [self.place(step, sample) for sample in self.samples]
        batches = []
        for shard, scale in self.aligned:
            size = self.patch * scale
            batch = np.empty((len(places), size, size, 3), shard.dtype)
            for crop, (image, top, left, orientation) in zip(batch, places):
                crop[:] = turn(shard[image][top * scale : top * scale + size, left * scale : left * scale + size], orientation)
            batches.append(torch.from_numpy(batch).permute(0, 3, 1, 2).float().div_(shard.full_scale))
        return batches

    def names(self, step: int) -> list[str]:
        """The images behind a step's batch, the whole of it."""
        shard = self.aligned[0][0]
        return [shard.images[self.place(step, sample)[0]]["name"] for sample in range(self.batch)]


FLIPS = (None, 0, -1, 1, 1, -1, 0, None)  # as cv2 numbers them, after a transposition where the orientation is odd


def turn(crop: np.ndarray, orientation: int) -> np.ndarray:
    """One of the eight flips and quarter turns of a square HWC crop: those of `np.rot90`, mirrored from 4 on. By OpenCV: a copy
    by numpy's strides takes ten times as long, which was most of the time that a batch took."""
    if orientation % 2:
        crop = cv2.transpose(crop)
    return crop if FLIPS[orientation] is None else cv2.flip(crop, FLIPS[orientation])


class Ahead:
    """`crops` for a GPU, which waits neither for the reading of a batch nor for its copy: those of the next step are read in a
    thread while this one is trained on, into memory that the GPU reads by itself."""

    def __init__(self, crops):
        self.crops, self.thread, self.coming = crops, ThreadPoolExecutor(1), (None, None)

    def __call__(self, step: int) -> list[torch.Tensor]:
        """What `crops(step)` gives, pinned."""
        expected, batches = self.coming
        found = batches.result() if expected == step else self._read(step)
        self.coming = step + 1, self.thread.submit(self._read, step + 1)
        return found

    def _read(self, step: int) -> list[torch.Tensor]:
        batches = self.crops(step)
        return [batch.pin_memory() for batch in batches] if torch.cuda.is_available() else batches


def reader(crops, device: torch.device):
    """`crops`, read ahead where there is a GPU; on a CPU another thread would take the cores that train."""
    return Ahead(crops) if device.type == "cuda" else crops
