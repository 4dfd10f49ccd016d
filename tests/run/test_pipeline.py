"""The pipeline as a user meets it: a clone, the smoke preset, and the dvc commands of the README."""
import json
import re
import time
from pathlib import Path

import yaml
from clone import ran, sh


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


def test_it_was_built_as_dvc_repro_builds_it(clone):
    """By `python -m pipeline repro`, two stages at once: nothing is left to do, and dvc.lock has the order of one at a time."""
    assert not ran(sh("dvc repro", clone))
    assert sh("dvc status", clone).strip().endswith("up to date.")
    assert "up to date" in sh("python -m pipeline repro", clone)
    dry = re.findall("^Running stage '(.+)':$", sh("dvc repro --force --dry", clone), re.MULTILINE)
    assert [*yaml.safe_load((clone / "dvc.lock").read_text())["stages"]] == dry


def test_forced_again_the_lock_is_the_same(clone):
    before = (clone / "dvc.lock").read_bytes()
    # one of a kind; trainings, labels and the choice are made again in tests/test_resilience.py
    stages = ["code", "settings", "builtin", "ingest@clean", "calibrate@sr", "synthesize@sr", "adabn", "chain", "tests@sr",
              "bench-system@sr-edsr", "evaluate@sr", "page"]
    assert len(ran(sh(f"dvc repro -f -s {' '.join(stages)}", clone))) == len(stages)
    assert (clone / "dvc.lock").read_bytes() == before
    assert not sh("git status --porcelain", clone).strip()


def test_an_experiment_runs_stage_2_and_later_only(clone):
    output = sh("dvc exp run -n stronger -S stage2.lambda=0.05", clone)
    groups = {stage.split("@")[0] for stage in ran(output)}
    assert groups == {"settings", "stage2", "gan", "label", "finetune", "bench-system", "bench", "index",
                      "index-page", "evaluate", "select", "page", "report"}
    assert "bench@sr-input" not in ran(output)
    difference = sh("dvc metrics diff", clone)
    assert "sr-edsr-stage2.captures.psnr" in difference and "sr-edsr.captures.psnr" not in difference
    sh("git checkout -q . && dvc checkout -q", clone)


def experiments(folder: Path) -> int:
    return len(re.findall(r"refs/exps/\w\w/\w{38}/", sh("git for-each-ref", folder, env={})))


def test_temp_and_queue_leave_the_workspace_alone(clone, tmp_path):
    sh("dvc exp run --temp -n t -S tasks.sr.title=six", clone)  # re-runs stages of a second
    before, deadline = experiments(clone), time.monotonic() + 120
    sh("dvc exp run --queue -n drift -S select.max_drift=0,0.2 select@sr", clone)  # of docs/experiments.md
    sh(f"dvc queue start > {tmp_path}/start.log 2>&1", clone)  # its worker holds the output, and lingers
    while experiments(clone) < before + 2 and time.monotonic() < deadline:
        time.sleep(0.5)  # git takes a hundredth of what `dvc queue status` takes
    for _ in range(60):
        status = sh("dvc queue status", clone)
        if "Queued" not in status and "Running" not in status:
            break
        time.sleep(1)
    assert status.count("Success") == 2, status
    assert not sh("git status --porcelain", clone).strip()
    table = sh("dvc exp show --only-changed --md", clone)
    assert "title" in table and "max_drift" in table


INDEX = {"index@sr", "index-page"}


def test_what_entries_that_are_gone_have_left_runs_the_lists_alone_and_no_other_clone(clone, tmp_path):
    """And nothing runs in a clone whose git turns the ends of lines, as Git for Windows does by default."""
    left = {"bench/sr/old.json": "{}", "blind/sr/old.json": "{}", "crops/sr/old/crop.png": "any", "contents/old.json": "{}"}
    left = {clone / "data" / path: text for path, text in left.items()} | {clone / "metrics/curves/old.csv": "step\n"}
    for path, text in left.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert ran(sh("dvc repro", clone)) == INDEX
    for path in left:
        path.unlink()
    (clone / "data/crops/sr/old").rmdir()
    sh(f"git checkout -q . && dvc repro -q && dvc remote add --local -q here {tmp_path}/remote && dvc push -q -r here", clone)
    for name, option in (("second", ""), ("windows", "-c core.autocrlf=true")):
        sh(f"git clone -q {option} {clone} {tmp_path}/{name}", clone)
        sh(f"dvc remote add --local -q here {tmp_path}/remote && dvc pull -q -r here", tmp_path / name)
        assert "nothing to run" in sh("python -m pipeline check", tmp_path / name)
    for path, text in left.items():
        other = tmp_path / "second" / path.relative_to(clone)
        other.parent.mkdir(exist_ok=True)
        other.write_text(text)
    assert ran(sh("dvc repro", tmp_path / "second")) == INDEX
    assert sh("git status --porcelain", tmp_path / "second").split() == ["M", "dvc.lock"]
    sh("git checkout -q . && dvc checkout -q", clone)


def test_one_task_alone(clone):
    assert not ran(sh("dvc repro evaluate@sr", clone))
