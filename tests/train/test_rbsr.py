import csv
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import change, smooth_image, write_shard
from test_cyclegan import StopsAfterThree

from pipeline.core.files import read_json
from pipeline.core.params import ParamsError, load
from pipeline.images.shards import Shard
from pipeline.nets.build import build
from pipeline.restore.manifest import save_absent
from pipeline.restore.network import load_network
from pipeline.stages import rbsr, stage1
from pipeline.train import loop
from pipeline.train.crops import Crops
from pipeline.train.method import given_to
from pipeline.train.methods import rbsr as train

NAME, ENCODER = "blindsr-rbsr", "blindsr-x2"
SETTINGS = {"steps": 8, "batch": 3, "patch": 16, "lr": 0.002, "betas": [0.9, 0.99], "schedule": "constant", "halve_every": 100,
            "clip": 0, "channels_last": True, "features": 1, "adversarial": 0.005, "discriminator": "srgan", "d_features": 4,
            "d_lr": 0.001, "d_steps": 1, "d_real": 1, "validate_every": 5}
SIDES = {"inputs": "pairs/blindsr/inputs", "synthetic": "pairs/blindsr-x2/inputs", "targets": "pairs/blindsr-x4/inputs"}


def entry(**changes) -> dict:
    return {NAME: {"arch": "edsr", "options": {"scale": 1, "blocks": 1, "features": 4, "start": "bilinear"}, **SIDES,
                   "encoder": ENCODER, "settings": SETTINGS} | changes}


@pytest.fixture
def project(tiny_project):
    prepare()
    return tiny_project


