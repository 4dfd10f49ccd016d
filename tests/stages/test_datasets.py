"""Public data sets and folders of pairs, as small trees, through the presets' patterns and the stages that read them."""
import json
import re
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT, with_presets
from dvc.utils.hydra import apply_overrides
from PIL import Image

from pipeline.core.params import load
from pipeline.degrade.bicubic import resize_uint8
from pipeline.images.shards import Shard, check_pairing
from pipeline.stages import ingest, stage1, synthesize
from pipeline.stages import tests as assemble

TRAIN = ("0001", "0002", "0780", "0781", "0790", "0791")
VALID = ("0801", "0802")
SPLIT = {"train": ["train/0001", "train/0002"], "val": ["train/0790", "train/0791"], "test": ["valid/0801", "valid/0802"],
         "holdout": ["train/0780", "train/0781"]}
TRACKS = {"bicubic": "LR_bicubic/X4/{}x4", "unknown": "LR_unknown/X4/{}x4", "mild": "LR_mild/{}x4m",
          "difficult": "LR_difficult/{}x4d"}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for section in ("sets", "pairs"):
        shutil.copytree(ROOT / "data" / section / "none", tmp_path / "data" / section / "none")
    return tmp_path


def save(path: str, image: np.ndarray) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def save_pair(low: str, high: str, rng: np.random.Generator, scale: int = 4) -> None:
    """A random capture, and a truth that shows each of its pixels `scale` times as large."""
    image = rng.integers(0, 256, (*rng.integers(9, 14, 2), 3), np.uint8)
    save(low, image)
    save(high, enlarged(image, scale))


def enlarged(image: np.ndarray, scale: int) -> np.ndarray:
    return np.kron(image, np.ones((scale, scale, 1), np.uint8))


def save_div2k(track: str) -> None:
    rng = np.random.default_rng(5)
    for part, numbers in (("train", TRAIN), ("valid", VALID)):
        for number in numbers:
            save_pair(f"DIV2K/DIV2K_{part}_{TRACKS[track].format(number)}.png", f"DIV2K/DIV2K_{part}_HR/{number}.png", rng)


def save_realsr(scale: int = 4, larger: int = 4) -> None:
    rng = np.random.default_rng(6)
    for camera in ("Canon", "Nikon"):
        for part, numbers in (("Train", (1, 2, 10, 20)), ("Test", (1, 2))):
            for number in numbers:
                path = f"RealSR/{camera}/{part}/{scale}/{camera}_{number:03d}"
                save_pair(f"{path}_LR{scale}.png", f"{path}_HR.png", rng, larger)


