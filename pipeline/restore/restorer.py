"""A row of the benchmark as a thing that restores photos: the Python side of `python -m pipeline restore`.

    from pipeline.restore.restorer import Restorer
    restorer = Restorer("sr-edsr-stage2")
    restorer.file("photo.jpg", "restored.png")
"""
import tempfile
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from pipeline.core.device import pick
from pipeline.core.files import need_space, sha256, sha256_of
from pipeline.images.picture import Picture
from pipeline.restore.kept import Kept
from pipeline.restore.learnt import Learnt, learnt_by
from pipeline.restore.located import HUB_WEIGHTS, located
from pipeline.restore.memory import tile_for
from pipeline.restore.mix import AtStrength, blend_of, check_mask, keep_black, read_mask
from pipeline.restore.model import Turned, in_bf16
from pipeline.restore.named import hashes_of, is_file, named
from pipeline.restore.photo import read_photo
from pipeline.restore.pixels import quantise
from pipeline.restore.save import FORMATS, check_target, depth_for, save_photo
from pipeline.restore.side_by_side import write_side_by_side
from pipeline.restore.tiles import aligned, in_one_pass, largest, restore_into, usual_tile

IN_MEMORY = 2**26  # bytes; a larger output is kept in a temporary file
# Input pixels that go through together, where photos are smaller. On a CPU a pass of less costs more by the pixel (1.4 times
# at 32x32, 1.1 times at 64x64: bench.restore --together), a pass of more does not cost less; elsewhere a tile is the measure.
AT_ONCE = {"cpu": 2**14}
MASK_MEGAPIXELS = 1000  # more than any photo that is restored by default
READER = 2  # counts the changes of how photos are read; 1 took some colours and TIFFs wrongly, and these are restored anew
MARK = "Restage"  # what `Software` begins with in the EXIF of a restoration

Advance = Callable[[float], None]


def _nothing(pixels: int) -> None:
    pass


@dataclass
class Begun:
    """A photo that was read and is to be restored into a file."""
    photo: Picture
    target: Path
    dtype: np.dtype
    quality: int
    mark: str


