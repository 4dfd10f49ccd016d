"""The registry of metrics, and that an entry there is all that a metric needs to be seen everywhere."""
import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml
from conftest import ROOT, smooth_image, write_shard
from test_bench import project  # noqa: F401  (a fixture)

from pipeline.compare.revisions import Revision, parse_images
from pipeline.compare.seeds import sections
from pipeline.compare.seeds_text import Comparison
from pipeline.core.params import ParamsError, load, parse
from pipeline.images.shards import Shard, write_absent
from pipeline.score import score
from pipeline.score.metric import Metric, Need
from pipeline.score.registry import METRICS, asked_for, contests, diagnostics, is_level, known, of_family
from pipeline.score.score import Result, Scorer
from pipeline.stages import bench, evaluate, page, select
from pipeline.stages.settings import check_names

DEFAULTS = yaml.safe_load((ROOT / "params.yaml").read_text())


def error(output, truth):
    return float(np.abs(output.astype(float) - truth).mean())


def gray(outputs):
    values = [abs(float(image.mean()) - 128) for image in outputs]
    return {"gray": float(np.mean(values)), "gray_most": max(values)}


MAE = Metric("mae", "Mean error", "down", 3, ("truth",), lambda scoring: error, "Mean error: the mean absolute difference.")
GRAY = Metric("gray", "Grayness", "down", 1, ("set",), lambda scoring: gray)


def test_entries_are_what_they_say():
    for name, metric in METRICS.items():
        assert metric.name == name and metric.title and set(metric.needs) <= set(get_args(Need)), name
        assert metric.stands_for in ("", *METRICS) and metric.digits in range(6) and not is_level(name), name
    assert all(METRICS[name].about for name in asked_for())  # the conventions explain the others
    assert [*contests(), *diagnostics()] == list(METRICS)  # in tables the contests come first
    assert diagnostics() == ["drift", "residual", "sharpness"]  # these, the bounds of `select` speak of
    assert of_family("perceptual") == ["lpips_alex", "lpips_vgg", "lpips_squeeze"]
    assert of_family("fidelity") == ["psnr", "psnr_y"] and of_family("blind") == ["niqe", "niqe_published"]


def test_a_level_of_a_metric_is_a_number_without_a_direction_and_as_blind_as_its_metric(monkeypatch):
    monkeypatch.setitem(METRICS, "far", Metric("far", "Far", "down", 2, ("set", "truth"), lambda scoring: None))
    assert is_level("swd_0") and not is_level("psnr_aligned") and not is_level("new")
    assert known("swd_low").better == known("new").better == "" and known("new").title == "new"
    result = Result(rows={"a": {"captures-val": {"far": 1.0, "far_0": 2.0, "swd": 3.0, "swd_0": 4.0}}})
    assert result.without_truth(["a"], "captures-val")["rows"] == {"a": {"swd": 3.0, "swd_0": 4.0}}


def test_the_registry_is_read_without_what_computes_the_scores():
    slow = ("torch", "skimage", "scipy", "cv2", "pandas")
    script = f"import sys, pipeline.score.registry; sys.exit(any(name in sys.modules for name in {slow}))"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("section, key, change, message", [
    ("tests", "sr", {"metrics": ["moire"]}, r"tests\.sr\.metrics\.0: .* moire_energy, flat_noise; got 'moire'"),
    ("tests", "sr", {"metrics": ["flat_noise", "psnr"]}, r"tests\.sr\.metrics\.1: .*; got 'psnr'"),  # everybody gets that
    ("rows", "sr-input", {"published": {"pnsr": 20}}, r"rows\.sr-input\.published\.pnsr: no such metric, there are psnr,"),
    ("select", None, {"metric": "psnr"}, r"select\.metric: .*there are swd, niqe, niqe_published, critic_auc; got 'psnr'"),
    ("select", None, {"metric": "sharpness"}, "got 'sharpness'"),
])
def test_names_of_params_that_no_metric_has_are_refused(section, key, change, message):
    check_names(parse(DEFAULTS))
    entry = DEFAULTS[section] if key is None else DEFAULTS[section][key]
    changed = DEFAULTS | {section: entry | change if key is None else DEFAULTS[section] | {key: entry | change}}
    with pytest.raises(ParamsError, match=message):
        check_names(parse(changed))


