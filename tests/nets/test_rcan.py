import numpy as np
import pytest
import torch
from conftest import smooth_image
from networks import (
    check_that_it_learns_a_tiny_batch,
    check_that_the_radius_is_the_receptive_field,
    check_that_tiles_give_what_the_whole_image_gives,
    seasoned,
)
from torch.nn import functional as F

from pipeline.nets.build import build
from pipeline.restore.model import model_of
from pipeline.restore.network import load_network, save_network
from pipeline.restore.tiles import restore

SMALL = {"scale": 1, "groups": 1, "blocks": 2, "features": 8, "reduction": 2}


def with_constant_attention(network):
    """The attention no longer looks at the image: what is left are convolutions."""
    for name, weight in network.named_parameters():
        if name.endswith("conv_du.0.weight"):
            weight.data.zero_()
    return network


@pytest.mark.parametrize("options, parameters", [  # counts of the authors' release, mean shift included
    ({"scale": 4}, 15_592_379), ({"scale": 4, "blocks": 8}, 6_660_059), ({"scale": 2, "blocks": 8}, 6_512_347),
    ({"scale": 1, "blocks": 8}, 6_364_635)])
def test_parameter_counts(options, parameters):
    with torch.device("meta"):
        network = build("rcan", options)
    assert sum(weight.numel() for weight in network.parameters()) == parameters


