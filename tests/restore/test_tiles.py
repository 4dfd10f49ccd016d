
import numpy as np
import pytest
import torch
from conftest import smooth_image
from networks import in_one_pass, seasoned
from torch import nn

from bench import restore as bench
from pipeline.nets.build import architectures, build
from pipeline.restore import model as model_module
from pipeline.restore import trimmed as module
from pipeline.restore.model import Model, Turned, in_bf16, model_of
from pipeline.restore.pixels import quantise
from pipeline.restore.tiles import in_one_pass as pass_of
from pipeline.restore.tiles import (
    is_out_of_memory,
    restore_into,
)
from pipeline.restore.trimmed import trimmed

SMALL = {
    "edsr": {"scale": 2, "blocks": 1, "features": 6}, "srresnet": {"scale": 4, "blocks": 1, "features": 4},
    "dncnn": {"layers": 4, "features": 6}, "rednet": {"layers": 4, "features": 6},
    "dmnet": {"blocks": 1, "features": 6, "layers": 2, "fine_features": 4},
    "rcan": {"scale": 1, "groups": 1, "blocks": 1, "features": 6, "reduction": 2},
    "msrresnet": {"scale": 2, "blocks": 1, "features": 6}, "resnet": {"blocks": 1, "features": 4}, "zssr": {},
    "unsharpen": {"size": 9}, "compact": {"scale": 2, "layers": 2, "features": 6},
    "nafnet": {"features": 4, "encoder": [1], "middle": 1, "decoder": [1]},
    "esdnet": {"features": 4, "inner": 2, "decoder_features": 4, "decoder_inner": 2}}
GLOBAL = {"rcan": "ChannelAttention", "resnet": "InstanceNorm2d", "nafnet": "AdaptiveAvgPool2d", "esdnet": "AdaptiveAvgPool2d"}
TRIMMED = [("edsr", {"scale": 2, "blocks": 3, "features": 6, "res_scale": 0.3}),
        ("edsr", {"scale": 1, "blocks": 3, "features": 6, "unshuffle": 2}), ("edsr", {"scale": 4, "blocks": 1, "features": 4}),
        ("srresnet", {"scale": 3, "blocks": 2, "features": 4}), ("dncnn", {"layers": 6, "features": 6}),
        ("dncnn", {"layers": 6, "features": 6, "channels": 1}), ("msrresnet", {"scale": 2, "blocks": 3, "features": 6}),
        ("dmnet", {"blocks": 2, "features": 6, "layers": 4, "fine_features": 4}),
        ("compact", {"scale": 2, "layers": 4, "features": 6})]


def restored(model: Model, image: np.ndarray, tile: int, dtype=np.uint16) -> np.ndarray:
    output = np.zeros((image.shape[0] * model.scale, image.shape[1] * model.scale, *image.shape[2:]), dtype)
    restore_into(output, model, image, tile, halve=True)
    return output


def check_that_tiles_give_the_whole(networks: list, image: np.ndarray, tile: int = 16) -> None:
    whole, tiles = quantise(in_one_pass(networks, image), "uint16"), restored(model_of(*networks), image, tile)
    assert np.abs(whole.astype(int) - tiles).max() <= 1


def test_every_architecture_is_tried_here():
    assert set(SMALL) == set(architectures()) - {"spandrel"}  # stands for any network at all


@pytest.mark.parametrize("arch", SMALL)
def test_tiles_give_the_whole_or_the_network_says_that_they_cannot(arch):
    network = seasoned(arch, SMALL[arch])
    assert model_of(network).sees_all == ([GLOBAL[arch]] if arch in GLOBAL else [])
    if arch not in GLOBAL:
        check_that_tiles_give_the_whole([network], smooth_image(np.random.default_rng(0), 93, 85))


def test_a_margin_too_small_would_be_seen():
    network = seasoned("edsr", SMALL["edsr"])
    network.radius = 2
    with pytest.raises(AssertionError):
        check_that_tiles_give_the_whole([network], smooth_image(np.random.default_rng(0), 93, 85))


