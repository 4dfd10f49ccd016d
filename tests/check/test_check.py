import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import networkx
import numpy as np
import pytest
import torch
import warm
import yaml
from conftest import ROOT
from dvc.repo import Repo
from typer.testing import CliRunner

from pipeline.check import changes, findings, lockfile
from pipeline.check.findings import Finding
from pipeline.cli.app import app
from pipeline.core.files import json_text, write, write_json
from pipeline.core.params import load
from pipeline.core.presets import merge
from pipeline.images.encode import write_png
from pipeline.score import lpips
from pipeline.stages import code, settings


@pytest.fixture
def project(tmp_path, monkeypatch):
    """params.yaml with one set of the user's own: two images of 20x30 pixels, of which no patches are cut."""
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for entry in values["pairs"].values():
        entry["patches"] = 0
    values["sets"]["sr-captures"]["folder"] = "photos"
    Path("params.yaml").write_text(yaml.safe_dump(values))
    for name in ("photos/a.png", "photos/deep/b.PNG"):
        write_png(name, np.zeros((20, 30, 3), np.uint8))
    Path("photos/notes.txt").write_text("no image")
    return tmp_path


class Stage(NamedTuple):
    addressing: str


def change(section: str, key: str, **fields) -> None:
    values = yaml.safe_load(Path("params.yaml").read_text())
    values[section].setdefault(key, {}).update(fields)
    Path("params.yaml").write_text(yaml.safe_dump(values))


def test_folders_are_named_by_their_param(project):
    assert [*findings.folders(load())] == [
        Finding("ok", "sets.sr-captures.folder: 2 images in photos; 1 file passed over: 1 .txt (notes.txt)")]
    change("sets", "sr-truth", folder="nowhere")
    change("sets", "sr-far", folder="photos/notes.txt")
    Path("empty").mkdir()
    change("sets", "sr-far-truth", folder="empty")
    change("sets", "clean", folder="data/none")
    found = {finding.text.partition(":")[0]: finding for finding in findings.folders(load())}
    assert set(found) == {f"sets.{key}.folder" for key in ("sr-captures", "sr-truth", "sr-far", "sr-far-truth")}
    assert [finding.level for finding in found.values()].count("fix") == 3
    assert found["sets.sr-truth.folder"].text.endswith("nowhere is nothing")
    assert found["sets.sr-far.folder"].text.endswith("is a file")
    assert "no images in empty" in found["sets.sr-far-truth.folder"].text


