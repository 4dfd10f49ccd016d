import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, smooth_image
from torch.nn import functional as F

from pipeline.cli.trunks import fetch
from pipeline.score.lpips import SMALLEST, Lpips, MissingTrunk, import_lpips

# Index of each convolution in torchvision, channels in and out, side of the kernel where it is not 3.
VGG = [(0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256), (14, 256, 256),
       (17, 256, 512), (19, 512, 512), (21, 512, 512), (24, 512, 512), (26, 512, 512), (28, 512, 512)]
ALEX = [(0, 3, 64, 11), (3, 64, 192, 5), (6, 192, 384, 3), (8, 384, 256, 3), (10, 256, 256, 3)]
# Index of each fire module, channels in, squeezed, and out of each of its two branches.
FIRES = [(3, 64, 16, 64), (4, 128, 16, 64), (6, 128, 32, 128), (7, 256, 32, 128), (9, 256, 48, 192), (10, 384, 48, 192),
         (11, 384, 64, 256), (12, 512, 64, 256)]
SQUEEZE = [(0, 3, 64)] + [layer for i, wide, narrow, out in FIRES for layer in (
    (f"{i}.squeeze", wide, narrow, 1), (f"{i}.expand1x1", narrow, out, 1), (f"{i}.expand3x3", narrow, out))]


def random_weights(layers):
    generator, weights = torch.Generator().manual_seed(0), {}
    for index, channels_in, channels_out, *side in layers:
        side = side[0] if side else 3
        spread, shape = (2 / (channels_in * side * side)) ** 0.5, (channels_out, channels_in, side, side)
        weights[f"features.{index}.weight"] = spread * torch.randn(shape, generator=generator)
        weights[f"features.{index}.bias"] = 0.1 * torch.randn(channels_out, generator=generator)
    return weights


@pytest.fixture(scope="module")
def random_trunks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trunks")
    torch.save(random_weights(VGG), folder / "vgg16_features.pth")
    torch.save(random_weights(ALEX), folder / "alexnet_features.pth")
    torch.save(random_weights(SQUEEZE), folder / "squeezenet1_1_features.pth")
    return folder


def vgg_taps(x, weights):
    """relu1_2, relu2_2, relu3_3, relu4_3, relu5_3."""
    for index, *_ in VGG:
        if index in (5, 10, 17, 24):
            yield x
            x = F.max_pool2d(x, 2)
        x = F.relu(F.conv2d(x, weights[f"features.{index}.weight"], weights[f"features.{index}.bias"], padding=1))
    yield x


def alex_taps(x, weights):
    for index, stride, padding in ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1)):
        x = F.max_pool2d(x, 3, 2) if index in (3, 6) else x
        x = F.relu(F.conv2d(x, weights[f"features.{index}.weight"], weights[f"features.{index}.bias"], stride, padding))
        yield x


def squeeze_taps(x, weights):
    """The first convolution; then each fire module before a pooling, and all from the fifth on."""
    def convolved(x, name, **how):
        return F.relu(F.conv2d(x, weights[f"features.{name}.weight"], weights[f"features.{name}.bias"], **how))

    x = convolved(x, 0, stride=2)
    for index, *_ in FIRES:
        if index in (3, 6, 9):
            yield x
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        narrow = convolved(x, f"{index}.squeeze")
        x = torch.cat([convolved(narrow, f"{index}.expand1x1"), convolved(narrow, f"{index}.expand3x3", padding=1)], 1)
        if index >= 9:
            yield x


