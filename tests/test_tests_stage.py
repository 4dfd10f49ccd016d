import shutil

import numpy as np
import pytest
import yaml
from conftest import ROOT, smooth_image, write_shard

from pipeline.core import params
from pipeline.images.shards import Shard, ShardWriter, write_absent
from pipeline.stages import tests as stage

ENTRY = {"synthetic": "sr", "captures": "sr-captures", "truth": "sr-truth", "far": "sr-far",
         "far_truth": "sr-far-truth", "reference": "clean"}
SETS = {"synthetic-val": 1, "captures-val": 1, "synthetic": 2, "captures": 2, "captures-far": 3}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """x2 pairs, captures and far captures of odd sizes, each with its truth, and a clean holdout."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)

    def write(inputs, targets, split, count):
        small = {f"{split}{i}": smooth_image(rng, 17 + i, 25) for i in range(count)}
        write_shard(tmp_path / "data" / inputs / split, small)
        large = {name: np.kron(image, np.ones((2, 2, 1), np.uint8)) for name, image in small.items()}
        write_shard(tmp_path / "data" / targets / split, large)

    for split, count in (("val", 1), ("test", 2)):
        write("pairs/sr/inputs", "pairs/sr/targets", split, count)
        write("sets/sr-captures", "sets/sr-truth", split, count)
    write("sets/sr-far", "sets/sr-far-truth", "test", 3)
    write_shard(tmp_path / "data/sets/clean/holdout", {"h": smooth_image(rng, 40, 40)})
    shutil.copytree(ROOT / "data/sets/none", tmp_path / "data/sets/none")
    shutil.copytree(ROOT / "data/pairs/none", tmp_path / "data/pairs/none")
    return tmp_path


def assemble(project, **changes):
    return stage.assemble(params.Tests(**ENTRY | changes, metrics=(), blur=(), match_tone=False), project / "data/tests/sr")


def test_every_test_set_is_a_copy_of_its_source(project):
    assert assemble(project) == SETS | {"reference": 1}
    sources = {"synthetic-val/targets": "pairs/sr/targets/val", "captures/inputs": "sets/sr-captures/test",
               "captures-val/targets": "sets/sr-truth/val", "captures-far/inputs": "sets/sr-far/test",
               "reference": "sets/clean/holdout"}
    for folder, source in sources.items():
        for file in ("images.npy", "index.json"):
            copied, original = project / "data/tests/sr" / folder / file, project / "data" / source / file
            assert copied.read_bytes() == original.read_bytes()


def test_without_truth_only_the_targets_are_absent(project):
    counts = assemble(project, truth="none", far_truth="none")
    assert counts == SETS | {"reference": 1}
    assert Shard(project / "data/tests/sr/captures/targets").absent == "no set is named here"
    assert not Shard(project / "data/tests/sr/synthetic/targets").absent


def test_everything_may_be_absent(project):
    counts = assemble(project, **{field: "none" for field in ENTRY})
    assert set(counts.values()) == {0}
    assert all(Shard(project / "data/tests/sr" / name / "inputs").absent for name in SETS)


def test_truth_of_absent_captures_is_refused(project):
    with pytest.raises(ValueError, match=r"sets\.sr-truth\.folder holds the truth of sets\.none\.folder, which"):
        assemble(project, captures="none")
    assert not (project / "data/tests/sr").exists()


def test_unpaired_truth_is_refused_naming_both_params(project):
    write_shard(project / "data/sets/sr-truth/test", {"other": np.zeros((34, 50, 3), np.uint8)})
    with pytest.raises(ValueError, match=r"sets\.sr-captures\.folder has 2 .* in sets\.sr-truth\.folder"):
        assemble(project)


def test_truth_of_another_scale_is_refused(project):
    shutil.copytree(project / "data/sets/sr-captures/test", project / "data/sets/same/test")
    shutil.copytree(project / "data/sets/sr-captures/val", project / "data/sets/same/val")
    with pytest.raises(ValueError, match=r"different scales: .*sets\.same\.folder is 1 times as large as sets\.sr-"):
        assemble(project, truth="same")


def test_an_empty_split_is_absent_with_its_reason(project):
    for name in ("sr-captures", "sr-truth"):
        with ShardWriter(project / "data/sets" / name / "val"):
            pass
    assert assemble(project)["captures-val"] == 0
    assert Shard(project / "data/tests/sr/captures-val/inputs").absent == "sets/sr-captures/val holds no images"


def test_what_an_earlier_run_left_goes(project):
    assemble(project)
    assemble(project, truth="none")
    assert not (project / "data/tests/sr/captures/targets/images.npy").exists()


def test_user_mistakes_are_one_line(project):
    (project / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    with pytest.raises(SystemExit, match=r"tests@nope: tests\.nope: no such entry, there are sr"):
        stage.main("nope")
    write_absent(project / "data/sets/sr-captures/test", "gone")
    with pytest.raises(SystemExit, match=r"tests@sr: sets\.sr-truth\.folder holds the truth of sets\.sr-cap.*gone"):
        stage.main("sr")


def test_the_stage_runs_on_the_params_file(project, capsys):
    (project / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    stage.main("sr")
    assert "2 captures" in capsys.readouterr().out
    assert yaml.safe_load((project / "data/tests/sr/captures/inputs/index.json").read_text())["images"]
