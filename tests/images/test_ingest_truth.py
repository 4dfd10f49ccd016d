"""Truth in a folder of the captures."""
# ruff: noqa: F811
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_ingest import SPLITS, names, picture, project, run, tree  # noqa: F401

from pipeline.images.shards import Shard, check_pairing


def pictures_with_truth(folder: str, scale: int = 2, count: int = 8) -> None:
    for k in range(count):
        small = picture(f"{folder}/{k}.png", 25 + k, 33, k)
        Path(f"{folder}/truth").mkdir(exist_ok=True)
        Image.fromarray(np.kron(small, np.ones((scale, scale, 1), np.uint8))).save(f"{folder}/truth/{k}.png")


def shards_without_truth() -> dict[str, bytes]:
    return {name: data for name, data in tree("data/sets/mine").items() if not name.startswith("truth/")}


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("patches", [0, 30])
def test_truth_below_the_captures_is_a_set_split_and_cut_as_they_are(project, scale, patches):
    pictures_with_truth("photos", scale)
    run(val=0.2, test=0.3, patches=patches)
    assert names("mine") == names("mine/truth") and [len(found) > 0 for found in names("mine").values()] == [True] * 3 + [False]
    for split in SPLITS:
        captures, truth = (Shard(f"data/sets/{key}/{split}") for key in ("mine", "mine/truth"))
        assert check_pairing(captures, truth, scale, "captures", "truth") == scale or not len(captures)
        for small, large in zip(captures, truth):
            assert np.array_equal(np.kron(small, np.ones((scale, scale, 1), np.uint8)), large)


@pytest.mark.parametrize("patches", [0, 30])
def test_truth_that_is_taken_away_leaves_the_captures_as_they_were(project, patches):
    pictures_with_truth("photos")
    run(val=0.2, test=0.3, patches=patches)
    with_truth = shards_without_truth()
    shutil.move("photos/truth", "elsewhere")
    run(val=0.2, test=0.3, patches=patches)
    assert shards_without_truth() == with_truth
    for split in SPLITS:
        assert Shard(f"data/sets/mine/truth/{split}").absent == "sets.mine.folder has no folder 'truth'"
    assert not list(Path("data/sets/mine/truth").rglob("images.npy"))


def test_truth_is_not_taken_for_captures_and_other_folders_of_this_name_are(project):
    pictures_with_truth("photos", count=3)
    picture("photos/deeper/truth/9.png")
    run()
    assert names()["train"] == ["0", "1", "2", "deeper/truth/9"] and names("mine/truth")["train"] == ["0", "1", "2"]
    run("other", include="truth/*")  # a set of that folder alone, as a set of truth may be
    assert names("other")["train"] == ["0", "1", "2"]
    assert Shard("data/sets/other/train")[0].shape == (50, 66, 3) and Shard("data/sets/other/truth/train").absent


def test_truth_that_does_not_fit_the_captures_is_refused_by_name(project):
    pictures_with_truth("photos", count=3)
    for k in range(3):
        Path(f"photos/truth/{k}.png").rename(f"photos/truth/other{k}.png")
    wanted = r"sets.mine.folder: '.\.png' has no truth: photos/truth holds no image of the name '.'"
    assert re.match(wanted, refused_late(patches=9))
    shutil.rmtree("photos/truth")
    Path("photos/truth").mkdir()
    assert re.match(r"sets.mine/truth.folder: no images in photos/truth", refused_late())
    wanted = "sets.mine.folder: photos/truth is there, but faces and frames of videos have no truth"
    assert wanted in refused_late(video_every=2)


def refused_late(**settings) -> str:
    """Of truth, once the captures are read."""
    with pytest.raises(ValueError) as error:
        run(**settings)
    return str(error.value)
