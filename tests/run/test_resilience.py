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

AGAIN = """
from pipeline.stages import label, select, stage1, stage2
stage1.main("sr-edsr")
label.main("systems", "sr-edsr")
stage2.main("stage2", "sr-edsr")
label.main("labels", "sr-edsr-round2")
stage2.main("finetune", "sr-edsr-round2")
select.main("sr")
"""


@pytest.fixture
def folder(built, tmp_path):
    """A copy to break."""
    return shutil.copytree(built, tmp_path / "restage", symlinks=True)


def test_deleting_the_truth_changes_no_network_but_the_oracle(folder):
    names = ["sr-edsr", "sr-edsr-stage2", "sr-edsr-round2"]
    outs = ["data/labels/sr-edsr/train/images.npy", *(f"metrics/curves/{name}.csv" for name in names),
            *(f"models/{name}/{file}" for name in names for file in ("network.safetensors", "manifest.json"))]
    before = [(folder / out).read_bytes() for out in outs]
    choice = (folder / "metrics/select/sr.json").read_bytes()
    assert b'"chosen"' in choice
    output = sh("sed -i '/^  sr-truth:/,/folder/s#folder: .*#folder: data/none#' params.yaml && dvc repro", folder)
    groups = {stage.split("@")[0] for stage in ran(output)}
    assert "oracle" in groups and not {"stage1", "surrogates", "stage2", "gan", "label", "finetune", "select"} & groups
    for out in outs:  # and made anew without any truth on disk they are the same bytes
        (folder / out).unlink()
    shutil.rmtree(folder / "data/builtin/sr-truth")
    (folder / "metrics/select/sr.json").unlink()
    (folder / "again.py").write_text(AGAIN)
    sh("python again.py", folder)
    assert [(folder / out).read_bytes() for out in outs] == before
    assert (folder / "metrics/select/sr.json").read_bytes() == choice
    scores = json.loads((folder / "metrics/sr.json").read_text())
    assert "psnr" not in scores["sr-edsr"]["captures"] and "niqe" in scores["sr-edsr"]["captures"]
    assert "sr-edsr-oracle" not in scores


def test_a_killed_repro_goes_on_where_it_was(folder):
    """Killed with `kill -9`: dvc alone, whose training then sees that it is gone, and all its processes at once."""
    text = (folder / "params.yaml").read_text()
    values = yaml.safe_load(text)
    values["stage2"]["steps"] = 40
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    weights, found = folder / "models/sr-edsr-stage2/network.safetensors", []
    for kill, force in ((os.kill, ""), (os.killpg, "-f -s")):  # the second time it is in DVC's run cache
        command = f"dvc repro {force} stage2@sr-edsr"
        process = subprocess.Popen(command.split(), cwd=folder, env=ENV | {"RESTAGE_CHECKPOINT_SECONDS": "0.2"}, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        deadline = time.monotonic() + 90
        while not list((folder / ".work").glob("*/*/state.pt")):
            assert process.poll() is None and time.monotonic() < deadline, process.stdout.read()
            time.sleep(0.05)
        kill(process.pid, signal.SIGKILL)
        process.stdout.read()  # until the orphan, too, has gone
        process.wait()
        assert not weights.exists()
        assert "resuming at step" in sh(command, folder)
        found.append(weights.read_bytes())
    assert "resuming" not in sh("dvc repro -f -s stage2@sr-edsr", folder)
    assert found == [weights.read_bytes()] * 2
