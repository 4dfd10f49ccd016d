"""Data sets that are not as they should be: what is refused, and in which words."""
# ruff: noqa: F811
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_datasets import (  # noqa: F401
    SETS,
    make,
    message,
    names,
    override,
    pair_up,
    patches,
    project,
    save,
    save_div2k,
    save_folders,
    save_realsr,
    save_wild,
)

from pipeline.images.shards import Shard, check_pairing
from pipeline.stages import ingest, stage1
from pipeline.stages import tests as assemble


def test_a_missing_file_is_named_though_others_change_their_split(project):
    save_folders()
    pair_up()
    splits, moved = names("sr-captures"), 0
    for k in range(12):
        Path(f"pairs/HR/{k}.tif").rename("kept.tif")
        ingest.main("sr-truth")
        wanted = rf"^A has 1 image\(s\) without a partner in B, the first is '{k}' \(LR/{k}x4.png\)$"
        for split in ("train", "val", "test"):
            captures, truth = (Shard(f"data/sets/{name}/{split}") for name in ("sr-captures", "sr-truth"))
            if captures.names != truth.names:
                with pytest.raises(ValueError, match=wanted):
                    check_pairing(captures, truth, None, "A", "B")
                with pytest.raises(ValueError, match=wanted):
                    check_pairing(truth, captures, None, "B", "A")
                moved += str(k) not in splits[split]
        Path("kept.tif").rename(f"pairs/HR/{k}.tif")
    assert moved  # or the test shows nothing


def test_a_missing_partner_names_the_file_and_both_sets(project):
    save_div2k("unknown")
    Path("DIV2K/DIV2K_train_HR/0002.png").unlink()
    Path("DIV2K/DIV2K_valid_LR_unknown/X4/0802x4.png").unlink()
    make("div2k", "DIV2K", "div2k-unknown", "div2k-hr")
    assert ("data/sets/div2k-unknown has 1 image(s) without a partner in data/sets/div2k-hr, the first is 'train/0002' "
            "(DIV2K_train_LR_unknown/X4/0002x4.png)") in message(stage1, "div2k-edsr")
    Path("DIV2K/DIV2K_train_LR_unknown/X4/0002x4.png").unlink()
    ingest.main("div2k-unknown")
    assert ("sets.div2k-hr.folder has 1 image(s) without a partner in sets.div2k-unknown.folder, the first is 'valid/0802' "
            "(DIV2K_valid_HR/0802.png)") in message(assemble, "tests", "div2k")


def test_a_missing_view_names_its_truth(project):
    save_wild()
    Path("DIV2K/DIV2K_train_LR_wild/0002x4w3.png").unlink()
    make("div2k", "DIV2K", "div2k-wild", "div2k-wild-hr",
         also=("networks.div2k-edsr.inputs=sets/div2k-wild", "networks.div2k-edsr.targets=sets/div2k-wild-hr"))
    assert ("data/sets/div2k-wild-hr has 1 image(s) without a partner in data/sets/div2k-wild, the first is '0002/3' "
            "(DIV2K_train_HR/0002.png)") in message(stage1, "div2k-edsr")


@pytest.mark.parametrize("number", (1, 2))
def test_a_wrong_size_names_both_files(project, number):
    save_realsr()
    file = f"Nikon/Train/4/Nikon_{number:03d}_HR.png"
    save(f"RealSR/{file}", np.zeros((20, 20, 3), np.uint8))  # even when it is the first
    height, width = np.array(Image.open(f"RealSR/{file.replace('HR', 'LR4')}")).shape[:2]
    make("realsr", "RealSR", *SETS)
    assert (f"'Train/Nikon_{number:03d}': data/sets/realsr-nikon is {width}x{height} ({file.replace('HR', 'LR4')}), "
            f"data/sets/realsr-nikon-hr is 20x20 ({file}), wanted ") in message(stage1, "realsr-edsr-nikon")


