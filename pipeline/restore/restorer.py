"""A row of the benchmark as a thing that restores photos: the Python side of `python -m pipeline restore`.

    from pipeline.restore.restorer import Restorer
    restorer = Restorer("sr-edsr-stage2")
    restorer.file("photo.jpg", "restored.png")
"""
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from pipeline.core.device import pick
from pipeline.core.files import need_space, sha256, sha256_of
from pipeline.core.params import PARAMS_FILE, load
from pipeline.restore.apply import quantise
from pipeline.restore.beside import write_beside
from pipeline.restore.chain import Chain
from pipeline.restore.learnt import Learnt, learnt_by
from pipeline.restore.manifest import read_manifest
from pipeline.restore.network import load_network
from pipeline.restore.photo import Photo, read_photo
from pipeline.restore.room import tile_for
from pipeline.restore.row import is_file, read_row
from pipeline.restore.save import FORMATS, check_target, depth_for, save_photo
from pipeline.restore.tiles import restore_into

IN_MEMORY = 2**26  # bytes; a larger output is kept in a temporary file
# Input pixels that go through together, where photos are smaller. On a CPU a pass of less costs more by the pixel (1.4 times
# at 32x32, 1.1 times at 64x64: bench.restore --together), a pass of more does not cost less; elsewhere a tile is the measure.
AT_ONCE = {"cpu": 2**14}
MARK = "Restage"  # what `Software` begins with in the EXIF of a restoration

Advance = Callable[[float], None]


def _nothing(pixels: int) -> None:
    pass


@dataclass
class Begun:
    """A photo that was read and is to be restored into a file."""
    photo: Photo
    target: Path
    dtype: np.dtype
    quality: int
    mark: str


class Restorer:
    """`names`: networks below `models`, rows of params.yaml, or files of rows that `export --to safetensors` wrote; each takes
    what the one before it made. An entry of `zssr` stands alone: it has no network, but learns one from each photo, whole
    (`chain` is None then).

    `tile`: pixels on a side that a network sees at a time, without the margin; by default as many as memory allows. It becomes
    smaller when memory runs out. Raises ValueError, FileNotFoundError or AbsentNetwork for what cannot be loaded.
    """

    def __init__(self, *names: str, models: Path | str = "models", device: str | None = None, precision: str = "fp32",
                 ensemble: bool = False, tile: int | None = None):
        self.precision, self.ensemble, self.chain, self.learnt = precision, ensemble, None, None
        self.names = [Path(name).name if is_file(name) else name for name in names]
        if entry := learnt_by(names, models):
            if ensemble or tile or precision != "fp32":
                raise ValueError(f"{names[0]}: learns a network from each photo, as zssr.{entry.key} says; ensemble, precision "
                                 "and tile are those of trained networks")
            self.learnt = Learnt(entry, _device(device, entry.threads))
            self.weights, self.scale = [self.learnt.hash], self.learnt.scale
            return
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
        self.tile, self.scale = tile or tile_for(self.chain), self.chain.scale

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
        self.finish(self.begin(photo, target, quality, max_megapixels), picture, advance)

    def begin(self, photo: Path | str, target: Path | str, quality: int = 95, max_megapixels: float = 200) -> Begun:
        """The first part of `file`: the photo is read, and the target can hold its restoration."""
        target = Path(target)
        if target.exists() and target.samefile(photo):
            raise ValueError(f"{target}: would overwrite the photo itself; name another place")
        mark = f"{MARK} {'+'.join(self.names)} {self.fingerprint(photo, target, quality)}"
        source = read_photo(photo, max_megapixels)
        dtype, (height, width) = depth_for(target, source.colour.dtype), source.colour.shape[:2]
        channels = source.colour[0, 0].size + (source.alpha is not None)
        check_target(target, height * self.scale, width * self.scale, channels * dtype.itemsize, source.alpha)
        target.parent.mkdir(parents=True, exist_ok=True)
        return Begun(source, target, dtype, quality, mark)

    def finish(self, begun: Begun, picture: Path | None = None, advance: Advance = _nothing,
               colour: np.ndarray | None = None) -> None:
        """The rest of `file`. `colour`: of the restoration, where `together` made it. To be done once with what has begun."""
        source, folder = begun.photo, begun.target.parent
        if colour is None:
            colour = self._restored(source.colour, begun.dtype, folder, advance)
        alpha = None
        if source.alpha is not None:
            alpha = self._alpha(source.alpha, begun.dtype, folder, lambda pixels: advance(0))
        if picture:
            write_beside(picture, source.colour, colour)
        del source
        begun.photo = replace(begun.photo, colour=colour, alpha=alpha)  # the pixels that were read go, for their memory
        save_photo(begun.target, begun.photo, begun.mark, begun.quality)

    @property
    def remark(self) -> str:
        """What a user is to know of these networks, or nothing."""
        name = "+".join(self.names)
        if self.chain is None:
            return f"{name} learns a network from each photo anew, so a photo takes minutes, and is held whole"
        if layers := self.chain.global_layers:
            return (f"{name} sees a whole image at once ({', '.join(layers)}), so large photos, in tiles, come out a little "
                    "different; the tiles are faded into each other")
        return ""

    def at_once(self, height: int, width: int) -> int:
        """How many photos of this size go through the networks together; 1 where that gains nothing."""
        if self.chain is None or not height * width:
            return 1
        room = min(self.tile**2, AT_ONCE.get(self.chain.device.type, self.tile**2))
        return max(room // (height * width), 1)

    def together(self, begun: list[Begun]) -> list[np.ndarray]:
        """The colours of restored photos of one size that went through the networks in one pass."""
        restored = self.chain.together([each.photo.colour for each in begun])
        return [quantise(colour if each.photo.colour.ndim == 3 else colour.mean(2), each.dtype)
                for each, colour in zip(begun, restored)]

    def fingerprint(self, photo: Path | str, target: Path | str, quality: int = 95) -> str:
        """A hash of all that makes a restoration: the photo's bytes, the weights, the settings."""
        lossy = FORMATS[Path(target).suffix.lower()] in ("JPEG", "WEBP")
        made = {"photo": sha256(photo), "weights": self.weights, "precision": self.precision,
                "ensemble": self.ensemble, "quality": quality if lossy else None}
        return sha256_of(made)[:16]

    def _restored(self, image: np.ndarray, dtype: np.dtype, folder: Path | None = None,
                  advance: Advance = _nothing) -> np.ndarray:
        height, width = image.shape[:2]
        output = _room_for((height * self.scale, width * self.scale, *image.shape[2:]), dtype, folder)
        if self.learnt:
            self.learnt.restore_into(output, image, advance)
        else:
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
    if not row.chain:
        raise ValueError(f"{name}: this row is the input itself, it has no network")
    return [*row.chain]


def _device(name: str | None, threads: int | None = None):
    if name is None:
        return pick(threads)
    before = os.environ.get("RESTAGE_DEVICE")
    os.environ["RESTAGE_DEVICE"] = name
    try:
        return pick(threads)
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
