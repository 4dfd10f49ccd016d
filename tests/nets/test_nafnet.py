import numpy as np
import pytest
import torch
from conftest import smooth_image
from foreign import weights_of
from networks import check_that_it_learns_a_tiny_batch_from_the_identity, check_that_tiles_give_what_the_whole_image_gives
from published import NAFNet, local_means
from torch import nn

from pipeline.check.options import check_options
from pipeline.core.params import ParamsError
from pipeline.nets.build import build
from pipeline.restore.model import model_of
from pipeline.restore.tiles import restore

SMALL = {"features": 4, "encoder": [1, 2], "middle": 1, "decoder": [1, 1]}


def trained(**options):
    """With weights as if trained, which the reference makes: those of a new network leave its blocks out."""
    network = build("nafnet", SMALL | options)
    network.load_state_dict(weights_of(NAFNet(4, [1, 2], 1, [1, 1])))
    return network.eval()


def with_constant_attention(network):
    """The attention no longer looks at the image: what is left are convolutions."""
    for name, weight in network.named_parameters():
        if name.endswith("sca.1.weight"):
            weight.data.zero_()
    return network


@pytest.mark.parametrize("options, millions", [  # as published: GoPro and SIDD, of width 32 and 64
    ({}, 17.11), ({"features": 64}, 67.89), ({"encoder": [2, 2, 4, 8], "middle": 12, "decoder": [2, 2, 2, 2]}, 29.16),
    ({"features": 64, "encoder": [2, 2, 4, 8], "middle": 12, "decoder": [2, 2, 2, 2]}, 115.98)])
def test_parameter_counts(options, millions):
    with torch.device("meta"):
        network = build("nafnet", options)
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize("window, inside", [(12, (12, 6, 3)), (9, (9, 4, 2)), (2, (2, 1, 1)), (40, (40, 20, 10))])
def test_means_over_a_window_are_those_written_out(window, inside):
    """Smaller than the image, of even and odd sides, of a single pixel, and larger than the image on one side."""
    theirs = NAFNet(4, [1, 2], 1, [1, 1], inside)
    network, x = trained(window=window), torch.rand(2, 3, 20, 44)
    with torch.no_grad():
        torch.testing.assert_close(network(x), theirs.forward(network.state_dict(), x), atol=1e-4, rtol=1e-4)


def test_training_goes_by_the_whole_image_and_so_do_images_within_the_window():
    x, theirs = torch.rand(2, 3, 20, 36), NAFNet(4, [1, 2], 1, [1, 1])
    for network, training in ((trained(window=36), False), (trained(window=5), True), (trained(window=0), False)):
        network.train(training)
        with torch.no_grad():
            torch.testing.assert_close(network(x), theirs.forward(network.state_dict(), x), atol=1e-5, rtol=1e-5)


def test_any_size_is_kept():
    network, x = trained(), torch.rand(1, 3, 9, 14)
    padded = torch.cat([x, *[x[:, :, -1:]] * 3], 2)
    padded = torch.cat([padded, *[padded[..., -1:]] * 2], 3)
    torch.testing.assert_close(network(x), network(padded)[:, :, :9, :14])


def test_the_radius_is_that_of_the_convolutions():
    network = with_constant_attention(trained()).double()
    x = torch.rand(4, 3, 80, 80, dtype=torch.double, requires_grad=True)
    reach = []
    for place in range(40, 44):  # pixels differ in where they lie in their cell of four
        (gradient,) = torch.autograd.grad(network(x)[:, :, place, 40].sum(), x)
        rows = gradient.abs().sum((0, 1, 3)).nonzero()
        reach += [(place - rows.min()).item(), (rows.max() - place).item()]
    assert max(reach) == network.radius == 2 * (2 * 1 + 1 + 3) + 1 + 2 + 2


def test_tiles_are_exact_but_for_the_means():
    """And the nearer to one pass, the more of the windows a tile's margin of 20 pixels shows."""
    check_that_tiles_give_what_the_whole_image_gives(with_constant_attention(trained()))
    image, off = smooth_image(np.random.default_rng(0), 201, 183), {}
    for window in (0, 48, 16):
        model = model_of(trained(window=window))
        assert model.sees_all == ["AdaptiveAvgPool2d"]
        whole = restore(model, image, "float32")
        off[window] = np.abs(restore(model, image, "float32", tile=48) - whole).mean()
    assert 1e-4 < off[0] and 1e-6 < off[48] < 0.5 * off[0] and off[16] < 0.1 * off[48]


def test_sums_of_a_large_image_are_exact_enough():
    network = trained(window=64)
    layer = network.encoders[0][0].sca[0]
    x = 100 + torch.rand(1, 1, 40, 3000)
    found, columns = layer(x), x.double().mean(2)[0, 0]
    wanted = torch.stack([columns[max(min(i - 31, 3000 - 64), 0) :][:64].mean() for i in range(3000)])
    assert (found[0, 0].double() - wanted).abs().max() < 1e-3  # in 32 bits a step is 1e-5 of 100


def test_it_learns_a_tiny_batch_from_the_identity():
    torch.manual_seed(0)
    network = build("nafnet", SMALL | {"features": 8, "start": "identity"})
    check_that_it_learns_a_tiny_batch_from_the_identity(network, lr=0.01)


def test_sums_of_values_of_16_bits_are_taken_in_32():
    layer, x = trained(window=16).encoders[0][0].sca[0], torch.rand(1, 2, 40, 64).bfloat16()
    found = layer(x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), local_means(x.float(), 16), atol=0, rtol=2**-7)


@pytest.mark.parametrize("options, message", [
    ({"encoder": 3}, "encoder is 3, wanted a list"), ({"decoder": [1, 2.5]}, r"decoder is \[1, 2.5\], wanted a list"),
    ({"encoder": [1, True]}, "encoder is .1, True., wanted"), ({"encoder": [1]}, "encoder has 1 levels and decoder 4"),
    ({"middle": 0}, "are 32, 0 and 384, wanted at least 1, 1 and 0"), ({"window": -1}, "32, 1 and -1"),
    ({"start": "bilinear"}, "allowed are random, identity"), ({"scale": 2}, "scale.*allowed are .features")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("nafnet", options)


def test_blocks_that_are_no_list_are_named_before_anything_runs():
    with pytest.raises(ParamsError, match="networks.x.options.encoder: got 3, wanted list"):
        check_options("networks.x", "nafnet", {"encoder": 3})
    check_options("networks.x", "nafnet", {"encoder": [1, 2], "decoder": [1, 1]})


def test_the_blocks_of_a_new_network_are_the_identity():
    block = build("nafnet", SMALL).encoders[0][0]
    x = torch.rand(1, 4, 6, 5)
    assert torch.equal(block(x), x) and isinstance(block.sca[0], nn.AdaptiveAvgPool2d)
