"""Shards: the images of one split, packed into one `.npy` that is opened with mmap.

A folder with two files: `images.npy`, a flat array with every image's HWC bytes one after another, and `index.json`:

    {"dtype": "uint8", "images": [{"name", "scene", "height", "width", "offset"}, ...], "sha256": of images.npy}

A split that does not exist (captures without truth) is an index with `absent`, the reason in words, and no images.
"""
from pathlib import Path

import numpy as np

from pipeline.core.files import read_json, replacing, sha256, write_json

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

    def add(self, name: str, scene: str, image: np.ndarray) -> None:
        """Append one HWC RGB image of the shard's dtype."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != self.dtype:
            raise ValueError(f"{self.folder}: image {name} is {image.dtype} {image.shape}, "
                             f"wanted {self.dtype} (height, width, 3)")
        height, width, _ = image.shape
        self.images.append({"name": name, "scene": scene, "height": height, "width": width, "offset": self.size})
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
        index = read_json(self.folder / "index.json")
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

    `what_*` say in the user's terms (params) where each shard comes from. With scale None it is read off the first pair.
    Returns the scale.
    """
    sides = (inputs, what_inputs), (targets, what_targets)
    for (ours, mine), (theirs, other) in (sides, sides[::-1]):
        missing = sorted(set(ours.names) - set(theirs.names))
        if missing:
            raise ValueError(f"{mine} has {len(missing)} image(s) without a partner in {other}, the first is {missing[0]!r}")
    if inputs.names != targets.names:
        raise ValueError(f"{what_inputs} and {what_targets} hold the same names in another order")
    for a, b in zip(inputs.images, targets.images):
        if scale is None:
            scale = max(1, round(b["height"] / a["height"]))
        if (b["height"], b["width"]) != (scale * a["height"], scale * a["width"]):
            raise ValueError(f"{a['name']!r}: {what_inputs} is {a['width']}x{a['height']}, {what_targets} is "
                             f"{b['width']}x{b['height']}, wanted {scale} times the first")
    return scale or 1
