"""Losses against closed forms, and schedules."""
import math

import pytest
import torch
from conftest import ROOT

from pipeline.core import params
from pipeline.train.method import learning_rate
from pipeline.train.methods.stage2 import Stage2
from pipeline.train.methods.supervised import Supervised


def method_of(section):
    """With no data and no adversary."""
    kind = {"stage1": Supervised, "stage2": Stage2}[section]
    settings = getattr(params.load(ROOT / "params.yaml"), section)
    return kind(settings, torch.nn.Conv2d(3, 3, 1), None, None, torch.device("cpu"))


def test_losses_against_closed_forms():
    method = method_of("stage2")
    settings = method.settings
    outputs, targets = torch.full((2, 3, 16, 16), 0.5), torch.full((2, 3, 16, 16), 0.3)
    assert method_of("stage1").loss(outputs, targets)[1].item() == pytest.approx(0.2)
    terms, total = method.loss(outputs, targets)
    assert terms["fidelity"].item() == pytest.approx(0.04)
    assert total.item() == pytest.approx(0.04 * (1 + settings.anchor + settings.grid))

    class Opinion:
        def loss(self, x):
            return torch.tensor(math.log(2))

    method.adversary = Opinion()
    total = method.loss(outputs, targets)[1].item()
    weight = 1 + settings.anchor + settings.grid
    assert total == pytest.approx(0.04 * weight + settings.lambda_ * math.log(2))


@pytest.mark.parametrize("period, seen", [(2, True), (4, True), (3, False)])
def test_the_grid_term_sees_the_grids_of_sub_pixel_convolutions_alone(period, seen):
    image = torch.rand(1, 3, 50, 67, generator=torch.Generator().manual_seed(0))
    pattern = 0.1 * torch.cos(2 * math.pi * torch.arange(67) / period)
    found = method_of("stage2").loss(image + pattern, image)[0]["grid"].item()
    if seen:
        assert found == pytest.approx(pattern[:64].square().mean().item(), rel=0.01)
    else:
        assert found < 0.1 * pattern.square().mean().item()


def test_the_anchor_sees_colour_and_not_texture():
    targets = torch.full((1, 3, 16, 16), 0.5)
    checks = targets + 0.1 * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(8, 8)
    assert method_of("stage2").loss(checks, targets)[0]["anchor"].item() == pytest.approx(0, abs=1e-12)


def test_schedules():
    base = params.load(ROOT / "params.yaml").stage1
    rates = {kind: [learning_rate(base.model_copy(update={"schedule": kind, "halve_every": 300, "steps": 1000, "lr": 1.0}), s)
                    for s in (0, 500, 999)] for kind in ("constant", "cosine", "halve")}
    assert rates["constant"] == [1, 1, 1] and rates["halve"] == [1, 0.5, 0.125]
    assert rates["cosine"][0] == 1 and rates["cosine"][1] == pytest.approx(0.5) and 0 < rates["cosine"][2] < 1e-5
