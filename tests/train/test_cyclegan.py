import csv
import signal
from pathlib import Path

import pytest
import torch
import yaml
from conftest import ROOT, change
from torch import nn

from pipeline.core.files import read_json
from pipeline.core.params import ParamsError, parse
from pipeline.core.stop import Stop
from pipeline.images.shards import Shard, write_absent
from pipeline.restore.network import load_network
from pipeline.stages import cyclegan
from pipeline.train import loop
from pipeline.train.methods.cyclegan import CycleGan, PatchGan, Pool

NAME = "sr-cyclegan"
SETTINGS = {"steps": 8, "decay": 4, "batch": 2, "patch": 12, "lr": 0.002, "betas": [0.5, 0.999], "cycle": 10, "identity": 0.5,
            "pool": 3, "d_layers": 1, "d_features": 4, "validate_every": 5}


def entry(**settings) -> dict:
    return {NAME: {"arch": "resnet", "options": {"blocks": 1, "features": 4, "residual": True}, "captures": "sr-captures",
                   "clean": "clean", "settings": SETTINGS | settings}}


@pytest.fixture
def project(tiny_project):
    change(cyclegans=entry())
    return tiny_project


def results() -> list[bytes]:
    return [Path(path).read_bytes() for path in (f"models/{NAME}/network.safetensors", f"models/{NAME}/manifest.json",
                                                 f"metrics/curves/{NAME}.csv")]


def images(count: int, start: int = 0) -> torch.Tensor:
    """Each of one value, all different."""
    return torch.arange(start, start + count).float().view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def values(batch) -> list[int]:
    return [int(image[0, 0, 0]) for image in batch]


def test_a_pool_fills_and_then_shows_old_images_half_the_time():
    pool = Pool(20, 1, "test")
    assert values(pool.exchange(0, images(20))) == list(range(20)) == values(pool.images)
    everything, old = [], 0
    for step in range(1, 101):
        held, new = values(pool.images), values(images(2, 20 * (step + 1)))
        shown = values(pool.exchange(step, images(2, 20 * (step + 1))))
        assert sorted(held + new) == sorted(values(pool.images) + shown)  # nothing is lost, nothing is there twice
        old += len(set(shown) & set(held))
        everything += shown
    assert 80 < old < 120 and len(set(everything)) == 200


def test_a_pools_draws_are_of_seed_purpose_and_step_alone():
    def filled(seed=1, purpose="test"):
        pool = Pool(8, seed, purpose)
        pool.exchange(0, images(8))
        return pool

    shown = [values(filled().exchange(step, images(8, 100))) for step in (5, 5, 6)]
    assert shown[0] == shown[1] != shown[2]
    assert shown[0] != values(filled(seed=2).exchange(5, images(8, 100)))
    assert shown[0] != values(filled(purpose="other").exchange(5, images(8, 100)))


def test_what_a_pool_holds_does_not_change_with_what_it_was_given():
    pool, batch = Pool(2, 1, "test"), images(2).clone().requires_grad_()
    pool.exchange(0, batch)
    batch.data += 7
    assert values(pool.images) == [0, 1] and not any(image.requires_grad for image in pool.images)
    assert values(Pool(0, 1, "test").exchange(3, images(3))) == [0, 1, 2]


def test_the_discriminator_has_the_weights_and_names_of_the_release():
    with torch.device("meta"):
        network = PatchGan(3, 64)
    assert sum(weight.numel() for weight in network.parameters()) == 2_764_737
    assert {name: tuple(weight.shape) for name, weight in network.named_parameters() if name.endswith("weight")} == {
        "model.0.weight": (64, 3, 4, 4), "model.2.weight": (128, 64, 4, 4), "model.5.weight": (256, 128, 4, 4),
        "model.8.weight": (512, 256, 4, 4), "model.11.weight": (1, 512, 4, 4)}
    assert network(torch.empty(1, 3, 256, 256, device="meta")).shape == (1, 1, 30, 30)


