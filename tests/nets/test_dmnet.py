from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import change, smooth_image, write_shard
from networks import seasoned
from torch.nn import functional as F

from pipeline.degrade.bicubic import resize
from pipeline.images.shards import Shard
from pipeline.nets.build import build
from pipeline.restore.model import model_of
from pipeline.restore.network import load_network
from pipeline.restore.tiles import restore
from pipeline.stages import adabn, label, stage1, stage2
from pipeline.train.crops import Crops

SMALL = {"blocks": 1, "features": 6, "layers": 3, "fine_features": 5}


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("blocks, features, layers, fine", [(16, 64, 20, 64), (6, 48, 4, 16)])
def test_parameter_counts(blocks, features, layers, fine, batch_norm):
    network = build("dmnet", {"blocks": blocks, "features": features, "layers": layers, "fine_features": fine,
                              "batch_norm": batch_norm})
    def after(width):  # what comes after a convolution: gain and shift of batch norm, or a bias
        return 2 * width if batch_norm else width
    head = 9 * 3 * features + features + 9 * features**2 + features
    body = (2 * blocks + 1) * (9 * features**2 + after(features))
    ends = 9 * features * 3 + 3 + 9 * features * 48 + 48
    refining = 9 * 6 * fine + fine + (layers - 2) * (9 * fine**2 + after(fine)) + 9 * fine * 3 + 3
    assert sum(weight.numel() for weight in network.parameters()) == head + body + ends + refining
    convolutions = [module for module in network.fine if isinstance(module, torch.nn.Conv2d)]
    assert len(convolutions) == layers and len(network.body) == blocks + 1 + batch_norm


def test_forward_equals_the_two_scales_written_out():
    network = seasoned("dmnet", SMALL | {"blocks": 2})
    w = network.state_dict()
    x = torch.rand(1, 3, 8, 12)

    def conv(x, name, stride=1):
        return F.conv2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), stride=stride, padding=1)

    def norm(x, name):
        mean, variance, gain, shift = (w[f"{name}.{part}"].view(1, -1, 1, 1)
                                       for part in ("running_mean", "running_var", "weight", "bias"))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    head = F.relu(conv(F.relu(conv(x, "head.0", 2)), "head.2", 2))
    y = head
    for i in range(2):
        body = f"body.{i}.body"
        y = y + norm(conv(F.relu(norm(conv(y, f"{body}.0"), f"{body}.1")), f"{body}.3"), f"{body}.4")
    y = head + norm(conv(y, "body.2"), "body.3")
    cells = conv(y, "up.0").view(1, 3, 4, 4, 2, 3)  # colour, row and column in the cell, cells
    up = cells.permute(0, 1, 4, 2, 5, 3).reshape(1, 3, 8, 12)
    z = F.relu(conv(torch.cat([up, x], 1), "fine.0"))
    z = F.relu(norm(conv(z, "fine.2"), "fine.3"))
    torch.testing.assert_close(network(x), x + conv(z, "fine.5"), atol=1e-5, rtol=1e-5)
    for module in network.train().modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    full, coarse = network(x)
    torch.testing.assert_close(full, x + conv(z, "fine.5"), atol=1e-5, rtol=1e-5)
    reduced = F.interpolate(x, (2, 3), mode="bicubic", antialias=True)
    torch.testing.assert_close(coarse, reduced + conv(y, "coarse"), atol=1e-5, rtol=1e-5)


def test_the_coarse_image_is_reduced_by_bicubic():
    network = build("dmnet", SMALL | {"start": "identity"})
    x = torch.from_numpy(smooth_image(np.random.default_rng(1), 40, 44)).permute(2, 0, 1)[None] / 255
    full, coarse = network(x)
    assert torch.equal(full, x) and coarse.shape == (1, 3, 10, 11)
    wanted = resize(x[0].permute(1, 2, 0).numpy(), 10, 11)
    inside = np.s_[2:-2, 2:-2]  # at the border MATLAB mirrors and torch weighs anew
    np.testing.assert_allclose(coarse[0].detach().permute(1, 2, 0).numpy()[inside], wanted[inside], atol=1e-5)