def prepare() -> None:
    """Add three sets that show the same and a trained encoder to the tiny project in the current folder."""
    rng = np.random.default_rng(4)
    for split, count in (("train", 3), ("val", 1)):
        images = {f"{split}{i}": smooth_image(rng, 21 + i, 33) for i in range(count)}
        for side, path in SIDES.items():
            shift = {"inputs": 30, "synthetic": 60, "targets": 0}[side]
            write_shard(Path("data", path, split), {name: image // 2 + np.uint8(shift) for name, image in images.items()})
    change(networks={ENCODER: {"arch": "edsr", "inputs": "pairs/sr/inputs", "targets": "pairs/sr/targets",
                               "options": {"scale": 2, "blocks": 1, "features": 8}, "stage1": {"steps": 2}}}, rbsr=entry())
    stage1.main(ENCODER)


def results() -> list[bytes]:
    return [Path(path).read_bytes() for path in (f"models/{NAME}/network.safetensors", f"models/{NAME}/manifest.json",
                                                 f"metrics/curves/{NAME}.csv")]


def test_deep_features_are_what_the_tail_is_given_and_carry_gradients():
    torch.manual_seed(0)
    network = build("edsr", {"scale": 2, "blocks": 2, "features": 5}).eval().requires_grad_(False)
    x = torch.rand(2, 3, 9, 7, requires_grad=True)
    head = network.head(255 * x - 255 * torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1))
    wanted = head + network.body(head)
    found = given_to(network.tail, network, x)
    torch.testing.assert_close(found, wanted)
    one, other = (torch.autograd.grad(y.square().sum(), x)[0] for y in (found, wanted))
    torch.testing.assert_close(one, other)
    assert network(x).shape == (2, 3, 18, 14)  # nothing is left behind that would stop it


def test_the_relative_distance():
    a, b = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([2.0, -2.0, 1.0])
    assert train.relative_distance(a, b).item() == pytest.approx((1 + 0 + 2) / (2 + 2 + 1))
    assert train.relative_distance(1000 * a, 1000 * b).item() == pytest.approx(3 / 5)


class Opinion:
    def loss(self, images):
        return images.mean() * 0 + 0.7


def method_of(project, **settings) -> train.Rbsr:
    change(rbsr=entry(settings=SETTINGS | settings))
    p = load()
    shards = [Shard(Path("data", path, "train")) for path in SIDES.values()]
    crops = Crops([(shard, 1) for shard in shards], 16, 3, 1, "test")
    network = build("edsr", p.rbsr[NAME].options)
    return train.Rbsr(p.rbsr[NAME].settings, network, load_network(f"models/{ENCODER}"), crops, None, torch.device("cpu"))


def test_losses_against_closed_forms(project):
    method = method_of(project, features=2, adversarial=0.5)
    method.adversary = Opinion()
    targets = torch.rand(2, 3, 16, 16)
    terms, loss = method.loss(targets, targets)
    assert terms["fidelity"] == terms["features"] == 0 and loss.item() == pytest.approx(0.35)
    outputs = targets + 0.1
    terms, loss = method.loss(outputs, targets)
    features = [given_to(method.encoder.tail, method.encoder, images) for images in (outputs, targets)]
    distance = ((features[0] - features[1]).abs().mean() / features[1].abs().mean()).item()
    assert distance > 0.001 and terms["features"].item() == pytest.approx(distance, rel=1e-4)
    assert loss.item() == pytest.approx(0.1 + 2 * distance + 0.35, rel=1e-4)


def test_every_second_input_is_synthetic_and_belongs_to_its_target(project):
    inputs, targets = method_of(project).batch(0)
    for sample, shift in enumerate((30, 60, 30)):
        torch.testing.assert_close(255 * inputs[sample], 255 * targets[sample] + shift)
    assert not torch.equal(method_of(project).batch(1)[0], inputs)


def test_the_discriminator_learns_what_the_targets_look_like(project):
    method, seen = method_of(project), []
    method.adversary.network.register_forward_hook(lambda _, images, __: seen.append(images[0].detach().clone()))
    inputs, targets = method.batch(3)
    method.step(3)
    real, made, judged = seen
    torch.testing.assert_close(real, targets)
    assert torch.equal(made, judged)
    torch.testing.assert_close(made, inputs, atol=1e-4, rtol=0)  # it begins as the identity


def test_it_trains_and_matters(project):
    rbsr.main(NAME)
    first = results()
    with open(f"metrics/curves/{NAME}.csv", encoding="utf-8") as handle:
        curve = [{field: float(value) for field, value in row.items()} for row in csv.DictReader(handle)]
    assert [row["step"] for row in curve] == [5, 8]
    assert {"fidelity", "features", "adversarial", "d_loss", "d_auc", "val_psnr"} <= set(curve[0])
    assert curve[1]["fidelity"] < curve[0]["fidelity"]
    made = read_json(f"models/{NAME}/manifest.json")
    assert made["scale"] == 1 and made["made"]["encoder_weights"] == read_json(f"models/{ENCODER}/manifest.json")["weights"]
    seen = {first[0]}
    for settings in ({}, {"features": 0}, {"adversarial": 0.5}, {"d_lr": 0.01}, {"clip": 0.01}, {"discriminator": "highpass"}):
        change(rbsr=entry(settings=SETTINGS | settings))
        rbsr.main(NAME)
        seen.add(results()[0])
    assert len(seen) == 6 and not list(Path(".work").glob("*/*/state.pt"))


def test_stopped_and_resumed_the_result_is_the_same(project, monkeypatch):
    rbsr.main(NAME)
    wanted = results()
    with monkeypatch.context() as patch:
        patch.setattr(loop, "Stop", StopsAfterThree)
        for _ in range(2):
            with pytest.raises(SystemExit) as stopped:
                rbsr.main(NAME)
            assert stopped.value.code == 128 + signal.SIGTERM
    (path,) = Path(".work").glob("*/*/state.pt")
    assert torch.load(path, weights_only=True)["step"] == 6
    rbsr.main(NAME)
    assert results() == wanted


def test_an_encoder_without_a_tail_is_refused_and_an_absent_one_makes_the_network_absent(project):
    values = yaml.safe_load(Path("params.yaml").read_text())["networks"]
    change(networks={ENCODER: values[ENCODER] | {"arch": "dncnn", "options": {"layers": 2, "features": 4},
                                                 "targets": "pairs/sr/inputs"}})
    stage1.main(ENCODER)
    with pytest.raises(ValueError, match=f"rbsr.{NAME}.encoder: {ENCODER} is of arch dncnn, which has no tail"):
        rbsr.main(NAME)
    save_absent(f"models/{ENCODER}", "no pairs")
    rbsr.main(NAME)
    assert read_json(f"models/{NAME}/manifest.json") == {"absent": f"{ENCODER} is absent: no pairs"}


@pytest.mark.parametrize("changes, error, message", [
    ({"options": {"scale": 2, "blocks": 1, "features": 4}}, ValueError, "edsr enlarges 2 times; the mapping keeps the size"),
    ({"encoder": "blindsr-x9"}, ParamsError, "encoder: 'blindsr-x9' names nothing"),
    ({"synthetic": "pairs/demoire/inputs"}, ParamsError, "pairs/demoire/inputs and pairs/blindsr-x4/inputs do not show"),
    ({"settings": SETTINGS | {"batch": 1}}, ParamsError, "settings.batch: got 1")])
def test_impossible_entries_are_refused(project, changes, error, message):
    change(rbsr=entry(**changes))
    with pytest.raises(error, match=f"rbsr.{NAME}.*{message}"):
        rbsr.main(NAME)
