"""Trainings that are killed for real: what they leave must resume to the bytes of a run that was left alone."""
import importlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import warm
from conftest import ROOT, change, make_tiny_project
from trainings import METHODS

from pipeline.stages import label, stage1, stage2
from pipeline.train.checkpoint import Checkpoint, only_one

SYSTEM = "sr-srresnet"  # batch norm has a state that is no weight
SETTINGS = {"steps": 100, "validate_every": 45, "ema": 0.9, "d_warmup": 10, "batch_norm": "train"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, list[bytes]]:
    """A project ready for stage 2, and the results of a stage 2 that was left alone."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(make_tiny_project(folder))
        change(stage2=SETTINGS)
        stage1.main(SYSTEM)
        label.main("systems", SYSTEM)
        stage2.main("stage2", SYSTEM)
        wanted = results(folder)
        shutil.rmtree(f"models/{SYSTEM}-stage2")
        return folder, wanted


@pytest.fixture
def project(whole, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(shutil.copytree(whole[0], tmp_path / "project"))
    return tmp_path / "project"


@pytest.fixture
def wanted(whole) -> list[bytes]:
    return whole[1]


def start(project, stage=("stage2", "stage2", SYSTEM), **more) -> subprocess.Popen:
    """A stage as its own process, taking a checkpoint after every step."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "RESTAGE_CHECKPOINT_SECONDS": "0"} | warm.environment() | more
    command = ["python", "-m", f"pipeline.stages.{stage[0]}", *stage[1:]]
    return subprocess.Popen(command, cwd=project, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process) -> str:
    output, _ = process.communicate(timeout=120)
    return output


def results(project, name=f"{SYSTEM}-stage2") -> list[bytes]:
    return [(project / path).read_bytes() for path in (f"models/{name}/network.safetensors", f"models/{name}/manifest.json",
                                                       f"metrics/curves/{name}.csv")]


def wait_for_checkpoint(project, process, extra: float):
    """Wait until the process has written a checkpoint of its own, then `extra` seconds."""
    deadline, began = time.monotonic() + 60, time.time()
    while not any(state.stat().st_mtime > began for state in (project / ".work").glob("*/*/state.pt")):
        assert process.poll() is None and time.monotonic() < deadline, finish(process)
        time.sleep(0.02)
    time.sleep(extra)


def test_killed_again_and_again_the_result_is_the_same(project, wanted):
    draw = random.Random(5)
    codes = []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        process = start(project)
        wait_for_checkpoint(project, process, draw.uniform(0, 0.15))
        process.send_signal(number)
        output = finish(process)
        codes.append(process.returncode)
        if number != signal.SIGKILL:
            assert "stopped at step" in output and signal.Signals(number).name in output
    assert codes == [-signal.SIGKILL, 128 + signal.SIGTERM, 128 + signal.SIGINT]
    assert not (project / f"models/{SYSTEM}-stage2/network.safetensors").exists()
    process = start(project, RESTAGE_CHECKPOINT_SECONDS="60")
    assert "resuming at step" in finish(process) and process.returncode == 0
    assert results(project) == wanted
    assert not list((project / ".work").glob("*/*/state.pt"))


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"stage2"}))
def test_every_other_method_resumes_after_a_kill(tiny_project, monkeypatch, method):
    monkeypatch.setenv("RESTAGE_DEVICE", "cpu")
    stage, name = METHODS[method]()
    importlib.import_module(f"pipeline.stages.{stage[0]}").main(*stage[1:])
    wanted = results(tiny_project, name)
    for file in (tiny_project / f"models/{name}").iterdir():
        file.unlink()
    process = start(tiny_project, stage)
    wait_for_checkpoint(tiny_project, process, 0.05)
    process.kill()
    finish(process)
    assert process.returncode == -signal.SIGKILL and not (tiny_project / f"models/{name}/network.safetensors").exists()
    assert f"{name}: resuming at step" in finish(start(tiny_project, stage, RESTAGE_CHECKPOINT_SECONDS="60"))
    assert results(tiny_project, name) == wanted


def test_other_params_do_not_resume_a_foreign_state(project):
    process = start(project)
    wait_for_checkpoint(project, process, 0)
    process.send_signal(signal.SIGTERM)
    finish(process)
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("lambda: 0.002", "lambda: 0.004"))
    assert "resuming" not in finish(start(project, RESTAGE_CHECKPOINT_SECONDS="60"))