@pytest.mark.parametrize("blocks, layers", [(1, 2), (2, 5)])
def test_the_radius_is_the_receptive_field(blocks, layers):
    network = seasoned("dmnet", {"blocks": blocks, "features": 4, "layers": layers, "fine_features": 4}).double()
    size, middle = 3 * network.radius, network.radius + network.radius % 8
    x = torch.rand(1, 3, size, size, dtype=torch.double)
    reach = []
    for pixel in range(middle, middle + 4):  # the four places in a coarse pixel
        moved = torch.rand(8, 3, size, size, dtype=torch.double).requires_grad_()
        network(moved)[:, :, pixel, pixel].sum().backward()
        rows = moved.grad.abs().sum((0, 1, 3)).nonzero()
        reach += [pixel - rows.min().item(), rows.max().item() - pixel]
    assert network.radius - 3 <= max(reach) <= network.radius and network.radius % 4 == 0
    assert max(reach) == layers + 4 * (2 * blocks + 2) + 6
    assert not network.training and network(x).shape == x.shape


@pytest.mark.parametrize("shape", [(90, 131), (61, 19), (5, 3)])
def test_tiles_give_what_the_whole_image_gives_at_any_size(shape):
    network = seasoned("dmnet", SMALL)
    image = smooth_image(np.random.default_rng(0), *shape)
    whole = restore(model_of(network), image, "float32")
    assert whole.shape == image.shape
    np.testing.assert_allclose(restore(model_of(network), image, "float32", tile=18), whole, atol=1e-5)
    x = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        np.testing.assert_allclose(network(x)[0].permute(1, 2, 0), whole, atol=1e-5)
        full, coarse = network.train()(x)
    assert full.shape == x.shape and coarse.shape[2:] == tuple(-(-side // 4) for side in shape)


@pytest.mark.parametrize("size", [(16, 24), (18, 21)])
def test_fidelity_is_equation_8(size):
    network = build("dmnet", SMALL | {"mu": 0.3})
    full, targets = torch.rand(2, 3, *size), torch.rand(2, 3, *size)
    rows, columns = (-(-side // 4) for side in size)
    coarse = torch.rand(2, 3, rows, columns)
    padded = np.pad(targets.numpy(), ((0, 0), (0, 0), (0, -size[0] % 4), (0, -size[1] % 4)), mode="edge")

    def matrix(length):
        """Keys' kernel, four times as wide, centred on each cell; weights outside the image are dropped."""
        distance = abs((np.arange(length)[None] + 0.5) - (4 * np.arange(length // 4)[:, None] + 2)) / 4
        weights = np.where(distance <= 1, 1.5 * distance**3 - 2.5 * distance**2 + 1,
                           np.where(distance < 2, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2, 0))
        return weights / weights.sum(1, keepdims=True)

    reduced = np.einsum("ij,ncjk,lk->ncil", matrix(padded.shape[2]), padded, matrix(padded.shape[3]))
    for distance, error in ((F.mse_loss, np.square), (F.l1_loss, np.abs)):
        wanted = np.mean(error(full.numpy() - targets.numpy())) + 0.3 * np.mean(error(coarse.numpy() - reduced))
        assert network.fidelity((full, coarse), targets, distance).item() == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_it_learns_a_tiny_batch(batch_norm):
    torch.manual_seed(0)
    network = build("dmnet", SMALL | {"features": 12, "fine_features": 12, "batch_norm": batch_norm, "start": "identity"})
    x = torch.rand(2, 3, 16, 16)
    targets = (0.8 * x + 0.1).flip(1)
    optimizer, losses = torch.optim.Adam(network.parameters(), lr=5e-3), []
    for _ in range(60):
        losses.append(network.fidelity(network(x), targets, F.mse_loss))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.15 * losses[0]
    assert all(weight.grad.abs().max() > 0 for weight in network.parameters())  # the coarse scale learns too


@pytest.mark.parametrize("options, message", [
    ({"blocks": 0}, "dmnet: blocks, features, layers and fine_features are 0, 64, 20 and 64"),
    ({"layers": 1}, "wanted at least 1, 1, 2 and 1"), ({"mu": -1}, "mu is -1, wanted at least 0"),
    ({"start": "bilinear"}, "start is 'bilinear', allowed are random, identity"), ({"scale": 2}, "scale.*allowed are .blocks")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("dmnet", options)


@pytest.fixture
def project(tiny_project):
    """Pairs, captures and truth of one size, and sr-edsr a DM-Net."""
    draw = np.random.default_rng(5)
    for split, count in (("train", 3), ("val", 1)):
        images = {f"{split}{i}": smooth_image(draw, 21 + i, 33) for i in range(count)}
        for folder in ("pairs/sr/targets", "sets/sr-truth", "sets/clean"):
            write_shard(Path("data", folder, split), images)
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["networks"]["sr-edsr"] |= {"arch": "dmnet", "options": SMALL | {"mu": 0.5}}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    return tiny_project


def options(**changes):
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["networks"]["sr-edsr"]["options"] |= changes
    Path("params.yaml").write_text(yaml.safe_dump(values))


def first_loss(name):
    header, row = Path(f"metrics/curves/{name}.csv").read_text().splitlines()[:2]
    return dict(zip(header.split(","), map(float, row.split(","))))["fidelity"]


def statistics(name):
    return {key: value for key, value in load_network(Path("models", name)).state_dict().items() if "running" in key}


def test_mu_acts_in_stage_1(project):
    found = []
    for mu in (0.0, 1.0):
        options(mu=mu)
        stage1.main("sr-edsr")
        network = load_network(Path("models/sr-edsr"))
        assert network.mu == mu
        found.append(network.state_dict()["head.0.weight"])
    assert not torch.equal(*found)


@pytest.mark.parametrize("kind", ["stage2", "oracle"])
def test_fine_tuning_begins_with_equation_8_against_its_targets(project, kind):
    """Of the surrogate in stage 2, by MSE; of the truth in the oracle, here by L1."""
    stage1.main("sr-edsr")
    label.main("systems", "sr-edsr")
    for section in ("stage2", "supervised"):
        change(**{section: {"validate_every": 1, "steps": 1, "ema": 0.0}})
    settings = {"stage2": ("sr-edsr", "labels/sr-edsr", F.mse_loss),
                "oracle": ("sr-edsr-oracle", "sets/sr-truth", F.l1_loss)}
    key, folder, distance = settings[kind]
    stage2.main(kind, key)
    shards = [Shard(Path("data", path, "train")) for path in ("sets/sr-captures", folder)]
    x, targets = Crops([(shard, 1) for shard in shards], 12, 2, 1, f"sr-edsr-{kind}/crops")(0)
    network = load_network(Path("models/sr-edsr"))
    with torch.no_grad():
        full, features = network(x), network.head(x)
        coarse = network.coarse(features + network.body(features))
    coarse += F.interpolate(x, (3, 3), mode="bicubic", antialias=True)
    reduced = F.interpolate(targets, (3, 3), mode="bicubic", antialias=True)
    wanted = distance(full, targets) + 0.5 * distance(coarse, reduced)
    assert first_loss(f"sr-edsr-{kind}") == pytest.approx(wanted.item(), rel=1e-3)


def test_stage_2_leaves_the_statistics_unless_told_to_train_them(project):
    stage1.main("sr-edsr")
    label.main("systems", "sr-edsr")
    start = statistics("sr-edsr")
    assert len(start) == 2 * (2 * SMALL["blocks"] + 1 + SMALL["layers"] - 2)
    for mode in ("frozen", "train"):
        change(stage2={"batch_norm": mode})
        stage2.main("stage2", "sr-edsr")
        same = [torch.equal(value, start[key]) for key, value in statistics("sr-edsr-stage2").items()]
        assert all(same) if mode == "frozen" else not any(same)


def test_its_statistics_can_be_adapted_to_captures_of_odd_sizes(project):
    stage1.main("sr-edsr")
    change(adabn={"adapted": {"start": "sr-edsr", "captures": "sr-captures"}})
    adabn.main("adapted")
    assert not any(torch.equal(value, statistics("sr-edsr")[key]) for key, value in statistics("adapted").items())