def distance_by_definition(a, b, taps, weights, heads):
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)))
    total = 0.0
    a, b = (torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1 for image in (a, b))
    for layer, (x, y) in enumerate(zip(*(taps((image - shift) / scale, weights) for image in (a, b)))):
        x, y = (features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10) for features in (x, y))
        total += float(F.conv2d((x - y).square(), heads[f"lin{layer}.model.1.weight"]).mean())
    return total


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    image = smooth_image(rng, 41, 51)
    return image, np.clip(image + rng.normal(0, 30, image.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("net, taps, file", [("vgg", vgg_taps, "vgg16"), ("alex", alex_taps, "alexnet"),
                                             ("squeeze", squeeze_taps, "squeezenet1_1")])
def test_it_is_the_distance_of_an_independent_forward_pass(random_trunks, images, net, taps, file):
    package = import_lpips()
    state = torch.get_rng_state()
    metric = Lpips(random_trunks, net)
    assert (torch.get_rng_state() == state).all()  # nobody else's random numbers change
    heads = torch.load(Path(package.__file__).parent / f"weights/v0.1/{net}.pth", map_location="cpu", weights_only=True)
    weights = torch.load(random_trunks / f"{file}_features.pth", weights_only=True)
    constant = [np.full_like(images[0], value) for value in (0, 77, 255)]
    for a, b in (images, constant[:2], constant[1:], (images[0], constant[0])):
        wanted = distance_by_definition(a, b, taps, weights, heads)
        assert wanted > 0.001 and metric(a, b) == pytest.approx(wanted, abs=5e-5)
    assert metric(images[0], images[0]) == metric(constant[0], constant[0]) == 0
    assert metric(*images) == pytest.approx(metric(*images[::-1]), rel=1e-5)
    smallest = np.zeros((SMALLEST[net], SMALLEST[net], 3), np.uint8)
    assert metric(smallest, smallest) == 0
    with pytest.raises(ValueError, match=f"sides of {SMALLEST[net]} pixels, the images are {SMALLEST[net] - 1}x"):
        metric(smallest[:, 1:], smallest[:, 1:])
    with pytest.raises(ValueError, match="one shape"):
        metric(images[0], images[1][1:])


def test_a_missing_trunk_has_an_error_of_its_own(tmp_path):
    with pytest.raises(MissingTrunk, match="vgg16_features.pth is not there"):
        Lpips(tmp_path, "vgg")


def test_wrong_weights_are_refused_by_key(tmp_path):
    path = tmp_path / "alexnet_features.pth"
    for change, message in (({"features.10.bias": None}, "lacks key features.10.bias"),
                            ({"features.12.bias": torch.zeros(3)}, "has the unknown key features.12.bias"),
                            ({"features.0.bias": torch.zeros(3)}, r"features.0.bias is \(3,\), wanted \(64,\)")):
        weights = random_weights(ALEX) | change
        torch.save({key: tensor for key, tensor in weights.items() if tensor is not None}, path)
        with pytest.raises(ValueError, match=message):
            Lpips(tmp_path)


def test_it_imports_in_a_fresh_process_without_a_warning(random_trunks):
    code = f"from pipeline.score.lpips import Lpips; Lpips({str(random_trunks)!r})"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_published_example_scores_as_published(data_folder):
    from PIL import Image
    reference, far, near = (np.array(Image.open(data_folder / f"weights/lpips-check/ex_{name}.png").convert("RGB"))
                            for name in ("ref", "p0", "p1"))
    metric = Lpips(data_folder / "weights")
    assert [round(metric(reference, image), 3) for image in (far, near)] == [0.722, 0.138]
    squeeze = Lpips(data_folder / "weights", "squeeze")
    assert squeeze(reference, far) > squeeze(reference, near) > 0


def test_fetch_keeps_the_features_of_published_files(tmp_path, monkeypatch):
    import hashlib

    from pipeline.cli import trunks
    source, weights = tmp_path / "source", random_weights(ALEX)
    source.mkdir()
    torch.save(weights | {"classifier.1.weight": torch.zeros(4, 4)}, source / "published.pth")
    digest = hashlib.sha256((source / "published.pth").read_bytes()).hexdigest()
    (source / "published.pth").rename(source / f"alexnet-owt-{digest[:8]}.pth")
    monkeypatch.setitem(trunks.PUBLISHED, "alexnet", f"alexnet-owt-{digest[:8]}.pth")
    for name, layers in (("vgg16_features", VGG), ("vgg16_conv1_2", VGG[:4])):
        torch.save(random_weights(layers), source / f"{name}.pth")
    written = fetch(tmp_path / "trunks", source)
    assert [path.name for path in written] == ["alexnet_features.pth", "vgg16_features.pth", "vgg16_conv1_2.pth"]
    kept = torch.load(written[0], weights_only=True)
    assert kept.keys() == weights.keys() and all((kept[key] == weights[key]).all() for key in kept)
    Lpips(tmp_path / "trunks")


def test_fetch_takes_the_published_model_of_niqe_too(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    np.savez(source / "niqe_pris_params.npz", mu_pris_param=np.ones((1, 36)), cov_pris_param=np.eye(36))
    written = fetch(tmp_path / "trunks", source)
    assert written == [tmp_path / "trunks/niqe_pris_params.npz"]
    assert written[0].read_bytes() == (source / "niqe_pris_params.npz").read_bytes()
    for broken, message in ((b"not an archive", "not the published model"), (b"", "not the published model")):
        (source / "niqe_pris_params.npz").write_bytes(broken)
        with pytest.raises(ValueError, match=f"niqe_pris_params.npz: {message}"):
            fetch(tmp_path / "trunks", source)
    np.savez(source / "niqe_pris_params.npz", mu_pris_param=np.ones((1, 18)), cov_pris_param=np.eye(36))
    with pytest.raises(ValueError, match=r"mean \(18,\) and covariance \(36, 36\), wanted \(36,\)"):
        fetch(tmp_path / "trunks", source)


def test_fetch_refuses_what_is_damaged_or_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no backbone: wanted alexnet_features.pth"):
        fetch(tmp_path / "trunks", tmp_path)
    (tmp_path / "vgg16-397923af.pth").write_bytes(b"half a download")
    with pytest.raises(ValueError, match="vgg16-397923af.pth: damaged: its sha256 starts with .*, wanted 397923af"):
        fetch(tmp_path / "trunks", tmp_path)
    (tmp_path / "alexnet_features.pth").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="alexnet_features.pth: not a file of weights"):
        fetch(tmp_path / "trunks", tmp_path)
    torch.save({"classifier.0.weight": torch.zeros(1)}, tmp_path / "alexnet_features.pth")
    with pytest.raises(ValueError, match="holds no features"):
        fetch(tmp_path / "trunks", tmp_path)
    assert not (tmp_path / "trunks").exists() or not list((tmp_path / "trunks").iterdir())
