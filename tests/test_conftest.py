"""Tests on real images: skipped with the reason when RESTAGE_DATA is unset, failing when it names nothing usable."""
import os
import shutil
import subprocess

import pytest
import warm
from conftest import REAL, ROOT


@pytest.fixture
def run(tmp_path):
    """Runs one test that uses the data folder, from elsewhere and under the project's settings."""
    (tmp_path / "tests").mkdir()
    for name in ("browser.py", "conftest.py", "clone.py", "warm.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests")
    (tmp_path / "tests/test_real.py").write_text("def test_real(data_folder):\n    assert data_folder.is_absolute()\n")

    def call(folder):
        env = {key: value for key, value in os.environ.items() if key != "RESTAGE_DATA"} | {"PYTHONPATH": str(ROOT)}
        env |= warm.environment() | ({} if folder is None else {"RESTAGE_DATA": folder})
        command = ["python", "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", ".",
                   "-p", "no:cacheprovider", "tests/test_real.py"]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr
    return call


@pytest.mark.parametrize("folder", [None, ""])
def test_unset_they_are_skipped_and_the_reason_is_printed(run, folder):
    code, printed = run(folder)
    assert code == 0 and "1 skipped" in printed and "RESTAGE_DATA is unset: no folder of real images" in printed


def test_a_folder_that_lacks_images_fails_and_is_named(run, tmp_path):
    code, printed = run("nowhere")
    assert code == 1 and "RESTAGE_DATA=nowhere holds no benchmarks/Set5/HR" in printed and "1 skipped" not in printed
    for name in REAL[:-1]:
        (tmp_path / "data" / name).mkdir(parents=True)
    code, printed = run("data")
    assert code == 1 and f"RESTAGE_DATA=data holds no {REAL[-1]}" in printed


def test_a_whole_folder_is_used_from_anywhere(run, tmp_path):
    for name in REAL:
        (tmp_path / "data" / name).mkdir(parents=True)
    code, printed = run("data")
    assert code == 0 and "1 passed" in printed
