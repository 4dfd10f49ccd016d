import pytest
import torch
from networks import (
    check_that_it_learns_a_tiny_batch_from_the_identity,
    check_that_the_radius_is_the_receptive_field,
    check_that_tiles_give_what_the_whole_image_gives,
    seasoned,
)
from torch.nn import functional as F

from pipeline.nets.build import build


@pytest.mark.parametrize("layers, features", [(30, 128), (30, 64), (4, 6)])
def test_parameter_counts(layers, features):
    network = build("rednet", {"layers": layers, "features": features})
    kernels = (layers - 2) * 9 * features**2 + 2 * 9 * 3 * features
    biases = (layers - 1) * features + 3
    assert sum(weight.numel() for weight in network.parameters()) == kernels + biases
    if features == 128:  # 4,131 thousand of the grey network, as Tai et al. (MemNet, 2017) count RED30: without biases
        assert kernels - 2 * 9 * 2 * features == 4_131_072


def test_forward_equals_red30_written_out():
    """Skips from convolutions 2, 4, ... 14 to the deconvolutions that come back to their place, and of the image."""
    network = seasoned("rednet", {"features": 4})
    w = network.state_dict()
    x = torch.rand(1, 3, 6, 9)
    feats, y = [], x
    for i in range(15):
        y = F.relu(F.conv2d(y, w[f"conv.{i}.weight"], w[f"conv.{i}.bias"], padding=1))
        feats.append(y)
    for i in range(14):  # a deconvolution without stride is a convolution with the kernel turned and its ends exchanged
        y = F.conv2d(y, w[f"deconv.{i}.weight"].transpose(0, 1).flip(2, 3), w[f"deconv.{i}.bias"], padding=1)
        if i % 2 == 0:
            y = y + feats[13 - i]
        y = F.relu(y)
    y = x + F.conv2d(y, w["deconv.14.weight"].transpose(0, 1).flip(2, 3), w["deconv.14.bias"], padding=1)
    torch.testing.assert_close(network(x), y, atol=1e-4, rtol=1e-4)
    assert len(w) == 60


@pytest.mark.parametrize("layers", [2, 6])
def test_the_radius_is_the_receptive_field(layers):
    network = seasoned("rednet", {"layers": layers, "features": 8})
    assert network.radius == layers
    check_that_the_radius_is_the_receptive_field(network)


def test_tiles_give_what_the_whole_image_gives_at_odd_sizes():
    check_that_tiles_give_what_the_whole_image_gives(seasoned("rednet", {"layers": 6, "features": 6}))


def test_at_the_start_activations_neither_die_nor_grow_by_much():
    torch.manual_seed(0)
    network = build("rednet", {"features": 32})
    x = torch.rand(1, 3, 20, 20)
    assert 0.1 < (network(x) - x).std() < 10


def test_it_learns_a_tiny_batch_from_the_identity():
    torch.manual_seed(0)
    network = build("rednet", {"layers": 6, "features": 12, "start": "identity"})
    check_that_it_learns_a_tiny_batch_from_the_identity(network, lr=3e-3)


@pytest.mark.parametrize("options, message", [
    ({"layers": 7}, "rednet: layers and features are 7 and 128, wanted an even number"),
    ({"start": "zero"}, "start is 'zero', allowed are"), ({"stride": 2}, "stride.*allowed are .layers")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("rednet", options)