@pytest.fixture
def everywhere(monkeypatch):
    """Layers are cropped wherever they can be, and strips have few rows."""
    monkeypatch.setattr(module, "WORTH", 1e-9)
    monkeypatch.setattr(module, "STRIP", 12)
    monkeypatch.setattr(module, "IN_STRIPS", 0)


@pytest.mark.parametrize("shape", [(93, 85), (31, 111), (122, 17)])
@pytest.mark.parametrize("arch, options", TRIMMED)
def test_layers_that_see_no_more_than_they_need_give_the_whole(everywhere, arch, options, shape):
    """The windows touch none to three of the image's borders."""
    network, image = seasoned(arch, options), smooth_image(np.random.default_rng(0), *shape)
    whole = quantise(in_one_pass([network], image), "uint16")
    model, seen = model_of(network), []
    place = {"dncnn": "model", "dmnet": "fine"}.get(arch, "body")
    layers = [layer for layer in getattr(network, place).modules() if isinstance(layer, nn.Conv2d)]
    for layer in layers:
        layer.register_forward_hook(lambda layer, inputs, output: seen.append(output[0, 0].numel()))
    assert np.abs(whole.astype(int) - restored(model, image, 16)).max() <= 1
    assert min(seen) < 0.9 * max(seen)  # of what the widest layer saw, which has all of a window


@pytest.mark.parametrize("arch, options", TRIMMED)
def test_a_layer_that_sees_too_little_would_be_noticed(everywhere, monkeypatch, arch, options):
    """By one pixel: the reach of what comes after it is lost, or of the tail's strips."""
    network, image = seasoned(arch, options), smooth_image(np.random.default_rng(0), 93, 85)
    if arch == "msrresnet":  # which begins so close to bilinear that its margins hardly matter
        network.body.load_state_dict({name: 5 * value for name, value in network.body.state_dict().items()})
    real = module.grown
    monkeypatch.setattr(module, "grown", lambda region, by, size: real(region, max(by - 1, 0), size))
    with pytest.raises(AssertionError):
        check_that_tiles_give_the_whole([network], image)


@pytest.mark.parametrize("last", ["dncnn", "rcan"])
def test_what_is_kept_of_a_window_is_as_if_all_were(everywhere, last):
    """Also where a network behind the first sees the whole window."""
    model = model_of(seasoned("edsr", TRIMMED[0][1]), seasoned(last, SMALL[last], seed=1))
    window = smooth_image(np.random.default_rng(0), 67, 75)
    whole = pass_of(model, [window])[0]
    for keep in ((slice(20, 40), slice(24, 50)), (slice(0, 40), slice(24, 75)), (slice(40, 67), slice(0, 20))):
        rows, columns = (slice(2 * side.start, 2 * side.stop) for side in keep)
        np.testing.assert_allclose(pass_of(model, [window], keep)[0][rows, columns], whole[rows, columns], atol=1e-5)
    assert np.abs(pass_of(model, [window], keep)[0] - whole).max() > 1e-2


def test_a_network_is_left_as_it_was(monkeypatch):
    network, x = seasoned("edsr", SMALL["edsr"]), torch.rand(1, 3, 20, 30).contiguous(memory_format=torch.channels_last)
    model, answer = model_of(network), network(x)
    with pytest.raises(RuntimeError), trimmed(network, (slice(4, 8), slice(4, 8))):
        assert not torch.equal(network(x), answer)
        network(x[0, 0])
    assert torch.equal(network(x), answer)
    monkeypatch.setattr(model_module, "trimmed", None)
    assert torch.equal(model(x), answer)  # which is what is exported