def test_keys_are_those_of_the_release():
    weights = build("rcan", {"scale": 4, "groups": 1, "blocks": 1}).state_dict()
    names = {name.rsplit(".", 1)[0] for name in weights}
    assert names == {"sub_mean", "add_mean", "head.0", "body.0.body.0.body.0", "body.0.body.0.body.2",
                     "body.0.body.0.body.3.conv_du.0", "body.0.body.0.body.3.conv_du.2", "body.0.body.1", "body.1",
                     "tail.0.0", "tail.0.2", "tail.1"} and len(weights) == 24
    assert weights["body.0.body.0.body.3.conv_du.0.weight"].shape == (4, 64, 1, 1)
    assert weights["body.0.body.0.body.3.conv_du.2.weight"].shape == (64, 4, 1, 1)
    mapping = build("rcan", {"scale": 1, "groups": 1, "blocks": 1}).state_dict()
    assert set(mapping) == {name for name in weights if not name.startswith("tail.0")}


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_forward_equals_the_paper_written_out(scale):
    torch.manual_seed(0)
    network = build("rcan", {"scale": scale, "groups": 2, "blocks": 3, "features": 6, "reduction": 3})
    w = network.state_dict()
    x = torch.rand(2, 3, 7, 5)

    def conv(x, name):
        kernel = w[f"{name}.weight"]
        return F.conv2d(x, kernel, w[f"{name}.bias"], padding=kernel.shape[-1] // 2)

    def attention(x, name):
        means = torch.stack([image.flatten(1).mean(1) for image in x])[..., None, None]
        weights = 1 / (1 + torch.exp(-conv(F.relu(conv(means, f"{name}.conv_du.0")), f"{name}.conv_du.2")))
        return weights.expand_as(x) * x

    mean = 255 * torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
    head = conv(255 * x - mean, "head.0")
    y = head
    for g in range(2):
        z = y
        for b in range(3):
            inner = conv(F.relu(conv(z, f"body.{g}.body.{b}.body.0")), f"body.{g}.body.{b}.body.2")
            z = z + attention(inner, f"body.{g}.body.{b}.body.3")
        y = y + conv(z, f"body.{g}.body.3")
    y = head + conv(y, "body.2")
    for i, factor in enumerate({1: (), 2: (2,), 3: (3,), 4: (2, 2)}[scale]):
        y = F.pixel_shuffle(conv(y, f"tail.0.{2 * i}"), factor)
    torch.testing.assert_close(network(x), (conv(y, "tail.1") + mean) / 255, atol=1e-4, rtol=1e-5)


def test_the_radius_is_that_of_the_convolutions():
    network = with_constant_attention(seasoned("rcan", SMALL))
    assert network.radius == 1 + 2 * 2 + 1 + 1 + 1
    check_that_the_radius_is_the_receptive_field(network)


@pytest.mark.parametrize("unshuffle", [1, 2])
def test_tiles_are_exact_but_for_the_attention(unshuffle):
    options = SMALL | {"unshuffle": unshuffle}
    check_that_tiles_give_what_the_whole_image_gives(with_constant_attention(seasoned("rcan", options)))
    network = seasoned("rcan", options)
    image = smooth_image(np.random.default_rng(0), 201, 183)
    whole = restore(model_of(network), image, "float32")
    assert 1e-4 < np.abs(restore(model_of(network), image, "float32", tile=17) - whole).max() < 0.5
    with torch.no_grad():
        x = torch.from_numpy(image[:200, :182] / np.float32(255)).permute(2, 0, 1)[None]
        at_once = network(x)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(restore(model_of(network), image[:200, :182], "float32"), at_once, atol=1e-5)


def test_unshuffled_forward_is_the_plain_one_at_half_the_resolution():
    torch.manual_seed(0)
    network = build("rcan", SMALL | {"unshuffle": 2})
    w = network.state_dict()
    x = torch.rand(1, 3, 6, 10)
    mean = 255 * torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
    cells = torch.cat([(255 * x - mean)[:, c : c + 1, i::2, j::2] for c in range(3) for i in range(2) for j in range(2)], 1)
    head = F.conv2d(cells, w["head.0.weight"], w["head.0.bias"], padding=1)
    y = F.pixel_shuffle(F.conv2d(head + network.body(head), w["tail.0.0.weight"], w["tail.0.0.bias"], padding=1), 2)
    y = (F.conv2d(y, w["tail.1.weight"], w["tail.1.bias"], padding=1) + mean) / 255
    torch.testing.assert_close(network(x), y, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("scale, unshuffle", [(1, 1), (1, 2), (2, 1), (3, 1), (4, 1)])
def test_begun_as_bilinear_it_is_what_edsr_is(scale, unshuffle):
    options = {"scale": scale, "blocks": 2, "features": 12, "unshuffle": unshuffle, "start": "bilinear"}
    network = build("rcan", options | {"groups": 2, "reduction": 4})
    x = torch.rand(1, 3, 10, 8)
    torch.testing.assert_close(network(x), build("edsr", options)(x), atol=1e-5, rtol=1e-5)
    network(x).sum().backward()
    assert network.tail[1].weight.grad.abs().min() > 0  # nothing is stuck


def test_it_learns_a_tiny_batch():
    torch.manual_seed(0)
    check_that_it_learns_a_tiny_batch(build("rcan", SMALL | {"features": 16, "start": "bilinear"}), lr=0.003)



def test_gradient():
    network = build("rcan", {"scale": 2, "groups": 1, "blocks": 1, "features": 2, "reduction": 1}).double()
    assert torch.autograd.gradcheck(network, torch.rand(1, 3, 3, 4, dtype=torch.double, requires_grad=True))


def test_a_saved_network_is_the_same(tmp_path):
    network = seasoned("rcan", SMALL)
    save_network(tmp_path, network, "rcan", SMALL, {})
    loaded = load_network(tmp_path, trainable=True)
    x = torch.rand(1, 3, 9, 8)
    assert torch.equal(loaded(x), network(x)) and loaded.radius == network.radius
    frozen = {name.split(".")[0] for name, weight in loaded.named_parameters() if not weight.requires_grad}
    assert frozen == {"sub_mean", "add_mean"}


@pytest.mark.parametrize("options, message", [
    ({"scale": 8}, "scale is 8, allowed are 1, 2, 3, 4"),
    ({"scale": 4, "groups": 0}, "groups, blocks, features and reduction are 0, 20, 64 and 16, wanted at least 1"),
    ({"scale": 4, "features": 8}, "are 10, 20, 8 and 16, wanted .* no fewer features than reduction"),
    ({"scale": 4, "start": "zero"}, "start is 'zero', allowed are random, bilinear"),
    ({"scale": 2, "unshuffle": 2}, "unshuffle is 2, allowed are 1, and for scale 1 also 2"),
    ({"scale": 1, "unshuffle": 2, "features": 8, "reduction": 2, "start": "bilinear"}, "12 features, there are 8")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=f"rcan: .*{message}"):
        build("rcan", options)
