"""On a machine without a GPU: networks, what they are put together to, and all else that has a device keep to it and read back
nothing but their result. By a stand-in (devices.py)."""
import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, smooth_image, write_shard
from devices import META, NETS, watched, write_trunk
from torch import nn

from pipeline.core.baselines import ZssrEntry
from pipeline.core.settings import Stage1Settings
from pipeline.images.shards import Shard
from pipeline.nets.build import architectures, build
from pipeline.restore.mix import AtStrength
from pipeline.restore.model import Turned, in_bf16, mean_of, model_of
from pipeline.restore.tiles import restore
from pipeline.restore.trimmed import all_of
from pipeline.restore.zssr import restore_by_learning
from pipeline.score.lpips import Lpips
from pipeline.stages.adabn import reestimate
from pipeline.train.methods.supervised import Supervised

# torch has no kernel of a fixed order for these: on a GPU, training CycleGAN's generator again may differ in rounding, and so
# may what NAFNet restores
KNOWN = {"resnet": {"reflection_pad2d_backward"}, "nafnet": {"cumsum"}}


@pytest.fixture
def in_order():
    torch.use_deterministic_algorithms(True)  # as core/device.py has it on a GPU
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("arch", sorted(set(architectures()) - {"spandrel"}))
def test_a_network_trains_and_restores_on_its_device_in_one_order(monkeypatch, in_order, arch):
    with watched(monkeypatch) as watch:
        method = Supervised(Stage1Settings(), net := build(arch, NETS[arch]), None, None, META)
        watch.sent = 0
        x, targets = (torch.rand(1, 3, 24 * scale, 32 * scale, device=META) for scale in (1, net.scale))
        assert method.improve(0, *method.loss(method.outputs(x), targets))["loss"].device == META
        model, x = model_of(net.eval().requires_grad_(False)), torch.rand(1, 3, 25, 39, device=META)
        for keep in (None, all_of(x)):
            output = in_bf16(model)(x, keep)
            assert (output.device, output.shape) == (META, (1, 3, 25 * net.scale, 39 * net.scale))
    assert (watch.reads, watch.sent, watch.unordered) == (0, 0, KNOWN.get(arch, set()))


def test_what_networks_are_put_together_to_is_on_their_device(monkeypatch):
    with watched(monkeypatch) as watch:
        net = build("edsr", NETS["edsr"]).to(META).eval()
        watch.sent, single = 0, model_of(net)
        x = torch.rand(1, 3, 25, 39, device=META)
        for model in (Turned(single), mean_of([single] * 2), mean_of([single] * 2, [0.2, 0.8]), model_of(net, net),
                      AtStrength(single, 0.5)):
            for keep in (None, (slice(4, 12), slice(8, 20))):
                output = model(x, keep)
                assert (output.device, output.shape) == (META, (1, 3, 25 * model.scale, 39 * model.scale))
    assert (watch.reads, watch.sent) == (0, 0)


def test_tiles_send_each_window_and_read_its_answer(monkeypatch):
    image = smooth_image(np.random.default_rng(0), 40, 61)
    with watched(monkeypatch) as watch:
        model = model_of(build("edsr", NETS["edsr"]).to(META).eval())
        watch.sent = 0
        assert (restore(model, image, tile=16) == 128).all()  # what the stand-in gives back
    assert watch.reads == watch.sent > 4


def test_lpips_is_on_its_device(monkeypatch, tmp_path):
    write_trunk(tmp_path)
    draw = np.random.default_rng(0)
    with watched(monkeypatch) as watch:
        lpips = Lpips(tmp_path, "squeeze", META)
        watch.sent = 0
        assert lpips(*(smooth_image(draw, 40, 52) for _ in range(2))) == 1  # what the stand-in gives back
    assert (watch.sent, watch.reads) == (2, 1)


def test_statistics_are_estimated_on_the_device(monkeypatch, tmp_path):
    draw = np.random.default_rng(0)
    write_shard(tmp_path / "images", {"a": smooth_image(draw, 21, 33), "b": smooth_image(draw, 40, 22)})
    with watched(monkeypatch) as watch:
        net = build("srresnet", NETS["srresnet"]).to(META)
        layers = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
        watch.sent = 0
        reestimate(net, layers, Shard(tmp_path / "images"), META, "t")
    assert (watch.sent, watch.reads) == (2 * len(layers), 0)


def test_zssr_learns_on_the_device(monkeypatch):
    entry = yaml.safe_load((ROOT / "presets/all.yaml").read_text())["zssr"]["sr-zssr"]
    settings = ZssrEntry.model_validate(entry | {"layers": 2, "features": 4, "max_steps": 3, "gradual": 1, "ensemble": False})
    with watched(monkeypatch) as watch:
        restored, steps = restore_by_learning(smooth_image(np.random.default_rng(0), 24, 20), 2, settings, 1, META)
    assert restored.shape == (48, 40, 3) and steps == 3 and watch.reads == 2  # a look at the error, and the answer
