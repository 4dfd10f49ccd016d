"""The stage zssr: a network for each image of the test sets."""
import csv
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT, smooth_image, with_presets, write_shard
from test_zssr import ENTRY, PRESET, QUICK

from pipeline.compare.scores import Scores
from pipeline.core.files import read_json
from pipeline.core.graph import graph
from pipeline.core.params import ParamsError, load, parse
from pipeline.core.settings import TestSet
from pipeline.core.stop import Stop
from pipeline.images.shards import Shard, write_absent
from pipeline.images.test_sets import folder_of
from pipeline.report.costs import section
from pipeline.restore import zssr
from pipeline.score.names import TEST_SETS
from pipeline.stages import bench
from pipeline.stages import zssr as stage


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Test sets at x2 of one or two tiny images, without captures-far, and ZSSR for all but synthetic-val."""
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["threads"] = 1
    values["bench"] |= {"border": 2, "lpips": [], "swd_projections": 8, "swd_patches": 64, "niqe_patch": 16, "critic_steps": 2,
                        "critic_batch": 2, "critic_patch": 16, "critic_features": 4}
    values["zssr"] = {"sr-zssr": ENTRY | QUICK | {"scale": 2, "test_sets": ["captures", "captures-far", "synthetic"]}}
    values["rows"]["sr-zssr"] = PRESET["rows"]["sr-zssr"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    rng = np.random.default_rng(7)
    for name in TEST_SETS:
        inputs, targets = (folder_of(tmp_path / "data/tests/sr", side, name) for side in ("inputs", "targets"))
        count = 2 if name == "captures" else 1
        large = {f"{name}{i}": np.clip(smooth_image(rng, 66, 50) + rng.normal(0, 8, (66, 50, 3)), 0, 255).astype(np.uint8)
                 for i in range(count)}
        if name == "captures-far":
            write_absent(inputs, "sets.sr-far.folder is data/none")
            write_absent(targets, "sets.sr-far-truth.folder is data/none")
            continue
        write_shard(inputs, {key: image[::2, ::2].copy() for key, image in large.items()})
        write_shard(targets, large)
    write_shard(tmp_path / "data/tests/sr/reference", {"r": smooth_image(rng, 80, 64)})
    return tmp_path


def files(folder="models/sr-zssr"):
    return {str(path): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def test_the_stage_restores_the_test_sets_and_bench_scores_what_it_made(project):
    stage.main("sr-zssr")
    outputs, inputs = Shard("models/sr-zssr/outputs/captures"), Shard("data/tests/sr/inputs/near/captures")
    assert outputs.names == inputs.names and outputs[0].shape == (66, 50, 3) and outputs.dtype == np.uint8
    made = read_json("models/sr-zssr/manifest.json")
    weights = 9 * (3 * 4 + 4 * 4 + 4 * 3)
    assert made["parameters"] == weights and made["per_image"] == {"steps": 12, "pixels": 12 * 16**2}
    bench.main("rows", "sr-zssr")
    found = read_json("data/bench/sr/sr-zssr.json")
    assert set(found["rows"]["sr-zssr"]) == {"captures", "synthetic"} and found["parameters"] == {"sr-zssr": weights}
    reasons = {item["test_set"]: item["reason"] for item in found["absent"] if item["metric"] == "*"}
    assert reasons["synthetic-val"] == "zssr.sr-zssr.test_sets leaves it out"
    assert reasons["captures-far"] == "sets.sr-far.folder is data/none"
    truth = Shard("data/tests/sr/targets/near/captures")
    errors = [np.mean((outputs[i].astype(float) - truth[i])[2:-2, 2:-2] ** 2) for i in range(2)]
    lines = [line for line in csv.DictReader(open("metrics/images/sr-zssr.csv")) if line["test_set"] == "captures"]
    assert [float(line["psnr"]) for line in lines] == pytest.approx(list(10 * np.log10(255**2 / np.array(errors))), abs=1e-3)
    scores = Scores()
    scores.add(found)
    text = "\n".join(section(graph(load()), {"sr": scores}))
    assert "12 per image" in text and "learnt from each" in " ".join(text.split())


def test_outputs_of_other_images_are_refused(project):
    stage.main("sr-zssr")
    write_shard(Path("data/tests/sr/inputs/near/captures"), {"other": smooth_image(np.random.default_rng(0), 33, 25)})
    with pytest.raises(ValueError, match="outputs/captures holds other images than data/tests/sr/inputs/near/captures"):
        bench.main("rows", "sr-zssr")


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(project, monkeypatch, capsys):
    stage.main("sr-zssr")
    whole = files()
    assert not list(Path(".work").rglob("*.npz"))
    restore, calls = zssr.restore_by_learning, []

    def counted(*args):
        calls.append(args[3])
        return restore(*args)

    monkeypatch.setattr(zssr, "restore_by_learning", counted)
    with monkeypatch.context() as patch:
        def asked(stop):  # in the second image
            stop.signal = 15 if len(calls) == 2 else None
            return "SIGTERM" if stop.signal else None

        patch.setattr(Stop, "asked", asked)
        with pytest.raises(SystemExit) as stopped:
            stage.main("sr-zssr")
    assert stopped.value.code == 143 and "stopped in image captures 1 (SIGTERM)" in capsys.readouterr().out
    assert len(list(Path(".work").rglob("*.npz"))) == 1
    stage.main("sr-zssr")
    assert "1 of 3 images are there already" in capsys.readouterr().out
    assert len(calls) == 4 and calls[1] == calls[2] and len(set(calls)) == 3
    assert files() == whole and not list(Path(".work").rglob("*.npz"))


def test_other_settings_do_not_go_on_with_what_is_there(project, monkeypatch):
    stage.main("sr-zssr")
    before = files()
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["seed"] += 1
    Path("params.yaml").write_text(yaml.safe_dump(values))
    stage.main("sr-zssr")
    assert all(before[path] != content for path, content in files().items() if path.endswith("captures/images.npy"))


@pytest.mark.parametrize("section, changes, message", [
    ("rows", {"sr-zssr": PRESET["rows"]["sr-zssr"] | {"tests": "demoire"}}, "enlarges the images of tests.sr alone"),
    ("rows", {"sr-zssr": PRESET["rows"]["sr-zssr"] | {"tests": "demoire"}}, "wanted tests: sr"),
    ("chains", {"x": {"first": "sr-zssr", "then": "sr-edsr"}}, "chains.x.first: 'sr-zssr' names nothing"),
    ("ensembles", {"x": {"first": "sr-edsr", "second": "sr-zssr"}}, "ensembles.x.second: 'sr-zssr' names nothing"),
    ("labels", {"x": {"network": "sr-zssr", "inputs": "sets/clean"}}, "'sr-zssr' names nothing"),
    ("zssr", {"sr-zssr": ENTRY | {"tests": "nope"}}, "zssr.sr-zssr.tests: 'nope' names nothing"),
    ("zssr", {"sr-zssr": ENTRY | {"as_is": 0.8}}, "as_is and turned are 0.8 .* at most 1"),
    ("zssr", {"sr-zssr": ENTRY | {"fit_steps": 20}}, "fit_steps: 20 holds fewer than three errors"),
    ("zssr", {"sr-zssr": ENTRY | {"test_sets": ["far"]}}, "test_sets"),
])
def test_what_cannot_be_is_refused(section, changes, message):
    values = yaml.safe_load(with_presets("all"))
    values[section] |= changes
    with pytest.raises(ParamsError, match=message):
        parse(values)


def test_test_sets_are_those_of_the_benchmark():
    assert set(TestSet.__args__) == set(TEST_SETS) == set(stage.TEST_SETS)


@pytest.mark.parametrize("content", [b"", b"cut"])
def test_an_image_that_was_kept_and_is_damaged_is_named_and_enlarged_anew(project, monkeypatch, capsys, content):
    stage.main("sr-zssr")
    whole = files()
    with monkeypatch.context() as patch:
        patch.setattr(stage.shutil, "rmtree", lambda *_, **__: None)  # keeps .work
        stage.main("sr-zssr")
    first, *_ = sorted(Path(".work").rglob("*.npz"))
    first.write_bytes(content)
    stage.main("sr-zssr")
    assert f"{first}: damaged" in capsys.readouterr().out and files() == whole
