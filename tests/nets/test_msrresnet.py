import pytest
import torch
from networks import (
    check_that_the_radius_is_the_receptive_field,
    check_that_tiles_give_what_the_whole_image_gives,
    seasoned,
)
from torch.nn import functional as F

from pipeline.nets.build import build


def test_parameter_count_is_that_of_basicsr():
    network = build("msrresnet", {"scale": 4})
    assert sum(weight.numel() for weight in network.parameters()) == 1_517_571


def test_keys_are_those_of_basicsr():
    def layers(scale):
        return {name.rsplit(".", 1)[0] for name in build("msrresnet", {"scale": scale, "blocks": 1}).state_dict()}

    assert layers(4) == {"conv_first", "body.0.conv1", "body.0.conv2", "upconv1", "upconv2", "conv_hr", "conv_last"}
    assert layers(4) - layers(3) == layers(4) - layers(2) == {"upconv2"}


@pytest.mark.parametrize("scale", [1, 2])
def test_the_radius_is_the_receptive_field(scale):
    network = seasoned("msrresnet", {"scale": scale, "blocks": 1, "features": 6}).double()
    if scale == 1:
        return check_that_the_radius_is_the_receptive_field(seasoned("msrresnet", {"scale": 1, "blocks": 2, "features": 6}))
    reached = []
    for pixel in (40, 41):
        x = torch.rand(4, 3, 41, 41, dtype=torch.double, requires_grad=True)
        network(x)[:, :, pixel, pixel].sum().backward()
        rows = x.grad.abs().sum((0, 1, 3)).nonzero()
        reached += [20 - rows.min().item(), rows.max().item() - 20]
    assert max(reached) == network.radius


def test_tiles_give_what_the_whole_image_gives():
    check_that_tiles_give_what_the_whole_image_gives(seasoned("msrresnet", {"scale": 1, "blocks": 1, "features": 6}))


def test_it_begins_close_to_bilinear_and_nothing_is_stuck():
    torch.manual_seed(0)
    network = build("msrresnet", {"scale": 2, "blocks": 2, "features": 16})
    x = torch.rand(1, 3, 9, 7)
    assert (network(x) - F.interpolate(x, scale_factor=2, mode="bilinear")).abs().max() < 0.01
    network(x).sum().backward()
    assert all(weight.grad.abs().max() > 0 for weight in network.parameters())


@pytest.mark.parametrize("options, message", [
    ({"scale": 8}, "msrresnet: scale is 8, allowed are 1, 2, 3, 4"),
    ({"scale": 2, "blocks": 0}, "msrresnet: blocks and features are 0 and 64")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("msrresnet", options)
