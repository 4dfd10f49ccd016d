import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT, smooth_image
from PIL import Image

from pipeline.check import findings
from pipeline.core.params import load
from pipeline.images.shards import Shard
from pipeline.stages import folders, ingest

SPLITS = ("train", "val", "test", "holdout")
DEFAULTS = {"folder": "photos", "include": "**", "scene": "(.*)", "val": 0, "test": 0, "holdout": 0, "patches": 0,
            "size": 16, "video_every": 0, "faces": []}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def picture(path, height=20, width=30, seed=0) -> np.ndarray:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = smooth_image(np.random.default_rng(seed), height, width)
    Image.fromarray(image).save(path)
    return image


def run(key="mine", max_rejected=0, seed=1, **settings) -> dict:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["sets"][key] = DEFAULTS | settings
    values["ingest"]["max_rejected"] = max_rejected
    values["seed"] = seed
    Path("params.yaml").write_text(yaml.safe_dump(values))
    ingest.main(key)
    return json.loads(Path(f"data/sets/{key}/manifest.json").read_text())


def names(key="mine") -> dict[str, list[str]]:
    return {split: Shard(f"data/sets/{key}/{split}").names for split in SPLITS}


def refused(**settings) -> str:
    with pytest.raises((ValueError, OSError)) as error:
        run(**settings)
    assert not Path("data/sets/mine/train/index.json").exists()
    return str(error.value)


def test_whole_images_arrive_exactly_by_name_and_split(project):
    images = {f"{folder}/{n}": picture(f"photos/{folder}/capture/{n}.png", 20 + n, 31, seed=n)
              for folder, numbers in (("train", range(5)), ("val", range(5, 7))) for n in numbers}
    picture("photos/train/truth/0.png")
    manifest = run(include="*/capture/*", test="val/*/*", val=0.2)
    found = names()
    assert found["test"] == ["val/5", "val/6"] and len(found["val"]) == 1 and len(found["train"]) == 4
    for split in SPLITS:
        shard = Shard(f"data/sets/mine/{split}")
        assert shard.scenes == shard.names
        for name, image in zip(shard.names, shard):
            assert np.array_equal(image, images[name])
    assert manifest["splits"]["test"] == {"images": 2, "scenes": ["val/5", "val/6"]}
    assert manifest["not_included"] == 1 and manifest["ignored"] == 0 and manifest["rejected"] == []


def test_truth_splits_like_its_captures_and_in_the_same_order(project):
    for n in range(12):
        picture(f"photos/lr/z{n}_LR4.png", 10, 12, n)
        picture(f"photos/hr/z{n}_HR.png", 40, 48, n)
    run("captures", include="lr/*_LR4", val=0.2, test=0.3)
    run("truth", include="hr/*_HR", val=0.2, test=0.3)
    assert names("captures") == names("truth")
    assert [len(found) for found in names("truth").values()] == [6, 2, 4, 0]


def test_captures_of_one_scene_stay_together(project):
    for k in range(6):
        for shot in range(2):
            picture(f"photos/deadleaves-{k:02d}_{shot}.png")
    manifest = run(scene="(.*)_[0-9]+", val=0.2, test=0.3)
    found = manifest["splits"]
    assert [found[split]["images"] for split in SPLITS] == [6, 2, 4, 0]
    together = [scene for split in SPLITS for scene in found[split]["scenes"]]
    assert sorted(together) == sorted(set(together)) and len(together) == 6


def test_odd_names_and_files_that_are_no_images(project):
    for path in ("photos/a b/ü ñ.JPG", "photos/日本/x.y.TIF", "photos/#1@home.bmp", "photos/deep/er/still/w.webp"):
        picture(path)
    for path in ("photos/README", "photos/notes.txt", "photos/movie.mp4"):
        Path(path).write_text("text")
    picture("photos/.hidden.png")
    picture("photos/.thumbnails/a.png")
    manifest = run()
    assert names()["train"] == sorted(["a b/ü ñ", "日本/x.y", "#1@home", "deep/er/still/w"])
    assert manifest["ignored"] == 3


