import pytest
import torch
from networks import seasoned
from torch.nn import functional as F

from pipeline.nets.build import build
from pipeline.restore.model import model_of
from pipeline.restore.network import load_network, save_network
from pipeline.restore.tiles import restore


@pytest.mark.parametrize("options", [{"scale": 4}, {"scale": 3, "blocks": 5, "features": 20}, {"scale": 1, "blocks": 2}])
def test_parameter_counts(options):
    f, b = options.get("features", 64), options.get("blocks", 16)
    conv_bn = 9 * f * f + 2 * f
    upsamplers = {1: 0, 3: 9 * f * 9 * f + 9 * f + 1, 4: 2 * (9 * f * 4 * f + 4 * f + 1)}[options["scale"]]
    wanted = (81 * 3 * f + f + 1) + b * (2 * conv_bn + 1) + conv_bn + upsamplers + (81 * f * 3 + 3)
    assert sum(weight.numel() for weight in build("srresnet", options).parameters()) == wanted
    if options == {"scale": 4}:
        assert wanted == 1_547_350  # 1.55 million, as is told of the paper's


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_forward_equals_the_paper_written_out(scale):
    network = seasoned("srresnet", {"scale": scale, "blocks": 2, "features": 6})
    w = network.state_dict()
    x = torch.rand(1, 3, 7, 5)

    def conv(x, name):
        kernel = w[f"{name}.weight"]
        return F.conv2d(x, kernel, w.get(f"{name}.bias"), padding=kernel.shape[-1] // 2)

    def norm(x, name):
        mean, variance, gain, shift = (w[f"{name}.{part}"].view(1, -1, 1, 1)
                                       for part in ("running_mean", "running_var", "weight", "bias"))
        return gain * (x - mean) / (variance + 1e-5).sqrt() + shift

    def prelu(x, name):
        return torch.where(x > 0, x, w[f"{name}.weight"] * x)

    head = prelu(conv(x, "head.0"), "head.1")
    y = head
    for i in range(2):
        body = f"body.{i}.body"
        z = prelu(norm(conv(y, f"{body}.0"), f"{body}.1"), f"{body}.2")
        y = y + norm(conv(z, f"{body}.3"), f"{body}.4")
    y = head + norm(conv(y, "body.2"), "body.3")
    for i, factor in enumerate({1: (), 2: (2,), 3: (3,), 4: (2, 2)}[scale]):
        y = prelu(F.pixel_shuffle(conv(y, f"tail.0.{3 * i}"), factor), f"tail.0.{3 * i + 2}")
    y = conv(y, "tail.1")
    torch.testing.assert_close(network(x), 0.5 + 0.5 * y, atol=1e-5, rtol=1e-5)
    names = {name.rsplit(".", 1)[0] for name in w}
    assert {"head.0", "head.1", "body.1.body.4", "body.3", "tail.1"} <= names and ("tail.0.0" in names) == (scale > 1)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("blocks", [1, 3])
def test_the_radius_is_the_receptive_field(scale, blocks):
    network = seasoned("srresnet", {"scale": scale, "blocks": blocks, "features": 4}).double()
    size, at = 2 * network.radius + 7, network.radius + 3
    x = torch.rand(1, 3, size, size, dtype=torch.double)

    def change(distance):
        """How much the output of one input pixel moves with a row of pixels so far above it."""
        moved = x.clone()
        moved[:, :, at - distance] += 1
        place = slice(at * scale, (at + 1) * scale)
        with torch.no_grad():
            return (network(moved) - network(x))[:, :, place, place].abs().max().item()

    assert change(network.radius + 1) == 0 and change(network.radius) > 0


def test_tiles_give_what_the_whole_image_gives():
    network = seasoned("srresnet", {"scale": 2, "blocks": 1, "features": 4})
    image = torch.rand(57, 43, 3).numpy()
    whole, tiled = (restore(model_of(network), image, "float32", tile) for tile in (256, 16))
    torch.testing.assert_close(torch.from_numpy(tiled), torch.from_numpy(whole), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("training", [True, False])
def test_begun_as_bilinear_it_enlarges_bilinearly(scale, training):
    network = build("srresnet", {"scale": scale, "blocks": 2, "features": 6, "start": "bilinear"}).train(training)
    x = torch.rand(2, 3, 11, 12)
    wanted = x
    for factor in {1: (), 2: (2,), 3: (3,), 4: (2, 2)}[scale]:
        wanted = F.interpolate(wanted, scale_factor=factor, mode="bilinear")
    inner = (..., slice(2 * scale, -2 * scale), slice(2 * scale, -2 * scale))  # at the border convolutions see zeros
    torch.testing.assert_close(network(x)[inner], wanted[inner], atol=1e-5, rtol=1e-5)
    network(x).square().sum().backward()
    assert network.tail[1].weight.grad.abs().min() > 0  # nothing is stuck
    assert network.body[-1].weight.grad[:3].abs().min() > 0


def test_gradient():
    network = seasoned("srresnet", {"scale": 2, "blocks": 1, "features": 2}).double()
    assert torch.autograd.gradcheck(network, torch.rand(1, 3, 3, 4, dtype=torch.double, requires_grad=True))


def test_statistics_come_back_from_disk(tmp_path):
    options = {"scale": 2, "blocks": 1, "features": 4}
    network = seasoned("srresnet", options)
    save_network(tmp_path, network, "srresnet", options, {})
    loaded, again = load_network(tmp_path), load_network(tmp_path, trainable=True)
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    x = torch.rand(1, 3, 8, 9)
    assert torch.equal(loaded(x), network(x))
    assert not any(weight.requires_grad for weight in loaded.parameters())
    assert all(weight.requires_grad for weight in again.parameters()) and not again.training


@pytest.mark.parametrize("options, message", [
    ({"scale": 5}, "srresnet: scale is 5, allowed are"), ({"scale": 4, "start": "zero"}, "start is 'zero', allowed are"),
    ({"scale": 4, "features": 2, "start": "bilinear"}, "features is 2, wanted at least 3"),
    ({"scale": 4, "res_scale": 1}, "res_scale.*allowed are .scale: int")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("srresnet", options)