class Restorer:
    """`names`: networks below `models`, starters, rows of params.yaml, files of rows that `export --to safetensors` wrote, or
    folders of `export --to hub`; each takes what the one before it made. An entry of `zssr` stands alone: it has no network,
    but learns one from each photo, whole (`model` is None then).

    `tile`: pixels on a side that a network sees at a time, without the margin; by default as many as memory allows. It becomes
    smaller when memory runs out. `strength`: 0 gives the photo, 1 the restoration, up to 1.5 more than that. `blend`: another
    name and its share, 0 to 1, in what is made. `mask`: a picture of the photos' size, black where they stay as they are.
    `keep`: bytes of memory for what the networks last answered, so that the same photo `at` another strength takes no time.

    Raises ValueError, FileNotFoundError or AbsentNetwork for what cannot be loaded.
    """

    def __init__(self, *names: str, models: Path | str = "models", device: str | None = None, precision: str = "fp32",
                 ensemble: bool = False, tile: int | None = None, strength: float = 1, blend: tuple[str, float] | None = None,
                 mask: Path | str | None = None, keep: int = 0):
        self.precision, self.ensemble, self.model, self.learnt, self.tile = precision, ensemble, None, None, None
        names = tuple(located(name, models) for name in names)
        self.names = [_label(name) for name in names]
        self.mask = read_mask(mask, MASK_MEGAPIXELS) if mask else None
        self.mixed = {"strength": strength} if strength != 1 else {}
        self.mixed |= {"mask": sha256(mask)} if mask else {}
        if found := learnt_by(names, models):
            params, key = found
            if ensemble or tile or precision != "fp32" or strength != 1 or blend:
                raise ValueError(f"{names[0]}: learns a network from each photo, as zssr.{key} says; ensemble, precision, "
                                 "tile, strength and blend are those of trained networks")
            self.learnt = Learnt(params, key, pick(params.threads, device))
            self.weights, self.scale = [self.learnt.hash], self.learnt.scale
            return
        if precision not in ("fp32", "bf16"):
            raise ValueError(f"precision: got {precision!r}, allowed are fp32, bf16")
        model = named(*names, models=models, device=pick(name=device))
        if blend:
            other, share = located(blend[0], models), blend[1]
            model = blend_of(model, named(other, models=models, device=model.device), share)
            self.mixed["blend"] = [hashes_of(other, models=models), share]
        model = Turned(model) if ensemble else model
        model = in_bf16(model) if precision == "bf16" else model
        self.whole = Kept(model, keep) if keep else model
        self.model = self.whole if strength == 1 else AtStrength(self.whole, strength)
        self.weights, self.scale = hashes_of(*names, models=models), model.scale
        self.tile = aligned(tile, self.model) if tile else tile_for(self.model)

    def at(self, strength: float) -> "Restorer":
        """One with the same networks in memory, and another strength. Raises ValueError for one that is not allowed."""
        if self.model is None:
            raise ValueError(f"{self.names[0]}: learns a network from each photo, and knows no strength")
        other = copy(self)
        other.model = self.whole if strength == 1 else AtStrength(self.whole, strength)
        other.mixed = {key: value for key, value in self.mixed.items() if key != "strength"}
        other.mixed |= {"strength": strength} if strength != 1 else {}
        return other

    def __call__(self, image: np.ndarray, advance: Advance = _nothing) -> np.ndarray:
        """uint8 or uint16; (height, width, 3) RGB, with alpha as a fourth channel, or (height, width) grey -> the same,
        `scale` times larger. `advance` is as in `restore_into`."""
        if image.dtype not in (np.uint8, np.uint16) or image.shape[2:] not in ((), (3,), (4,)) or not image.size:
            raise ValueError(f"image is {image.dtype} {image.shape}, wanted uint8 or uint16 and (height, width) grey, "
                             "(height, width, 3) or (height, width, 4)")
        if image.ndim == 3 and image.shape[2] == 4:
            return np.dstack((self(image[..., :3], advance), self._alpha(image[..., 3], image.dtype)))
        if self.mask is not None:
            check_mask(self.mask, image)
        return self._masked(self._restored(image, image.dtype, None, advance), image)

    def file(self, photo: Path | str, target: Path | str, quality: int = 95, max_megapixels: float = 200,
             picture: Path | None = None, advance: Advance = _nothing) -> tuple[str, ...]:
        """Restore a file into another, whose suffix says its format; if `picture`, write both side by side there. `advance` is
        as in `restore_into`. Returns what a user is to know of how the photo was read and written. Raises BadImage for a photo,
        ValueError for a target that cannot hold its restoration, OSError, and MemoryError."""
        return self.finish(self.begin(photo, target, quality, max_megapixels), picture, advance)

    def begin(self, photo: Path | str, target: Path | str, quality: int = 95, max_megapixels: float = 200) -> Begun:
        """The first part of `file`: the photo is read, and the target can hold its restoration."""
        target = Path(target)
        if target.exists() and target.samefile(photo):
            raise ValueError(f"{target}: would overwrite the photo itself; name another place")
        mark = f"{MARK} {'+'.join(self.names)} {self.fingerprint(photo, target, quality)}"
        source = read_photo(photo, max_megapixels)
        dtype, (height, width) = depth_for(target, source.colour.dtype), source.colour.shape[:2]
        if self.mask is not None:
            check_mask(self.mask, source.colour)
        channels = source.colour[0, 0].size + (source.alpha is not None)
        check_target(target, height * self.scale, width * self.scale, channels * dtype.itemsize, source.alpha)
        target.parent.mkdir(parents=True, exist_ok=True)
        return Begun(source, target, dtype, quality, mark)

    def finish(self, begun: Begun, picture: Path | None = None, advance: Advance = _nothing,
               colour: np.ndarray | None = None) -> tuple[str, ...]:
        """The rest of `file`, and what that returns. `colour`: of the restoration, where `together` made it. To be done once
        with what has begun."""
        source, folder = begun.photo, begun.target.parent
        if colour is None:
            colour = self._restored(source.colour, begun.dtype, folder, advance)
        colour = self._masked(colour, source.colour)
        alpha = None
        if source.alpha is not None:
            alpha = self._alpha(source.alpha, begun.dtype, folder, lambda pixels: advance(0))
        if picture:
            write_side_by_side(picture, source.colour, colour, source.profile)
        del source
        begun.photo = replace(begun.photo, colour=colour, alpha=alpha)  # the pixels that were read go, for their memory
        return begun.photo.remarks + save_photo(begun.target, begun.photo, begun.mark, begun.quality)

    @property
    def remark(self) -> str:
        """What a user is to know of these networks, or nothing."""
        name = "+".join(self.names)
        if self.model is None:
            return f"{name} learns a network from each photo anew, so a photo takes minutes, and is held whole"
        if self.model.exact:
            return ""
        at_once = f"photos of up to {largest(self.model) / 1e6:g} megapixels go through at once"
        if self.tile < usual_tile(self.model):
            at_once = f"memory, or --tile, allows for no more than tiles of {self.tile} pixels"
        return (f"{name} sees a whole image at once ({', '.join(self.model.sees_all)}): {at_once}; larger ones, in tiles that "
                "are faded into each other, come out a little different")

    def at_once(self, height: int, width: int) -> int:
        """How many photos of this size go through the networks together; 1 where that gains nothing."""
        if self.model is None or not height * width:
            return 1
        pixels = min(self.tile**2, AT_ONCE.get(self.model.device.type, self.tile**2))
        return max(pixels // (height * width), 1)

    def together(self, begun: list[Begun]) -> list[np.ndarray]:
        """The colours of restored photos of one size that went through the networks in one pass."""
        restored = in_one_pass(self.model, [each.photo.colour for each in begun])
        return [quantise(colour if each.photo.colour.ndim == 3 else colour.mean(2), each.dtype)
                for each, colour in zip(begun, restored)]

    def fingerprint(self, photo: Path | str, target: Path | str, quality: int = 95) -> str:
        """A hash of all that makes a restoration: the photo's bytes, how they are read, the weights, the settings."""
        lossy = FORMATS[Path(target).suffix.lower()] in ("JPEG", "WEBP")
        made = {"photo": sha256(photo), "reader": READER, "quality": quality if lossy else None} | self.settings
        return sha256_of(made)[:16]

    @property
    def settings(self) -> dict:
        """What of a restoration depends on the networks and on how they are used, as it can be written as JSON."""
        return {"weights": self.weights, "precision": self.precision, "ensemble": self.ensemble} | self.mixed

    def _restored(self, image: np.ndarray, dtype: np.dtype, folder: Path | None = None,
                  advance: Advance = _nothing) -> np.ndarray:
        height, width = image.shape[:2]
        output = _empty((height * self.scale, width * self.scale, *image.shape[2:]), dtype, folder)
        if self.learnt:
            self.learnt.restore_into(output, image, advance)
        else:
            self.tile = restore_into(output, self.model, image, self.tile, advance, halve=True)
        return output

    def _masked(self, restored: np.ndarray, photo: np.ndarray) -> np.ndarray:
        """The restoration, changed in place where a mask keeps the photo."""
        if self.mask is not None:
            keep_black(restored, photo, self.mask)
        return restored

    def _alpha(self, alpha: np.ndarray, dtype: np.dtype, folder: Path | None = None,
               advance: Advance = _nothing) -> np.ndarray:
        """At the same size it stays; larger it is restored as grey, but what is even stays even, so opaque stays opaque."""
        if self.scale > 1:
            even = cv2.dilate(alpha, np.ones((3, 3))) == cv2.erode(alpha, np.ones((3, 3)))
            larger = self._restored(alpha, alpha.dtype, folder, advance) if not even.all() else None
            even, kept = (values.repeat(self.scale, axis=0).repeat(self.scale, axis=1) for values in (even, alpha))
            alpha = kept if larger is None else np.where(even, kept, larger)
        return alpha if alpha.dtype == dtype else ((alpha.astype(np.uint32) + 128) // 257).astype(dtype)


def _label(name: str) -> str:
    """A name as it stands in what was restored: without folders, and for a folder of `export --to hub` that folder's."""
    path = Path(name)
    return path.resolve().parent.name if path.name == HUB_WEIGHTS else path.name if is_file(name) else name


def _empty(shape: tuple[int, ...], dtype: np.dtype, folder: Path | None) -> np.ndarray:
    """An array in memory, or a large one in a file that has no name, so that nothing is left of it whatever happens."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if folder is None or size <= IN_MEMORY:
        return np.empty(shape, dtype)
    need_space(folder, 2 * size, "the restoration")  # until it is encoded, twice
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, dtype, "w+", shape=shape)
