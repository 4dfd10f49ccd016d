import io
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
import warm
from conftest import ROOT
from rich.console import Console

from pipeline.core import device, progress


def run(code: str, **env) -> str:
    clean = {key: value for key, value in os.environ.items() if key not in ("GOMP_SPINCOUNT", "RESTAGE_KEEP_MEMORY")}
    env = clean | warm.environment() | env
    done = subprocess.run(["python", "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_piped_progress_shows_rate_and_time_left(capsys, monkeypatch):
    now = iter([0.0, 4.0, 12.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with progress.progress("training", total=8, done=2) as bar:
        bar.advance()  # after 4 s: too early for a line
        bar.advance("loss 0.5")  # after 12 s, two of the six that were left at the start
        bar.advance(count=4)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["training: 4/8  0.17/s  24 s left  loss 0.5", "training: 8/8  0.3/s  0 s left"]


@pytest.mark.parametrize("width, seen", [
    (40, ("restoring (MP)", "0.50/1.48")), (60, ("restoring (MP) ━", "0.50/1.48 0.025/s", "0:00:40", "0250.…")),
    (200, ("restoring (MP) ━", "0.50/1.48 0.025/s 0:00:20 0:00:40 0250.jpg (3 of 3)"))])
def test_the_bar_fits_the_terminal(width, seen, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    console = Console(width=width, force_terminal=True, color_system=None, file=io.StringIO())
    monkeypatch.setattr(progress, "get_console", lambda: console)
    table = progress._Fitted(*progress._columns(width), console=console, expand=True, get_time=lambda: now[0])
    bar = progress._Bar(table, "restoring (MP)", 1.48, 0)
    bar.advance("0250.jpg (3 of 3)", 0)
    for now[0] in (10.0, 20.0):
        bar.advance("0250.jpg (3 of 3)", 0.25)
    console.print(table.get_renderable())
    line, *rest = console.file.getvalue().splitlines()
    assert not rest and len(line) <= max(width - 2, 40) and all(part in line for part in seen), line


def test_sums_of_parts_come_to_an_end(capsys, monkeypatch):
    now = iter(range(20))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with progress.progress("restoring (MP)", total=0.7) as bar:
        for _ in range(7):
            bar.advance(count=0.1)  # 0.7 but for the last bit
    assert capsys.readouterr().out == "restoring (MP): 0.7000/0.7000  0.1/s  0 s left\n"


def test_keeping_memory_can_be_switched_off_and_changes_no_number():
    code = ("from pipeline.core.memory import keep_memory; import torch; print(keep_memory()); torch.manual_seed(0); "
            "x = torch.rand(4, 8, 64, 64); print(torch.nn.functional.conv2d(x, torch.rand(8, 8, 3, 3)).sum().item())")
    kept, value = run(code).split()
    assert kept == str(sys.platform == "linux")
    assert run(code, RESTAGE_KEEP_MEMORY="0").split() == ["False", value]


def test_threads_hardly_spin_unless_told_otherwise():
    code = "import pipeline.core.device, os; print(os.environ['GOMP_SPINCOUNT'])"
    assert run(code) == "3000" and run(code, GOMP_SPINCOUNT="7") == "7"


@pytest.mark.parametrize("cuda, mps, chosen", [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_the_device_is_the_first_there_is_unless_named(monkeypatch, cuda, mps, chosen):
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(device.torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.delenv("RESTAGE_DEVICE", raising=False)
    assert device.device_name() == chosen
    monkeypatch.setenv("RESTAGE_DEVICE", "cpu")
    assert device.device_name() == "cpu" == device.pick().type
    with pytest.raises(ValueError, match="device cuda:99: this device cannot be used"):
        device.pick(name="cuda:99")


def test_an_unusable_device_is_named():
    code = "from pipeline.core.device import pick\ntry: pick()\nexcept SystemExit as error: print(error)"
    assert run(code, RESTAGE_DEVICE="cuda:99").startswith("RESTAGE_DEVICE=cuda:99: this device cannot be used")


@pytest.mark.parametrize("name, fixed", [("cuda", True), ("cpu", False)])
def test_a_gpu_is_asked_for_kernels_of_a_fixed_order(monkeypatch, name, fixed):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(device.torch, "zeros", lambda *_, device: SimpleNamespace(device=torch.device(device)))
    try:
        assert device.pick(name=name).type == name
        assert torch.are_deterministic_algorithms_enabled() == fixed
        assert torch.is_deterministic_algorithms_warn_only_enabled() == fixed
        assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == (":4096:8" if fixed else None)
    finally:
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = True
        os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
