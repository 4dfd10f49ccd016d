"""The pipeline without its truth, and killed. Each test has a copy of the smoke clone to break."""
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
import yaml
from clone import ENV, ran, sh


@pytest.fixture
def folder(built, tmp_path):
    """A copy to break."""
    return shutil.copytree(built, tmp_path / "restage", symlinks=True)


def test_deleting_the_truth_changes_no_network_but_the_oracle(folder):
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
    scores = json.loads((folder / "metrics/sr.json").read_text())
    assert "psnr" not in scores["sr-edsr"]["captures"] and "niqe" in scores["sr-edsr"]["captures"]
    assert "sr-edsr-oracle" not in scores


@pytest.mark.parametrize("victim", ["dvc", "group"])
def test_a_killed_repro_goes_on_where_it_was(folder, victim):
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
