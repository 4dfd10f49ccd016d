"""Sets and restorations on the files of hostile.py: right, refused with a reason, or damaged in a way that nobody can know."""
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hostile import ENDINGS, File, files, strict

from pipeline.core.sources import Ingest, Set
from pipeline.images.ingest import ingest
from pipeline.images.shards import Shard
from pipeline.images.splits import SPLITS
from pipeline.restore.photo import read_photo
from pipeline.restore.save import save_photo

FILES = files()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for k, file in enumerate(FILES):
        path = folder / place(k, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
    return folder


def place(k: int, file: File) -> str:
    own = file.name if file.kind == "odd name" else f"{file.kind}/{k:03d} {file.name}"
    return own + ENDINGS[file.format]


@pytest.fixture(scope="module")
def taken(folder, tmp_path_factory) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """What a set of these files holds, by file, and why the others were refused."""
    out = tmp_path_factory.mktemp("set")
    entry, limits = Set(folder=str(folder), val=0.1, test=0.1, holdout=0), Ingest(max_rejected=len(FILES), max_megapixels=50)
    manifest, _ = ingest(entry, limits, 0, "sets.hostile", out)
    shards = [Shard(out / split) for split in SPLITS]
    images = {image["file"]: np.array(shard[k]) for shard in shards for k, image in enumerate(shard.images)}
    return images, {entry["file"]: entry["reason"] for entry in manifest["rejected"]}


def test_there_are_enough_of_each_kind_and_format():
    kinds, formats = Counter(file.kind for file in FILES), Counter(file.format for file in FILES)
    assert len(FILES) >= 200 and min(kinds.values()) >= 15 and len(kinds) == 9 and min(formats.values()) >= 15
    again = files()
    assert all(one.data == other.data for one, other in zip(FILES, again))


def test_a_set_has_the_right_pixels_or_a_reason(taken, capsys):
    images, reasons = taken
    counts, wrong = Counter(), []
    for k, file in enumerate(FILES):
        name = place(k, file)
        assert (name in images) != (name in reasons)
        if name in reasons:
            counts["refused"] += 1
            assert len(reasons[name]) > 10
            wrong += [f"{name}: {reasons[name]}"] if file.kind in ("intact", "one pixel", "odd name") else []
            continue
        same = file.wanted is not None and images[name].shape == file.wanted.shape and np.array_equal(images[name], file.wanted)
        if same and not file.must:
            counts["right"] += 1
        elif file.must or not strict(file) or file.kind in ("intact", "one pixel", "odd name"):
            wrong.append(f"{name}: taken")
        else:
            counts["unknowable"] += 1
    with capsys.disabled():
        print(f"\nhostile files: {counts['right']} right, {counts['refused']} refused, {counts['unknowable']} damaged in a way "
              "that cannot be known")
    assert wrong == [] and counts.total() == len(FILES)


def test_a_restoration_has_what_a_set_has_or_the_same_reason(taken, folder, tmp_path):
    images, reasons = taken
    for k, file in enumerate(FILES):
        name = place(k, file)
        try:
            photo = read_photo(folder / name, 50)
        except ValueError as error:
            assert str(error) == reasons.get(name) or "heic" in name
            continue
        assert name in images
        target = tmp_path / f"{k}{'.tif' if k % 2 else '.png'}"
        save_photo(target, photo, "Restage one 0123456789abcdef")
        back = read_photo(target, 50)
        colour = photo.colour  # 16-bit grey with alpha is written as equal colours
        if back.colour.ndim > colour.ndim:
            colour = np.repeat(colour[..., None], 3, 2)
        assert np.array_equal(back.colour, colour) and (photo.alpha is None) == (back.alpha is None)
        assert photo.alpha is None or np.array_equal(photo.alpha, back.alpha)