def test_of_three_pairs_the_odd_one_is_named(project):
    save_folders(3)
    save("pairs/HR/0.tif", np.zeros((18, 20, 3), np.uint8))
    save("pairs/LR/0x4.png", np.zeros((9, 10, 3), np.uint8))
    pair_up("sets.sr-captures.test=**", "sets.sr-captures.val=0", "sets.sr-truth.test=**", "sets.sr-truth.val=0")
    shards = [Shard(f"data/sets/{name}/test") for name in ("sr-captures", "sr-truth")]
    with pytest.raises(ValueError, match=r"^'0': A is 10x9 \(LR/0x4.png\), B is 20x18 \(HR/0.tif\), wanted 4 times the first"):
        check_pairing(*shards, None, "A", "B")


def test_patches_do_not_hide_a_wrong_size(project):
    """Patches are all of one size, and a few more pixels need not change their number: what they were cut from is compared."""
    save_folders()
    image = np.array(Image.open("pairs/HR/3.tif"))
    save("pairs/HR/3.tif", np.pad(image, ((0, 1), (0, 1), (0, 0))))
    whole = [f"sets.{name}.{key}=0" for name in ("sr-captures", "sr-truth") for key in ("val", "test")]
    pair_up(*patches("sr-captures", "sr-truth", 60), *whole)
    shards = [Shard(f"data/sets/{name}/train") for name in ("sr-captures", "sr-truth")]
    height, width = (side // 4 for side in image.shape[:2])
    with pytest.raises(ValueError, match=rf"'3': A is {width}x{height} \(LR/3x4.png\), B is {4 * width + 1}x{4 * height + 1} "):
        check_pairing(*shards, None, "A", "B")


@pytest.mark.parametrize("setting, wanted", [
    ("patches=30", "without a partner in data/sets/sr-"),
    ("size=16", r"data/sets/sr-captures is 8x8 \(LR/.*x4.png\), data/sets/sr-truth is 16x16 .*, wanted 4 times"),
])
def test_patches_that_do_not_fit(project, setting, wanted):
    save_folders()
    pair_up(*patches("sr-captures", "sr-truth", 60), f"++sets.sr-truth.{setting}",
            "networks.sr-edsr.inputs=sets/sr-captures", "networks.sr-edsr.targets=sets/sr-truth")
    assert re.search(wanted, message(stage1, "sr-edsr"))


def test_splits_that_differ_are_told_as_such(project):
    save_folders()
    pair_up("sets.sr-truth.test=0.1", "tests.sr.synthetic=none")
    refusal = message(assemble, "tests", "sr")
    assert "sets.sr-captures.folder and sets.sr-truth.folder hold the same images in different splits, the first is" in refusal
    assert refusal.endswith("scene, val, test and holdout have to be the same in both")


def test_a_damaged_file_names_itself_and_its_set(project):
    save_div2k("mild")
    file = Path("DIV2K/DIV2K_train_LR_mild/0790x4m.png")
    file.write_bytes(file.read_bytes()[:-40])
    make("div2k", "DIV2K", "div2k-hr", also=("sets.div2k-mild.folder=DIV2K",))
    refusal = message(ingest, "div2k-mild")
    assert refusal.startswith("sets.div2k-mild: 1 refused") and "'DIV2K_train_LR_mild/0790x4m.png': cut off" in refusal


@pytest.mark.parametrize("preset, folder, key, wanted", [
    ("div2k", "DIV2K/DIV2K_train_HR", "div2k-hr", "sets.div2k-hr.include: 'DIV2K_*_HR/*' matches none of 6 images in "
     "DIV2K/DIV2K_train_HR, the first is '0001.png'"),
    ("div2k", "DIV2K", "div2k-wild", "sets.div2k-wild.include: 'DIV2K_train_LR_wild/*x4w*' matches none of "),
    ("realsr", "RealSR/Canon", "realsr-canon", "sets.realsr-canon.include: 'Canon/*/4/*_LR4' matches none of "),
])
def test_the_wrong_folder_is_told_with_what_lies_there(project, preset, folder, key, wanted):
    save_div2k("unknown")
    save_realsr()
    make(preset, folder)
    override(f"sets.{key}.folder={folder}")
    assert message(ingest, key).startswith(wanted)
