"""The images of a set, decoded once: split by scene, packed, optionally cut into patches.

A video file is a scene, so its frames, FILE#000120, never fall in two splits. It is decoded twice: to count and check its
frames before anything is written, and to take them. The faces in an image NAME are NAME#0, NAME#1, from the top.

Files are split by name before any is opened, so a damaged file only goes missing: it moves no other image. Patches are
cut from train and val images at places that depend on seed and name alone, in steps of an eighth of `size`: a set of
captures and the set of their truth, with sizes in proportion, are cut alike. A train or val image smaller than a patch
is rejected; patches of an image that turns out damaged are missing.
"""
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from pipeline.core.files import need_space, sha256_of_array, write_json
from pipeline.core.progress import track
from pipeline.core.seeds import rng
from pipeline.core.sources import TRUTH, Ingest, Set
from pipeline.images.contents import is_video, read_images, sizes_of
from pipeline.images.decode import IMAGE_SUFFIXES, BadImage
from pipeline.images.find import find_images, has_truth, passed_over
from pipeline.images.shards import ShardWriter
from pipeline.images.splits import SPLITS, SplitError, name_images, scene_of, split
from pipeline.images.video import VIDEO_SUFFIXES

CUT = ("train", "val")  # the splits that patches are cut from
SHOWN = 5  # rejected files in an error message


def ingest(entry: Set, limits: Ingest, seed: int, where: str, out: Path) -> tuple[dict, dict[str, list[str]]]:
    """Write the shards and the manifest of one set; returns the manifest, and the digests of the images of each split, before
    they are cut. `where` names the set in messages."""
    suffixes = IMAGE_SUFFIXES | (VIDEO_SUFFIXES if entry.video_every else set())
    files, others, rejected = find_images(Path(entry.folder), f"{where}.folder", suffixes, TRUTH if has_truth(entry) else "")
    if others:
        print(f"{where}: {passed_over(others)}", flush=True)
    names = name_images(files, entry.include, where, entry.views)
    if not names:
        raise SplitError(f"{where}.include: {entry.include!r} matches none of {len(files)} images in {entry.folder}, "
                         f"the first is {files[0]!r}")
    scenes = {name: scene_of(name, entry.scene, where) for name in names}
    parts = split(names, scenes, {"val": entry.val, "test": entry.test, "holdout": entry.holdout}, where)

    sizes, part_of = measure_files(names, parts, entry, limits, rejected, where)
    _refuse_if_too_many(rejected, limits.max_rejected, where)

    counts = share_out(entry.patches, part_of, sizes, where) if entry.patches else {}
    values = sum(counts[name] * entry.size**2 if name in counts else h * w for name, (h, w) in sizes.items()) * 3
    need_space(out, 0 if entry.faces else values, where)

    made = {part: {"images": 0, "scenes": set()} for part in SPLITS}
    digests = {part: set() for part in SPLITS}
    remarks, frames, faces = defaultdict(list), Counter(), Counter(searched=0, without=0, kept=0, too_small=0, too_large=0)
    with ExitStack() as stack:
        shards = {part: stack.enter_context(ShardWriter(out / part)) for part in SPLITS}
        for file, name, image in track(images(names, entry, limits, rejected, remarks), where, len(sizes)):
            part, scene = parts[file], scenes[file]
            origin = {"file": names[file]} | ({"whole": image.shape[:2]} if name in counts else {})
            digests[part] |= {sha256_of_array(image)} if image.min() < image.max() else set()  # an empty one is nobody's
            frames.update([file] if is_video(names[file]) else [])
            if entry.faces:
                pieces = faces_in(image, name, entry, limits, faces)
            else:
                pieces = cut(image, name, counts[name], entry.size, seed) if name in counts else [(name, image)]
            for piece, pixels in pieces:
                shards[part].add(piece, scene, pixels, **origin)
                made[part]["images"] += 1
                made[part]["scenes"].add(scene)
        _refuse_if_too_many(rejected, limits.max_rejected, where)
        if entry.faces and not faces["kept"]:
            raise SplitError(f"{where}.faces: none of {faces['too_small'] + faces['too_large']} faces in {faces['searched']} "
                             f"images makes a crop of {entry.faces[0]} to {entry.faces[1]} pixels")

    manifest = {
        "params": settings_of(entry, limits) | ({"seed": seed} if entry.patches else {}),
        "splits": {part: {"images": c["images"], "scenes": sorted(c["scenes"])} for part, c in made.items()},
        "ignored": len(others),
        "not_included": len(files) - len(set(names.values())),
        "rejected": [{"file": path, "reason": reason} for path, reason in sorted(rejected.items())],
    }
    if remarks:
        manifest["remarks"] = [{"file": path, "remarks": told} for path, told in sorted(remarks.items())]
    if entry.video_every:
        manifest["video"] = {"files": len(frames), "frames": frames.total()}
    if entry.faces:
        manifest["faces"] = dict(faces)
    write_json(out / "manifest.json", manifest)
    return manifest, {part: sorted(found) for part, found in digests.items()}


