import pytest
import torch
from torch.nn import functional as F

from pipeline.nets.build import architectures, build


@pytest.mark.parametrize("options, parameters", [  # counts of the authors' release, mean shift included
    ({"scale": 4}, 1_517_595), ({"scale": 4, "blocks": 8}, 926_747), ({"scale": 2, "blocks": 8}, 779_035)])
def test_parameter_counts(options, parameters):
    assert sum(weight.numel() for weight in build("edsr", options).parameters()) == parameters


def test_keys_are_those_of_the_release():
    names = {name.rsplit(".", 1)[0] for name in build("edsr", {"scale": 4, "blocks": 1}).state_dict()}
    assert names == {"sub_mean", "add_mean", "head.0", "body.0.body.0", "body.0.body.2", "body.1", "tail.0.0", "tail.0.2",
                     "tail.1"}
    assert "tail.0.0.weight" not in build("edsr", {"scale": 1}).state_dict()


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_forward_equals_the_paper_written_out(scale):
    torch.manual_seed(0)
    network = build("edsr", {"scale": scale, "blocks": 2, "features": 6, "res_scale": 0.3})
    w = network.state_dict()
    x = torch.rand(1, 3, 7, 5)

    def conv(x, name):
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], padding=1)

    mean = 255 * torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
    head = conv(255 * x - mean, "head.0")
    y = head
    for i in range(2):
        y = y + 0.3 * conv(F.relu(conv(y, f"body.{i}.body.0")), f"body.{i}.body.2")
    y = head + conv(y, "body.2")
    for i, factor in enumerate({1: (), 2: (2,), 3: (3,), 4: (2, 2)}[scale]):
        y = F.pixel_shuffle(conv(y, f"tail.0.{2 * i}"), factor)
    torch.testing.assert_close(network(x), (conv(y, "tail.1") + mean) / 255, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("scale", [1, 4])
def test_radius_is_the_receptive_field(scale):
    network = build("edsr", {"scale": scale, "blocks": 2, "features": 4})
    x = torch.rand(1, 3, 41, 41, requires_grad=True)
    centre = 20 * scale
    network(x)[0, :, centre : centre + scale, centre : centre + scale].sum().backward()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero()
    reach = max(20 - rows.min().item(), rows.max().item() - 20)
    assert network.radius - 2 <= reach <= network.radius


def test_unshuffled_forward_is_the_plain_one_at_half_the_resolution():
    torch.manual_seed(0)
    network = build("edsr", {"scale": 1, "blocks": 1, "features": 6, "unshuffle": 2})
    w = network.state_dict()
    x = torch.rand(1, 3, 6, 10)
    mean = 255 * torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
    cells = torch.cat([(255 * x - mean)[:, c : c + 1, i::2, j::2] for c in range(3) for i in range(2) for j in range(2)], 1)
    head = F.conv2d(cells, w["head.0.weight"], w["head.0.bias"], padding=1)
    y = head + network.body(head)
    y = F.pixel_shuffle(F.conv2d(y, w["tail.0.0.weight"], w["tail.0.0.bias"], padding=1), 2)
    y = (F.conv2d(y, w["tail.1.weight"], w["tail.1.bias"], padding=1) + mean) / 255
    torch.testing.assert_close(network(x), y, atol=1e-5, rtol=1e-5)


def test_unshuffled_radius_and_start():
    network = build("edsr", {"scale": 1, "blocks": 1, "features": 12, "unshuffle": 2, "start": "bilinear"})
    x = torch.rand(1, 3, 44, 44)
    torch.testing.assert_close(network(x), x, atol=1e-5, rtol=1e-5)
    network = build("edsr", {"scale": 1, "blocks": 1, "features": 12, "unshuffle": 2})
    x.requires_grad_(True)
    for pixel in (20, 21):
        x.grad = None
        network(x)[0, :, pixel, pixel].sum().backward()
        rows = x.grad.abs().sum((0, 1, 3)).nonzero()
        reach = max(pixel - rows.min().item(), rows.max().item() - pixel)
        assert network.radius - 2 <= reach <= network.radius


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_begun_as_bilinear_it_enlarges_bilinearly(scale):
    network = build("edsr", {"scale": scale, "blocks": 2, "features": 6, "start": "bilinear"})
    x = torch.rand(1, 3, 9, 8)
    wanted = F.interpolate(x, scale_factor=scale, mode="bilinear")
    inner = (..., slice(2 * scale, -2 * scale), slice(2 * scale, -2 * scale))  # at the border convolutions see zeros
    if scale == 4:  # two steps of x2 are not quite one of x4
        wanted = F.interpolate(F.interpolate(x, scale_factor=2, mode="bilinear"), scale_factor=2, mode="bilinear")
    torch.testing.assert_close(network(x)[inner], wanted[inner], atol=1e-4, rtol=1e-4)
    network(x).sum().backward()
    assert network.tail[1].weight.grad.abs().min() > 0  # nothing is stuck


def test_gradient():
    network = build("edsr", {"scale": 2, "blocks": 1, "features": 2}).double()
    assert torch.autograd.gradcheck(network, torch.rand(1, 3, 3, 4, dtype=torch.double, requires_grad=True))


@pytest.mark.parametrize("arch, options, message", [
    ("edsrr", {"scale": 4}, "arch: got 'edsrr', there are .*edsr"),
    ("edsr", {"scale": 4, "blok": 1}, "blok.*allowed are .scale: int"),
    ("edsr", {"scale": 5}, "scale is 5, allowed are"),
    ("edsr", {"scale": 2, "unshuffle": 2}, "unshuffle is 2, allowed are 1, and for scale 1 also 2"),
    ("edsr", {"scale": 1, "unshuffle": 2, "features": 8, "start": "bilinear"}, "12 features, there are 8")])
def test_unknown_names_are_refused(arch, options, message):
    with pytest.raises(ValueError, match=message):
        build(arch, options)


def test_every_file_of_nets_builds():
    assert "edsr" in architectures() and "build" not in architectures()
