"""Networks with batch norm: what fine-tuning does to the statistics, and AdaBN, which sets them anew."""
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import warm
from conftest import ROOT, change, smooth_image, write_shard
from torch.nn import functional as F

from pipeline.core.files import read_json
from pipeline.core.params import load
from pipeline.images.shards import Shard, write_absent
from pipeline.nets.build import build
from pipeline.restore.manifest import save_absent
from pipeline.restore.network import load_network, save_network
from pipeline.stages import adabn, index, label, stage1, stage2
from pipeline.train.methods.supervised import Supervised

OPTIONS = {"scale": 2, "blocks": 1, "features": 8}
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def state(name):
    return load_network(Path("models", name)).state_dict()


def statistics(name):
    return {key: value for key, value in state(name).items() if key.endswith(STATISTICS)}


@pytest.fixture
def project(tiny_project):
    """With a stage-1 SRResNet of random weights whose statistics are those of nothing, and its labels."""
    torch.manual_seed(1)
    save_network(Path("models/sr-srresnet"), build("srresnet", OPTIONS), "srresnet", OPTIONS, {})
    label.main("systems", "sr-srresnet")
    return tiny_project


def test_stage_1_learns_the_statistics(tiny_project):
    stage1.main("sr-srresnet")
    found = statistics("sr-srresnet")
    assert len(found) == 9
    for key, value in found.items():
        assert value == 12 if key.endswith("tracked") else value.unique().numel() == 8


@pytest.mark.parametrize("kind, section", [("stage2", "stage2"), ("gan", "stage2"), ("oracle", "supervised")])
@pytest.mark.parametrize("ema", [0.0, 0.7])
def test_fine_tuning_leaves_the_statistics_bit_for_bit_unless_told_to_train_them(project, kind, section, ema):
    change(**{section: {"ema": ema}})
    before, frozen = state("sr-srresnet"), statistics("sr-srresnet")
    name = f"sr-srresnet-{kind}"
    key = name if kind == "oracle" else "sr-srresnet"
    stage2.main(kind, key)
    assert all(torch.equal(value, frozen[key]) for key, value in statistics(name).items())
    trained = {key for key, value in state(name).items() if not torch.equal(value, before[key])}
    assert {"head.0.weight", "body.1.weight", "body.2.weight", "body.2.bias", "tail.1.bias"} <= trained
    change(**{section: {"batch_norm": "train"}})
    stage2.main(kind, key)
    assert not any(torch.equal(value, frozen[key]) for key, value in statistics(name).items())


def test_with_frozen_statistics_the_training_sees_the_network_that_is_kept(project):
    """Stage 2 without an adversary begins at its own target: only with frozen statistics is its first loss zero."""
    first = {}
    for mode in ("frozen", "train"):
        change(stage2={"lambda": 0.0, "batch_norm": mode, "validate_every": 1, "steps": 1, "ema": 0.0})
        stage2.main("stage2", "sr-srresnet")
        lines = Path("metrics/curves/sr-srresnet-stage2.csv").read_text().splitlines()
        first[mode] = float(dict(zip(lines[0].split(","), lines[1].split(",")))["fidelity"])
    assert first["frozen"] < 0.1 * first["train"]


def test_validation_does_not_touch_the_mode_of_training(project):
    """Statistics are learnt in every step, those after a validation included."""
    change(stage2={"batch_norm": "train", "validate_every": 1, "ema": 0.0})
    stage2.main("stage2", "sr-srresnet")
    assert statistics("sr-srresnet-stage2")["body.2.num_batches_tracked"] == 8


def test_the_moving_average_averages_the_statistics_too(project, monkeypatch):
    seen, original = [], Supervised.validate

    def spy(method, network, crops):
        seen.append(network.state_dict()["body.2.running_mean"].clone())
        return original(method, network, crops)

    monkeypatch.setattr(Supervised, "validate", spy)
    start = statistics("sr-srresnet")["body.2.running_mean"]
    runs = {}
    for ema in (0.0, 0.7):
        seen.clear()
        change(stage2={"batch_norm": "train", "validate_every": 1, "steps": 2, "ema": ema})
        stage2.main("stage2", "sr-srresnet")
        runs[ema] = list(seen)
    wanted = 0.7 * (0.7 * start + 0.3 * runs[0.0][0]) + 0.3 * runs[0.0][1]
    torch.testing.assert_close(runs[0.7][1], wanted)
    torch.testing.assert_close(statistics("sr-srresnet-stage2")["body.2.running_mean"], wanted)