@cache
def params_with(*presets: str) -> str:
    """params.yaml with entries of presets added."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for preset in presets:
        for section, entries in yaml.safe_load((ROOT / "presets" / f"{preset}.yaml").read_text()).items():
            values[section] |= entries
    return yaml.safe_dump(values)


def make(preset: str, folder: str, *sets: str, also: Sequence[str] = ()) -> None:
    """params.yaml with a preset (or none, "") and -S overrides, and those sets ingested from a folder."""
    Path("params.yaml").write_text(params_with(*preset.split()))
    override(*(f"sets.{name}.folder={folder}" for name in sets), *also)
    for name in sets:
        ingest.main(name)


def override(*overrides: str) -> None:
    """params.yaml with -S overrides. DVC reads and writes JSON in a tenth of the time."""
    Path("params.json").write_text(json.dumps(yaml.safe_load(Path("params.yaml").read_text())))
    apply_overrides(Path("params.json"), [*overrides])
    Path("params.yaml").write_text(yaml.safe_dump(json.loads(Path("params.json").read_text())))


def patches(inputs: str, targets: str, number: int) -> list[str]:
    """Overrides that cut as many patches from both sets, of 8 and of 32 pixels."""
    return [f"++sets.{name}.{key}={value}" for name, size in ((inputs, 8), (targets, 32))
            for key, value in (("patches", number), ("size", size))]


def names(key: str) -> dict[str, list[str]]:
    return {split: Shard(f"data/sets/{key}/{split}").names for split in SPLIT}


def check(inputs: str, targets: str, scale: int = 4) -> None:
    """The two sets hold the same names, and each truth shows its own capture."""
    for split in SPLIT:
        low, high = Shard(f"data/sets/{inputs}/{split}"), Shard(f"data/sets/{targets}/{split}")
        check_pairing(low, high, scale, inputs, targets)
        for small, large in zip(low, high):
            assert np.array_equal(enlarged(small, scale), large)


def message(stage, *arguments: str) -> str:
    """How a stage refuses the data: one line."""
    with pytest.raises((SystemExit, ValueError)) as error:
        stage.main(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


# DIV2K

@pytest.mark.parametrize("track", TRACKS)
def test_a_track_of_div2k_pairs_with_its_truth(project, track):
    save_div2k(track)
    make("div2k", "DIV2K", f"div2k-{track}", "div2k-hr")
    assert names(f"div2k-{track}") == names("div2k-hr") == SPLIT
    check(f"div2k-{track}", "div2k-hr")
    index = Shard("data/sets/div2k-hr/test").images
    assert [entry["file"] for entry in index] == ["DIV2K_valid_HR/0801.png", "DIV2K_valid_HR/0802.png"]


def test_another_factor_is_another_pattern(project):
    rng = np.random.default_rng(1)
    for part, numbers in (("train", TRAIN), ("valid", VALID)):
        for number in numbers:
            save_pair(f"DIV2K/DIV2K_{part}_LR_unknown/X2/{number}x2.png", f"DIV2K/DIV2K_{part}_HR/{number}.png", rng, 2)
    make("div2k", "DIV2K", "div2k-unknown", "div2k-hr", also=("sets.div2k-unknown.include=DIV2K_*_LR_unknown/X2/*x2",))
    check("div2k-unknown", "div2k-hr", 2)


def save_wild() -> None:
    rng = np.random.default_rng(2)
    for number in TRAIN:
        save_pair(f"DIV2K/DIV2K_train_LR_wild/{number}x4w1.png", f"DIV2K/DIV2K_train_HR/{number}.png", rng)
        first = np.array(Image.open(f"DIV2K/DIV2K_train_LR_wild/{number}x4w1.png"))
        for view in (2, 3, 4):
            save(f"DIV2K/DIV2K_train_LR_wild/{number}x4w{view}.png", first + np.uint8(view - 1))
    for number in VALID:
        save_pair(f"DIV2K/DIV2K_valid_LR_wild/{number}x4w.png", f"DIV2K/DIV2K_valid_HR/{number}.png", rng)


def test_div2k_wild_has_one_truth_for_four_captures(project):
    save_wild()
    make("div2k", "DIV2K", "div2k-wild", "div2k-wild-hr", "div2k-wild-valid", "div2k-wild-valid-hr")
    views = {split: [f"{number}/{view}" for number in numbers for view in (1, 2, 3, 4)] for split, numbers in
             (("train", ("0001", "0002")), ("val", ("0790", "0791")), ("test", ()), ("holdout", ("0780", "0781")))}
    assert names("div2k-wild") == names("div2k-wild-hr") == views
    for split in SPLIT:
        low, high = Shard(f"data/sets/div2k-wild/{split}"), Shard(f"data/sets/div2k-wild-hr/{split}")
        check_pairing(low, high, 4, "low", "high")
        for name, small, large in zip(low.names, low, high):
            assert np.array_equal(enlarged(small - np.uint8(int(name[-1]) - 1), 4), large)
        assert low.scenes == [name[:4] for name in low.names]
    assert names("div2k-wild-valid")["test"] == ["0801", "0802"]
    check("div2k-wild-valid", "div2k-wild-valid-hr")


def test_patches_of_the_four_captures_lie_where_their_truth_lies(project):
    save_wild()
    make("div2k", "DIV2K", "div2k-wild", "div2k-wild-hr", also=patches("div2k-wild", "div2k-wild-hr", 24))
    low, high = Shard("data/sets/div2k-wild/train"), Shard("data/sets/div2k-wild-hr/train")
    assert check_pairing(low, high, None, "low", "high") == 4 and len(low) == 24
    for name, small, large in zip(low.names, low, high):
        assert np.array_equal(enlarged(small - np.uint8(int(name.split("#")[0][-1]) - 1), 4), large)


def test_trained_on_div2k_and_tested_on_set5_and_set14(project):
    rng = np.random.default_rng(3)
    for name in ("baby", "bird"):
        save_pair(f"Set5/LR_bicubic/X4/{name}x4.png", f"Set5/HR/{name}.png", rng)
    for name in ("img_001", "img_002"):
        save(f"Set14/HR/{name}.png", rng.integers(0, 256, (41, 54, 3), np.uint8))
    save_div2k("unknown")
    make("div2k", "Set5", "set5", "set5-bicubic")
    override(f"sets.set14.folder={project}/Set14", "sets.div2k-hr.folder=DIV2K")
    for name in ("set14", "div2k-hr"):
        ingest.main(name)
    synthesize.main("set14")
    p = load()
    assert {row.tests for row in p.rows.values() if row.network == "div2k-edsr"} == {"div2k", "set5", "set14"}
    for key, test_set in (("set5", "captures"), ("set14", "synthetic")):
        assemble.main("tests", key)
        inputs, targets = (Shard(f"data/tests/{key}/{side}/near/{test_set}") for side in ("inputs", "targets"))
        assert len(inputs) == 2 and check_pairing(inputs, targets, None, "inputs", "targets") == 4
        assert len(Shard(f"data/tests/{key}/reference")) == 2
    assert targets[0].shape == (40, 52, 3)


def test_real_set5(project, data_folder):
    make("div2k", str(data_folder / "benchmarks/Set5"), "set5", "set5-bicubic")
    low, high = Shard("data/sets/set5-bicubic/test"), Shard("data/sets/set5/test")
    assert low.names == ["baby", "bird", "butterfly", "head", "woman"]
    assert check_pairing(low, high, None, "low", "high") == 4
    for small, large in zip(low, high):
        assert np.abs(resize_uint8(large, *small.shape[:2]).astype(int) - small).max() <= 1


# RealSR

SETS = ("realsr-canon", "realsr-canon-hr", "realsr-nikon", "realsr-nikon-hr")
CAMERA = {"train": ["Train/{}_001", "Train/{}_002"], "val": ["Train/{}_010"], "test": ["Test/{}_001", "Test/{}_002"],
          "holdout": ["Train/{}_020"]}


@pytest.mark.parametrize("version, larger", [(1, 1), (2, 1), (3, 4)])
def test_trained_on_one_camera_of_realsr_and_tested_on_the_other(project, version, larger):
    save_realsr(larger=larger)
    make("realsr", "RealSR", *SETS)
    for camera in ("Canon", "Nikon"):
        wanted = {split: [name.format(camera) for name in found] for split, found in CAMERA.items()}
        assert names(f"realsr-{camera.lower()}") == names(f"realsr-{camera.lower()}-hr") == wanted
        check(f"realsr-{camera.lower()}", f"realsr-{camera.lower()}-hr", larger)
    for section, test_set, camera in (("tests", "near/captures", "Canon"), ("far", "far/captures-far", "Nikon")):
        assemble.main(section, "realsr")
        assert Shard(f"data/tests/realsr/inputs/{test_set}").names == [f"Test/{camera}_00{n}" for n in (1, 2)]
    p = load()
    scored = {row.network for row in p.rows.values() if row.tests == "realsr"}
    assert scored == {"none", "realsr-edsr-canon", "realsr-edsr-nikon"}


def test_both_cameras_of_realsr_as_one_set(project):
    save_realsr(2, 2)
    make("realsr", "RealSR", "realsr-canon", "realsr-canon-hr",
         also=("sets.realsr-canon.include=*/*/2/*_LR2", "sets.realsr-canon-hr.include=*/*/2/*_HR"))
    check("realsr-canon", "realsr-canon-hr", 2)
    assert len(names("realsr-canon")["test"]) == 4


def test_a_network_of_another_factor_is_refused_in_words(project):
    save_realsr(larger=1)
    make("realsr", "RealSR", *SETS)
    refusal = message(stage1, "realsr-edsr-nikon")
    assert "edsr enlarges 4 times, but data/sets/realsr-nikon-hr is 1 times data/sets/realsr-nikon" in refusal


# Folders of pairs

def save_folders(count: int = 12) -> None:
    rng = np.random.default_rng(4)
    for k in range(count):
        save_pair(f"pairs/LR/{k}x4.png", f"pairs/HR/{k}.tif", rng)


def pair_up(*also: str) -> None:
    make("", "pairs", "sr-captures", "sr-truth",
         also=("+sets.sr-captures.include=LR/*x4", "+sets.sr-truth.include=HR/*", *also))


def test_folders_of_pairs(project):
    save_folders()
    pair_up()
    assert names("sr-captures") == names("sr-truth") and [len(found) for found in names("sr-truth").values()] == [6, 2, 4, 0]
    check("sr-captures", "sr-truth")


# The words

@pytest.mark.parametrize("file", ["docs/datasets.md", "presets/div2k.yaml", "presets/realsr.yaml"])
def test_the_overrides_of_the_docs_are_accepted(project, file):
    text = (ROOT / file).read_text()
    Path("params.yaml").write_text(with_presets(*re.findall(r"python -m pipeline preset (\w+)", text)))
    overrides = [quoted or plain for quoted, plain in re.findall(r"-S (?:'([^']+)'|(\+?[\w.-]+=[^\s'`]+))", text)]
    assert len(overrides) >= 4
    apply_overrides(Path("params.yaml"), overrides)
    assert set(re.findall(r"evaluate@(\w+)", text)) <= set(load().tasks)
