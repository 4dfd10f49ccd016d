"""The images that a file of a set holds: itself, or every n-th frame of a video, named FILE#000120."""
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pipeline.images.decode import decode, read_size
from pipeline.images.video import VIDEO_SUFFIXES, measure_video, read_frames


def is_video(path: Path | str) -> bool:
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def sizes_of(path: Path, name: str, every: int, max_megapixels: float) -> dict[str, tuple[int, int]]:
    """{image's name: (height, width)} of the images in the file called `name`; BadImage when it is damaged.

    Of an image that is what its header says; a video is decoded from end to end.
    """
    if not is_video(path):
        return {name: read_size(path, max_megapixels)}
    count, height, width = measure_video(path, max_megapixels)
    return {f"{name}#{index:06d}": (height, width) for index in range(0, count, every)}


def read_images(path: Path, name: str, every: int, max_megapixels: float,
                tell: Callable[[str], None]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (image's name, uint8 (height, width, 3) RGB) of the same images, one at a time; BadImage as above. `tell` gets
    what a user is to know of them."""
    if not is_video(path):
        yield name, decode(path, max_megapixels, tell)
        return
    for index, frame in read_frames(path, every):
        yield f"{name}#{index:06d}", frame