@pytest.mark.parametrize("shape", [(93, 85), (40, 111), (122, 17)])
def test_a_chain_goes_through_in_one(shape):
    """Each network begins on its own grid: the second's is one of the first's outputs."""
    first = seasoned("edsr", {"scale": 1, "blocks": 1, "features": 6, "unshuffle": 2})
    second = seasoned("dmnet", SMALL["dmnet"], seed=1)
    networks = [seasoned("edsr", SMALL["edsr"], seed=2), first, second]
    model = model_of(*networks)
    assert (model.scale, model.multiple) == (2, 2)
    check_that_tiles_give_the_whole(networks, smooth_image(np.random.default_rng(0), *shape))


@pytest.mark.parametrize("arch, options", [
    ("edsr", SMALL["edsr"]), ("dmnet", SMALL["dmnet"]), ("edsr", {"scale": 1, "blocks": 1, "features": 6, "unshuffle": 2})])
def test_the_ensemble_in_tiles_is_that_of_the_whole(arch, options):
    network, image = seasoned(arch, options), smooth_image(np.random.default_rng(0), 93, 86)
    x = torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)[None]
    with torch.no_grad():
        whole = quantise(Turned(model_of(network))(x)[0].permute(1, 2, 0).numpy(), "uint16")
    assert np.abs(whole.astype(int) - restored(Turned(model_of(network)), image, 16)).max() <= 1


def test_grey_is_restored_as_grey():
    network, grey = seasoned("dncnn", SMALL["dncnn"]), smooth_image(np.random.default_rng(0), 45, 37)[..., 0]
    whole = in_one_pass([network], np.dstack([grey] * 3)).mean(axis=2)
    tiles = restored(model_of(network), grey, 16)
    assert tiles.shape == grey.shape and np.abs(quantise(whole, "uint16").astype(int) - tiles).max() <= 1


class Stub(nn.Module):
    """Adds the mean of the window it sees, as global pooling would, if `pools`; counts pixels, and runs out of memory beyond
    `most` of them, and at each call of `fails`."""

    def __init__(self, pools: bool = False, most: int = 10**9, fails=(), radius: int = 3, multiple: int = 1):
        super().__init__()
        self.weight, self.norm = nn.Parameter(torch.zeros(1)), nn.InstanceNorm2d(3) if pools else None
        self.scale, self.radius, self.multiple, self.most, self.fails, self.seen = 1, radius, multiple, most, fails, []

    def forward(self, x):
        self.seen.append(tuple(x.shape[2:]))
        if x.shape[2] * x.shape[3] > self.most or len(self.seen) in self.fails:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 9 bytes")
        return x + 0.2 * x.mean() if self.norm else x


def test_seams_of_a_network_that_sees_the_whole_are_faded():
    image = np.full((60, 200, 3), 40, np.uint8)
    image[:, 100:] = 200  # the means of the left and the right tiles differ
    lifted = restored(model_of(Stub(pools=True)), image, 64).astype(float) / 257 - image
    steps = np.abs(np.diff(lifted, axis=1))
    assert np.ptp(lifted) > 10 and steps.max() < 2.5
    assert np.abs(np.diff(lifted, axis=0)).max() < 0.1


@pytest.mark.parametrize("fails", [(), (1,), (7,), (7, 8, 9)])
def test_faded_tiles_sum_to_one(fails):
    stub, image = Stub(pools=True, fails=fails), smooth_image(np.random.default_rng(0), 301, 402)
    stub.forward = lambda x, forward=stub.forward: forward(x) * 0 + x
    np.testing.assert_array_equal(restored(model_of(stub), image, 128, np.uint8), image)


@pytest.mark.parametrize("fails", [(1,), (5,), (5, 6), (3, 9)])
def test_out_of_memory_halves_the_tile_and_loses_nothing(fails):
    stub, image, counted = Stub(fails=fails), smooth_image(np.random.default_rng(0), 131, 203), []
    output = np.zeros_like(image)
    tile = restore_into(output, model_of(stub), image, 64, counted.append, halve=True)
    np.testing.assert_array_equal(output, image)
    assert tile == 64 >> len(fails) and sum(counted) == 131 * 203


