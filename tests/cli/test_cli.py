import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, smooth_image, write_shard
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.files import write_json
from pipeline.core.params import load
from pipeline.images.encode import write_png
from pipeline.images.shards import write_absent
from pipeline.nets.build import build
from pipeline.report.crops import most_detail
from pipeline.restore.manifest import save_absent
from pipeline.restore.model import model_of
from pipeline.restore.network import load_network, save_network
from pipeline.restore.tiles import restore

OPTIONS = {"scale": 2, "blocks": 1, "features": 4}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with two trained networks, an absent one, and a photo."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("sr-edsr", "sr-edsr-stage2")):
        torch.manual_seed(i)
        save_network(tmp_path / "models" / name, build("edsr", OPTIONS), "edsr", OPTIONS, {})
    save_absent(tmp_path / "models/sr-edsr-oracle", "no truth to train with")
    write_png(tmp_path / "photos/a.png", smooth_image(np.random.default_rng(2), 37, 53))
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def read(path):
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGR2RGB)


def test_restore_writes_what_the_network_makes_of_the_photo(project):
    result = run("restore", "photos/a.png", "-o", "out/b.png", "--model", "sr-edsr")
    assert result.exit_code == 0, result.output
    network = load_network(project / "models/sr-edsr")
    assert (read(project / "out/b.png") == restore(model_of(network), read(project / "photos/a.png"))).all()


def test_restore_in_small_tiles_and_through_a_chain(project):
    chain = ("--model", "sr-edsr", "--model", "sr-edsr-stage2")
    run("restore", "photos/a.png", "-o", "whole.png", *chain)
    result = run("restore", "photos/a.png", "-o", "tiled.png", *chain, "--tile", 16)
    assert result.exit_code == 0, result.output
    assert read(project / "tiled.png").shape == (4 * 37, 4 * 53, 3)
    assert abs(read(project / "whole.png").astype(int) - read(project / "tiled.png")).max() <= 1


def test_restore_takes_several_files_and_folders(project):
    write_png(project / "photos/b.png", np.zeros((16, 16, 3), np.uint8))
    (project / "photos/notes.txt").write_text("not a photo")
    write_png(project / "c.png", np.zeros((16, 16, 3), np.uint8))
    result = run("restore", "photos", "c.png", "-o", "out", "--model", "sr-edsr")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (project / "out").iterdir()) == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize("arguments, message", [
    (["photos/a.png", "-o", "photos/a.png"], "photos/a.png: would overwrite an input"),
    (["photos/a.png", "-o", "photos"], "photos/a.png: would overwrite an input"),
    (["photos/a.png", "-o", "./photos/../photos/a.png"], "would overwrite an input"),
    (["photos/missing.png", "-o", "out"], "photos/missing.png: no such file"),
    (["empty", "-o", "out"], "empty: no images in this folder"),
    (["photos/a.png", "b/a.png", "-o", "out"], "would both become out/a.png"),
    (["photos/a.png", "b/a.png", "-o", "one.png"], "one.png: one file for 2 photos"),
    (["photos/a.png", "-o", "params.yaml"], "params.yaml: is a file, but not an image"),
])
def test_restore_refuses_before_it_writes_anything(project, arguments, message):
    (project / "empty").mkdir()
    write_png(project / "b/a.png", np.zeros((16, 16, 3), np.uint8))
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    result = run("restore", *arguments, "--model", "sr-edsr")
    assert result.exit_code == 1 and message in result.output
    assert before == {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}