def measure_files(names: dict[str, str], parts: dict[str, str], entry: Set, limits: Ingest, rejected: dict,
                  where: str) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """({image: (height, width)}, {image: split}) from the headers; a video has several. Adds to `rejected`."""
    sizes, part_of = {}, {}
    for name, path in track(names.items(), f"{where}: headers", len(names)):
        try:
            found = sizes_of(Path(entry.folder, path), name, entry.video_every, limits.max_megapixels)
            height, width = next(iter(found.values()))
            if entry.patches and parts[name] in CUT and min(height, width) < entry.size:
                raise BadImage(f"{width}x{height} is smaller than a patch of {entry.size}x{entry.size}")
            sizes |= found
            part_of |= dict.fromkeys(found, parts[name])
        except BadImage as error:
            rejected[path] = str(error)
    return sizes, part_of


def settings_of(entry: Set, limits: Ingest) -> dict:
    """What of the params has a part in the set, for the manifest; not the folder, which differs from machine to machine."""
    settings = entry.model_dump(exclude={"folder", "video_every", "faces"}) | {"max_megapixels": limits.max_megapixels}
    settings |= {"video_every": entry.video_every} if entry.video_every else {}
    if entry.faces:
        settings |= {"faces": entry.faces, "face_margin": limits.face_margin, "face_neighbours": limits.face_neighbours}
    return settings


def images(names: dict[str, str], entry: Set, limits: Ingest, rejected: dict,
           remarks: dict[str, list[str]]) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield (name of a file, of an image in it, pixels) of the files that are not `rejected`, and add to these. `remarks` gets
    what a user is to know of how a file was read."""
    for name, path in names.items():
        if path in rejected:
            continue
        try:
            found = read_images(Path(entry.folder, path), name, entry.video_every, limits.max_megapixels,
                                lambda remark, path=path: remarks[path].append(remark))
            for image_name, image in found:
                yield name, image_name, image
        except BadImage as error:
            rejected[path] = str(error)


def faces_in(image: np.ndarray, name: str, entry: Set, limits: Ingest, tally: Counter) -> list[tuple[str, np.ndarray]]:
    from pipeline.images.faces import crop_faces  # few sets need the detector

    crops = crop_faces(image, entry.faces, limits.face_margin, limits.face_neighbours, tally)
    return [(f"{name}#{k}", crop) for k, crop in enumerate(crops)]


def share_out(total: int, parts: dict[str, str], sizes: dict[str, tuple[int, int]], where: str) -> dict[str, int]:
    """{name: number of patches}: `total` over the train images by area, and as many per image, at least one, over val.

    Whole-number arithmetic on ratios of areas: images all `scale` times as large get the same numbers.
    """
    members = {part: [name for name in sizes if parts[name] == part] for part in CUT}
    if not members["train"]:
        raise SplitError(f"{where}.patches: {total} patches wanted, but no image is in train")
    val = _rounded(total * len(members["val"]), len(members["train"]))
    counts = {}
    for part, left in (("train", total), ("val", max(1, val))):
        area_left = sum(height * width for height, width in (sizes[name] for name in members[part]))
        for name in members[part]:
            area = sizes[name][0] * sizes[name][1]
            counts[name] = _rounded(left * area, area_left)
            left, area_left = left - counts[name], area_left - area
    return counts


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def cut(image: np.ndarray, name: str, count: int, size: int, seed: int):
    """Yield `count` random patches (name#k, uint8 size x size x 3) of an image."""
    step = max(1, size // 8)
    places = [(side - size) // step + 1 for side in image.shape[:2]]
    draws = rng(seed, f"ingest/patches/{name}").integers(places, size=(count, 2)) * step
    for k, (top, left) in enumerate(draws.tolist()):
        yield f"{name}#{k}", image[top : top + size, left : left + size]


def _refuse_if_too_many(rejected: dict[str, str], allowed: int, where: str) -> None:
    if len(rejected) > allowed:
        shown = "; ".join(f"{path!r}: {reason}" for path, reason in sorted(rejected.items())[:SHOWN])
        more = f"; and {len(rejected) - SHOWN} more" if len(rejected) > SHOWN else ""
        raise SplitError(f"{where}: {len(rejected)} refused, ingest.max_rejected is {allowed}: {shown}{more}")