@pytest.mark.parametrize("layers, patch", [(1, 16), (2, 34), (3, 70)])
def test_a_score_is_of_one_patch(layers, patch):
    torch.manual_seed(0)
    network = PatchGan(layers, 2).double()
    for i, layer in enumerate(network.model):
        if isinstance(layer, nn.InstanceNorm2d):
            network.model[i] = nn.Identity()
    x = torch.rand(4, 3, 128, 128, dtype=torch.double, requires_grad=True)
    scores = network(x)
    scores[:, :, scores.shape[2] // 2, scores.shape[3] // 2].sum().backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero()
    assert rows.max() - rows.min() + 1 == patch
    assert PatchGan(layers, 2)(torch.rand(2, 3, 3 * 2**layers, 3 * 2**layers)).shape == (2, 1, 1, 1)


def test_the_learning_rate_is_constant_and_then_falls_to_zero():
    method = stub(steps=10, decay=4, lr=1.0)
    assert [method.learning_rate(step) for step in range(11)] == pytest.approx([1] * 6 + [0.8, 0.6, 0.4, 0.2, 0])
    method = stub(steps=10, decay=0, lr=1.0)
    assert [method.learning_rate(step) for step in range(10)] == [1] * 10


def parse_settings(**settings):
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    return parse(params | {"cyclegans": entry(**settings)}).cyclegans[NAME].settings


class Plus(nn.Module):
    """x + a."""

    def __init__(self, a: float):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, x):
        return x + self.a


class Score(nn.Module):
    """The images' mean + b."""

    def __init__(self, b: float):
        super().__init__()
        self.b = nn.Parameter(torch.tensor(b))

    def forward(self, x):
        return x.mean((1, 2, 3), keepdim=True) + self.b


class Fixed:
    """Crops of one value."""

    def __init__(self, value: float):
        self.value = value

    def __call__(self, step: int) -> list[torch.Tensor]:
        return [torch.full((2, 3, 4, 4), self.value)]


def stub(**settings) -> CycleGan:
    """Captures of 0.3, clean images of 0.6; G adds 0.2, F takes off 0.1."""
    return CycleGan(parse_settings(**settings), [Plus(0.2), Plus(-0.1)], [Score(0.0), Score(0.5)], Fixed(0.3), Fixed(0.6),
                    [Pool(settings.get("pool", 0), 1, side) for side in "xy"], torch.device("cpu"))


def test_losses_against_closed_forms():
    method = stub()
    captures, clean = Fixed(0.3)(0)[0], Fixed(0.6)(0)[0]
    terms, loss, made = method.generator_loss(captures, clean)
    assert [image.mean().item() for image in made] == pytest.approx([0.5, 0.5])
    adversarial = (0.5 - 1) ** 2 + (0.5 + 0.5 - 1) ** 2
    cycle, identity = 2 * (0.1 + 0.1), 2 * (0.2 + 0.1)  # in [-1, 1]
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(
        {"adversarial": adversarial, "cycle": cycle, "identity": identity})
    assert loss.item() == pytest.approx(adversarial + 10 * cycle + 5 * identity)
    loss, real, fake = method.discriminator_loss(clean, captures, list(made))
    wanted = ((0.6 - 1) ** 2 + 0.5**2) / 2 + ((0.3 + 0.5 - 1) ** 2 + (0.5 + 0.5) ** 2) / 2
    assert loss.item() == pytest.approx(wanted)
    assert real.tolist() == pytest.approx([0.6, 0.6]) and fake.tolist() == pytest.approx([0.5, 0.5])
    terms, loss, _ = stub(identity=0).generator_loss(captures, clean)
    assert set(terms) == {"adversarial", "cycle"} and loss.item() == pytest.approx(adversarial + 10 * cycle)


def test_steps_are_those_of_the_authors_written_out():
    """The generators first, through discriminators as they were; then the discriminators on what was made before that."""
    method, settings = stub(pool=0, steps=3, decay=1), parse_settings(steps=3, decay=1)
    g, f, dx, dy = (torch.tensor(value, requires_grad=True) for value in (0.2, -0.1, 0.0, 0.5))
    optimizers = [torch.optim.Adam(weights, lr=settings.lr, betas=settings.betas) for weights in ([g, f], [dx, dy])]
    y, x = 0.3, 0.6
    for step in range(3):
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = settings.lr * (0.5 if step == 2 else 1)
        better, worse = y + g, x + f
        loss = (better + dx - 1) ** 2 + (worse + dy - 1) ** 2 + 20 * ((better + f - y).abs() + (worse + g - x).abs())
        loss = loss + 10 * (g.abs() + f.abs())
        optimizers[0].zero_grad()
        loss.backward()
        optimizers[0].step()
        better, worse = better.detach(), worse.detach()
        loss = ((x + dx - 1) ** 2 + (better + dx) ** 2) / 2 + ((y + dy - 1) ** 2 + (worse + dy) ** 2) / 2
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()
        record = method.step(step)
        assert record["d_loss"].item() == pytest.approx(loss.item(), abs=1e-5)
    found = [method.network.a, method.back.a, method.of_clean.b, method.of_captures.b]
    assert [weight.item() for weight in found] == pytest.approx([weight.item() for weight in (g, f, dx, dy)], abs=1e-5)
    assert abs(found[0].item() - 0.2) > 0.003  # they did move


