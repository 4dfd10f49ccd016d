"""On a machine without a GPU: what trains puts its tensors on the device it is given, and reads nothing back but where it is
meant to, as each time a program waits until the GPU is done. By a stand-in (devices.py)."""
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import test_cyclegan
import test_rbsr
import torch
from devices import META, NETS, Mixed, watched
from test_srgan import narrow
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map

from pipeline.core.baselines import RbsrTraining
from pipeline.core.settings import Stage1Settings, Stage2Settings
from pipeline.nets.build import build
from pipeline.train import loop
from pipeline.train.checkpoint import Checkpoint
from pipeline.train.crops import Ahead, reader
from pipeline.train.methods.cyclegan import CycleGan, PatchGan, Pool
from pipeline.train.methods.rbsr import Rbsr
from pipeline.train.methods.srgan import Content, Srgan
from pipeline.train.methods.stage2 import Stage2
from pipeline.train.methods.supervised import Supervised

SMALL = {"steps": 25, "batch": 2, "patch": 16, "ema": 0.9, "clip": 1.0, "d_features": 4}
STAGE1 = Stage1Settings(**{key: value for key, value in SMALL.items() if key != "d_features"}, loss="fourier")


class Batches:
    """Random batches in main memory, as Crops gives them: an image of each side, from 0 to 1."""

    def __init__(self, *sides: int):
        self.sides, self.samples = sides, range(2)

    def __call__(self, step: int) -> list[torch.Tensor]:
        return [torch.rand(2, 3, side, side).contiguous(memory_format=torch.channels_last) for side in self.sides]

    def names(self, step: int) -> list[str]:
        return ["image"] * 2


def network(scale: int = 2, arch: str = "edsr") -> nn.Module:
    return build(arch, NETS[arch] | ({"scale": scale} if "scale" in NETS[arch] else {}))


def stage2(folder, kind=Stage2, more=None, **settings):
    settings = Stage2Settings(**SMALL, batch_norm="train", **settings)
    return kind(settings, network(arch="srresnet"), Batches(16, 32), None, META, clean=Batches(32), **(more or {}))


def srgan(folder):
    torch.save(narrow("vgg16", 8), folder / "vgg16_conv1_2.pth")
    return stage2(folder, Srgan, {"content": Content(folder, "vgg16", "relu2_2", 1.0)})


def rbsr(folder):
    encoder = network().eval().requires_grad_(False)
    return Rbsr(RbsrTraining(**test_rbsr.SETTINGS), network(1), encoder, Batches(16, 16, 16), None, META)


def cyclegan(folder):
    settings = test_cyclegan.parse_settings(pool=1)
    judges = [PatchGan(settings.d_layers, 4) for _ in range(2)]
    sides = Batches(settings.patch), Batches(settings.patch)
    return CycleGan(settings, [network(arch="resnet") for _ in range(2)], judges, *sides, [Pool(1, 1, side) for side in "xy"],
                    META)


METHODS = {
    "stage 1": lambda folder: Supervised(STAGE1, network(), Batches(16, 32), None, META),
    "stage 1 of two scales": lambda folder: Supervised(STAGE1, network(arch="dmnet"), Batches(16, 16), None, META),
    "stage 2": partial(stage2, discriminator="srgan", d_steps=2),
    "stage 2, high-pass": partial(stage2, discriminator="highpass", blend=0.5),
    "srgan": srgan, "rbsr": rbsr, "cyclegan": cyclegan}
SENT = {"stage 2": 2 + 2, "stage 2, high-pass": 3, "srgan": 3, "rbsr": 3}  # tensors of a step's batches; of others 2


def devices_of(value) -> set[torch.device]:
    return {leaf.device for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)}


def in_main_memory(value):
    """As a checkpoint is read."""
    return torch.zeros(value.shape, dtype=value.dtype) if isinstance(value, torch.Tensor) else value


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")  # which does nothing, on META
@pytest.mark.parametrize("name", METHODS)
def test_a_training_step_is_on_its_device_and_waits_for_nothing(monkeypatch, tmp_path, name):
    with watched(monkeypatch) as watch:
        method = METHODS[name](tmp_path)
        for step in range(2):
            watch.sent = 0
            record = method.step(step)
            assert (watch.sent, watch.reads) == (SENT.get(name, 2), 0)
            assert devices_of(record) == devices_of(method.state_dict()) == {META}
        method.load_state_dict(tree_map(in_main_memory, method.state_dict()))
        assert devices_of(method.state_dict()) == {META}
        method.step(2)
        assert devices_of(method.finish().state_dict()) == {META} and watch.reads == 0


