"""Scores that differ from those in Git though nothing that they are made from does."""
import json
import subprocess
from pathlib import Path

import pytest
import yaml

from pipeline.check.elsewhere import on_another_machine, sources

LOCK = {"schema": "2.0", "stages": {
    "code": {"cmd": "code", "deps": [{"path": "pipeline", "md5": "1.dir"}], "outs": [{"path": "data/code", "md5": "2.dir"}]},
    "train": {"cmd": "train", "deps": [{"path": "data/code/train.json", "md5": "3"}, {"path": "photos", "md5": "4.dir"}],
              "params": {"params.yaml": {"seed": 1}}, "outs": [{"path": "models/a", "md5": "5"}]},
    "join": {"cmd": "join", "deps": [{"path": "models", "md5": "6.dir"}], "outs": [{"path": "metrics/sr.json", "md5": "7"}]}}}
SCORES = {"a": {"captures": {"psnr": 20.0, "ssim": 0.5}}, "b": {"captures": {"psnr": 21.0}}}


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """A repository in which a run was committed."""
    monkeypatch.chdir(tmp_path)
    Path("metrics").mkdir()
    write(LOCK, SCORES)
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", "run"]):
        subprocess.run(["git", *command], check=True)


def write(lock: dict, scores: dict) -> None:
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    Path("metrics/sr.json").write_text(json.dumps(scores))


def changed(stage: str, part: str, **values) -> dict:
    """The lock with another output of training and of the join, and one more change."""
    lock = json.loads(json.dumps(LOCK))
    lock["stages"]["train"]["outs"][0]["md5"] = lock["stages"]["join"]["deps"][0]["md5"] = "other"
    entry = lock["stages"][stage]
    lock["stages"][stage] = entry | {part: [entry[part][0] | values] if part in ("deps", "outs") else values}
    return lock


def test_other_scores_of_the_same_sources_are_told(committed):
    assert on_another_machine() is None
    write(changed("join", "outs", md5="8"), SCORES)
    assert on_another_machine() is None  # no score differs
    write(changed("join", "outs", md5="8"), {"a": {"captures": {"psnr": 20.01, "ssim": 0.5}},
                                             "b": {"captures": {"psnr": 20.98}}})
    said = on_another_machine()
    assert "2 of 3 scores differ" in said and "at most 0.02 dB" in said and "expected" in said and "\n" not in said
    write(changed("join", "outs", md5="8"), {"a": {"captures": {"psnr": 19.0, "ssim": 0.5}}})
    assert "1 of 2" in on_another_machine() and "more than another CPU makes" in on_another_machine()


@pytest.mark.parametrize("lock", [
    changed("code", "deps", md5="other.dir"), changed("train", "params", **{"params.yaml": {"seed": 2}}),
    changed("train", "deps", path="photos", md5="other.dir"), {**LOCK, "stages": {"code": LOCK["stages"]["code"]}}])
def test_other_code_settings_or_data_are_reason_enough(committed, lock):
    write(lock, {"a": {"captures": {"psnr": 20.01}}})
    assert on_another_machine() is None


def test_without_git_or_a_commit_nothing_is_told(committed, monkeypatch):
    write(changed("join", "outs", md5="8"), {"a": {"captures": {"psnr": 20.01}}})
    assert on_another_machine()
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "")
        assert on_another_machine() is None
    subprocess.run(["git", "rm", "-q", "--cached", "dvc.lock"], check=True)
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a", "commit", "-qm", "no lock"], check=True)
    assert on_another_machine() is None


def test_sources_are_what_no_stage_makes():
    assert {name: found[2] for name, found in sources(LOCK).items()} == {
        "code": {"pipeline": "1.dir"}, "train": {"photos": "4.dir"}, "join": {}}