def test_each_metric_is_given_what_it_needs_where_it_is_needed(tmp_path, monkeypatch):
    toys = {
        "all": Metric("all", "All", "up", 1, ("truth", "input"), lambda scoring: lambda *images: given.append(images) or 1.0),
        "sets": Metric("sets", "Sets", "up", 1, ("truth", "set"), lambda scoring: lambda *shards: given.append(shards) or 2.0),
        "near": Metric("near", "Near", "up", 1, ("captures",), lambda scoring: lambda output: 3.0),
        "reference": Metric("reference", "R", "up", 1, ("reference",), lambda scoring: pytest.fail("there is none")),
        "unasked": Metric("unasked", "U", "up", 1, ("asked",), lambda scoring: pytest.fail("nobody asked")),
        "off": Metric("off", "O", "up", 1, (), lambda scoring: None),
    }
    given, rng = [], np.random.default_rng(0)
    monkeypatch.setattr(score, "METRICS", toys)
    shards = []
    for name in ("inputs", "outputs", "targets"):
        write_shard(tmp_path / name, {"a": smooth_image(rng, 20, 21), "b": smooth_image(rng, 22, 19)})
        shards.append(Shard(tmp_path / name))
    write_absent(tmp_path / "reference", "gone")
    scorer, result = Scorer(parse(DEFAULTS).bench, Shard(tmp_path / "reference"), tmp_path), Result()
    inputs, outputs, targets = shards
    scorer.score(result, "row", "synthetic", inputs, outputs, targets)
    (first, truth, source), second, whole = given
    assert (first == outputs[0]).all() and (truth == targets[0]).all() and (source == inputs[0]).all()
    assert (second[0] == outputs[1]).all() and whole == (outputs, targets)
    scorer.score(result, "row", "captures", inputs, outputs, Shard(tmp_path / "reference"))
    assert result.rows["row"] == {"synthetic": {"all": 1.0, "sets": 2.0}, "captures": {"near": 3.0}}
    assert {(item["test_set"], item["metric"]): item["reason"] for item in result.absent} == {
        ("synthetic", "reference"): "no clean reference: gone", ("captures", "reference"): "no clean reference: gone",
        ("captures", "all"): "no truth: gone", ("captures", "sets"): "no truth: gone"}


def test_a_new_entry_is_scored_shown_compared_and_chosen_by(project, monkeypatch):  # noqa: F811
    """One entry for each kind: with truth for each image, and of a set without truth."""
    for metric in (MAE, GRAY):
        monkeypatch.setitem(METRICS, metric.name, metric)
    values = yaml.safe_load((project / "params.yaml").read_text())
    for section, keys in {"systems": ("sr-edsr",), "rows": ("sr-input",), "tasks": ("sr",)}.items():
        values[section] = {key: values[section][key] for key in keys}
    values["select"] |= {"metric": "gray", "max_drift": 255, "max_residual": 255}
    values["calibrations"]["sr"]["captures"] = "demoire-captures"  # so that the page shows no camera, as none is estimated here
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    params = load()
    bench.main("systems", "sr-edsr")
    bench.main("rows", "sr-input")
    evaluate.main("sr")
    select.main("sr")
    page.main()

    scores = json.loads(Path("metrics/sr.json").read_text())
    found = scores["input"]["captures"]
    assert found["mae"] > 0 and found["gray_most"] >= found["gray"] > 0
    images = {key: parse_images(Path(f"metrics/images/{key}.csv").read_text()) for key in ("sr-edsr", "sr-input")}
    with open("metrics/images/sr-input.csv", newline="") as handle:
        lines = [line for line in csv.DictReader(handle) if line["test_set"] == "captures"]
    assert found["mae"] == pytest.approx(np.mean([float(line["mae"]) for line in lines]), abs=1e-4) and "gray" not in lines[0]

    text, table = Path("metrics/tables/sr.md").read_text(), Path("metrics/tables/sr.csv").read_text()
    assert "Mean error ↓ |" in text and "Grayness ↓ |" in text and "- Mean error: the mean absolute difference." in text
    assert f"{found['mae']:.3f}" in text and {"mae", "gray", "gray_most"} < set(table.partition("\n")[0].split(","))
    assert "gray_most" not in text and "Mean error ↓" in page.PAGE.read_text()

    comparison = Comparison(params, [params.seed], None, [
        *sections([Revision("this", params, {"sr": scores}, images)], ["sr"], ["captures"], None)])
    comparison.write_csv("seeds.csv")
    assert {"mae", "gray", "gray_most"} < {line["metric"] for line in csv.DictReader(open("seeds.csv", newline=""))}
    assert "Mean error ↓" in comparison.markdown() and "gray_most" not in comparison.markdown()

    choice = json.loads(Path("metrics/select/sr.json").read_text())["sr-edsr"]
    grays = {line["network"]: line["gray"] for line in choice["candidates"] if "gray" in line}  # round 2 has no row here
    assert choice["chosen"] == min(grays, key=grays.get) and "mae" not in Path("data/blind/sr/sr-edsr.json").read_text()
