import csv
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT
from scipy import stats
from typer.testing import CliRunner

from pipeline.cli.app import app

SCENES = ["a", "a", "b", "c", "d", "e", "f"]  # of the images 0, 1, 2, ...
ENTRIES = {"input": "sr-input"} | {row: row for row in ("sr-edsr-round2", "sr-edsr-oracle")}  # other rows are of the system
STAGE1, CONTROL = "sr-edsr", "sr-edsr+sharpen50"
JITTER = np.array([0.1, -0.2, 0.3, -0.3, 0.2, -0.1, 0.0])


def git(*arguments) -> str:
    command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def write(seed: int, scores: dict, changes: dict | None = None, test_set: str = "captures", swd: float = 20) -> None:
    """The files of a revision: `scores` holds row -> metric -> score of each image, NaN where there is none."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    kept = {"tasks": ["sr"], "tests": ["sr"], "far": ["sr"], "systems": ["sr-edsr"], "rows": [*ENTRIES.values()],
            "labels": ["sr-edsr-round2"], "finetunes": ["sr-edsr-round2"]}
    for section, names in kept.items():
        values[section] = {name: values[section][name] for name in names}
    values["bench"] |= {"sharpen": [0.5], "noise": [0], "mix_input": []}
    values["seed"] = seed
    for section, change in (changes or {}).items():
        values[section] |= change
    with open("params.yaml", "w") as handle:
        yaml.safe_dump(values, handle)
    metrics = list(dict.fromkeys(metric for row in scores.values() for metric in row))
    lines = {key: [] for key in ("sr-edsr", *ENTRIES.values())}
    for row, by_metric in scores.items():
        for k, scene in enumerate(SCENES):
            found = {metric: by_metric[metric][k] for metric in by_metric}
            line = {metric: f"{value:.4f}" for metric, value in found.items() if not np.isnan(value)}
            place = {"row": row, "test_set": test_set, "image": f"i{k}", "scene": scene}
            lines[ENTRIES.get(row.partition("+")[0], "sr-edsr")].append(place | line)
    Path("metrics/images").mkdir(parents=True, exist_ok=True)
    for key, found in lines.items():
        with open(f"metrics/images/{key}.csv", "w", newline="") as handle:
            writer = csv.DictWriter(handle, ["row", "test_set", "image", "scene", *metrics])
            writer.writeheader()
            writer.writerows(found)
    whole = {row: {test_set: {m: float(np.nanmean(v)) for m, v in by_metric.items() if not np.isnan(v).all()}
                   | {"swd": swd, "swd_0": swd + 1}}
             for row, by_metric in scores.items()}
    with open("metrics/sr.json", "w") as handle:
        json.dump(whole, handle)


def commit(tag: str) -> None:
    git("add", "-A")
    git("commit", "-qm", tag)
    git("tag", tag)


def scores(seed: int) -> dict:
    """Stage 2 loses 0.5 dB, is 1.5 lower in NIQE and no different in SSIM; a control is 1 dB and 2 NIQE lower."""
    noise = np.random.default_rng(seed).normal(0, 0.01, (4, 7))
    psnr, niqe, ssim = 20 + JITTER + 0.1 * seed, 7 + JITTER, 0.5 + JITTER / 10
    return {
        STAGE1: {"psnr": psnr, "ssim": ssim, "niqe": niqe},
        CONTROL: {"psnr": psnr - 1, "ssim": ssim - 0.1, "niqe": niqe - 2},
        "sr-edsr-stage2": {"psnr": psnr - 0.5 + noise[0], "ssim": ssim + 3 * noise[1], "niqe": niqe - 1.5 + noise[2]},
        "sr-edsr-oracle": {"psnr": psnr + 1 + noise[3], "ssim": ssim + 0.1, "niqe": niqe.copy()},
    }


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository of DVC with three seeds, tagged s1 to s3."""
    folder = tmp_path_factory.mktemp("repository")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        git("init", "-q")
        (folder / ".dvc").mkdir()
        (folder / ".dvc/config").touch()
        for seed in (1, 2, 3):
            write(seed, scores(seed), swd=20 + seed)
            commit(f"s{seed}")
    return folder


