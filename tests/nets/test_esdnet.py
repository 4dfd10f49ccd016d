import numpy as np
import pytest
import torch
from conftest import smooth_image
from foreign import weights_of
from published import ESDNet, mean_of_four
from torch.nn import functional as F

from pipeline.nets.build import build
from pipeline.restore.model import model_of
from pipeline.restore.tiles import restore

SMALL = {"features": 4, "inner": 2, "decoder_features": 4, "decoder_inner": 2, "sams": 1}


def trained(**options):
    network = build("esdnet", SMALL | options)
    network.load_state_dict(weights_of(ESDNet(4, 2, 4, 2, 1)))
    return network.eval()


@pytest.mark.parametrize("sams, millions", [(1, 5.934), (2, 10.623)])  # of ESDNet and ESDNet-L, as published
def test_parameter_counts(sams, millions):
    with torch.device("meta"):
        network = build("esdnet", {"sams": sams})
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.0005)


def test_training_gives_three_scales():
    theirs, network, x = ESDNet(4, 2, 4, 2, 1), trained(), torch.rand(2, 3, 32, 64)
    with torch.no_grad():
        found, wanted = network.train()(x), theirs.forward(network.state_dict(), x)
    assert [image.shape[2:] for image in found] == [(32, 64), (16, 32), (8, 16)]
    for ours, image in zip(found, wanted):
        torch.testing.assert_close(ours, image, atol=1e-5, rtol=1e-5)


def test_any_size_is_kept():
    network, x = trained(), torch.rand(1, 3, 41, 30)
    padded = torch.cat([x, *[x[:, :, -1:]] * 23], 2)
    padded = torch.cat([padded, *[padded[..., -1:]] * 2], 3)
    with torch.no_grad():
        torch.testing.assert_close(network(x), network(padded)[:, :, :41, :30])
        full, half, quarter = network.train()(x)
    assert (full.shape[2:], half.shape[2:], quarter.shape[2:]) == ((41, 30), (32, 16), (16, 8))


@pytest.mark.parametrize("distance, error", [(F.mse_loss, np.square), (F.l1_loss, np.abs)])
@pytest.mark.parametrize("size", [(32, 64), (41, 30)])
def test_fidelity_is_the_sum_over_the_scales(distance, error, size):
    network, targets = build("esdnet", SMALL), torch.rand(2, 3, *size)
    rows, columns = (side + -side % 32 for side in size)
    outputs = [torch.rand(2, 3, *size), torch.rand(2, 3, rows // 2, columns // 2), torch.rand(2, 3, rows // 4, columns // 4)]
    margin = ((0, 0), (0, 0), (0, rows - size[0]), (0, columns - size[1]))
    padded = torch.from_numpy(np.pad(targets.numpy(), margin, mode="edge"))
    wanted = [targets, mean_of_four(padded, 0, 2), mean_of_four(padded, 1, 4)]
    total = sum(np.mean(error((output - target).numpy())) for output, target in zip(outputs, wanted))
    assert network.fidelity(tuple(outputs), targets, distance).item() == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("sams", [1, 2])
def test_the_radius_bounds_what_the_convolutions_see(sams):
    """In a strip: with weights above zero and nothing that looks at the whole image, no signal is lost."""
    network = build("esdnet", {"features": 2, "inner": 1, "decoder_features": 2, "decoder_inner": 1, "sams": sams})
    for name, weight in network.named_parameters():
        weight.data.fill_(0 if "compress1.weight" in name else 1 if weight.ndim == 1 else 1 / weight[0].numel())
    network, middle = network.double().eval(), network.radius + network.radius % 32 + 32
    x = torch.rand(1, 3, 32, 2 * middle, dtype=torch.double, requires_grad=True)
    reach = []
    for place in range(middle, middle + 32, 31):
        (gradient,) = torch.autograd.grad(network(x)[0, :, 16, place].sum(), x)
        columns = gradient.abs().sum((0, 1, 2)).nonzero()
        reach += [(place - columns.min()).item(), (columns.max() - place).item()]
    assert network.radius - 96 <= max(reach) <= network.radius and network.radius % 32 == 0


def test_tiles_are_not_exact_and_it_says_so():
    model = model_of(trained())
    assert model.sees_all == ["AdaptiveAvgPool2d"] and not model.exact and model.multiple == 32
    image = smooth_image(np.random.default_rng(0), 301, 43)
    image[150:] //= 4  # tiles differ in what they show
    whole = restore(model, image, "float32")
    assert np.isfinite(whole).all()
    assert 3e-6 < np.abs(restore(model, image, "float32", tile=64) - whole).max() < 1


def test_begun_as_identity_it_passes_the_image_on_at_all_scales_and_learns():
    torch.manual_seed(0)
    network = build("esdnet", {"features": 12, "inner": 2, "decoder_features": 13, "decoder_inner": 2, "start": "identity"})
    x = torch.rand(2, 3, 32, 32)
    full, half, quarter = network(x)
    torch.testing.assert_close(full, x)
    torch.testing.assert_close(half, F.avg_pool2d(x, 2))
    torch.testing.assert_close(quarter, F.avg_pool2d(x, 4))
    targets = (0.8 * x + 0.1).flip(1)
    optimizer, losses = torch.optim.Adam(network.parameters(), lr=3e-3), []
    for _ in range(40):
        losses.append(network.fidelity(network(x), targets, F.l1_loss))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.75 * losses[0]
    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.parametrize("options, message", [
    ({"sams": 0}, "are 48, 32, 64, 32 and 0, wanted at least 1 each"), ({"start": "nearest"}, "allowed are random, identity"),
    ({"start": "identity", "features": 11}, "in 12 features, features and decoder_features are 11 and 64"),
    ({"scale": 2}, "scale.*allowed are .features")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build("esdnet", options)
