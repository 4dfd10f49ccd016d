import numpy as np
import pytest
import torch
from conftest import smooth_image

from pipeline.nets.build import build
from pipeline.restore.apply import apply, quantise, self_ensemble
from pipeline.restore.manifest import AbsentNetwork, save_absent
from pipeline.restore.network import load_network, save_network


@pytest.mark.parametrize("scale, shape", [(1, (77, 131)), (4, (61, 19)), (2, (16, 90))])
def test_tiles_equal_the_whole(scale, shape):
    torch.manual_seed(0)
    network = build("edsr", {"scale": scale, "blocks": 2, "features": 8}).eval()
    image = smooth_image(np.random.default_rng(0), *shape)
    whole, tiled = apply([network], image), apply([network], image, tile=16)
    assert whole.shape == (shape[0] * scale, shape[1] * scale, 3)
    np.testing.assert_allclose(tiled, whole, atol=2e-6)


@pytest.mark.parametrize("shape", [(77, 131), (61, 18)])
def test_tiles_of_an_unshuffling_network_start_on_its_grid(shape):
    torch.manual_seed(0)
    network = build("edsr", {"scale": 1, "blocks": 1, "features": 8, "unshuffle": 2}).eval()
    image = smooth_image(np.random.default_rng(0), *shape)
    whole = apply([network], image)
    assert whole.shape == image.shape
    np.testing.assert_allclose(apply([network], image, tile=17), whole, atol=2e-6)
    cropped = image[: shape[0] // 2 * 2, : shape[1] // 2 * 2]
    inner = (slice(0, 40), slice(0, 8))  # beyond the reach of what was added at the borders
    np.testing.assert_allclose(apply([network], cropped)[inner], whole[inner], atol=2e-6)


def test_a_margin_too_small_would_be_seen():
    torch.manual_seed(0)
    network = build("edsr", {"scale": 1, "blocks": 2, "features": 8}).eval()
    image = smooth_image(np.random.default_rng(0), 77, 91)
    whole = apply([network], image)
    network.radius = 2
    assert np.abs(apply([network], image, tile=16) - whole).max() > 1e-3


def test_chain_and_empty_chain():
    torch.manual_seed(0)
    image = smooth_image(np.random.default_rng(0), 13, 9)
    networks = [build("edsr", {"scale": 2, "blocks": 1, "features": 4}).eval() for _ in range(2)]
    assert apply(networks, image).shape == (52, 36, 3)
    np.testing.assert_allclose(apply(networks, image), apply(networks[1:], apply(networks[:1], image)), atol=1e-6)
    np.testing.assert_array_equal(quantise(apply([], image)), image)


def test_sixteen_bit_input_is_the_same_picture():
    torch.manual_seed(0)
    network = build("edsr", {"scale": 2, "blocks": 1, "features": 4}).eval()
    image = smooth_image(np.random.default_rng(0), 13, 9)
    np.testing.assert_allclose(apply([network], image.astype(np.uint16) * 257), apply([network], image), atol=1e-6)


def test_quantise_clips_and_rounds_half_up():
    values = np.float32([[[-0.1, 0.5 / 255, 1.2]]])
    assert quantise(values).tolist() == [[[0, 1, 255]]]
    assert quantise(values, "uint16").tolist() == [[[0, 129, 65535]]]


def test_a_network_comes_back_as_it_was(tmp_path):
    torch.manual_seed(0)
    options = {"scale": 2, "blocks": 1, "features": 4}
    network = build("edsr", options)
    for name in ("one", "two"):
        save_network(tmp_path / name, network, "edsr", options, {"seed": 1})
    assert (tmp_path / "one/network.safetensors").read_bytes() == (tmp_path / "two/network.safetensors").read_bytes()
    back = load_network(tmp_path / "one")
    x = torch.rand(1, 3, 5, 6)
    torch.testing.assert_close(back(x), network.eval()(x), atol=0, rtol=0)
    assert not back.training and not any(weight.requires_grad for weight in back.parameters())


def test_nothing_non_finite_is_written(tmp_path):
    network = build("edsr", {"scale": 2, "blocks": 1, "features": 4})
    with torch.no_grad():
        network.head[0].weight[0, 0, 0, 0] = float("inf")
    with pytest.raises(ValueError, match="head.0.weight is not finite"):
        save_network(tmp_path / "n", network, "edsr", {}, {})
    assert not (tmp_path / "n").exists()


def test_wrong_weights_and_stand_ins_are_named(tmp_path):
    network = build("edsr", {"scale": 2, "blocks": 1, "features": 4})
    save_network(tmp_path / "n", network, "edsr", {"scale": 2, "blocks": 2, "features": 4}, {})
    with pytest.raises(ValueError, match="network.safetensors: not the weights of edsr"):
        load_network(tmp_path / "n")
    save_absent(tmp_path / "absent", "sets.truth.folder is data/none")
    with pytest.raises(AbsentNetwork, match="sets.truth.folder"):
        load_network(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="no manifest.json"):
        load_network(tmp_path / "nowhere")


def test_self_ensemble_is_the_mean_over_the_eight_turns_of_the_image():
    torch.manual_seed(0)
    network = build("edsr", {"scale": 2, "blocks": 1, "features": 8}).eval()
    image = smooth_image(np.random.default_rng(0), 21, 34)
    answers = []
    for quarters in range(4):
        turned = np.rot90(image, quarters)
        answers.append(np.rot90(apply([network], np.ascontiguousarray(turned)), -quarters))
        answers.append(np.rot90(apply([network], np.ascontiguousarray(turned[:, ::-1]))[:, ::-1], -quarters))
    mean = np.mean(answers, axis=0)
    assert np.abs(answers[0] - mean).max() > 1e-3
    np.testing.assert_allclose(self_ensemble(network, image), mean, atol=1e-5)
    turned = self_ensemble(network, np.ascontiguousarray(np.rot90(image)))
    np.testing.assert_allclose(turned, np.rot90(mean), atol=1e-5)
