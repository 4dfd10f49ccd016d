import numpy as np
import pytest
import torch
from conftest import smooth_image
from networks import (
    check_that_it_learns_a_tiny_batch_from_the_identity,
    check_that_tiles_give_what_the_whole_image_gives,
    seasoned,
)
from torch import nn
from torch.nn import functional as F

from pipeline.nets.build import build
from pipeline.restore.model import model_of
from pipeline.restore.network import load_network, save_network
from pipeline.restore.tiles import restore

SMALL = {"blocks": 1, "features": 4}


def without_norm(network):
    """What is left are convolutions, with weights that let a signal through."""
    for layer in list(network.modules()):
        for key, child in layer.named_children():
            if isinstance(child, nn.InstanceNorm2d):
                setattr(layer, key, nn.Identity())
    for name, weight in network.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(weight, 0, (2 / weight[0].numel()) ** 0.5)
    return network


@pytest.mark.parametrize("blocks, parameters", [(9, 11_378_179), (6, 7_837_699)])  # counts of the authors' release
def test_parameter_counts(blocks, parameters):
    with torch.device("meta"):
        network = build("resnet", {"blocks": blocks})
    assert sum(weight.numel() for weight in network.parameters()) == parameters


def test_keys_are_those_of_the_release():
    weights = build("resnet", {"blocks": 2, "features": 4}).state_dict()
    shapes = {f"model.{block}.conv_block.{layer}": (16, 16, 3, 3) for block in (10, 11) for layer in (1, 5)}
    shapes |= {"model.1": (4, 3, 7, 7), "model.4": (8, 4, 3, 3), "model.7": (16, 8, 3, 3), "model.12": (16, 8, 3, 3),
               "model.15": (8, 4, 3, 3), "model.19": (3, 4, 7, 7)}
    assert {name: tuple(value.shape) for name, value in weights.items() if name.endswith("weight")} == {
        f"{name}.weight": shape for name, shape in shapes.items()}
    assert set(weights) == {f"{name}.{kind}" for name in shapes for kind in ("weight", "bias")}


def test_forward_equals_the_paper_written_out():
    network = seasoned("resnet", {"blocks": 2, "features": 4})
    w = network.state_dict()
    x = torch.rand(2, 3, 12, 20)

    def conv(x, name, pad, **options):
        return F.conv2d(F.pad(x, [pad] * 4, mode="reflect"), w[f"{name}.weight"], w[f"{name}.bias"], **options)

    def norm(x):
        flat = x.flatten(2)
        return ((flat - flat.mean(2, keepdim=True)) / (flat.var(2, correction=0, keepdim=True) + 1e-5).sqrt()).view_as(x)

    def doubled(x, name):  # a transposed convolution: zeros between the pixels, then the kernel turned round
        spread = torch.zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
        spread[:, :, ::2, ::2] = x
        return F.conv2d(spread, w[f"{name}.weight"].transpose(0, 1).flip(2, 3), w[f"{name}.bias"], padding=1)

    y = F.relu(norm(conv(2 * x - 1, "model.1", 3)))
    for name in ("model.4", "model.7"):
        y = F.relu(norm(F.conv2d(y, w[f"{name}.weight"], w[f"{name}.bias"], stride=2, padding=1)))
    for block in ("model.10", "model.11"):
        y = y + norm(conv(F.relu(norm(conv(y, f"{block}.conv_block.1", 1))), f"{block}.conv_block.5", 1))
    for name in ("model.12", "model.15"):
        y = F.relu(norm(doubled(y, name)))
    wanted = (1 + torch.tanh(conv(y, "model.19", 3))) / 2
    torch.testing.assert_close(network(x), wanted, atol=1e-5, rtol=1e-5)
    residual = build("resnet", {"blocks": 2, "features": 4, "residual": True})
    residual.load_state_dict(w)
    torch.testing.assert_close(residual(x), x + wanted - 0.5, atol=1e-5, rtol=1e-5)


def test_any_size_is_kept():
    network = seasoned("resnet", SMALL)
    x = torch.rand(1, 3, 9, 14)
    padded = torch.cat([x, *[x[:, :, -1:]] * 3], 2)
    padded = torch.cat([padded, *[padded[..., -1:]] * 2], 3)
    torch.testing.assert_close(network(x), network(padded)[:, :, :9, :14])


def test_the_radius_is_that_of_the_convolutions():
    torch.manual_seed(0)
    network = without_norm(build("resnet", SMALL)).double()
    assert network.radius == 20 and network.radius % network.multiple == 0
    x = torch.rand(8, 3, 64, 64, dtype=torch.double, requires_grad=True)
    reach = []
    for place in range(32, 36):  # pixels differ in where they lie in their block of four
        (gradient,) = torch.autograd.grad(network(x)[:, :, place, 30].sum(), x)
        rows = gradient.abs().sum((0, 1, 3)).nonzero()
        reach += [(place - rows.min()).item(), (rows.max() - place).item()]
    assert max(reach) == network.radius


def test_tiles_are_exact_but_for_the_norm():
    torch.manual_seed(0)
    check_that_tiles_give_what_the_whole_image_gives(without_norm(build("resnet", SMALL)).eval())
    network = seasoned("resnet", SMALL)
    image = smooth_image(np.random.default_rng(0), 201, 183)
    whole = restore(model_of(network), image, "float32")
    assert np.abs(restore(model_of(network), image, "float32", tile=17) - whole).max() > 1e-4
    with torch.no_grad():
        x = torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)[None]
        at_once = network(x)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(whole, at_once, atol=1e-5)


def test_a_residual_one_learns_from_the_identity():
    check_that_it_learns_a_tiny_batch_from_the_identity(build("resnet", {"blocks": 1, "features": 8, "residual": True}), 0.01)


def test_a_saved_network_is_the_same_and_keeps_frozen_what_has_no_gradient(tmp_path):
    network = seasoned("resnet", SMALL)
    save_network(tmp_path, network, "resnet", SMALL, {})
    loaded = load_network(tmp_path, trainable=True)
    x = torch.rand(1, 3, 12, 8)
    assert torch.equal(loaded(x), network(x))
    frozen = {name for name, weight in loaded.named_parameters() if not weight.requires_grad}
    assert frozen == {name for name in loaded.state_dict() if name.endswith("bias")} - {"model.18.bias"}
    changed = {name: value + 1 if name in frozen else value for name, value in network.state_dict().items()}
    network.load_state_dict(changed)
    torch.testing.assert_close(loaded(x), network(x), atol=1e-4, rtol=0)


@pytest.mark.parametrize("options", [{"blocks": 0}, {"features": 0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ValueError, match="resnet: blocks and features are .* wanted at least 1"):
        build("resnet", options)
