"""Several processes that train one network, on the CPU over gloo, against one process with the same whole batch."""
import csv
import importlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import warm
from conftest import ROOT
from safetensors.torch import load_file
from trainings import METHODS

from pipeline.nets.build import build
from pipeline.stages import stage1
from pipeline.train import ranks

# Measured: after so few steps weights differ by 1e-7 or so; Adam's division by small gradients can let it grow.
TOLERANCE = {"atol": 2e-5, "rtol": 0}


def start(stage: str, *arguments: str, **more: str) -> subprocess.Popen:
    """A stage as two processes."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "RESTAGE_DEVICE": "cpu", "GPUS": "2"} | warm.environment() | more
    return subprocess.Popen(["python", "-m", f"pipeline.stages.{stage}", *arguments], env=env, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen) -> str:
    return process.communicate(timeout=120)[0]


def results(name: str) -> tuple[dict, list[dict]]:
    """The weights and the curve."""
    with open(f"metrics/curves/{name}.csv") as handle:
        return load_file(f"models/{name}/network.safetensors"), list(csv.DictReader(handle))


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_train_as_one_does_and_resume_to_the_same_bits(tiny_project, monkeypatch, method):
    arguments, name = METHODS[method]()
    files = [Path(path) for path in (f"models/{name}/network.safetensors", f"models/{name}/manifest.json",
                                     f"metrics/curves/{name}.csv")]
    monkeypatch.setenv("RESTAGE_DEVICE", "cpu")
    importlib.import_module(f"pipeline.stages.{arguments[0]}").main(*arguments[1:])
    alone, curve = results(name)
    process = start(*arguments)
    output = finish(process)
    assert process.returncode == 0, output
    together, rows = results(name)
    for key, value in alone.items():
        torch.testing.assert_close(together[key], value, **TOLERANCE)
    assert [list(row) for row in rows] == [list(row) for row in curve]
    for row, wanted in zip(rows, curve):
        assert {key: float(value) for key, value in row.items()} == pytest.approx(
            {key: float(value) for key, value in wanted.items()}, rel=1e-3, abs=0.02 if "d_auc" in row else 1e-6)
    assert not list(Path(".work").glob("*/*/state.pt"))
    if method in ("supervised", "srgan"):  # stage 2 holds all that they do
        return
    wanted = [path.read_bytes() for path in files]
    files[0].unlink()

    process = start(*arguments, RESTAGE_CHECKPOINT_SECONDS="0")
    deadline = time.monotonic() + 60
    while not list(Path(".work").glob("*/*/state.pt")):
        assert process.poll() is None and time.monotonic() < deadline, finish(process)
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert f"{name}: stopped at step" in finish(process) and process.returncode == 128 + signal.SIGTERM
    assert not files[0].exists()
    process = start(*arguments)
    assert finish(process).count(f"{name}: resuming at step") == 1 and process.returncode == 0
    assert [path.read_bytes() for path in files] == wanted


@pytest.mark.parametrize("gpus, words", [("3", "sr-edsr: 3 processes cannot share a batch of 2 evenly"),
                                         ("two", "GPUS=two: wanted a number of processes")])
def test_a_number_of_processes_that_cannot_be_is_refused(tiny_project, monkeypatch, gpus, words):
    monkeypatch.setenv("RESTAGE_DEVICE", "cpu")
    monkeypatch.setenv("GPUS", gpus)
    with pytest.raises(ValueError, match=words):
        stage1.main("sr-edsr")


def test_batch_norm_that_learns_is_refused_where_torch_has_none_for_several_processes(monkeypatch):
    monkeypatch.setenv("RESTAGE_DEVICE", "cpu")
    monkeypatch.setattr(ranks, "part", lambda: (0, 2))
    with pytest.raises(ValueError, match="batch norm in training mode takes GPUs"):
        ranks.data_parallel(build("srresnet", {"scale": 2, "blocks": 1, "features": 8}))


def test_records_of_parts_become_those_of_the_whole():
    parts = {"loss": 1.0, "real": torch.tensor([1.0, 2.0])}, {"loss": 4.0, "real": torch.tensor([3.0, 4.0])}
    whole = ranks._joined(parts)
    assert whole["loss"] == 2.5 and whole["real"].tolist() == [1, 2, 3, 4]
