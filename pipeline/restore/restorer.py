"""A row of the benchmark as a thing that restores photos: the Python side of `python -m pipeline restore`.

    from pipeline.restore.restorer import Restorer
    restorer = Restorer("sr-edsr-stage2")
    restorer.file("photo.jpg", "restored.png")
"""
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from pipeline.core.device import pick
from pipeline.core.files import need_space, sha256, sha256_of
from pipeline.core.params import PARAMS_FILE, load
from pipeline.restore.beside import write_beside
from pipeline.restore.chain import Chain
from pipeline.restore.network import load_network, read_manifest
from pipeline.restore.photo import read_photo
from pipeline.restore.room import tile_for
from pipeline.restore.row import is_file, read_row
from pipeline.restore.save import FORMATS, check_target, depth_for, save_photo
from pipeline.restore.tiles import restore_into

IN_MEMORY = 2**26  # bytes; a larger output is kept in a temporary file
MARK = "Restage"  # what `Software` begins with in the EXIF of a restoration

Advance = Callable[[int], None]


def _nothing(pixels: int) -> None:
    pass


class Restorer:
    """`names`: networks below `models`, rows of params.yaml, or files of rows that `export --to safetensors` wrote; each takes
    what the one before it made.

    `tile`: pixels on a side that a network sees at a time, without the margin; by default as many as memory allows. It becomes
    smaller when memory runs out. Raises ValueError, FileNotFoundError or AbsentNetwork for what cannot be loaded.
    """

    def __init__(self, *names: str, models: Path | str = "models", device: str | None = None, precision: str = "fp32",
                 ensemble: bool = False, tile: int | None = None):
        place, networks, self.weights = _device(device), [], []
        for name in names:
            if is_file(name):
                networks += read_row(name, place)
                self.weights.append(sha256(name))
                continue
            for folder in (Path(models, network) for network in networks_of(name, models)):
                networks.append(load_network(folder, place))
                self.weights.append(read_manifest(folder)["weights"])
        self.chain = Chain(networks, ensemble, precision)
        self.names = [Path(name).name if is_file(name) else name for name in names]
        self.tile = tile or tile_for(self.chain)
        self.scale = self.chain.scale

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 or uint16; (height, width, 3) RGB, with alpha as a fourth channel, or (height, width) grey -> the same,
        `scale` times larger."""
        if image.dtype not in (np.uint8, np.uint16) or image.shape[2:] not in ((), (3,), (4,)) or not image.size:
            raise ValueError(f"image is {image.dtype} {image.shape}, wanted uint8 or uint16 and (height, width) grey, "
                             "(height, width, 3) or (height, width, 4)")
        if image.ndim == 3 and image.shape[2] == 4:
            return np.dstack((self(image[..., :3]), self._alpha(image[..., 3], image.dtype)))
        return self._restored(image, image.dtype)

    def file(self, photo: Path | str, target: Path | str, quality: int = 95, max_megapixels: float = 200,
             picture: Path | None = None, advance: Advance = _nothing) -> None:
        """Restore a file into another, whose suffix says its format; if `picture`, write both side by side there. `advance` is
        as in `restore_into`.

        Raises BadImage for a photo, ValueError for a target that cannot hold its restoration, OSError, and MemoryError.
        """
        target = Path(target)
        if target.exists() and target.samefile(photo):
            raise ValueError(f"{target}: would overwrite the photo itself; name another place")
        mark = f"{MARK} {'+'.join(self.names)} {self.fingerprint(photo, target, quality)}"
        source = read_photo(photo, max_megapixels)
        dtype, (height, width) = depth_for(target, source.colour.dtype), source.colour.shape[:2]
        channels = source.colour[0, 0].size + (source.alpha is not None)
        check_target(target, height * self.scale, width * self.scale, channels * dtype.itemsize, source.alpha)
        target.parent.mkdir(parents=True, exist_ok=True)
        colour, alpha = self._restored(source.colour, dtype, target.parent, advance), None
        if source.alpha is not None:
            alpha = self._alpha(source.alpha, dtype, target.parent, lambda pixels: advance(0))
        restored = replace(source, colour=colour, alpha=alpha)
        if picture:
            write_beside(picture, source.colour, restored.colour)
        del source  # for its memory
        save_photo(target, restored, mark, quality)

    def fingerprint(self, photo: Path | str, target: Path | str, quality: int = 95) -> str:
        """A hash of all that makes a restoration: the photo's bytes, the weights, the settings."""
        lossy = FORMATS[Path(target).suffix.lower()] in ("JPEG", "WEBP")
        made = {"photo": sha256(photo), "weights": self.weights, "precision": self.chain.precision,
                "ensemble": self.chain.ensemble, "quality": quality if lossy else None}
        return sha256_of(made)[:16]

    def _restored(self, image: np.ndarray, dtype: np.dtype, folder: Path | None = None,
                  advance: Advance = _nothing) -> np.ndarray:
        height, width = image.shape[:2]
        output = _room_for((height * self.scale, width * self.scale, *image.shape[2:]), dtype, folder)
        self.tile = restore_into(output, self.chain, image, self.tile, advance)
        return output

    def _alpha(self, alpha: np.ndarray, dtype: np.dtype, folder: Path | None = None,
               advance: Advance = _nothing) -> np.ndarray:
        """At the same size it stays; larger it is restored as grey, but what is even stays even, so opaque stays opaque."""
        if self.scale > 1:
            even = cv2.dilate(alpha, np.ones((3, 3))) == cv2.erode(alpha, np.ones((3, 3)))
            larger = self._restored(alpha, alpha.dtype, folder, advance) if not even.all() else None
            even, kept = (_repeat(values, self.scale) for values in (even, alpha))
            alpha = kept if larger is None else np.where(even, kept, larger)
        return alpha if alpha.dtype == dtype else ((alpha.astype(np.uint32) + 128) // 257).astype(dtype)


def networks_of(name: str, models: Path | str = "models") -> list[str]:
    """The networks behind a name: itself, or those of a row in params.yaml. Raises ValueError for a row without any."""
    if Path(models, name, "manifest.json").is_file() or not PARAMS_FILE.is_file():
        return [name]
    row = load().rows.get(name)
    if row is None:
        return [name]
    networks = [network for network in (row.first, row.second, row.third) if network != "none"]
    if not networks:
        raise ValueError(f"{name}: this row is the input itself, it has no network")
    return networks


def _device(name: str | None):
    if name is None:
        return pick()
    before = os.environ.get("RESTAGE_DEVICE")
    os.environ["RESTAGE_DEVICE"] = name
    try:
        return pick()
    except SystemExit as error:
        raise ValueError(f"device {name}: {error}") from None
    finally:
        os.environ.pop("RESTAGE_DEVICE")
        os.environ.update({"RESTAGE_DEVICE": before} if before else {})


def _room_for(shape: tuple[int, ...], dtype: np.dtype, folder: Path | None) -> np.ndarray:
    """An array in memory, or a large one in a file that has no name, so that nothing is left of it whatever happens."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if folder is None or size <= IN_MEMORY:
        return np.empty(shape, dtype)
    need_space(folder, 2 * size, "the restoration")  # until it is encoded, twice
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, dtype, "w+", shape=shape)


def _repeat(values: np.ndarray, scale: int) -> np.ndarray:
    return values.repeat(scale, axis=0).repeat(scale, axis=1)
