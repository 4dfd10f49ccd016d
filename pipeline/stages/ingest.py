"""Ingest a folder of images as a set: `python -m pipeline.stages.ingest KEY` (images/ingest.py).

Writes data/sets/KEY/{train,val,test,holdout} (shards) and manifest.json: counts, scenes of each split, what was left out and
why. The same of the folder `truth` below the set's is data/sets/KEY/truth: the truth of the images, with their names, split and
cut as they are. data/contents/KEY.json has the digests of the images, by which those of truth are known under another name.
"""
import shutil
from pathlib import Path

from pipeline.core.edge import run_stage
from pipeline.core.files import write_json
from pipeline.core.params import load
from pipeline.core.sources import TRUTH, Ingest, Set
from pipeline.images.decode import IMAGE_SUFFIXES, read_size
from pipeline.images.find import find_images, has_truth
from pipeline.images.ingest import CUT, SHOWN, ingest
from pipeline.images.look_alike import look_alike
from pipeline.images.shards import Shard, write_absent
from pipeline.images.splits import SPLITS, SplitError, name_images

NONE = Path("data/none")
SETS, CONTENTS = Path("data/sets"), Path("data/contents")


def main(key: str) -> None:
    params = load()
    entry, out = params.entry("sets", key), SETS / key
    if Path(entry.folder) == NONE:
        shutil.rmtree(out, ignore_errors=True)
        for folder in (out, out / TRUTH):
            _absent(folder, f"sets.{key}.folder is {NONE}")
        write_json(CONTENTS / f"{key}.json", {key: {}, f"{key}/{TRUTH}": {}})
        return
    contents = {key: tell(key, *ingest(entry, params.ingest, params.seed, f"sets.{key}", out)), f"{key}/{TRUTH}": {}}
    if has_truth(entry):
        found = ingest_truth(entry, params.ingest, params.seed, f"sets.{key}", out)
        contents[f"{key}/{TRUTH}"] = tell(f"{key}/{TRUTH}", *found)
    else:
        shutil.rmtree(out / TRUTH, ignore_errors=True)
        _absent(out / TRUTH, f"sets.{key}.folder has no folder {TRUTH!r}")
    write_json(CONTENTS / f"{key}.json", contents)


def tell(key: str, manifest: dict, contents: dict) -> dict:
    """Print what was found; returns the contents."""
    print(f"{key}: " + ", ".join(f"{manifest['splits'][part]['images']} {part}" for part in SPLITS))
    if told := manifest.get("remarks"):
        shown = "; ".join(f"{entry['file']!r}: {', '.join(entry['remarks'])}" for entry in told[:SHOWN])
        print(f"{key}: {len(told)} files with remarks in manifest.json: {shown}" + ("; ..." if len(told) > SHOWN else ""))
    for what in ("video", "faces"):
        if what in manifest:
            print(f"{key}: {what}: " + ", ".join(f"{count} {name}" for name, count in manifest[what].items()))
    return contents


def _absent(out: Path, reason: str) -> None:
    for part in SPLITS:
        write_absent(out / part, reason)
    write_json(out / "manifest.json", {"absent": reason})


def ingest_truth(entry: Set, limits: Ingest, seed: int, where: str, out: Path) -> tuple[dict, dict]:
    """Write `out`/truth, the truth of the set in `out`; patches are cut where those of the set are. Returns as `ingest`."""
    folder = Path(entry.folder, TRUTH)
    if entry.faces or entry.video_every:
        raise SplitError(f"{where}.folder: {folder} is there, but faces and frames of videos have no truth beside them: rename "
                         "that folder, or leave out faces and video_every")
    size = entry.size * (scale_of_truth(entry, limits, where, out) if entry.patches else 1)
    larger = entry.model_copy(update={"folder": str(folder), "size": size})
    return ingest(larger, limits, seed, f"{where}/{TRUTH}", out / TRUTH)


def scale_of_truth(entry: Set, limits: Ingest, where: str, out: Path) -> int:
    """How many times larger the truth of the first image is that patches were cut from."""
    first = next(image for part in CUT for image in Shard(out / part).images)
    folder, name = Path(entry.folder, TRUTH), first["name"].rpartition("#")[0]
    files, _, _ = find_images(folder, f"{where}/{TRUTH}", IMAGE_SUFFIXES)
    names = name_images(files, entry.include, f"{where}/{TRUTH}", entry.views)
    path = names.get(name)
    if path is None:
        raise SplitError(f"{where}.folder: {first['file']!r} has no truth: {folder} holds no image of the name {name!r}"
                         f"{look_alike(name, names)}")
    return max(1, round(read_size(folder / path, limits.max_megapixels)[0] / first["whole"][0]))


if __name__ == "__main__":
    run_stage(main)
