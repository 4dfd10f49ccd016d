import numpy as np
import pytest
import torch

from pipeline.core.model import override
from pipeline.core.settings import Stage1Settings, Stage2Settings
from pipeline.nets.build import build
from pipeline.train.distances import DISTANCES
from pipeline.train.methods.supervised import Supervised

HEIGHT, WIDTH = 6, 9
SIZE = HEIGHT * WIDTH
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
WAVE = np.cos(2 * np.pi * (2 * ROWS / HEIGHT + COLUMNS / WIDTH))


def distance(name, difference):
    targets = torch.rand(2, 3, HEIGHT, WIDTH, dtype=torch.double)
    return DISTANCES[name](targets + torch.as_tensor(difference, dtype=torch.double), targets).item()


@pytest.mark.parametrize("difference", [0.0, 1e-4, 0.3, -0.3])
def test_charbonnier_of_a_constant(difference):
    assert distance("charbonnier", difference) == pytest.approx(np.hypot(difference, 1e-3), rel=1e-9)


def test_charbonnier_is_smooth_at_0():
    outputs = torch.zeros(1, 3, 4, 4, requires_grad=True)
    DISTANCES["charbonnier"](outputs, torch.zeros(1, 3, 4, 4)).backward()
    assert torch.equal(outputs.grad, torch.zeros(1, 3, 4, 4))


@pytest.mark.parametrize("difference, l1, modulus", [  # of the transform, whose squares have the sum of the squares
    (np.full((HEIGHT, WIDTH), 0.3), 0.3, 0.3 / SIZE**0.5),  # one frequency, 0, of 0.3 times the root of SIZE
    ((ROWS == 2) * (COLUMNS == 5) * -0.3, 0.3 / SIZE, 0.3 / SIZE**0.5),  # all frequencies of 0.3 through the root of SIZE
    (0.3 * WAVE, 0.3 * np.abs(WAVE).mean(), 0.3 / SIZE**0.5),  # two frequencies of half the amplitude
])
def test_fourier_of_what_has_a_known_transform(difference, l1, modulus):
    assert distance("fourier", difference) == pytest.approx(l1 + modulus, rel=1e-9)


def test_fourier_of_noise_does_not_depend_on_the_size_of_the_patch():
    wanted = (2 / np.pi) ** 0.5 + np.pi**0.5 / 2  # the means of a normal's modulus, real and complex
    for side in (16, 128):
        noise = torch.randn(64, 3, side, side, generator=torch.Generator().manual_seed(0))
        assert DISTANCES["fourier"](noise, torch.zeros_like(noise)).item() == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize("name", DISTANCES)
def test_stage_1_goes_down_it(name):
    torch.manual_seed(0)
    settings = Stage1Settings(loss=name, steps=100, lr=0.01, schedule="constant")
    network = build("compact", {"scale": 1, "layers": 1, "features": 8, "start": "nearest"})
    method = Supervised(settings, network, None, None, torch.device("cpu"))
    x = torch.rand(2, 3, 12, 12)
    targets, losses = (0.8 * x + 0.1).flip(1), []
    for step in range(100):
        outputs = method.outputs(x)
        terms, loss = method.loss(outputs, targets)
        losses.append(method.improve(step, terms, loss)["fidelity"].item())
        assert losses[-1] == DISTANCES[name](outputs.detach(), targets).item()
    assert losses[-1] < 0.4 * losses[0]


def test_another_name_is_refused_and_stage_2_has_none():
    with pytest.raises(ValueError, match="networks.x.stage1.loss: got 'l2'.*'l1', 'mse', 'charbonnier' or 'fourier'"):
        override(Stage1Settings(), {"loss": "l2"}, "networks.x.stage1")
    with pytest.raises(ValueError, match="stage2.loss: no such key"):
        override(Stage2Settings(), {"loss": "l1"}, "stage2")
