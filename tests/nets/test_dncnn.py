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


@pytest.mark.parametrize("options, parameters", [
    ({"layers": 20, "batch_norm": False}, 668_227),  # KAIR's dncnn_color_blind, batch norm merged
    ({"layers": 17}, 9 * 3 * 64 + 64 + 15 * (9 * 64 * 64 + 2 * 64) + 9 * 64 * 3 + 3),
    ({"layers": 3, "features": 7}, 9 * 3 * 7 + 7 + 9 * 49 + 14 + 9 * 7 * 3 + 3)])
def test_parameter_counts(options, parameters):
    network = build("dncnn", options)
    assert sum(weight.numel() for weight in network.parameters() if weight.requires_grad) == parameters
    assert network.radius == options["layers"]


def test_keys_are_those_of_kair():
    def layers(options):
        return {int(name.split(".")[1]): value for name, value in build("dncnn", options).state_dict().items()
                if name.endswith("weight") and name.startswith("model.")}

    normed, merged = layers({"layers": 4}), layers({"layers": 4, "batch_norm": False})
    assert sorted(normed) == [0, 2, 3, 5, 6, 8] and sorted(merged) == [0, 2, 4, 6]
    assert [n for n, value in normed.items() if value.ndim == 4] == [0, 2, 5, 8]
    names = set(build("dncnn", {"layers": 3}).state_dict())
    assert {f"model.3.{part}" for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")} < names
    assert {"model.0.bias", "model.2.bias", "model.5.bias"} < names
    assert len(build("dncnn", {"layers": 17, "batch_norm": False}).state_dict()) == 34


@pytest.mark.parametrize("batch_norm", [True, False])
def test_forward_equals_the_paper_written_out(batch_norm):
    network = seasoned("dncnn", {"layers": 4, "features": 6, "batch_norm": batch_norm})
    w = network.state_dict()
    x = torch.rand(1, 3, 7, 5)

    def conv(x, n):
        return F.conv2d(x, w[f"model.{n}.weight"], w[f"model.{n}.bias"], padding=1)

    def norm(x, n):
        mean, variance, gain, shift = (w[f"model.{n}.{part}"].view(1, -1, 1, 1)
                                       for part in ("running_mean", "running_var", "weight", "bias"))
        return gain * (x - mean) / (variance + 1e-4).sqrt() + shift

    y = F.relu(conv(x, 0))
    for n in (2, 5) if batch_norm else (2, 4):
        y = F.relu(norm(conv(y, n), n + 1) if batch_norm else conv(y, n))
    torch.testing.assert_close(network(x), x - conv(y, 8 if batch_norm else 6), atol=1e-5, rtol=1e-5)


def test_batch_norm_merged_into_the_convolutions_gives_the_same_images():
    """As KAIR makes its released files."""
    network = seasoned("dncnn", {"layers": 4, "features": 6})
    merged = build("dncnn", {"layers": 4, "features": 6, "batch_norm": False})
    model, target = network.model, merged.model
    target[0].load_state_dict(model[0].state_dict())
    target[6].load_state_dict(model[8].state_dict())
    for normed, plain in ((2, 2), (5, 4)):
        gain = model[normed + 1].weight / (model[normed + 1].running_var + model[normed + 1].eps).sqrt()
        target[plain].weight.data = model[normed].weight * gain.view(-1, 1, 1, 1)
        target[plain].bias.data = (model[normed].bias - model[normed + 1].running_mean) * gain + model[normed + 1].bias
    x = torch.rand(2, 3, 9, 11)
    torch.testing.assert_close(merged(x), network(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layers", [2, 5])
def test_the_radius_is_the_receptive_field(layers):
    network = seasoned("dncnn", {"layers": layers, "features": 8})
    assert network.radius == layers
    check_that_the_radius_is_the_receptive_field(network)


def test_tiles_give_what_the_whole_image_gives():
    check_that_tiles_give_what_the_whole_image_gives(seasoned("dncnn", {"layers": 4, "features": 6}))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_it_learns_a_tiny_batch_from_the_identity(batch_norm):
    torch.manual_seed(0)
    options = {"layers": 5, "features": 12, "batch_norm": batch_norm, "start": "identity"}
    check_that_it_learns_a_tiny_batch_from_the_identity(build("dncnn", options), lr=5e-3)


def test_a_bias_under_batch_norm_is_kept_and_not_trained():
    network = build("dncnn", {"layers": 4, "features": 6})
    frozen = {name for name, weight in network.named_parameters() if not weight.requires_grad}
    assert frozen == {"model.2.bias", "model.5.bias"}
    assert all(weight.requires_grad for weight in build("dncnn", {"layers": 4, "batch_norm": False}).parameters())


@pytest.mark.parametrize("options, message", [
    ({"layers": 1}, "dncnn: layers and features are 1 and 64"), ({"start": "zero"}, "start is 'zero', allowed are"),
    ({"channels": 2}, "channels is 2, allowed are 1, 3"), ({"depth": 4}, "depth.*allowed are .layers")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("dncnn", options)
