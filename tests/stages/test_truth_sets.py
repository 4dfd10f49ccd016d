"""Sets that share images with the truth, by their folders and patterns or as copies."""
import itertools
import os
import random
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import smooth_image
from PIL import Image
from test_truth import defaults

from pipeline.compare.kinds import with_images
from pipeline.core.graph import graph
from pipeline.core.overlap import common_file
from pipeline.core.params import load
from pipeline.core.sources import Set
from pipeline.images.encode import write_png
from pipeline.images.splits import match
from pipeline.stages import ingest

PARTS = ("a", "b", "/", "*", "**", "**/", "a/")


def test_sets_share_a_file_when_some_path_matches_both_patterns():
    """Against all paths of up to six letters."""
    draw = random.Random(1)
    paths = ["".join(letters) for count in range(1, 7) for letters in itertools.product("ab/", repeat=count)]
    paths = [path for path in paths if "//" not in path and path[0] != "/" and path[-1] != "/"]
    several = 0
    for _ in range(400):
        ours, theirs, test, holdout = ("".join(draw.choices(PARTS, k=draw.randint(1, 4))) for _ in range(4))
        sets = Set(folder="x", video_every=0, faces=(), include=ours, test=test), Set(
            folder="x/a" if several % 2 else "x", video_every=0, faces=(), include=theirs, holdout=holdout)
        below = "a/" if several % 2 else ""

        of_ours = {path for path in paths if match(ours, path) is not None and match(test, path) is None}
        of_theirs = {below + path for path in paths if match(theirs, path) is not None and match(holdout, path) is None}
        file, known = common_file(*sets), of_ours & of_theirs
        assert bool(file) >= bool(known), (ours, theirs, test, holdout, below)
        if file:
            inner = file.removeprefix(below)
            assert match(ours, file) is not None and match(test, file) is None and file == below + inner
            assert match(theirs, inner) is not None and match(holdout, inner) is None
        several += bool(known)
    assert several > 20


@pytest.mark.parametrize("trained, truth, shared", [
    ({"folder": "p", "include": "LR/*x4"}, {"folder": "p", "include": "HR/*"}, False),
    ({"folder": "p", "include": "train/truth/00*"}, {"folder": "p", "include": "*/truth/*", "holdout": "train/*/00*"}, False),
    ({"folder": "p", "include": "train/truth/0*"}, {"folder": "p", "include": "*/truth/*", "holdout": "train/*/00*"}, True),
    ({"folder": "p"}, {"folder": "p/true"}, True), ({"folder": "p"}, {"folder": "p/truth"}, False),
    ({"folder": "p", "include": "truth/**"}, {"folder": "p/truth"}, True), ({"folder": "p"}, {"folder": "p/deep/truth"}, True),
    ({"folder": "p/clean"}, {"folder": "p/truth"}, False),
    ({"folder": "p", "include": "clean/**"}, {"folder": "p/truth"}, False), ({"folder": "pq"}, {"folder": "p"}, False),
    ({"folder": "data/none"}, {"folder": "data/none"}, False)])
def test_folders_and_patterns_tell_what_sets_share(trained, truth, shared):
    assert bool(common_file(*(Set(video_every=0, faces=(), **fields) for fields in (trained, truth)))) == shared


def test_a_link_to_the_folder_of_truth_is_that_folder(tmp_path):
    (tmp_path / "truth").mkdir()
    os.symlink(tmp_path / "truth", tmp_path / "other")
    assert common_file(*(Set(video_every=0, faces=(), folder=str(tmp_path / name)) for name in ("other", "truth")))


def test_a_copy_of_an_image_of_truth_is_found_whatever_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    photos = {f"{name}{i}": smooth_image(rng, 33, 41) for name in ("truth", "clean", "held") for i in range(4)}
    photos["flat"] = np.full((33, 41, 3), 90, np.uint8)
    places = {"truth": ["truth0", "truth1", "held0", "flat"], "clean": ["clean0", "clean1", "flat", "held0"],
              "copy": ["clean2", "clean3", "truth1"]}
    for folder, names in places.items():
        for name in names:
            write_png(Path(folder, f"{name}.png"), photos[name])
    os.replace("copy/truth1.png", "copy/z.png")
    with Image.open("copy/z.png") as image:
        image.save("copy/z.bmp")
    os.unlink("copy/z.png")
    values = defaults()
    plain = {"video_every": 0, "faces": [], "val": 0, "test": 0}
    values["sets"] |= {"copy": plain | {"folder": "copy"}, "clean": plain | {"folder": "clean"},
                       "sr-truth": plain | {"folder": "truth", "holdout": "held*"}}
    for key, entry in values["sets"].items():
        entry["folder"] = entry["folder"] if key in ("copy", "clean", "sr-truth") else "data/none"
    Path("params.yaml").write_text(yaml.safe_dump(values))
    for key in values["sets"]:
        ingest.main(key)
    lineage = graph(load())
    assert {key: why for key, why in with_images(lineage).truths.items() if key not in lineage.truths} == {
        "copy": "sets.copy, which holds 1 of the images of sets.sr-truth"}
    values["sets"]["sr-truth"]["folder"] = "data/none"
    Path("params.yaml").write_text(yaml.safe_dump(values))
    ingest.main("sr-truth")
    assert with_images(graph(load())).truths == lineage.truths