def test_it_trains_and_keeps_the_generator_of_clean_images(project):
    cyclegan.main(NAME)
    first = results()
    with open(f"metrics/curves/{NAME}.csv", encoding="utf-8") as handle:
        curve = [{field: float(value) for field, value in row.items()} for row in csv.DictReader(handle)]
    assert [row["step"] for row in curve] == [5, 8]
    assert [row["lr"] for row in curve] == pytest.approx([0.002 * 4 / 5, 0.002 / 5])
    assert {"cycle", "identity", "adversarial", "d_loss"} <= set(curve[0]) and all(0 <= row["d_auc"] <= 1 for row in curve)
    made = read_json(f"models/{NAME}/manifest.json")
    assert made["arch"] == "resnet" and made["made"]["captures"] == Shard("data/sets/sr-captures/train").sha256
    x = torch.rand(1, 3, 13, 10)
    assert not torch.equal(load_network(f"models/{NAME}")(x), x)  # as it began
    assert not list(Path(".work").glob("*/*/state.pt"))
    cyclegan.main(NAME)
    assert results() == first
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("seed: 1", "seed: 2"))
    cyclegan.main(NAME)
    assert results()[0] != first[0]


class StopsAfterThree(Stop):
    """Asked to stop after every third step."""

    def __init__(self):
        super().__init__()
        self.steps = 0

    def asked(self):
        self.steps += 1
        if self.steps == 3:
            self.signal = signal.SIGTERM
            return "SIGTERM"


def test_stopped_and_resumed_the_result_is_the_same_and_the_pool_is_part_of_it(project, monkeypatch):
    cyclegan.main(NAME)
    wanted = results()
    for state in ("whole", "without pool"):
        monkeypatch.setattr(loop, "Stop", StopsAfterThree)
        for done in (3, 6):
            with pytest.raises(SystemExit) as stopped:
                cyclegan.main(NAME)
            assert stopped.value.code == 128 + signal.SIGTERM
            (path,) = Path(".work").glob("*/*/state.pt")
            saved = torch.load(path, weights_only=True)
            assert saved["step"] == done and [len(pool) for pool in saved["method"]["pools"]] == [3, 3]
        if state == "without pool":
            saved["method"]["pools"] = [[torch.zeros(3, 12, 12)] * 3] * 2
            torch.save(saved, path)
        monkeypatch.undo()
        monkeypatch.chdir(project)
        cyclegan.main(NAME)
        assert (results() == wanted) == (state == "whole")


def test_divergence_names_step_images_and_writes_nothing(project):
    change(cyclegans=entry(lr=1e30))
    said = rf"{NAME} diverged at step \d+: .*nan.*batch holds train\d.*no network was written"
    with pytest.raises(ValueError, match=said):
        cyclegan.main(NAME)
    assert not Path(f"models/{NAME}").exists()


def test_without_captures_the_network_is_absent(project):
    for file in Path("data/sets/sr-captures/train").iterdir():
        file.unlink()
    write_absent(Path("data/sets/sr-captures/train"), "sets.sr-captures.folder is data/none")
    cyclegan.main(NAME)
    assert read_json(f"models/{NAME}/manifest.json") == {"absent": "sets.sr-captures.folder is data/none"}


def test_a_generator_that_enlarges_is_refused(project):
    change(cyclegans={NAME: entry()[NAME] | {"arch": "edsr", "options": {"scale": 2, "blocks": 1, "features": 4}}})
    with pytest.raises(ValueError, match=f"cyclegans.{NAME}: edsr enlarges 2 times; a generator keeps the size"):
        cyclegan.main(NAME)


@pytest.mark.parametrize("settings, message", [
    ({"patch": 8, "d_layers": 3}, "settings: patch: got 8, wanted at least 24 for d_layers 3"),
    ({"decay": 9}, "settings: decay: got 9, wanted at most the 8 steps"), ({"pool": -1}, "settings.pool: got -1"),
    ({"lamda": 1}, "settings.lamda: no such key")])
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ParamsError, match=rf"cyclegans.{NAME}.{message}"):
        parse_settings(**settings)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["cyclegans"] = {NAME: entry()[NAME] | {"captures": "sr-capture"}}
    with pytest.raises(ParamsError, match=f"cyclegans.{NAME}.captures: 'sr-capture' names nothing"):
        parse(params)
