"""Trainings that are killed for real: what they leave must resume to the bytes of a run that was left alone."""
import importlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from trainings import METHODS

from pipeline.stages import label, stage1, stage2
from pipeline.train.checkpoint import only_one

STEPS = 160
SYSTEM = "sr-srresnet"  # batch norm has a state that is no weight


@pytest.fixture
def project(tiny_project):
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["stage2"] |= {"steps": STEPS, "validate_every": 70, "ema": 0.9, "d_warmup": 10, "batch_norm": "train"}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    stage1.main(SYSTEM)
    label.main("systems", SYSTEM)
    return tiny_project


def start(project, stage=("stage2", "stage2", SYSTEM), **more) -> subprocess.Popen:
    """A stage as its own process, taking a checkpoint after every step."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "RESTAGE_CHECKPOINT_SECONDS": "0"} | more
    command = [sys.executable, "-m", f"pipeline.stages.{stage[0]}", *stage[1:]]
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


def test_killed_again_and_again_the_result_is_the_same(project):
    stage2.main("stage2", SYSTEM)
    wanted = results(project)
    for file in (project / f"models/{SYSTEM}-stage2").iterdir():
        file.unlink()
    draw = random.Random(5)
    codes = []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        process = start(project)
        wait_for_checkpoint(project, process, draw.uniform(0, 0.25))
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


def test_a_second_trainer_of_the_same_network_is_refused_with_the_pid(tiny_project):
    with only_one("sr-edsr"):
        code = "from pipeline.train.checkpoint import only_one\nwith only_one('sr-edsr', wait=0.1): pass"
        second = subprocess.run([sys.executable, "-c", code], cwd=tiny_project, env=os.environ | {"PYTHONPATH": str(ROOT)},
                                capture_output=True, text=True)
    assert second.returncode == 1 and f"being trained by process {os.getpid()}" in second.stderr
