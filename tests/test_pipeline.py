"""The pipeline as a user meets it: a clone, the smoke preset, and the dvc commands of the README."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

BIN = Path(sys.executable).parent
ENV = {key: value for key, value in os.environ.items() if not key.startswith("DVC")} | {
    "PATH": f"{BIN}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}


def sh(command: str, folder: Path, ok: bool = True) -> str:
    done = subprocess.run(command, shell=True, cwd=folder, env=ENV, capture_output=True, text=True, timeout=540)
    assert (done.returncode == 0) == ok, f"{command}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def ran(output: str) -> set[str]:
    """The stages that a dvc command ran, not those it skipped or restored."""
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")}


@pytest.fixture(scope="session")
def clone(tmp_path_factory) -> Path:
    """A clone of the project under the smoke preset, reproduced and committed."""
    folder = tmp_path_factory.mktemp("clone") / "restage"
    files = sh("git ls-files -z --cached --others --exclude-standard", ROOT).split("\0")
    for file in filter(None, files):
        if (ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
    (folder / "dvc.lock").unlink(missing_ok=True)
    sh("git init -q && git add -A && git commit -qm start && python -m pipeline preset smoke", folder)
    sh("dvc repro && git add -A && git commit -qm baseline", folder)
    return folder


def metrics(folder: Path) -> dict:
    return json.loads((folder / "metrics/sr.json").read_text())


def test_the_table_has_the_rows_and_no_number_that_is_none(clone):
    scores = metrics(clone)
    assert {"input", "sr-edsr", "sr-edsr-stage2", "sr-edsr-gan", "sr-edsr-oracle", "sr-edsr-round2"} <= set(scores)
    assert any(row.startswith("sr-edsr+sharpen") for row in scores)
    assert {"synthetic", "synthetic-val", "captures", "captures-val", "captures-far"} == set(scores["sr-edsr"])
    for sets in scores.values():
        for values in sets.values():
            assert {"swd", "niqe", "psnr", "ssim"} <= set(values)
            assert all(isinstance(value, float) and abs(value) < 1000 for value in values.values())
    table = (clone / "metrics/tables/sr.md").read_text()
    assert "sr-edsr-stage2" in table and "lpips" in table.lower()  # with the reason, where its trunk is not there


def test_a_second_repro_does_nothing(clone):
    assert not ran(sh("dvc repro", clone))
    assert sh("dvc status", clone).strip().endswith("up to date.")


def test_forced_again_the_lock_is_the_same(clone):
    before = (clone / "dvc.lock").read_bytes()
    one_of_a_kind = ("builtin ingest@clean calibrate@sr synthesize@sr stage1@sr-edsr surrogates@sr-edsr stage2@sr-edsr "
                     "adabn tests@sr bench-system@sr-edsr evaluate@sr select@sr page")
    assert len(ran(sh(f"dvc repro -f -s {one_of_a_kind}", clone))) == 13
    assert (clone / "dvc.lock").read_bytes() == before
    assert not sh("git status --porcelain", clone).strip()


def test_an_experiment_runs_stage_2_and_later_only(clone):
    output = sh("dvc exp run -n stronger -S stage2.lambda=0.05", clone)
    groups = {stage.split("@")[0] for stage in ran(output)}
    assert groups == {"stage2", "gan", "label", "finetune", "bench-system", "bench", "evaluate", "select", "curves",
                      "page", "report"}
    assert "bench@sr-input" not in ran(output)
    difference = sh("dvc metrics diff", clone)
    assert "sr-edsr-stage2.captures.psnr" in difference and "sr-edsr.captures.psnr" not in difference
    sh("git checkout -q . && dvc checkout -q", clone)


def test_temp_and_queue_leave_the_workspace_alone(clone):
    sh("dvc exp run --temp -n t -S tasks.sr.title=six", clone)  # re-runs three stages of a second
    sh("dvc exp run --queue -S tasks.sr.title=five,seven && dvc queue start -j 1", clone)
    for _ in range(120):
        status = sh("dvc queue status", clone)
        if "Queued" not in status and "Running" not in status:
            break
        time.sleep(1)
    assert status.count("Success") == 2, status
    assert not sh("git status --porcelain", clone).strip()
    assert "title" in sh("dvc exp show --only-changed --md", clone)


def test_one_task_alone(clone):
    assert not ran(sh("dvc repro evaluate@sr", clone))


def test_deleting_the_truth_changes_no_network_but_the_oracle(clone, tmp_path):
    folder = tmp_path / "no-truth"
    shutil.copytree(clone, folder, symlinks=True)
    names = ["sr-edsr", "sr-edsr-stage2", "sr-edsr-round2"]
    outs = [*(f"models/{name}/network.safetensors" for name in names), "data/labels/sr-edsr/train/images.npy"]
    before = [(folder / out).read_bytes() for out in outs]
    choice = (folder / "metrics/select/sr.json").read_bytes()
    assert b'"chosen"' in choice
    output = sh("sed -i '/^  sr-truth:/,/folder/s#folder: .*#folder: data/none#' params.yaml && dvc repro", folder)
    groups = {stage.split("@")[0] for stage in ran(output)}
    assert not {"stage1", "surrogates", "stage2", "gan", "label", "finetune", "select"} & groups
    for out in outs:  # and made anew without any truth on disk they are the same bytes
        shutil.rmtree((folder / out).parent)
    shutil.rmtree(folder / "data/builtin/sr-truth")
    for stage in ("stage1 sr-edsr", "label systems sr-edsr", "stage2 stage2 sr-edsr", "label labels sr-edsr-round2",
                  "stage2 finetune sr-edsr-round2"):
        sh(f"python -m pipeline.stages.{stage}", folder)
    assert [(folder / out).read_bytes() for out in outs] == before
    (folder / "metrics/select/sr.json").unlink()
    sh("python -m pipeline.stages.select sr", folder)
    assert (folder / "metrics/select/sr.json").read_bytes() == choice
    scores = metrics(folder)
    assert "psnr" not in scores["sr-edsr"]["captures"] and "niqe" in scores["sr-edsr"]["captures"]
    assert "sr-edsr-oracle" not in scores


@pytest.mark.parametrize("victim", ["dvc", "group"])
def test_a_killed_repro_goes_on_where_it_was(clone, tmp_path, victim):
    folder = tmp_path / "killed"
    shutil.copytree(clone, folder, symlinks=True)
    text = (folder / "params.yaml").read_text()
    values = yaml.safe_load(text)
    values["stage2"]["steps"] = 100
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    wanted = None
    for attempt in ("killed", "alone"):
        if attempt == "killed":
            env = ENV | {"RESTAGE_CHECKPOINT_SECONDS": "0.2"}
            process = subprocess.Popen(["dvc", "repro", "stage2@sr-edsr"], cwd=folder, env=env, text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
            deadline = time.monotonic() + 90
            while not list((folder / ".work").glob("*/*/state.pt")):
                assert process.poll() is None and time.monotonic() < deadline, process.stdout.read()
                time.sleep(0.05)
            os.kill(process.pid, signal.SIGKILL) if victim == "dvc" else os.killpg(process.pid, signal.SIGKILL)
            process.stdout.read()  # until the orphan, too, has gone
            process.wait()
            output = sh("dvc repro stage2@sr-edsr", folder)
            assert "resuming at step" in output
        else:
            output = sh("dvc repro -f -s stage2@sr-edsr", folder)
            assert ran(output) == {"stage2@sr-edsr"} and "resuming" not in output
        weights = (folder / "models/sr-edsr-stage2/network.safetensors").read_bytes()
        assert wanted in (None, weights)
        wanted = weights