class OnGpu:
    """A method whose device says that it is a GPU. Notes how much was read back by each step's beginning."""
    device = SimpleNamespace(type="cuda")

    def __init__(self, method, watch):
        self.method, self.watch, self.seen = method, watch, []

    def __getattr__(self, name):
        return getattr(self.method, name)

    def step(self, step):
        self.seen.append(self.watch.reads)
        return self.method.step(step)


def test_the_loop_looks_at_a_gpu_every_ten_steps_and_at_rows_of_the_curve(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 1000)
    with watched(monkeypatch) as watch:
        method = OnGpu(Supervised(STAGE1, network(), Batches(16, 32), Batches(16, 32), META), watch)
        curve = loop.train(method, 25, 15, Checkpoint(tmp_path / "state"), "t", lambda rows: None)
    of_a_step, of_a_row = 3, 1  # loss, gradient norm, fidelity; validation's PSNR
    assert [row["step"] for row in curve] == [15, 25]
    assert method.seen == [0] * 10 + [10 * of_a_step] * 5 + [15 * of_a_step + of_a_row] * 5 + [20 * of_a_step + of_a_row] * 5
    assert watch.reads == 25 * of_a_step + 2 * of_a_row


def test_batches_are_read_ahead_and_pinned_for_cuda_alone(monkeypatch):
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    crops = Batches(16)
    for name in ("cpu", "mps", "meta"):
        assert reader(crops, torch.device(name)) is crops
    ahead = reader(crops, torch.device("cuda", 1))
    assert isinstance(ahead, Ahead) and ahead(0)[0].shape == (2, 3, 16, 16)
    ahead.thread.shutdown()
    assert len(pinned) == 2  # the batch, and the one that was read ahead


class Faulty(nn.Module):
    """A network with the mistake named."""

    def __init__(self, mistake: str):
        super().__init__()
        self.mistake, self.layer = mistake, nn.Conv2d(3, 3, 1)
        self.mean = torch.full((3, 1, 1), 0.5)  # no buffer: `to` leaves it where it is

    def forward(self, x):
        x = self.layer(x)
        match self.mistake:
            case "made without a device":
                return x + torch.ones(x.shape[2:])
            case "no buffer":
                return x - self.mean
            case "an index":
                return x[:, torch.tensor([2, 1, 0])]
            case "written in place":
                return torch.cat([x, torch.zeros(1, 3, 8, 8)])
            case "a number read":
                return x / x.max().item()
            case "a condition":
                return x if x.sum() > 0 else -x
            case "read by NumPy":
                return x * float(np.mean(x.detach().cpu().numpy()))
        return x * torch.tensor(2.0)  # a single number, which a GPU takes as an argument


@pytest.mark.parametrize("mistake", ["made without a device", "no buffer", "an index", "written in place"])
def test_the_stand_in_finds_a_tensor_on_another_device(monkeypatch, mistake):
    with watched(monkeypatch), pytest.raises(Mixed):
        Faulty(mistake).to(META)(torch.rand(1, 3, 8, 8, device=META))


@pytest.mark.parametrize("mistake, reads", [("a number read", 1), ("a condition", 1), ("read by NumPy", 1), ("none", 0)])
def test_the_stand_in_counts_what_is_read_back(monkeypatch, mistake, reads):
    with watched(monkeypatch) as watch:
        assert Faulty(mistake).to(META)(torch.rand(1, 3, 8, 8, device=META)).device == META
        assert watch.reads == reads


@pytest.mark.parametrize("mistake", ["made without a device", "a number read"])
def test_a_mistake_in_a_trained_network_is_found(monkeypatch, mistake):
    with watched(monkeypatch) as watch:
        method = Supervised(STAGE1, Faulty(mistake), Batches(8, 8), None, META)
        if mistake == "a number read":
            method.step(0)
            assert watch.reads == 1
        else:
            with pytest.raises(Mixed):
                method.step(0)