def test_an_unreadable_photo_is_named_and_the_others_are_restored(project):
    (project / "photos/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    result = run("restore", "photos", "-o", "out", "--model", "sr-edsr")
    assert result.exit_code == 1
    assert "photos/broken.jpg: " in result.output and "1 of 2 photos could not be restored; 1 restored" in result.output
    assert [path.name for path in (project / "out").iterdir()] == ["a.png"]


@pytest.mark.parametrize("name, message", [
    ("nope", "models/nope: no manifest.json"), ("sr-edsr-oracle", "no truth to train with")])
def test_an_unusable_network_is_named_with_those_there_are(project, name, message):
    result = run("restore", "photos/a.png", "-o", "out.png", "--model", name)
    assert result.exit_code == 1 and message in result.output and "sr-edsr, sr-edsr-stage2" in result.output


def test_restore_with_what_was_chosen_for_a_system_says_which(project):
    choice = {"chosen": "sr-edsr-stage2", "reason": "niqe 6.4 is the lowest"}
    write_json(project / "metrics/select/sr.json", {"sr-edsr": choice, "other": {"reason": "no choice"}})
    result = run("restore", "photos/a.png", "-o", "b.png", "--system", "sr-edsr")
    assert result.exit_code == 0 and "sr-edsr-stage2, chosen without truth: niqe 6.4 is the lowest" in result.output
    network = load_network(project / "models/sr-edsr-stage2")
    assert (read(project / "b.png") == restore(model_of(network), read(project / "photos/a.png"))).all()


@pytest.mark.parametrize("options, message", [
    ((), "--model, or a system with --system"), (("--model", "sr-edsr", "--system", "sr-edsr"), "--model, or a system"),
    (("--system", "nope"), "no choice for a system 'nope' in metrics/select/, there are other"),
    (("--system", "other"), "other: no choice, no niqe; name a network with --model")])
def test_restore_needs_one_network_or_one_choice(project, options, message):
    write_json(project / "metrics/select/sr.json", {"other": {"reason": "no choice, no niqe"}})
    result = run("restore", "photos/a.png", "-o", "b.png", *options)
    assert result.exit_code == 1 and message in result.output and not (project / "b.png").exists()


def test_preset_is_merged_or_only_shown(project):
    before = (project / "params.yaml").read_text()
    shown = run("preset", "smoke", "--show")
    assert shown.exit_code == 0 and "stage1.steps: " in shown.output
    assert (project / "params.yaml").read_text() == before
    assert run("preset", "smoke").output == shown.output
    assert (project / "params.yaml").read_text() != before
    assert run("preset", "smoke").output.strip() == "nothing changes"


def test_presets_build_on_each_other_or_none_is_merged(project):
    before = (project / "params.yaml").read_text()
    assert run("preset", "p2", "nope").exit_code == 1 and (project / "params.yaml").read_text() == before
    alone = run("preset", "p2-paper")  # some forty keys are missing without p2
    assert alone.exit_code == 1 and len(alone.output) < 600
    assert "networks.blindsr-x4.arch: is missing" in alone.output
    assert "p2-paper.yaml says at its top which preset comes" in alone.output
    assert run("preset", "p2", "bsds").exit_code == 0
    wanted = yaml.safe_load((project / "presets/bsds.yaml").read_text())["networks"]["blindsr-direct-edsr"]["stage1"]["steps"]
    assert load().networks["blindsr-direct-edsr"].stage1["steps"] == wanted


def test_an_unknown_or_impossible_preset_changes_nothing(project):
    before = (project / "params.yaml").read_text()
    result = run("preset", "nope")
    assert result.exit_code == 1 and "there are " in result.output and "paper" in result.output
    (project / "presets/bad.yaml").write_text("stage1: {steps: 0}\n")
    result = run("preset", "bad")
    assert result.exit_code == 1 and "presets/bad.yaml: stage1.steps: got 0" in result.output
    (project / "presets/bad.yaml").write_text("systems: {sr-edsr: {start: nope}}\n")
    assert "systems.sr-edsr.start: 'nope' names nothing" in run("preset", "bad").output
    assert (project / "params.yaml").read_text() == before


def test_fetch_trunks_takes_files_from_a_folder(project):
    result = run("fetch-trunks", "--from", "nowhere")
    assert result.exit_code == 1 and "nowhere" in result.output
    (project / "weights").mkdir()
    weights = {"features.0.weight": torch.zeros(1), "classifier.1.weight": torch.zeros(1)}
    torch.save(weights, project / "weights/alexnet_features.pth")
    result = run("fetch-trunks", "--from", "weights")
    assert result.exit_code == 0 and "data/trunks/alexnet_features.pth" in result.output
    assert list(torch.load(project / "data/trunks/alexnet_features.pth")) == ["features.0.weight"]


def test_picture_shows_input_stage_1_stage_2_and_truth(project):
    rng = np.random.default_rng(4)
    large = {f"s{i}": smooth_image(rng, 100, 120) for i in range(2)}
    tests = project / "data/tests/sr"
    write_shard(tests / "inputs/near/captures", {name: image[::2, ::2].copy() for name, image in large.items()})
    write_shard(tests / "targets/near/captures", large)
    result = run("picture", "sr-edsr", "-o", "p.png", "--scene", "s1")
    assert result.exit_code == 0, result.output
    picture = read(project / "p.png")
    assert picture.shape == (22 + 3 * 96 + 6, 4 * (3 * 96 + 6) + 6, 3)
    truth = picture[22 : 22 + 288 : 3, 3 * 294 + 6 : 3 * 294 + 294 : 3]
    windows = np.lib.stride_tricks.sliding_window_view(large["s1"], (96, 96, 3)).reshape(-1, 96, 96, 3)
    assert (windows == truth).all(axis=(1, 2, 3)).any()
    assert "scene 'x' is not among the test captures: s0, s1" in run("picture", "sr-edsr", "--scene", "x").output
    shutil.rmtree(tests / "targets/near/captures")
    write_absent(tests / "targets/near/captures", "none")
    run("picture", "sr-edsr", "-o", "p.png")
    assert read(project / "p.png").shape[1] == 3 * (3 * 96 + 6) + 6
    assert "systems.nope: no such entry" in run("picture", "nope").output


def test_the_crop_is_where_the_detail_is():
    image = np.zeros((200, 160, 3), np.uint8)
    image[120:150, 40:70] = np.random.default_rng(0).integers(0, 256, (30, 30, 3))
    top, left = most_detail(image, 96)
    assert top <= 120 and top + 96 >= 150 and left <= 40 and left + 96 >= 70


def test_help_loads_nothing_heavy_and_shows_an_example():
    code = "import sys; import pipeline.cli; sys.exit(any(m in sys.modules for m in ('torch', 'cv2', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
    assert "restore" in run("--help").output
    for command in ("restore", "preset", "import", "export", "fetch-trunks", "picture", "seeds", "likeness"):
        assert f"Example: python -m pipeline {command}" in run(command, "--help").output
