"""Patches of a set, and how much memory a set takes."""
# ruff: noqa: F811
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT
from PIL import Image
from test_ingest import DEFAULTS, names, picture, project, refused, run  # noqa: F401

from pipeline.images.shards import Shard


def test_patches_come_from_train_and_val_in_proportion_to_area(project):
    images = {f"{k}": picture(f"photos/{k}.png", 40, 40 * (1 + k % 2), k) for k in range(8)}
    manifest = run(test=0.25, val=0.25, patches=100, size=16)
    found = names()
    assert manifest["splits"]["train"]["images"] == 100 == len(found["train"]) == len(set(found["train"]))
    assert manifest["splits"]["val"]["images"] == 50  # as many per image: 100 * 2/4
    assert len(found["test"]) == 2 and all("#" not in name for name in found["test"])
    shard = Shard("data/sets/mine/train")
    area = {name: image.shape[0] * image.shape[1] for name, image in images.items() if name in shard.scenes}
    for name in area:
        assert abs(shard.scenes.count(name) - 100 * area[name] / sum(area.values())) <= 1
    for patch, name, scene in zip(shard, shard.names, shard.scenes):
        assert name.split("#")[0] == scene and patch.shape == (16, 16, 3)
        windows = np.lib.stride_tricks.sliding_window_view(images[scene], (16, 16, 3))[..., 0, :, :, :]
        assert (windows == patch).all((-1, -2, -3)).any()


def test_patches_of_captures_and_truth_lie_in_the_same_places(project):
    for k in range(4):
        small = picture(f"photos/lr/{k}.png", 25 + k, 33, k)
        Path("photos/hr").mkdir(exist_ok=True)
        Image.fromarray(np.kron(small, np.ones((4, 4, 1), np.uint8))).save(f"photos/hr/{k}.png")
    run("captures", include="lr/*", val=0.3, patches=30, size=16)
    run("truth", include="hr/*", val=0.3, patches=30, size=64)
    for split in ("train", "val"):
        captures, truth = Shard(f"data/sets/captures/{split}"), Shard(f"data/sets/truth/{split}")
        assert captures.names == truth.names and len(captures) > 0
        for small, large in zip(captures, truth):
            assert np.array_equal(np.kron(small, np.ones((4, 4, 1), np.uint8)), large)


def test_an_image_smaller_than_a_patch_is_rejected(project):
    picture("photos/large.png", 40, 40)
    picture("photos/low.png", 15, 40)
    assert "'low.png': 40x15 is smaller than a patch of 16x16" in refused(patches=5)
    manifest = run(patches=5, max_rejected=1)
    assert manifest["splits"]["train"] == {"images": 5, "scenes": ["large"]}


def test_an_image_of_just_a_patch(project):
    image = picture("photos/a.png", 16, 16)
    run(patches=3)
    assert all(np.array_equal(patch, image) for patch in Shard("data/sets/mine/train")) and len(names()["train"]) == 3


def test_patches_without_train_images(project):
    picture("photos/a.png")
    assert refused(patches=5, test="**") == "sets.mine.patches: 5 patches wanted, but no image is in train"


@pytest.mark.parametrize("patches, needed", [(0, 2 * 20 * 30 * 3), (10**6, 10**6 * 16 * 16 * 3 + 0)])
def test_a_full_disk_is_told_before_anything_is_written(project, monkeypatch, patches, needed):
    for k in range(2):
        picture(f"photos/{k}.png", 20, 30, k)
    usage = shutil.disk_usage(project)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=needed - 1))
    message = refused(patches=patches)
    assert message.startswith("sets.mine needs ") and "only " in message
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=needed))
    if not patches:
        run()


def test_memory_does_not_grow_with_the_set(project):
    picture("photos/few/0.png", 600, 800)
    Path("photos/many").mkdir()
    for k in range(50):
        os.link("photos/few/0.png", f"photos/{'few' if k < 9 else 'many'}/{k + 1}.png")
    for name in ("few", "many"):  # 10 images, 14 MB; 41 images, 59 MB
        values = yaml.safe_load((ROOT / "params.yaml").read_text())
        values["sets"]["mine"] = DEFAULTS | {"include": f"{name}/*"}
        Path(f"{name}.yaml").write_text(yaml.safe_dump(values))
    code = ("import os, resource; from pipeline.stages import ingest\n"
            "for name in ('few', 'many'):\n"
            "    os.replace(f'{name}.yaml', 'params.yaml'); ingest.main('mine')\n"
            "    print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    peaks = [int(line.split()[1]) / 1024 for line in done.stdout.splitlines() if line.startswith("peak")]
    assert len(peaks) == 2 and peaks[1] - peaks[0] < 15, peaks
