import numpy as np
import pytest
import torch
from conftest import smooth_image
from torch.nn import functional as F

from pipeline.nets.build import build
from pipeline.restore.apply import apply


def seasoned(options, seed=0):
    """A network with random biases too: as if trained."""
    torch.manual_seed(seed)
    network = build("rednet", options).eval()
    for name, value in network.state_dict().items():
        if name.endswith("bias"):
            value.normal_(0, 0.1)
    return network


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
    network = seasoned({"features": 4})
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
    network = seasoned({"layers": layers, "features": 8}).double()
    x = torch.rand(8, 3, 25, 25, dtype=torch.double, requires_grad=True)
    network(x)[:, :, 12, 12].sum().backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero()
    assert network.radius == 12 - rows.min() == rows.max() - 12 == layers


def test_tiles_give_what_the_whole_image_gives_at_odd_sizes():
    network = seasoned({"layers": 6, "features": 6})
    image = smooth_image(np.random.default_rng(0), 57, 43)
    whole = apply([network], image)
    assert whole.shape == image.shape
    np.testing.assert_allclose(apply([network], image, tile=17), whole, atol=1e-5)


def test_at_the_start_activations_neither_die_nor_grow_by_much():
    torch.manual_seed(0)
    network = build("rednet", {"features": 32})
    x = torch.rand(1, 3, 20, 20)
    assert 0.1 < (network(x) - x).std() < 10


def test_it_learns_a_tiny_batch_from_the_identity():
    torch.manual_seed(0)
    network = build("rednet", {"layers": 6, "features": 12, "start": "identity"})
    x = torch.rand(2, 3, 16, 15)
    assert torch.equal(network(x), x)
    targets = (0.8 * x + 0.1).flip(1)
    optimizer, losses = torch.optim.Adam(network.parameters(), lr=3e-3), []
    for _ in range(60):
        losses.append(F.mse_loss(network(x), targets))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.15 * losses[0]
    assert all(weight.grad.abs().max() > 0 for weight in network.parameters())


@pytest.mark.parametrize("options, message", [
    ({"layers": 7}, "rednet: layers and features are 7 and 128, wanted an even number"),
    ({"start": "zero"}, "start is 'zero', allowed are"), ({"stride": 2}, "stride.*allowed are .layers")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("rednet", options)
