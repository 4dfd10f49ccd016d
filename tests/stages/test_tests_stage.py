import shutil
import sys

import numpy as np
import pytest
import yaml
from conftest import ROOT, smooth_image, write_shard

from pipeline.core import entries
from pipeline.core.edge import run_stage
from pipeline.images import test_sets
from pipeline.images.shards import ShardWriter, write_absent
from pipeline.stages import tests as stage

ENTRY = {"synthetic": "sr", "captures": "sr-captures", "truth": "sr-truth", "reference": "clean"}
FAR = {"captures": "sr-far", "truth": "sr-far-truth"}
SETS = {"synthetic-val": 1, "captures-val": 1, "synthetic": 2, "captures": 2}


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
    return stage.assemble(entries.Tests(**ENTRY | changes), project / "data/tests/sr")


def assemble_far(project, **changes):
    return stage.assemble(entries.Far(**FAR | changes), project / "data/tests/sr")


def shard(project, side, name):
    return test_sets.test_images(project / "data/tests/sr", side, name)


def test_every_test_set_is_a_copy_of_its_source(project):
    assert assemble(project) == SETS | {"reference": 1}
    assert assemble_far(project) == {"captures-far": 3}
    sources = {"targets/near/synthetic-val": "pairs/sr/targets/val", "inputs/near/captures": "sets/sr-captures/test",
               "targets/near/captures-val": "sets/sr-truth/val", "inputs/far/captures-far": "sets/sr-far/test",
               "targets/far/captures-far": "sets/sr-far-truth/test", "reference": "sets/clean/holdout"}
    for folder, source in sources.items():
        for file in ("images.npy", "index.json"):
            copied, original = project / "data/tests/sr" / folder / file, project / "data" / source / file
            assert copied.read_bytes() == original.read_bytes()


def test_without_truth_only_the_targets_are_absent(project):
    assert assemble(project, truth="none") == SETS | {"reference": 1}
    assert assemble_far(project, truth="none") == {"captures-far": 3}
    for name in ("captures", "captures-far"):
        assert shard(project, "targets", name).absent == "no set is named here"
    assert not shard(project, "targets", "synthetic").absent


def test_without_an_entry_of_far_the_test_set_is_absent_and_the_others_are_there(project):
    assemble(project)
    for side in ("inputs", "targets"):
        assert shard(project, side, "captures-far").absent == "far.sr: no such entry"
        assert not len(shard(project, side, "captures-far")) and len(shard(project, side, "captures"))


def test_either_stage_leaves_the_test_sets_of_the_other(project):
    """They are outs of two stages, and may run in either order."""
    assemble_far(project)
    far = tree(project / "data/tests/sr")
    assemble(project)
    both = tree(project / "data/tests/sr")
    assert far.items() < both.items()
    assemble_far(project, truth="none")
    assert {name: data for name, data in tree(project / "data/tests/sr").items() if "/far/" not in name} == {
        name: data for name, data in both.items() if "/far/" not in name}


def tree(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_truth_below_the_captures_folder(project):
    """sets.sr-captures with a folder `truth`, which ingest makes the set sr-captures/truth of."""
    assemble(project)
    wanted = tree(project / "data/tests/sr")
    (project / "data/sets/sr-truth").rename(project / "data/sets/sr-captures/truth")
    assert assemble(project, truth="sr-captures/truth") == SETS | {"reference": 1}
    assert tree(project / "data/tests/sr") == wanted
    write_shard(project / "data/sets/sr-captures/truth/test", {"other": np.zeros((34, 50, 3), np.uint8)})
    with pytest.raises(ValueError, match=r"sets\.sr-captures\.folder has 2 .* in sets\.sr-captures\.folder/truth"):
        assemble(project, truth="sr-captures/truth")


def test_everything_may_be_absent(project):
    counts = assemble(project, **{field: "none" for field in ENTRY})
    assert set(counts.values()) == {0}
    assert all(shard(project, "inputs", name).absent for name in SETS)


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
    assert shard(project, "inputs", "captures-val").absent == "sets/sr-captures/val holds no images"


def test_what_an_earlier_run_left_goes(project):
    assemble(project)
    assemble(project, truth="none")
    assert not (project / "data/tests/sr/targets/near/captures/images.npy").exists()


def test_user_mistakes_are_one_line(project, monkeypatch):
    (project / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", stage.__spec__)  # as `python -m` has it
    monkeypatch.setattr(sys, "argv", ["tests", "tests", "nope"])
    with pytest.raises(SystemExit, match=r"tests tests nope: tests\.nope: no such entry, there are sr"):
        run_stage(stage.main)
    monkeypatch.setattr(sys, "argv", ["tests", "tests", "sr"])
    write_absent(project / "data/sets/sr-captures/test", "gone")
    with pytest.raises(SystemExit, match=r"tests tests sr: sets\.sr-truth\.folder holds the truth of sets\.sr-cap.*gone"):
        run_stage(stage.main)


def test_the_stage_runs_on_the_params_file(project, capsys):
    (project / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    stage.main("tests", "sr")
    assert "2 captures" in capsys.readouterr().out
    stage.main("far", "sr")
    assert "3 captures-far" in capsys.readouterr().out
    assert yaml.safe_load((project / "data/tests/sr/inputs/near/captures/index.json").read_text())["images"]
