"""Controls, and metrics that a test set asks for."""
# ruff: noqa: F811
import json

import cv2
import numpy as np
import pytest
import yaml
from conftest import write_shard
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio
from test_bench import noisy, per_image, project, remove, scores, side  # noqa: F401

from pipeline.core.graph import graph
from pipeline.core.params import parse
from pipeline.degrade.bicubic import resize_uint8
from pipeline.images.shards import Shard
from pipeline.score.names import TEST_SETS, reading_order
from pipeline.stages import bench


def test_metrics_are_computed_where_the_tests_ask_for_them(project):
    bench.main("rows", "sr-input")
    before, lines = scores("sr-input"), per_image("sr-input")
    assert not {"moire_energy", "flat_noise", "psnr_aligned"} & lines[0].keys()
    flat = np.full((64, 64, 3), 99, np.uint8)
    flat[30:32] = 60
    inputs = {"flat": flat[::2, ::2] + 9, "textured": noisy(np.random.default_rng(1), 32, 32)}
    write_shard(side("inputs", "captures"), inputs)
    targets = {"flat": flat, "textured": noisy(np.random.default_rng(2), 64, 64)}
    write_shard(side("targets", "captures"), targets)
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["tests"]["sr"]["metrics"] = ["moire_energy", "psnr_aligned"]
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    bench.main("rows", "sr-input")
    found = scores("sr-input")
    on_captures, lines = found["rows"]["input"]["captures"], {line["image"]: line for line in per_image("sr-input")}
    assert {"moire_energy", "psnr_aligned"} < on_captures.keys() and "flat_noise" not in on_captures
    assert float(lines["flat"]["psnr_aligned"]) > float(lines["flat"]["psnr"]) + 5
    assert on_captures["moire_energy"] == float(lines["flat"]["moire_energy"]) and lines["textured"]["moire_energy"] == ""
    reasons = {(item["test_set"], item["metric"]): item["reason"] for item in found["absent"]}
    assert reasons["captures", "moire_energy"].startswith("1 of 2 images are left out of the mean: the truth has no flat area")
    assert reasons["synthetic", "moire_energy"].startswith("the truth has no flat area")
    assert all(reasons["captures-far", metric].startswith("no truth: ") for metric in ("moire_energy", "psnr_aligned"))
    same = {metric: value for metric, value in found["rows"]["input"]["synthetic"].items() if metric != "psnr_aligned"}
    assert same == before["rows"]["input"]["synthetic"]
    bench.main("rows", "sr-edsr-round2")
    with open("data/blind/sr/sr-edsr-round2.json") as handle:
        blind = handle.read()
    assert "aligned" not in blind and "moire" not in blind  # the choice is made without truth


def test_blur_and_tone_are_controls_where_they_are_asked_for(project, monkeypatch):
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["bench"] |= {"sharpen": [], "noise": [], "mix_input": []}
    values["tests"]["sr"] |= {"blur": [0.5, 1.5], "match_tone": True}
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    kept, original = {}, bench.controlled

    def spy(inputs, outputs, clean, folder, row, *rest):
        changed = original(inputs, outputs, clean, folder, row, *rest)
        kept[row] = ([image.copy() for image in outputs], [image.copy() for image in changed])
        return changed

    monkeypatch.setattr(bench, "controlled", spy)
    bench.main("systems", "sr-edsr")
    rows = scores("sr-edsr")["rows"]
    assert [row for row in reading_order(graph(parse(values)), "sr") if row in kept] == [
        "sr-edsr+tone", "sr-edsr+blur1.5", "sr-edsr+blur0.5"]
    assert kept.keys() < rows.keys() and set(rows["sr-edsr+tone"]) == {"captures", "captures-val"}
    outputs, changed = kept["sr-edsr+blur1.5"]
    wanted = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.5, borderType=cv2.BORDER_REFLECT) for image in outputs]
    assert max(abs(a - b).max() for a, b in zip(changed, wanted)) < 0.6
    clean = np.concatenate([image.reshape(-1, 3) for image in Shard(project / "data/tests/sr/reference")])
    toned = np.concatenate([image.reshape(-1, 3) for image in kept["sr-edsr+tone"][1]])
    np.testing.assert_allclose(toned.mean(axis=0), clean.mean(axis=0), atol=5)  # clipping
    remove(project / "data/tests/sr/reference", "no set is named here")
    bench.main("systems", "sr-edsr")
    found = scores("sr-edsr")
    assert "sr-edsr+tone" not in found["rows"] and "sr-edsr+blur0.5" in found["rows"]
    assert "sr-edsr+tone" not in found["parameters"]
    assert {"row": "sr-edsr+tone", "test_set": "*", "metric": "*",
            "reason": "no clean reference: no set is named here"} in found["absent"]


def test_the_input_is_blurred_and_toned_but_no_candidate_and_a_chain_has_no_controls(project):
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["tests"]["sr"] |= {"blur": [0.7], "match_tone": True}
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    bench.main("rows", "sr-input")
    found = scores("sr-input")
    assert found["parameters"] == {"input": 0, "input+tone": 0, "input+blur0.7": 0}  # not sharpened, nor with noise
    assert [set(found["rows"][row]) for row in found["parameters"]] == [set(TEST_SETS), *[{"captures", "captures-val"}] * 2]
    inputs, targets = (Shard(side(name, "captures")) for name in ("inputs", "targets"))
    values = []
    for small, large in zip(inputs, targets):
        bigger = resize_uint8(small, *large.shape[:2]).astype(float)
        blurred = ndimage.gaussian_filter(bigger, (0.7, 0.7, 0), mode="reflect")
        values.append(peak_signal_noise_ratio(large[2:-2, 2:-2], blurred[2:-2, 2:-2].round().astype(np.uint8), data_range=255))
    blurred, untouched = (found["rows"][row]["captures"]["psnr"] for row in ("input+blur0.7", "input"))
    assert blurred == pytest.approx(np.mean(values), abs=0.01) and abs(blurred - untouched) > 0.1
    with open("data/blind/sr/sr-input.json") as handle:
        assert json.load(handle)["rows"] == {}
    bench.main("rows", "sr-edsr-round2")
    assert list(scores("sr-edsr-round2")["rows"]) == ["sr-edsr-round2"]
