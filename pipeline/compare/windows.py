"""Windows of one size out of sets of images of any sizes, so that whole photographs compare with training crops."""
from functools import cached_property

import numpy as np

from pipeline.core.seeds import rng
from pipeline.degrade.bicubic import downscale
from pipeline.images.shards import Shard

LARGEST, SMALLEST = 256, 16  # pixels on a side
PIXELS, MOST = 2**24, 2048  # of all windows of a set together, and how many windows they may be
GRID = 8  # pixels; a window's blocks of JPEG are those of its image


class Windows:
    """A sequence of windows, uint8 RGB (side, side, 3), cut from the mapped shard when asked for, and the `scenes` they are of.

    `places` are (image, top, left) in pixels of an image that is 1/scale as large as the shard's; what is cut is reduced to
    that size (antialiased bicubic). So a set and its paired truth, with the same places, give the same windows.
    """

    def __init__(self, shard: Shard, side: int, places: list[tuple[int, int, int]], scale: int = 1):
        self.shard, self.side, self.places, self.scale = shard, side, places, scale

    def __len__(self):
        return len(self.places)

    def __getitem__(self, k: int) -> np.ndarray:
        image, top, left = self.places[k]
        rows, columns = (slice(self.scale * start, self.scale * (start + self.side)) for start in (top, left))
        window = np.array(self.shard[image][rows, columns])
        return window if self.scale == 1 else downscale(window, self.scale)

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    @cached_property
    def scenes(self) -> list[str]:
        return [self.shard.images[image]["scene"] for image, _, _ in self.places]


def common_side(shards: dict[str, Shard]) -> int:
    """The largest multiple of 8 pixels up to 256 that at least half of the images of each shard hold.

    The keys say in the user's terms what each shard is. Raises ValueError where that is less than 16.
    """
    sides = []
    for what, shard in shards.items():
        held = sorted(min(image["height"], image["width"]) for image in shard.images)[len(shard) // 2]
        if held < SMALLEST:
            raise ValueError(f"{what}: half of the images are {held} pixels across or less, wanted {SMALLEST}")
        sides.append(held)
    return min(LARGEST, *sides) // GRID * GRID


def windows(shard: Shard, side: int, seed: int) -> Windows:
    """At most 2048 windows and 16.8 million pixels, of each image equally many, as many as it holds side by side at most.

    Images that hold none are left out; of very many images some are drawn. Shards of images of the same sizes are cut at the
    same places.
    """
    fitting = [i for i, image in enumerate(shard.images) if min(image["height"], image["width"]) >= side]
    most = min(MOST, PIXELS // side**2)
    if len(fitting) > most:
        fitting = sorted(rng(seed, "windows/images").choice(fitting, most, replace=False).tolist())
    places = []
    for i in fitting:
        height, width = shard.images[i]["height"], shard.images[i]["width"]
        count, draw = min(most // len(fitting), (height // side) * (width // side)), rng(seed, "windows/places", i)
        corners = (draw.integers((length - side) // GRID + 1, size=count) * GRID for length in (height, width))
        places += [(i, top, left) for top, left in zip(*(corner.tolist() for corner in corners))]
    return Windows(shard, side, places)
