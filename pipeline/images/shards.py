"""Shards: the images of one split, packed into one `.npy` that is opened with mmap.

A folder with two files: `images.npy`, a flat array with every image's HWC bytes one after another, and `index.json`:

    {"dtype": "uint8", "images": [{"name", "scene", "height", "width", "offset"}, ...], "sha256": of images.npy}

An image read from a file also has `file`, its path below the set's folder, and a patch `whole`, height and width of the
image it was cut from.
A split that does not exist (captures without truth) is an index with `absent`, the reason in words, and no images.
"""
from pathlib import Path
from statistics import mode

import numpy as np

from pipeline.core.files import read_json, replacing, sha256, write_json
from pipeline.images.look_alike import look_alike

FULL_SCALE = {"uint8": 255, "uint16": 65535}


class ShardWriter:
    """Appends images to a shard; nothing but the image in hand is held in memory.

    Use as a context manager: the index is written on a clean exit only, so a shard with an index is whole.
    """

    def __init__(self, folder: Path | str, dtype: str = "uint8"):
        if dtype not in FULL_SCALE:
            raise ValueError(f"{folder}: dtype is {dtype!r}, allowed are {', '.join(FULL_SCALE)}")
        self.folder, self.dtype, self.images, self.size = Path(folder), np.dtype(dtype), [], 0

    def __enter__(self):
        self._replacing = replacing(self.folder / "images.npy")
        self._handle = self._replacing.__enter__()
        self._write_header()
        return self

    def add(self, name: str, scene: str, image: np.ndarray, **origin) -> None:
        """Append one HWC RGB image of the shard's dtype; `origin` is what the index says besides: file, whole."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != self.dtype:
            raise ValueError(f"{self.folder}: image {name} is {image.dtype} {image.shape}, "
                             f"wanted {self.dtype} (height, width, 3)")
        height, width, _ = image.shape
        self.images.append({"name": name, "scene": scene, "height": height, "width": width, "offset": self.size} | origin)
        self.size += image.size
        self._handle.write(np.ascontiguousarray(image).data)

    def __exit__(self, *error):
        if error[0] is None:
            self._handle.seek(0)
            self._write_header()  # numpy pads headers so that a longer shape fits in the same place
        self._replacing.__exit__(*error)
        if error[0] is None:
            write_json(self.folder / "index.json", {"dtype": self.dtype.name, "images": self.images,
                                                    "sha256": sha256(self.folder / "images.npy")})

    def _write_header(self):
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.size,)}
        np.lib.format.write_array_header_1_0(self._handle, header)


def write_absent(folder: Path | str, reason: str) -> None:
    """Write the shard of a split that does not exist."""
    write_json(Path(folder) / "index.json", {"absent": reason, "images": []})


class Shard:
    """Read-only view of a shard: `shard[i]` is image i, uint8 or uint16 HWC RGB, straight from the page cache."""

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        if not (self.folder / "index.json").is_file():
            raise FileNotFoundError(f"{self.folder}: no index.json: not a shard, or one whose making was cut off")
        self._read(read_json(self.folder / "index.json"))

    @classmethod
    def missing(cls, folder: Path | str, reason: str) -> "Shard":
        """A shard of a folder that is not there, absent for `reason`."""
        shard = cls.__new__(cls)
        shard.folder = Path(folder)
        shard._read({"absent": reason, "images": []})
        return shard

    def _read(self, index: dict) -> None:
        self.absent: str | None = index.get("absent")
        self.images: list[dict] = index["images"]
        self.sha256: str | None = index.get("sha256")
        self.dtype = np.dtype(index.get("dtype", "uint8"))
        self.full_scale = FULL_SCALE[self.dtype.name]
        self._data = None
        if self.images:
            self._data = np.load(self.folder / "images.npy", mmap_mode="r")
            last = self.images[-1]
            if self._data.size != last["offset"] + last["height"] * last["width"] * 3:
                raise ValueError(f"{self.folder}/images.npy holds {self._data.size} values, index.json speaks of another count")

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i: int) -> np.ndarray:
        entry = self.images[i]
        height, width, start = entry["height"], entry["width"], entry["offset"]
        return self._data[start : start + height * width * 3].reshape(height, width, 3)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    @property
    def names(self) -> list[str]:
        return [entry["name"] for entry in self.images]

    @property
    def scenes(self) -> list[str]:
        return [entry["scene"] for entry in self.images]


def check_pairing(inputs: Shard, targets: Shard, scale: int | None, what_inputs: str, what_targets: str) -> int:
    """Raise ValueError unless both shards hold the same names in the same order and targets are `scale` times as large.

    Of patches, the images they were cut from have to be so as well. `what_*` say in the user's terms (params) where each
    shard comes from; the message tells the first image at fault, and its file where that is known. With scale None it is
    what most pairs have. Returns the scale.
    """
    all_patches = all("whole" in entry for entry in inputs.images + targets.images)
    for of_patches in (True, False) if all_patches else (False,):
        _check_names(inputs, targets, what_inputs, what_targets, of_patches)
        if not of_patches and inputs.names != targets.names:
            raise ValueError(f"{what_inputs} and {what_targets} hold the same names in another order")
        scale = _check_sizes(_images(inputs, of_patches), _images(targets, of_patches), scale, what_inputs, what_targets)
    return scale


def _images(shard: Shard, of_patches: bool) -> dict[str, dict]:
    """{name: entry} of the images, or of those that the patches among them were cut from."""
    found = {}
    for entry in shard.images:
        if of_patches and "whole" in entry:
            height, width = entry["whole"]
            entry = entry | {"name": entry["name"].rpartition("#")[0], "height": height, "width": width}
        found[entry["name"]] = entry
    return found


def _check_names(inputs: Shard, targets: Shard, what_inputs: str, what_targets: str, of_patches: bool) -> None:
    """One missing file can move others to another split, so the one that is missing is looked for in all that both have."""
    here = _images(inputs, of_patches).keys() ^ _images(targets, of_patches).keys()
    if not here:
        return
    splits = [split for split in ("train", "val", "test", "holdout")
              if all((shard.folder.with_name(split) / "index.json").is_file() for shard in (inputs, targets))]
    sides = [(_in_splits(inputs, splits, of_patches), what_inputs), (_in_splits(targets, splits, of_patches), what_targets)]
    for (ours, mine), (theirs, other) in (sides, sides[::-1]):
        if alone := sorted(ours.keys() - theirs.keys()):
            raise ValueError(f"{mine} has {len(alone)} image(s) without a partner in {other}, the first is "
                             f"{alone[0]!r}{_file(ours[alone[0]])}{look_alike(alone[0], theirs)}")
    raise ValueError(f"{what_inputs} and {what_targets} hold the same images in different splits, the first is {min(here)!r}: "
                     "scene, val, test and holdout have to be the same in both")


def _in_splits(shard: Shard, splits: list[str], of_patches: bool) -> dict[str, dict]:
    """As `_images`, of these splits of a set; of the shard alone when it is none of them."""
    shards = [Shard(shard.folder.with_name(split)) for split in splits] if shard.folder.name in splits else [shard]
    return {name: entry for found in shards for name, entry in _images(found, of_patches).items()}


def _check_sizes(inputs: dict, targets: dict, scale: int | None, what_inputs: str, what_targets: str) -> int:
    pairs = [(a, targets[name]) for name, a in inputs.items()]
    if scale is None:
        scale = mode(max(1, round(b["height"] / a["height"])) for a, b in pairs) if pairs else 1
    for a, b in pairs:
        if (b["height"], b["width"]) != (scale * a["height"], scale * a["width"]):
            raise ValueError(f"{a['name']!r}: {what_inputs} is {a['width']}x{a['height']}{_file(a)}, {what_targets} is "
                             f"{b['width']}x{b['height']}{_file(b)}, wanted {scale} times the first")
    return scale


def _file(entry: dict) -> str:
    return f" ({entry['file']})" if "file" in entry else ""