def test_adabn_statistics_are_those_of_the_activations(project):
    adabn.main("sr-srresnet-adabn")
    start, made = state("sr-srresnet"), state("sr-srresnet-adabn")
    assert {key for key in made if not torch.equal(made[key], start[key])} == {
        f"{layer}.running_{what}" for layer in ("body.0.body.1", "body.0.body.4", "body.2") for what in ("mean", "var")}
    # independently: the first layers by hand, all pixels of all images side by side in numpy
    first, second = [], []
    for image in Shard("data/sets/sr-captures/train"):
        x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].double() / 255
        w = {key: value.double() for key, value in made.items()}
        x = F.prelu(F.conv2d(x, w["head.0.weight"], w["head.0.bias"], padding=4), w["head.1.weight"])
        x = F.conv2d(x, w["body.0.body.0.weight"], padding=1)
        first.append(x[0].flatten(1).numpy())
        x = F.batch_norm(x, w["body.0.body.1.running_mean"], w["body.0.body.1.running_var"],
                         w["body.0.body.1.weight"], w["body.0.body.1.bias"])
        x = F.conv2d(F.prelu(x, w["body.0.body.2.weight"]), w["body.0.body.3.weight"], padding=1)
        second.append(x[0].flatten(1).numpy())
    for layer, activations in (("body.0.body.1", first), ("body.0.body.4", second)):
        pixels = np.concatenate(activations, axis=1)
        np.testing.assert_allclose(made[f"{layer}.running_mean"], pixels.mean(axis=1), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(made[f"{layer}.running_var"], pixels.var(axis=1), rtol=1e-5)


def test_adapted_to_what_it_was_adapted_to_it_stays(project):
    adabn.main("sr-srresnet-adabn")
    change(adabn={"again": {"start": "sr-srresnet-adabn", "captures": "sr-captures"}})
    adabn.main("again")
    for key, value in state("again").items():
        torch.testing.assert_close(value, state("sr-srresnet-adabn")[key], rtol=1e-5, atol=1e-7)


def test_adabn_twice_is_the_same_bytes_and_other_captures_are_others(project):
    files = [Path("models/sr-srresnet-adabn", name) for name in ("network.safetensors", "manifest.json")]
    adabn.main("sr-srresnet-adabn")
    first = [file.read_bytes() for file in files]
    adabn.main("sr-srresnet-adabn")
    assert [file.read_bytes() for file in files] == first
    write_shard(Path("data/sets/sr-captures/train"), {"x": smooth_image(np.random.default_rng(8), 30, 29)})
    adabn.main("sr-srresnet-adabn")
    assert all(file.read_bytes() != bytes_ for file, bytes_ in zip(files, first))


def test_large_captures_are_seen_in_pieces_and_every_pixel_once(tmp_path, monkeypatch):
    monkeypatch.setattr(adabn, "TILE", 16)
    image = smooth_image(np.random.default_rng(2), 37, 50)
    write_shard(tmp_path, {"a": image})
    rows = [list(adabn.pieces(Shard(tmp_path)))[i : i + 4] for i in (0, 4, 8)]
    together = torch.cat([torch.cat(row, dim=3) for row in rows], dim=2)
    np.testing.assert_allclose(together[0].permute(1, 2, 0) * 255, image, atol=1e-4)


def test_the_manifest_says_what_it_was_made_of(project):
    adabn.main("sr-srresnet-adabn")
    made, start = (read_json(f"models/{name}/manifest.json") for name in ("sr-srresnet-adabn", "sr-srresnet"))
    assert made["made"]["start"] == "sr-srresnet" and made["made"]["start_weights"] == start["weights"]
    assert made["made"]["inputs"] == Shard("data/sets/sr-captures/train").sha256
    assert made["parameters"] == start["parameters"] == sum(w.numel() for w in build("srresnet", OPTIONS).parameters())


def test_absent_captures_or_an_absent_start_make_an_absent_network(project):
    write_absent(Path("data/sets/sr-captures/train"), "sets.sr-captures.folder is data/none")
    adabn.main("sr-srresnet-adabn")
    manifest = Path("models/sr-srresnet-adabn/manifest.json")
    assert read_json(manifest) == {"absent": "sets.sr-captures.folder is data/none"}
    save_absent(Path("models/sr-srresnet"), "no pairs")
    adabn.main("sr-srresnet-adabn")
    assert read_json(manifest) == {"absent": "sr-srresnet is absent: no pairs"}
    assert not manifest.with_name("network.safetensors").exists()


def test_a_network_without_batch_norm_is_refused_in_one_line(project):
    save_network(Path("models/sr-edsr"), build("edsr", OPTIONS), "edsr", OPTIONS, {})
    change(adabn={"sr-srresnet-adabn": {"start": "sr-edsr", "captures": "sr-captures"}})
    done = subprocess.run(["python", "-m", "pipeline.stages.adabn", "sr-srresnet-adabn"], capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)} | warm.environment())
    assert done.returncode == 1 and not Path("models/sr-srresnet-adabn").exists()
    assert done.stderr.strip() == ("adabn sr-srresnet-adabn: adabn.sr-srresnet-adabn.start: sr-edsr is of arch "
                                   "edsr, which has no batch norm to adapt")


def test_a_set_without_images_for_training_is_named(project):
    with open("data/sets/sr-captures/train/index.json", "w") as handle:
        handle.write('{"dtype": "uint8", "images": [], "sha256": ""}')
    with pytest.raises(ValueError, match="adabn.sr-srresnet-adabn.captures: sets.sr-captures has no images in its train split"):
        adabn.main("sr-srresnet-adabn")


def test_what_is_not_trained_has_no_curve(tiny_project):
    found = [Path(path).stem for path in index.of_curves(load("params.yaml"))]
    assert "sr-srresnet-stage2" in found and "sr-srresnet-adabn" not in found