def test_what_the_sets_take_is_told_from_headers(project, monkeypatch):
    assert findings.space(load()) == 2 * 20 * 30 * 3
    Path("photos/broken.png").write_bytes(b"none")  # counted as the others are; ingest refuses it
    change("sets", "sr-captures", patches=10, size=16)
    assert findings.space(load()) == 3 * 20 * 30 * 3 + 10 * 16 * 16 * 3
    levels = {finding.text.split(":")[0]: finding.level for finding in findings.machine(load())}
    assert levels["disk"] == "ok" and levels["memory"] in ("ok", "note")
    monkeypatch.setattr(findings.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    assert next(iter(findings.machine(load()))).level == "fix"


def test_missing_trunks_are_named(project):
    assert {net: f"{name}_features.pth" for net, name in lpips.TRUNKS.items()} == findings.TRUNKS
    assert [finding.text.split(":")[0] for finding in findings.trunks(load())] == ["bench.lpips"]
    Path("data/trunks").mkdir(parents=True)
    Path("data/trunks/alexnet_features.pth").touch()
    assert not [*findings.trunks(load())]


def test_the_device_is_told_without_torch_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(findings, "DRIVERS", ())
    monkeypatch.delenv("RESTAGE_DEVICE", raising=False)
    assert findings.device() == Finding("ok", "device: the CPU, as there is no GPU")
    monkeypatch.setenv("RESTAGE_DEVICE", "cpu")
    assert findings.device().text.endswith("as RESTAGE_DEVICE says")
    monkeypatch.setenv("RESTAGE_DEVICE", "cuda")
    assert findings.device().level == ("ok" if torch.cuda.is_available() else "fix")


def test_what_follows_from_a_change_runs_too():
    graph = networkx.DiGraph()  # a stage points at what it needs
    stages = {name: Stage(name) for name in ("stage1@a", "stage2@a", "evaluate", "stage1@b", "gan@a")}
    needs = [("stage2@a", "stage1@a"), ("evaluate", "stage2@a"), ("evaluate", "stage1@b"), ("gan@a", "stage1@a")]
    graph.add_edges_from((stages[a], stages[b]) for a, b in needs)
    assert changes.pending(graph, {"stage2@a"}, set()) == ["stage2@a", "evaluate"]
    assert changes.pending(graph, {"stage1@a", "gan@a"}, {"stage1@a"}) == ["stage1@a", "gan@a"]


def test_the_plan_tells_what_changed_from_what_may_follow():
    times = {"a": {"seconds": 60}, "a-stage2": {"seconds": 30.0}}
    trained = {"stage1@a": "a", "stage1@b": "b", "stage2@a": "a-stage2", "oracle@a": "a-oracle"}
    stages = ["stage1@a", "stage1@b", "stage2@a", "evaluate"]
    words = findings.what_will_run(stages, {"stage1@a", "stage1@b"}, times, trained).text
    assert words.endswith(": 2 stage1; and if these give another result than before: stage2, evaluate; 3 of these stages "
                          "train a network, and 2 took 1.5 minutes when they last ran here")
    assert "1 of these stages train a network, none" in findings.what_will_run(["oracle@a"], {"oracle@a"}, {}, trained).text
    assert findings.what_will_run(["evaluate"], {"evaluate"}, {}, trained).text.endswith(": evaluate")
    assert findings.what_will_run([], set(), {}, trained).text.startswith("nothing to run")


def test_changes_are_those_that_dvc_sees(tmp_path, monkeypatch):
    """Against `Repo.status`: each kind of change alone, on a pipeline of small stages."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("a: {b: 1, none: null}\nc: [1.0e-05, x]\nd: 3\n")
    Path("code.py").write_text("one")
    Path("dvc.yaml").write_text("""
stages:
  first: {cmd: mkdir -p folder && cp code.py folder/copy, deps: [code.py], params: [a.b, a.none], outs: [folder]}
  second: {cmd: cp folder/copy out, deps: [folder, code.py], params: [c, d], outs: [out]}
  third: {cmd: cp params.yaml all, params: [params.yaml: ], outs: [all: {cache: false}]}
""")
    Repo.init(no_scm=True).close()

    def compared() -> set[str]:
        with Repo(".") as repo:
            found = changes.changed(repo.index.stages, {})
            assert found == set(repo.status())
        return found

    assert compared() == {"first", "second", "third"}
    with Repo(".") as repo:
        repo.reproduce()
    assert compared() == set()
    edits = {"params.yaml": ("a: {b: 1, none: null}\nc: [2.0e-05, x]\nd: 3\n", {"second", "third"}),
             "code.py": ("two", {"first", "second"}), "all": ("none", {"third"}), "folder/more": ("new", {"first", "second"}),
             "dvc.yaml": (Path("dvc.yaml").read_text().replace("cp folder", "cp -f folder"), {"second"})}
    for name, (text, stages) in edits.items():
        before = Path(name).read_text() if Path(name).exists() else None
        Path(name).unlink(missing_ok=True)  # a link into the cache is not written to
        Path(name).write_text(text)
        assert compared() == stages, name
        Path(name).unlink()
        if before is not None:
            Path(name).write_text(before)
    Path("out").unlink()
    assert compared() == {"second"}


def test_what_is_foretold_is_what_dvc_runs(tmp_path, monkeypatch):
    """The stages code and settings as they are, before some that make one small file each, whatever their code and params."""
    monkeypatch.chdir(tmp_path)
    for name, value in warm.environment().items():
        monkeypatch.setenv(name, value)
    shutil.copytree(ROOT / "pipeline", "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".dvcignore", ".")
    values = yaml.safe_load(merge((ROOT / "params.yaml").read_text(), "without: [blindsr, deblur]"))  # DVC reads it 70 times
    Path("params.yaml").write_text(yaml.safe_dump(values))
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    graph = {name: stages[name] for name in ("code", "settings")}
    for name, key in {"stage1": "sr-edsr", "stage2": "sr-edsr", "evaluate": "sr", "page": ""}.items():
        stage = stages[name].get("do", stages[name])
        deps = [dep.replace("${key}", key).replace("${item.arch}", "edsr") for dep in stage["deps"]
                if dep.startswith(("data/code", "data/settings"))]
        params = [param for param in stage.get("params", []) if "$" not in param]
        graph[name] = {"cmd": f"touch {name}", "deps": deps, "params": params, "outs": [name]}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": graph}))
    Repo.init(no_scm=True).close()

    def predicted_and_run(*makers) -> tuple[set[str], set[str]]:
        foretold = {path: json_text(value) for maker in makers for path, value in maker.contents().items()}
        with Repo(".") as repo:
            plan = changes.pending(repo.index.graph, changes.changed(repo.index.stages, foretold), {"code", "settings"})
        with Repo(".") as repo:
            run = {stage.addressing for stage in repo.reproduce()}
        assert {path: path.read_text() for path in foretold} == foretold
        return set(plan), run

    assert predicted_and_run(code, settings) == (set(graph), set(graph))
    for file, runs in {"train/loop.py": {"code", "stage1", "stage2"}, "report/page.py": {"code", "page"},
                       "stages/settings.py": {"code", "settings"}, "cli/project.py": {"code"}}.items():
        with open(f"pipeline/{file}", "a") as handle:
            handle.write("# edited\n")
        assert predicted_and_run(code) == (runs, runs), file
    for section, key, value, runs in ((values, "seed", 2, {"settings", "stage1", "stage2", "page"}),
                                      (values["bench"], "border", 5, {"settings", "evaluate", "page"}),
                                      (values["tasks"]["demoire"], "title", "x", {"settings", "page"}),
                                      (values["builtin"]["demo"], "seed", 2, {"settings"}),
                                      (values["stage2"], "lambda", 0.1, {"settings", "stage2", "evaluate", "page"})):
        section[key] = value
        Path("params.yaml").write_text(yaml.safe_dump(values))
        assert predicted_and_run(settings) == (runs, runs), key
    assert predicted_and_run(code, settings) == (set(), set())


def test_only_outs_of_entries_that_are_gone_are_left_over(project):
    for name in ("models/old", "models/kept", "models/none", "models/mine", "data/sets/none", "data/bench/sr",
                 "data/pairs/kept/inputs"):
        Path(name).mkdir(parents=True)
    for name in ("models/old", "models/kept"):
        write_json(f"{name}/manifest.json", {})
    for name in ("metrics/old.json", "data/bench/sr/old.json", "data/bench/sr/kept.json"):
        write_json(name, {})
    outs = {Path(name) for name in ("models/kept", "data/bench/sr/kept.json", "data/pairs/kept/inputs")}
    assert findings.leftovers(outs) == [Path("data/bench/sr/old.json"), Path("metrics/old.json"), Path("models/old")]


def test_the_command_says_what_to_mend_and_prunes_when_told(project):
    Path("dvc.yaml").write_text("stages:\n  make:\n    cmd: touch models\n    outs: [models/kept]\n")
    Repo.init(no_scm=True).close()
    for name in ("models/kept", "models/old"):
        write_json(f"{name}/manifest.json", {})
    run = CliRunner().invoke
    first = run(app, ["check"])
    assert first.exit_code == 0, first.output
    assert "ok    will run, unless DVC's cache has the result: make\n" in first.output
    assert "models/old" in first.output and "--prune` deletes" in first.output
    change("sets", "sr-truth", folder="nowhere")
    second = run(app, ["check", "--prune"])
    assert second.exit_code == 1 and "fix   sets.sr-truth.folder: wanted a folder of images" in second.output
    assert "will run" not in second.output and not Path("models/old").exists() and Path("models/kept").exists()
    Path("params.yaml").write_text("seed: one\n")
    assert "error: params.yaml: seed: got 'one'" in run(app, ["check"]).output


def test_videos_are_counted_where_they_are_asked_for(project):
    Path("photos/clip.mp4").touch()
    assert {finding.text for finding in findings.folders(load())} >= {
        "sets.sr-captures.folder: 2 images in photos; 2 files passed over: 1 .mp4 (clip.mp4), 1 .txt (notes.txt)"}
    change("sets", "sr-captures", video_every=5)
    assert {finding.text for finding in findings.folders(load())} >= {
        "sets.sr-captures.folder: 2 images and 1 videos in photos; 1 file passed over: 1 .txt (notes.txt)"}


def test_a_dvc_lock_that_was_cut_off_is_told_and_how_to_mend_it(project):
    stages = {"make": {"foreach": ["a", "b"], "do": {"cmd": "touch ${item}", "outs": ["${item}"]}}}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    Repo.init(no_scm=True).close()
    with Repo(".") as repo:
        repo.reproduce()
    text = Path("dvc.lock").read_text()
    write(lockfile.KEPT, text)
    for cut, level in ((text[:-9], "fix "), ("", "fix "), (text[: text.index("  make@b")], "note")):
        Path("dvc.lock").write_text(cut)
        result = CliRunner().invoke(app, ["check"])
        assert result.exit_code == (level == "fix ")
        assert f"{level}  dvc.lock is cut off" in result.output and "`python -m pipeline repro` repairs" in result.output
    Path("dvc.lock").write_text(text)
    assert "dvc.lock" not in CliRunner().invoke(app, ["check"]).output