def test_a_limit_of_memory_is_kept_to():
    stub, image = Stub(most=50 * 50), smooth_image(np.random.default_rng(0), 131, 203)
    np.testing.assert_array_equal(restored(model_of(stub), image, 128, np.uint8), image)
    assert sum(height * width > stub.most for height, width in stub.seen) == 2  # 128, 64; then 32 with its margin fits


def test_what_is_too_large_in_the_smallest_tiles_is_an_error():
    with pytest.raises(MemoryError, match="even in tiles of 16 pixels with a margin of 3"):
        restored(model_of(Stub(most=100)), np.zeros((90, 90, 3), np.uint8), 64)
    stub = Stub()
    stub.forward = lambda x: x @ x.new_zeros(7)
    with pytest.raises(RuntimeError, match="size"):
        restored(model_of(stub), np.zeros((90, 90, 3), np.uint8), 64)
    assert is_out_of_memory(torch.OutOfMemoryError("x")) and is_out_of_memory(RuntimeError("MPS backend out of memory (a)"))


def test_values_that_are_not_finite_are_an_error():
    stub = Stub()
    stub.forward = lambda x: x / 0
    with pytest.raises(ValueError, match="not finite"):
        restored(model_of(stub), np.zeros((9, 9, 3), np.uint8), 64)


def test_windows_are_of_one_size_and_begin_on_the_grid():
    stub = Stub(multiple=4)
    restored(model_of(stub), np.zeros((135, 210, 3), np.uint8), 32)
    assert len(set(stub.seen)) == 1 and max(stub.seen[0]) <= 32 + 2 * 4 + 4


def test_tiles_at_the_borders_have_the_margin_that_is_not_needed_there():
    """So of a side, n tiles of 20 cover 20 n and twice the margin."""
    for size, tiles in ((26, 1), (27, 2), (46, 2), (47, 3), (66, 3), (67, 4), (86, 4)):
        stub = Stub()
        image = smooth_image(np.random.default_rng(0), size, 40)
        np.testing.assert_array_equal(restored(model_of(stub), image, 20, np.uint8), image)
        assert len(stub.seen) == tiles * 2


def test_bf16_keeps_the_image_in_fp32():
    image = smooth_image(np.random.default_rng(0), 40, 50)
    network = build("dncnn", {"layers": 3, "features": 6, "start": "identity"}).eval()
    half = in_bf16(model_of(network))
    np.testing.assert_array_equal(restored(half, image, 16), image.astype(np.uint16) * 257)
    exact = restored(model_of(seasoned("edsr", SMALL["edsr"])), image, 64, np.uint8).astype(int)
    rough = restored(in_bf16(model_of(seasoned("edsr", SMALL["edsr"]))), image, 64, np.uint8)
    assert 0 < np.abs(exact - rough).max() <= 3


def test_the_benchmarks_plain_loop_restores_and_its_overlap_is_counted(monkeypatch):
    network, image = seasoned("edsr", SMALL["edsr"]), smooth_image(np.random.default_rng(0), 93, 85)
    assert network.radius <= bench.PLAIN_PAD
    monkeypatch.setattr(bench, "PLAIN_TILE", 24)
    whole = quantise(in_one_pass([network], image)).astype(int)
    assert np.abs(bench.plain_loop(network, image) - whole).max() <= 1
    counted, output = bench.Counted(model_of(network)), np.empty(whole.shape, np.uint8)
    restore_into(output, counted, image, 16)
    assert np.abs(output - whole).max() <= 1
    assert 1 < counted.work / (93 * 85) < counted.pixels / (93 * 85)
    rows, columns = (-(-(size - 2 * counted.margin) // 16) for size in image.shape[:2])
    assert counted.pixels == rows * columns * counted.window[0] * counted.window[1]
    assert counted.window[0] <= 16 + 2 * counted.margin
    counted.begin()
    pass_of(counted, [image[:60]])  # of so few rows the tail is one strip
    assert counted.work == pytest.approx(60 * 85)