@pytest.fixture
def project(repository, tmp_path, monkeypatch):
    """A copy to change."""
    shutil.copytree(repository, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def run(*arguments):
    return CliRunner().invoke(app, ["seeds", *map(str, arguments)])


def table(*arguments) -> dict:
    """(row, metric, what) -> the line of the CSV."""
    result = run(*arguments, "--out", "out.md")
    assert result.exit_code == 0, result.output
    with open("out.csv", newline="") as handle:
        return {(line["row"], line["metric"], line["what"]): line for line in csv.DictReader(handle)}


def number(line: dict, *keys) -> list[float]:
    return [float(line[key]) for key in keys]


def test_means_and_spreads_over_seeds(project):
    found = table("s1", "s2", "s3")
    assert number(found[STAGE1, "psnr", "mean"], "value", "sd") == pytest.approx([20.2, 0.1])
    assert number(found[STAGE1, "swd", "mean"], "value", "sd") == pytest.approx([22, 1])
    assert not {what for row, metric, what in found if metric == "swd"} - {"mean"}
    shown = " ".join(run("s1", "s2", "s3").output.split())
    assert "20.20 ± 0.10" in shown and "22.00 ± 1.00" in shown
    assert number(found[STAGE1, "swd_0", "mean"], "value") == [23] and "swd_0" not in shown  # levels: in the CSV alone
    assert "captures (7 images of 6 scenes), mean ± SD over seeds 1, 2, 3" in shown
    assert "Few scenes (6)" in shown and "over scenes and seeds" in shown


def test_differences_from_stage_1_are_paired_image_by_image(project):
    found = table("s3", "s1", "s2")
    difference = np.array([scores(seed)["sr-edsr-stage2"]["niqe"] - scores(seed)[STAGE1]["niqe"] for seed in (1, 2, 3)])
    line = found["sr-edsr-stage2", "niqe", "minus-base"]
    value, low, high = number(line, "value", "low", "high")
    assert value == pytest.approx(difference.mean(), abs=1e-4) and line["images"] == "7"
    assert low < value < high and high - low < 0.05  # the jitter that rows share cancels
    assert (STAGE1, "niqe", "minus-base") not in found and (CONTROL, "niqe", "minus-base") not in found
    lines = run("s1", "s2", "s3").output.partition("minus its stage 1")[2].splitlines()
    stage2 = next(line for line in lines if line.startswith("sr-edsr-stage2"))
    assert stage2.split() == ["sr-edsr-stage2", "-0.50", "worse", "tie", "-1.50", "better"]


def test_controls_are_matched_in_psnr(project):
    """At 0.5 dB below stage 1, half of stage 1 and half of the control is 1 lower in NIQE; stage 2 is 1.5 lower."""
    found = table("s1", "s2", "s3")
    assert number(found["sr-edsr-stage2", "niqe", "minus-control"], "value") == pytest.approx([-0.5], abs=0.03)
    assert number(found["sr-edsr-stage2", "psnr", "minus-control"], "value") == pytest.approx([-0.5], abs=0.02)
    # the oracle is above all controls in PSNR: it is held against the closest, stage 1
    assert number(found["sr-edsr-oracle", "psnr", "minus-control"], "value") == pytest.approx([1], abs=0.02)
    assert number(found["sr-edsr-oracle", "niqe", "minus-control"], "value", "low", "high") == [0, 0, 0]
    # SSIM is best at stage 1, which has the higher PSNR too
    of_base, of_control = (number(found["sr-edsr-stage2", "ssim", what], "value") for what in ("minus-base", "minus-control"))
    assert of_base == pytest.approx(of_control)


def test_blur_and_tone_of_stage_1_are_controls_and_those_of_the_input_are_not(project):
    """Blurred, stage 1 loses 0.5 dB and is 3 lower in NIQE; the input is ahead of everything."""
    entry = yaml.safe_load((ROOT / "params.yaml").read_text())["tests"]["sr"] | {"blur": [0.7], "match_tone": True}
    for seed in (1, 2):
        values = scores(seed)
        psnr, niqe = values[STAGE1]["psnr"], values[STAGE1]["niqe"]
        values |= {"input": {"psnr": psnr + 2, "niqe": niqe - 5}, "input+blur0.7": {"psnr": psnr + 3, "niqe": niqe - 6},
                   "input+tone": {"psnr": psnr + 2, "niqe": niqe - 5}, STAGE1 + "+tone": {"psnr": psnr, "niqe": niqe},
                   STAGE1 + "+blur0.7": {"psnr": psnr - 0.5, "niqe": niqe - 3}}
        write(seed, values, {"tests": {"sr": entry}})
        commit(f"blur{seed}")
    found = table("blur1", "blur2")
    assert number(found["sr-edsr-stage2", "niqe", "minus-control"], "value") == pytest.approx([1.5], abs=0.1)
    assert number(found["sr-edsr-oracle", "psnr", "minus-control"], "value") == pytest.approx([1], abs=0.02)
    assert {what for row, metric, what in found if row.startswith("input")} == {"mean"}
    rows = list(dict.fromkeys(row for row, metric, what in found))
    assert rows[:4] == ["input", "input+tone", "input+blur0.7", STAGE1]
    against = table("blur1", "blur2", "--against", "input+blur0.7")
    assert number(against["sr-edsr-oracle", "psnr", "minus-base"], "value") == pytest.approx([-2], abs=0.02)


def test_one_seed_gives_intervals_over_scenes_alone(project):
    found = table("s2")
    line = found["sr-edsr-stage2", "psnr", "minus-base"]
    difference = scores(2)["sr-edsr-stage2"]["psnr"] - scores(2)[STAGE1]["psnr"]
    by_scene = np.array([difference[:2].mean(), *difference[2:]])
    value, low, high = number(line, "value", "low", "high")
    assert value == pytest.approx(difference.mean(), abs=1e-4)
    width = 2 * stats.t.ppf(0.975, 5) * stats.sem(by_scene)
    assert high - low == pytest.approx(width, rel=0.25)  # 7 images, not 6 equal scenes
    assert found[STAGE1, "psnr", "mean"]["sd"] == ""
    shown = run("s2").output
    assert "seed 2" in shown and "±" not in shown and "One seed: the intervals are over scenes alone" in shown


def test_the_workspace_and_experiments_are_revisions_too(project):
    sha = git("rev-parse", "s1")
    git("update-ref", f"refs/exps/{sha[:2]}/{sha[2:]}/tidy-newt", "s3")
    git("tag", "-d", "s3")
    write(2, scores(2), swd=22)
    assert table("tidy-newt", "s1", "workspace")[STAGE1, "swd", "mean"]["value"] == "22.000000"


def test_without_truth_niqe_is_compared_with_stage_1_alone(project):
    for seed in (1, 2):
        write(seed, {row: {"niqe": by_metric["niqe"]} for row, by_metric in scores(seed).items()})
        commit(f"no-truth{seed}")
    found = table("no-truth1", "no-truth2")
    assert number(found["sr-edsr-stage2", "niqe", "minus-base"], "value") == pytest.approx([-1.5], abs=0.02)
    assert "minus-control" not in {what for row, metric, what in found}
    assert "without truth there is no PSNR to match" in " ".join((project / "out.md").read_text().split())


def test_images_without_a_score_are_left_out_on_both_sides(project):
    for seed in (1, 2):
        values = scores(seed)
        values["sr-edsr-stage2"]["niqe"][3] = np.nan
        values[STAGE1]["niqe"][:2] = np.nan
        values["sr-edsr-oracle"]["niqe"][:] = np.nan
        write(seed, values)
        commit(f"gaps{seed}")
    line = table("gaps1", "gaps2")["sr-edsr-stage2", "niqe", "minus-base"]
    keep = [2, 4, 5, 6]
    wanted = [(scores(seed)["sr-edsr-stage2"]["niqe"] - scores(seed)[STAGE1]["niqe"])[keep].mean() for seed in (1, 2)]
    assert number(line, "value") == pytest.approx([np.mean(wanted)], abs=1e-4) and line["images"] == "4"
    shown = " ".join(run("gaps1", "gaps2").output.split())
    assert "NIQE: 4 of 7 images can be compared, of sr-edsr-stage2." in shown
    assert ("sr-edsr-oracle", "niqe", "minus-base") not in table("gaps1", "gaps2")


def test_a_metric_of_some_seeds_only_is_said(project):
    write(7, scores(1) | {STAGE1: {"psnr": JITTER}})
    commit("s7")
    assert "niqe of sr-edsr: 1 of 2 seeds have it" in run("s1", "s7").output


def test_a_row_to_compare_with(project):
    found = table("s1", "s2", "--against", "sr-edsr-oracle")
    assert number(found[STAGE1, "psnr", "minus-base"], "value") == pytest.approx([-1], abs=0.02)
    assert "minus sr-edsr-oracle" in (project / "out.md").read_text()
    assert "--against nope: no such row, there are sr-edsr, " in run("s1", "--against", "nope").output
