import pytest
import torch
from networks import (
    check_that_it_learns_a_tiny_batch,
    check_that_it_learns_a_tiny_batch_from_the_identity,
    check_that_the_radius_is_the_receptive_field,
    check_that_tiles_give_what_the_whole_image_gives,
    seasoned,
)
from torch.nn import functional as F

from pipeline.nets.build import build
from pipeline.restore.model import model_of

SMALL = {"scale": 1, "layers": 3, "features": 8}


@pytest.mark.parametrize("options, parameters", [  # of the authors' networks: x4 for animation, x4 for photos
    ({"scale": 4}, 621_424), ({"scale": 4, "layers": 32}, 1_213_296), ({"scale": 2}, 600_652), ({"scale": 1}, 595_459)])
def test_parameter_counts(options, parameters):
    with torch.device("meta"):
        network = build("compact", options)
    assert sum(weight.numel() for weight in network.parameters()) == parameters


def test_keys_are_those_of_the_release():
    weights = build("compact", {"scale": 4, "layers": 2, "features": 5}).state_dict()
    assert {name: tuple(value.shape) for name, value in weights.items() if name.endswith("weight")} == {
        "body.0.weight": (5, 3, 3, 3), "body.1.weight": (5,), "body.2.weight": (5, 5, 3, 3), "body.3.weight": (5,),
        "body.4.weight": (5, 5, 3, 3), "body.5.weight": (5,), "body.6.weight": (48, 5, 3, 3)}
    assert {name for name in weights if name.endswith("bias")} == {f"body.{place}.bias" for place in (0, 2, 4, 6)}


def test_the_radius_is_the_receptive_field_and_tiles_are_exact():
    network = seasoned("compact", SMALL)
    assert network.radius == 5 and model_of(network).exact
    check_that_tiles_give_what_the_whole_image_gives(network)
    check_that_the_radius_is_the_receptive_field(network)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_begun_as_nearest_it_repeats_pixels_and_learns(scale):
    network = build("compact", SMALL | {"scale": scale, "start": "nearest"})
    x = torch.rand(2, 3, 7, 5)
    assert torch.equal(network(x), F.interpolate(x, scale_factor=scale, mode="nearest"))
    network(x).sum().backward()
    assert network.body[-1].weight.grad.abs().min() > 0  # nothing is stuck


def test_it_learns_a_tiny_batch():
    torch.manual_seed(0)
    check_that_it_learns_a_tiny_batch(build("compact", SMALL), lr=0.01)
    check_that_it_learns_a_tiny_batch_from_the_identity(build("compact", SMALL | {"start": "nearest"}), lr=0.01)


def test_a_signal_does_not_die_away_in_many_layers():
    torch.manual_seed(0)
    x = torch.rand(1, 3, 16, 16)
    assert (build("compact", {"scale": 1, "layers": 32, "features": 16})(x) - x).std() > 0.01


@pytest.mark.parametrize("options, message", [
    ({"scale": 5}, "compact: scale is 5, allowed are 1, 2, 3, 4"), ({}, "scale.*allowed are .scale"),
    ({"scale": 1, "start": "bilinear"}, "start is 'bilinear', allowed are random, nearest"),
    ({"scale": 1, "layers": -1}, "layers and features are -1 and 64, wanted at least 0 and 1"),
    ({"scale": 1, "blocks": 2}, "blocks.*allowed are .scale: int")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("compact", options)