def test_an_orphan_of_dvc_saves_and_stops(project):
    """A stand-in for dvc starts the stage through a shell, as dvc does, and is killed with kill -9."""
    code = (f"import subprocess; subprocess.run('{sys.executable} -m pipeline.stages.stage2 stage2 {SYSTEM}; true', "
            "shell=True)")
    env = os.environ | {"PYTHONPATH": str(ROOT), "RESTAGE_CHECKPOINT_SECONDS": "0", "DVC_ROOT": str(project)}
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=project, env=env, stdout=subprocess.PIPE, text=True)
    wait_for_checkpoint(project, parent, 0)
    parent.kill()
    output = finish(parent)  # ends only when the orphan has closed its end of the pipe
    assert "dvc is gone" in output
    assert not (project / f"models/{SYSTEM}-stage2/network.safetensors").exists()
    assert list((project / ".work").glob("*/*/state.pt"))


WAITER = """
import sys
from pathlib import Path
from pipeline.train.checkpoint import only_one
with only_one(Path(sys.argv[1])):
    print("trains", flush=True)
"""


def waiter(project, folder) -> subprocess.Popen:
    env = os.environ | {"PYTHONPATH": str(ROOT)} | warm.environment()
    return subprocess.Popen(["python", "-c", WAITER, folder], cwd=project, env=env,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_the_same_training_waits_and_another_of_its_name_does_not(tmp_path, monkeypatch):
    """Two jobs of DVC's queue share RESTAGE_WORK."""
    monkeypatch.chdir(tmp_path)
    with only_one(Path(".work/sr-edsr/aaaa")):
        assert finish(waiter(tmp_path, ".work/sr-edsr/bbbb")) == "trains\n"
        same, stopped = waiter(tmp_path, ".work/sr-edsr/aaaa"), waiter(tmp_path, ".work/sr-edsr/aaaa")
        said = f"sr-edsr: waiting for process {os.getpid()}, which runs the same training\n"
        assert same.stdout.readline() == stopped.stdout.readline() == said
        stopped.send_signal(signal.SIGINT)
        assert "SIGINT" in finish(stopped) and stopped.returncode == 128 + signal.SIGINT
    assert finish(same) == "trains\n" and same.returncode == 0


def state_file(project) -> Path:
    (found,) = (project / ".work").glob("*/*/state.pt")
    return found


def flipped(content: bytes) -> bytes:
    """With one bit of the weights changed."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:]


def saved_as(value) -> bytes:
    handle = io.BytesIO()
    torch.save(value, handle)
    return handle.getvalue()


STATE = {"step": 3, "curve": [], "window": [], "method": {"weight": torch.arange(1000.0)}}
DAMAGE = {"cut": lambda content: content[: len(content) // 2], "short": lambda content: content[:-1], "empty": lambda _: b"",
          "flipped": flipped, "text": lambda _: b"host\n", "another's": lambda _: saved_as(STATE | {"of": "another"}),
          "no state": lambda _: saved_as([1])}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(tmp_path, capsys, how):
    checkpoint = Checkpoint(tmp_path / "abcd")
    for step in (3, 4):
        checkpoint.save(STATE | {"step": step})
    assert checkpoint.load()["step"] == 4 and not capsys.readouterr().out
    checkpoint.path.write_bytes(DAMAGE[how](checkpoint.path.read_bytes()))
    assert checkpoint.load()["step"] == 3
    assert str(checkpoint.path) in (said := capsys.readouterr().out) and "the one before it is taken" in said
    checkpoint.save(STATE | {"step": 5})  # the good one is not lost to it
    assert [checkpoint.load()["step"], torch.load(checkpoint.previous)["step"]] == [5, 3]
    for path in (checkpoint.path, checkpoint.previous):
        path.write_bytes(DAMAGE[how](path.read_bytes()))
    assert checkpoint.load() is None
    assert str(checkpoint.previous) in (said := capsys.readouterr().out) and "begins anew" in said


def test_a_training_with_damaged_checkpoints_ends_with_the_same_bytes(project, wanted):
    process = start(project)
    wait_for_checkpoint(project, process, 0)
    while not list((project / ".work").glob("*/*/previous.pt")):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    finish(process)
    path, saved = state_file(project), shutil.copytree(project / ".work", project / "saved")
    path.unlink()  # the kill may have come while state.pt and previous.pt were one file under two names
    path.write_bytes(b"")
    output = finish(start(project, RESTAGE_CHECKPOINT_SECONDS="60"))
    assert f"{path.relative_to(project)}: damaged" in output and "resuming at step" in output, output
    assert results(project) == wanted and not list((project / ".work").glob("*/*/*.pt*"))
    shutil.rmtree(project / ".work")
    shutil.move(saved, project / ".work")
    for file in (path, path.with_name("previous.pt")):
        file.write_bytes(file.read_bytes()[:999])
    output = finish(start(project, RESTAGE_CHECKPOINT_SECONDS="60"))
    assert "begins anew" in output and "resuming" not in output and results(project) == wanted, output
