"""SRGAN: the content loss on VGG's features, and the network trained with it."""
from pathlib import Path

import pytest
import torch
import yaml
from conftest import ROOT, with_presets
from torch.nn import functional as F

from pipeline.core.files import read_json
from pipeline.core.params import load
from pipeline.core.settings import Stage2Settings as Settings
from pipeline.nets.build import build
from pipeline.restore.manifest import AbsentNetwork
from pipeline.stages import srgan, stage1
from pipeline.train.method import learning_rate
from pipeline.train.methods import srgan as parts
from pipeline.train.methods.srgan import Srgan
from pipeline.train.methods.stage2 import Stage2

WIDTHS = {"vgg16": [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512],
          "vgg19": [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512]}


def narrow(backbone: str, until: int = 99, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of a VGG an eighth as wide, in torchvision's names, of layers numbered below `until`."""
    generator, weights, channels, place = torch.Generator().manual_seed(seed), {}, 3, 0
    for width in WIDTHS[backbone]:
        if width == "M":
            place += 1
            continue
        if place < until:
            shape = (width // 8, channels, 3, 3)
            weights[f"features.{place}.weight"] = torch.randn(shape, generator=generator) * (2 / (9 * channels)) ** 0.5
            weights[f"features.{place}.bias"] = torch.randn(width // 8, generator=generator) * 0.1
        channels, place = width // 8, place + 2
    return weights


def forward(weights, image, names):
    """The layers called `names`, one after another, written out by hand: numbers are convolutions."""
    x = (image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    for name in names.split():
        if name == "relu":
            x = x.clamp_min(0)
        elif name == "pool":
            x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5))
        else:
            weight = weights[f"features.{name}.weight"]
            columns = F.unfold(x, 3, padding=1)
            x = (weight.flatten(1) @ columns + weights[f"features.{name}.bias"][:, None]).unflatten(2, x.shape[2:])
    return x


@pytest.mark.parametrize("backbone, layer, names", [
    ("vgg16", "relu1_2", "0 relu 2 relu"),
    ("vgg16", "relu2_2", "0 relu 2 relu pool 5 relu 7 relu"),
    ("vgg16", "conv2_2", "0 relu 2 relu pool 5 relu 7"),
    ("vgg19", "relu5_4", "0 relu 2 relu pool 5 relu 7 relu pool 10 relu 12 relu 14 relu 16 relu pool 19 relu 21 relu 23 relu "
                         "25 relu pool 28 relu 30 relu 32 relu 34 relu")])
def test_content_is_the_distance_of_an_independent_forward_pass(tmp_path, backbone, layer, names):
    weights = narrow(backbone)
    torch.save(weights, tmp_path / f"{backbone}_features.pth")
    torch.manual_seed(0)
    a, b = torch.rand(2, 2, 3, 37, 34)
    a.requires_grad_(), b.requires_grad_()
    content = parts.Content(tmp_path, backbone, layer, 0.25)
    found = content(a, b, F.mse_loss)
    wanted = 0.25 * (forward(weights, a, names) - forward(weights, b, names)).square().mean()
    torch.testing.assert_close(found, wanted)
    found.backward()
    assert a.grad.abs().max() > 0 and b.grad is None
    assert content(b, b, F.mse_loss) == 0


def test_the_first_layers_alone_do_as_well(tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    for folder, name, until in ((whole, "vgg16_features", 99), (part, "vgg16_conv1_2", 8)):
        folder.mkdir()
        torch.save(narrow("vgg16", until), folder / f"{name}.pth")
    one, other = (parts.Content(folder, "vgg16", "relu2_2", 1.0) for folder in (whole, part))
    assert one.sources == other.sources
    assert parts.Content(whole, "vgg16", "relu1_2", 1.0).sources["weights"] != one.sources["weights"]
    with pytest.raises(AbsentNetwork, match=r"part/vgg16_conv1_2\.pth ends before relu3_1; .* the whole vgg16"):
        parts.Content(part, "vgg16", "relu3_1", 1.0)
    torch.save(narrow("vgg16"), part / "vgg16_features.pth")
    parts.Content(part, "vgg16", "relu3_1", 1.0)


def test_real_weights_fit(data_folder, tmp_path):
    (tmp_path / "vgg16_conv1_2.pth").symlink_to(data_folder / "weights/vgg16_conv1_2.pth")
    assert parts.Content(tmp_path, "vgg16", "relu2_2", 1.0).features(torch.rand(1, 3, 16, 18)).shape == (1, 128, 8, 9)


def test_what_is_missing_or_wrong_is_named(tmp_path):
    with pytest.raises(AbsentNetwork, match=r"vgg19_features\.pth is not there; .*fetch-trunks"):
        parts.Content(tmp_path, "vgg19", "relu5_4", 1.0)
    with pytest.raises(ValueError, match="vgg16 has no relu5_4, its blocks have 2, 2, 3, 3, 3"):
        parts.places("vgg16", "relu5_4")
    weights = narrow("vgg16")
    torch.save(weights | {"features.5.weight": weights["features.5.weight"][:, :7]}, tmp_path / "vgg16_features.pth")
    with pytest.raises(ValueError, match=r"features\.5\.weight is \(16, 7, 3, 3\), wanted \(channels, 8, 3, 3\)"):
        parts.Content(tmp_path, "vgg16", "relu2_2", 1.0)
    (tmp_path / "vgg16_features.pth").write_bytes(b"half a download")
    with pytest.raises(ValueError, match=r"vgg16_features\.pth: not a file of weights"):
        parts.Content(tmp_path, "vgg16", "relu2_2", 1.0)


@pytest.fixture
def project(tiny_project):
    prepare()
    return tiny_project


def prepare() -> None:
    """Add the preset all's SRGAN and its trained start to the tiny project in the current folder."""
    changes = yaml.safe_load((ROOT / "presets/all.yaml").read_text())
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["srgan"] = changes["srgan"]
    values["srgan"]["sr-srgan"]["settings"] |= {"steps": 8, "batch": 2, "patch": 12, "validate_every": 4}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    stage1.main("sr-srresnet")


def weights_of(name):
    return Path("models", name, "network.safetensors").read_bytes()


def test_srgan_trains_and_its_content_matters(project):
    Path("data/trunks").mkdir()
    made, bytes_of = [], []
    for seed in (0, 0, 1):
        torch.save(narrow("vgg16", 8, seed), "data/trunks/vgg16_conv1_2.pth")
        srgan.main("sr-srgan")
        made.append(read_json("models/sr-srgan/manifest.json")["made"])
        bytes_of.append(weights_of("sr-srgan"))
    assert bytes_of[0] == bytes_of[1] and bytes_of[0] not in (bytes_of[2], weights_of("sr-srresnet"))
    assert made[0] == made[1] and made[0]["content"]["weights"] != made[2]["content"]["weights"]
    assert made[0]["content"]["layer"] == "relu2_2" and made[0]["start"] == "sr-srresnet" and made[0]["clean"]
    assert "content" not in read_json("models/sr-srresnet/manifest.json")["made"]
    assert "adversarial" in Path("metrics/curves/sr-srgan.csv").read_text()


def test_without_its_trunk_the_network_is_absent(project):
    srgan.main("sr-srgan")
    reason = "data/trunks/vgg16_features.pth is not there; `python -m pipeline fetch-trunks` gets it"
    assert read_json("models/sr-srgan/manifest.json") == {"absent": reason}
    assert Path("metrics/curves/sr-srgan.csv").read_text() == "step\n"


def test_rates_are_those_of_its_authors(tmp_path):
    (tmp_path / "params.yaml").write_text(with_presets("paper"))
    settings = load(tmp_path / "params.yaml").srgan["sr-srgan"].settings
    rates = [learning_rate(settings, step) for step in (0, 99_999, 100_000, 199_999)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5])
    assert settings.d_lr == settings.lr and settings.lambda_ > 0
    small = Settings.model_validate(settings.model_dump(by_alias=True) | {"steps": 4, "d_features": 4, "d_lr": 0.002})
    crops, clean = (lambda step: [torch.rand(2, 3, 16, 16)] * 2), (lambda step: [torch.rand(2, 3, 16, 16)])
    torch.save(narrow("vgg16", 8), tmp_path / "vgg16_conv1_2.pth")
    content = parts.Content(tmp_path, "vgg16", "relu2_2", 1.0)
    networks = [build("edsr", {"scale": 1, "blocks": 1, "features": 4}) for _ in range(2)]
    methods = [Srgan(small, networks[0], crops, None, torch.device("cpu"), clean=clean, content=content),
               Stage2(small, networks[1], crops, None, torch.device("cpu"), clean=clean)]
    found = []
    for step in range(4):
        for method in methods:
            method.step(step)
        found.append([method.adversary.optimizer.param_groups[0]["lr"] for method in methods])
    assert found == [[0.002, 0.002], [0.002, 0.002], [pytest.approx(0.0002), 0.002], [pytest.approx(0.0002), 0.002]]
