"""`python -m pipeline init --start`: a project that begins from a network which is trained already."""
import shutil
from pathlib import Path

import pytest
from conftest import ROOT
from networks import seasoned
from test_init import photos
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.cli.init_plan import TASKS
from pipeline.cli.init_survey import start_of
from pipeline.core.graph import graph
from pipeline.core.params import PARAMS_FILE, load
from pipeline.restore import starters
from pipeline.restore.named import write_row
from pipeline.restore.network import save_network
from pipeline.stages.convert import convert


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Writes the starter `s` of a scale, and tells its options; the present folder has params.yaml and presets."""
    monkeypatch.setattr(starters, "FOLDER", tmp_path / "starters")
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "presets", tmp_path / "presets")

    def make(scale: int) -> dict:
        options = {"scale": scale, "layers": 1, "features": 8}
        save_network("made/s", seasoned("compact", options), "compact", options, {})
        write_row("starters/s.safetensors", "s", "s", "made")
        return options

    return make


def test_only_a_network_of_the_tasks_scale_can_be_the_start(shipped):
    options = shipped(2)
    assert start_of("s", "x2").options == options
    with pytest.raises(ValueError, match="--start: s enlarges 2 times; wanted for x4 is 4"):
        start_of("s", "x4")
    with pytest.raises(ValueError, match="--start: got starter-x3; wanted .* one of s$"):
        start_of("starter-x3", "x2")


@pytest.mark.parametrize("task", TASKS)
def test_a_project_begun_from_a_starter_trains_no_stage_1(shipped, task):
    options = shipped(TASKS[task].scale)
    photos("captures", 10, 80, 120)
    photos("clean", 12, 400, 320)
    arguments = ["init", "--captures", "captures", "--clean", "clean", "--task", task, "--start", "s", "--force"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    p = load()
    assert len(PARAMS_FILE.read_text().splitlines()) <= 60
    assert not p.networks and not p.chains and not p.calibrations and not p.unsharpens
    assert p.systems["photos-start"].start == p.systems["photos-start"].teacher == "photos-start"
    assert p.imports["photos-start"].options == options and p.stage2.steps == 200
    kind = p.recipes[p.pairs["photos"].recipe].kind
    assert kind == ("moire" if task == "screens" else "random")
    convert("photos-start", p.imports["photos-start"])
    assert Path("models/photos-start/network.safetensors").is_file()


def test_a_start_that_saw_truth_is_written_down_as_such(shipped):
    shipped(1)
    write_row("starters/o.safetensors", "s", "s", "made", saw_truth=True)
    photos("captures", 10, 80, 120)
    photos("clean", 12, 400, 320)
    arguments = ["init", "--captures", "captures", "--clean", "clean", "--task", "same-size", "--start", "o", "--force"]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    p = load()
    assert p.imports["photos-start"].saw_truth and graph(p).truth("photos-start-stage2")
    convert("photos-start", p.imports["photos-start"])  # which refuses a file that says otherwise


def test_large_captures_are_cut_into_few_patches(shipped):
    shipped(1)
    photos("captures", 10, 1010, 1000)
    photos("clean", 12, 400, 320)
    for more, patches in ((["--start", "s"], 400), ([], 0)):
        arguments = ["init", "--captures", "captures", "--clean", "clean", "--task", "same-size", "--force", *more]
        assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
        p = load()
        assert p.sets["photos-captures"].patches == patches
        assert p.bench.niqe_patch == (48 if patches else 96)  # patches of 128 pixels have too few of 96
