"""bench/gpu.py: what it imports, and that no section can stop the others. Its own sections take minutes and are run by hand."""
import ast
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest
import warm
from conftest import ROOT

from bench import gpu
from pipeline.core.imports import imported
from pipeline.nets.build import architectures

BENCH = ("gpu", "gpu_sections", "gpu_train", "peers", "restore", "train")
SHARED = ("clone", "conftest", "devices", "networks", "warm")  # by tests


def packages_of(files) -> set[str]:
    """What files import that is neither Python's nor the project's; tests import each other by their names alone."""
    own = {path.stem for path in (ROOT / "tests").rglob("*.py")} | {"bench", "pipeline"}
    names = {name for file in files for node in ast.walk(ast.parse(file.read_text())) for name in imports_of(node)}
    return {name.partition(".")[0] for name in names} - own - sys.stdlib_module_names


def imports_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def files_of_the_bench() -> set:
    """Those of the bench, of the tests that it runs and what these share, and of the pipeline all that they begin with."""
    marked = [path for path in (ROOT / "tests").rglob("test_gpu_*.py") if path != Path(__file__)]
    assert all("pytest.mark.gpu" in path.read_text() for path in marked) and len(marked) == 3
    files = {*marked, *(ROOT / "bench" / f"{name}.py" for name in BENCH), *(ROOT / "tests" / f"{name}.py" for name in SHARED)}
    modules = {name for file in files for node in ast.parse(file.read_text()).body for name in imports_of(node)}
    modules |= {f"pipeline.nets.{arch}" for arch in architectures() if arch != "spandrel"}
    found = imported([name for name in modules if name.startswith("pipeline.")], ROOT)
    return files | {ROOT / path for paths in found.values() for path in paths}


def test_it_names_every_package_that_it_imports_and_dvc_is_none():
    """lpips, with torchvision, is imported where it is installed."""
    assert packages_of(files_of_the_bench()) - {"lpips", "torchvision"} == {module.partition(".")[0] for module in gpu.NEEDED}


def test_missing_packages_and_old_versions_are_said_first(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "NEEDED", {"numpy": "numpy", "absent_one": "absent-one", "absent.part": "absent-two"})
    monkeypatch.setattr(gpu.metadata, "version", lambda name: "2.10.1+cu130")
    monkeypatch.setattr(sys, "argv", ["gpu", "--data", "none"])
    assert gpu.main() == 1
    assert capsys.readouterr().out == "missing packages: absent-one absent-two\ntorch 2.10.1+cu130 is older than 2.11\n"


SECTIONS = """
import os, signal, subprocess, time
def good(report, data, device, before):
    report("figure", 7, f"{data.name} {device} {before}")
def bad(report, data, device, before):
    report("half", 1, "half")
    raise ValueError("planted")
def late(report, data, device, before):
    report("begun", subprocess.Popen(["sleep", "60"]).pid, "begun")
    time.sleep(60)
def killed(report, data, device, before):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Sections that fail in each way there is, in a module of their own; the last one is well."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench/planted.py").write_text(SECTIONS)
    (tmp_path / "run.py").write_text(textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        import bench
        bench.__path__.append({str(tmp_path / "bench")!r})
        from bench import gpu
        gpu._processes = lambda: __import__("multiprocessing").get_context("fork")
        gpu.SECTIONS = {{name: (f"planted.{{name}}", name, 0.25, 0.25) for name in ("bad", "late", "killed", "good")}}
        gpu.missing = list
        sys.exit(gpu.main())
        """))
    return tmp_path


def test_a_section_that_fails_or_hangs_is_reported_and_the_others_go_on(planted):
    command = ["python", "run.py", "--data", "images", "--device", "cpu", "--seconds", "8", "-o", "found.json"]
    env = os.environ | warm.environment()
    done = subprocess.run(command, cwd=planted, capture_output=True, text=True, timeout=120, env=env)
    assert done.returncode == 1, done.stderr
    found = json.loads((planted / "found.json").read_text())["sections"]
    assert found["bad"]["figures"] == {"half": 1} and "ValueError: planted" in found["bad"]["error"]
    assert found["late"]["error"] == "ended after its 2 s"
    begun = found["late"]["figures"]["begun"]  # what a section started ends with it
    assert not psutil.pid_exists(begun) or psutil.Process(begun).status() == psutil.STATUS_ZOMBIE
    assert found["killed"]["error"] == "its process ended with -9"
    assert found["good"]["figures"] == {"figure": 7} and "error" not in found["good"]
    assert done.stdout.splitlines()[-1] == "1 of 4 sections done; failed: bad, late, killed"