def test_links_to_files_are_followed_and_a_set_may_be_a_link_itself(project):
    picture("elsewhere/a.png")
    picture("store/sub/b.png")
    os.symlink(project / "elsewhere/a.png", "store/linked.png")
    os.symlink(project / "store", "photos")
    run()
    assert names()["train"] == ["linked", "sub/b"]


@pytest.mark.parametrize("link, target, message", [
    ("photos/sub/linked", "elsewhere", "photos/sub/linked is a link to the folder "),
    ("photos/sub/self", "photos/sub", "photos/sub/self is a link to the folder "),
    ("photos/truth", "elsewhere", "photos/truth is a link to the folder "),
    ("photos/gone.png", "nowhere.png", "photos/gone.png is a link to "),
    ("photos/notes", "nowhere", "photos/notes is a link to "),
])
def test_a_link_that_dvc_does_not_hash_is_refused_by_name_before_any_stage_and_by_check(project, link, target, message):
    """Else what lies behind it is learnt from, and goes stale unseen."""
    picture("elsewhere/a.png")
    picture("photos/sub/b.png")
    os.symlink(project / target, link)
    assert f"sets.mine.folder: {message}" in refused()
    with pytest.raises(ValueError, match=f"sets.mine.folder: {message}"):
        folders.main()
    found = {finding.level: finding.text for finding in findings.folders(load()) if "sets.mine" in finding.text}
    assert f"sets.mine.folder: {message}" in found["fix"]


def test_files_that_are_passed_over_are_counted_and_named(project, capsys):
    picture("photos/a.png")
    for name in ("b.jfif", "c.JPE"):
        Path("photos/a.jpg").write_bytes(b"")
        picture("photos/a.jpg", seed=1)
        Path("photos/a.jpg").rename(f"photos/{name}")
    for name in ("d.gif", "e.gif", "f.avif", "noending"):
        Path("photos", name).write_bytes(b"any")
    assert run()["ignored"] == 4 and names()["train"] == ["a", "b", "c"]
    wanted = "4 files passed over: 1 .avif (f.avif), 2 .gif (d.gif, e.gif), 1 without an ending (noending)"
    assert f"sets.mine: {wanted}" in capsys.readouterr().out
    assert [finding.text for finding in findings.folders(load()) if "sets.mine" in finding.text] == [
        f"sets.mine.folder: 3 images in photos; {wanted}"]


def test_a_name_that_is_no_text_is_refused_by_name(project):
    picture("photos/a.png")
    try:
        os.link("photos/a.png", b"photos/\xff.png")
    except OSError:
        pytest.skip("this file system takes no such names")
    assert run(max_rejected=1)["rejected"] == [{"file": "\\xff.png", "reason": "its name is not valid UTF-8"}]
    assert names()["train"] == ["a"]


def test_bad_files_are_named_with_reasons(project):
    for k in range(4):
        picture(f"photos/{k}.png", seed=k)
    Path("photos/empty.jpg").touch()
    Path("photos/fake.png").write_text("not a picture")
    data = Path("photos/0.png").read_bytes()
    Path("photos/cut.png").write_bytes(data[: len(data) // 2])  # its header is whole
    manifest = run(max_rejected=3)
    assert [entry["file"] for entry in manifest["rejected"]] == ["cut.png", "empty.jpg", "fake.png"]
    assert [entry["reason"].split("(")[0].split(":")[0].strip() for entry in manifest["rejected"]] == [
        "cut off", "an empty file", "not a PNG, JPEG, TIFF, WebP or BMP image"]
    assert names()["train"] == ["0", "1", "2", "3"]
    shutil.rmtree("data")
    message = refused(max_rejected=2)
    assert "ingest.max_rejected is 2" in message and "sets.mine: 3 refused" in message
    assert all(file in message for file in ("cut.png", "empty.jpg", "fake.png")) and "\n" not in message


def test_a_damaged_file_moves_no_other_image(project):
    for k in range(10):
        picture(f"photos/{k}.png", seed=k)
    run(val=0.2, test=0.3)
    before = names()
    Path("photos/4.png").write_bytes(b"")
    run(val=0.2, test=0.3, max_rejected=1)
    assert names() == {split: [name for name in found if name != "4"] for split, found in before.items()}


def test_only_the_first_of_many_bad_files_are_told(project):
    for k in range(30):
        Path("photos").mkdir(exist_ok=True)
        Path(f"photos/{k:02d}.png").touch()
    message = refused()
    assert "30 refused" in message and "'04.png'" in message and "'05.png'" not in message and "and 25 more" in message


def test_too_large_for_the_limit(project):
    picture("photos/a.png", 400, 500)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["sets"]["mine"] = DEFAULTS
    values["ingest"]["max_megapixels"] = 0.1
    Path("params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match="500x400, allowed are 0.1 megapixels"):
        ingest.main("mine")


@pytest.mark.parametrize("prepare, wanted", [
    (lambda: None, "photos cannot be read .No such file"),
    (lambda: Path("photos").mkdir(), "no images in photos; wanted are "),
    (lambda: Path("photos").touch(), "photos cannot be read .Not a directory"),
    (lambda: (Path("photos").mkdir(), Path("photos/a.txt").touch()), "no images in photos; .*; 1 file passed over: 1 .txt"),
])
def test_a_folder_without_images_names_the_param(project, prepare, wanted):
    prepare()
    assert re.match(f"sets.mine.folder: {wanted}", refused())


def test_an_unreadable_folder_names_the_param(project, monkeypatch):
    picture("photos/a.png")
    picture("photos/private/b.png")
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("private"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)
    monkeypatch.setattr(os, "scandir", guarded)
    assert refused() == "sets.mine.folder: photos/private cannot be read (Permission denied)"


def test_a_pattern_that_matches_nothing_names_the_param(project):
    picture("photos/train/a.png")
    message = refused(include="*/capture/*")
    assert message.startswith("sets.mine.include: '*/capture/*' matches none") and "'train/a.png'" in message


def test_an_unknown_set(project):
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    with pytest.raises(ValueError, match="sets.nothing: no such entry, there are clean"):
        ingest.main("nothing")


def test_a_set_that_does_not_exist_is_absent(project):
    picture("photos/a.png")
    run()
    manifest = run(folder="data/none/")
    assert manifest == {"absent": "sets.mine.folder is data/none"}
    assert all(Shard(f"data/sets/mine/{split}").absent == manifest["absent"] for split in SPLITS)
    assert not list(Path("data/sets/mine").rglob("images.npy"))


def tree(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_the_same_bytes_again_wherever_the_folder_lies(project):
    for k in range(6):
        picture(f"photos/{k}.png", 40, 50, k)
    run(val=0.2, patches=20)
    before = tree("data/sets/mine")
    shutil.move("photos", "moved")
    run(val=0.2, patches=20, folder=str(project / "moved"))
    assert tree("data/sets/mine") == before
    assert not any(str(project).encode() in data for data in before.values())
    run(val=0.2, patches=20, folder="moved", seed=2)
    assert tree("data/sets/mine")["train/images.npy"] != before["train/images.npy"]


def test_real_captures(project, data_folder):
    folder = data_folder / "captures" / "city100-iphone"
    manifest = run(folder=str(folder), include="*a*/capture/*", test="val/*/*", val=0.1)  # train and val, not test
    assert [manifest["splits"][split]["images"] for split in SPLITS] == [14, 2, 4, 0]
    assert manifest["not_included"] == sum(1 for path in folder.rglob("*.*") if path.is_file()) - 20
    assert Shard("data/sets/mine/test")[0].shape == (600, 840, 3)
