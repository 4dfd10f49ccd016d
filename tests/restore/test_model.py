import json
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from conftest import smooth_image
from networks import in_one_pass, seasoned
from safetensors import safe_open
from safetensors.torch import save_file

from pipeline.core.files import write_json
from pipeline.nets.build import build
from pipeline.restore.manifest import AbsentNetwork, leaves, save_absent, tree_of
from pipeline.restore.model import Turned, bands_of, chain, mean_of, model_of
from pipeline.restore.named import KEY, hashes_of, named, read_row, write_row
from pipeline.restore.network import load_network, save_network
from pipeline.restore.pixels import quantise
from pipeline.restore.tiles import ONE_PASS, restore

DOUBLE = {"scale": 2, "blocks": 1, "features": 6}
SAME = {"scale": 1, "blocks": 1, "features": 6, "unshuffle": 2}
RCAN = {"scale": 1, "groups": 1, "blocks": 1, "features": 6, "reduction": 2}


def check(model, wanted: np.ndarray, image: np.ndarray, tile: int | None = None) -> None:
    np.testing.assert_allclose(restore(model, image, "float32", tile), wanted, atol=2e-6)


@pytest.mark.parametrize("scale, shape", [(1, (77, 131)), (4, (61, 19)), (2, (16, 90))])
def test_tiles_equal_one_pass(scale, shape):
    network, image = seasoned("edsr", DOUBLE | {"scale": scale}), smooth_image(np.random.default_rng(0), *shape)
    whole = in_one_pass([network], image)
    assert whole.shape == (shape[0] * scale, shape[1] * scale, 3)
    for tile in (16, None):
        check(model_of(network), whole, image, tile)


@pytest.mark.parametrize("shape", [(77, 131), (61, 18)])
def test_tiles_of_an_unshuffling_network_start_on_its_grid(shape):
    network, image = seasoned("edsr", SAME), smooth_image(np.random.default_rng(0), *shape)
    whole = in_one_pass([network], image)
    check(model_of(network), whole, image, 17)
    cropped = image[: shape[0] // 2 * 2, : shape[1] // 2 * 2]
    inner = (slice(0, 40), slice(0, 8))  # beyond the reach of what was added at the borders
    np.testing.assert_allclose(restore(model_of(network), cropped, "float32")[inner], whole[inner], atol=2e-6)


def test_a_chain_is_its_networks_in_turn_unrounded():
    networks = [seasoned("edsr", SAME), seasoned("edsr", DOUBLE, 1), seasoned("edsr", DOUBLE, 2)]
    image = smooth_image(np.random.default_rng(0), 53, 39)
    model = chain([model_of(*networks[:2]), model_of(networks[2])])
    assert (model.scale, model.multiple, model.exact) == (4, 2, True)
    for tile in (16, None):
        check(model, in_one_pass(networks, image), image, tile)
    with pytest.raises(ValueError, match="at least one network"):
        chain([])


@pytest.mark.parametrize("kind", ["mean", "mean of chains", "chain of means"])
def test_means_and_chains_compose(kind):
    """Of members with other margins and grids."""
    same, other = seasoned("edsr", SAME), seasoned("dncnn", {"layers": 3, "features": 6}, 1)
    double, last = seasoned("edsr", DOUBLE, 2), seasoned("edsr", DOUBLE | {"blocks": 2}, 3)
    image = smooth_image(np.random.default_rng(0), 61, 43)
    if kind == "mean":
        model = mean_of([model_of(same), model_of(other)])
        wanted = np.mean([in_one_pass([network], image) for network in (same, other)], axis=0)
    elif kind == "mean of chains":
        model = mean_of([model_of(same, double), model_of(last)])
        wanted = np.mean([in_one_pass([same, double], image), in_one_pass([last], image)], axis=0)
    else:
        model = chain([mean_of([model_of(same), model_of(other)]), mean_of([model_of(double), model_of(last)])])
        between = np.mean([in_one_pass([network], image) for network in (same, other)], axis=0)
        wanted = np.mean([in_one_pass([network], between) for network in (double, last)], axis=0)
    assert model.multiple == 2 and model.exact
    for tile in (16, None):
        check(model, wanted, image, tile)


@pytest.mark.parametrize("scale, sigma, shape", [(1, 2.0, (61, 43)), (1, 0.7, (5, 9)), (2, 3.3, (23, 38))])
def test_bands_are_split_as_opencv_blurs(scale, sigma, shape):
    coarse = seasoned("edsr", DOUBLE if scale == 2 else SAME)
    fine = seasoned("edsr", DOUBLE | {"blocks": 2}, 1) if scale == 2 else seasoned("dncnn", {"layers": 3, "features": 6}, 1)
    image = smooth_image(np.random.default_rng(0), *shape)
    model = bands_of([model_of(coarse), model_of(fine)], sigma)
    low, high = (in_one_pass([network], image) for network in (coarse, fine))
    reach = 2 * int(np.ceil(4 * sigma)) + 1
    blur = partial(cv2.GaussianBlur, ksize=(reach, reach), sigmaX=sigma, borderType=cv2.BORDER_REPLICATE)
    for tile in (16, None):
        check(model, blur(low) + high - blur(high), image, tile)
    assert model.exact and model.margin >= reach // 2 // scale


def test_bands_of_networks_below_models(tmp_path, monkeypatch):
    """As the stage makes them, in a file of their own, and as a part of something else."""
    monkeypatch.chdir(tmp_path)
    for name, seed in (("one", 0), ("two", 1)):
        save_network(tmp_path / "models" / name, seasoned("edsr", SAME, seed), "edsr", SAME, {})
    write_json("models/both/manifest.json", {"format": 1, "arch": "ensemble", "parts": ["one", "two"], "below": 1.5})
    write_json("models/more/manifest.json", {"format": 1, "arch": "chain", "parts": ["both", "one"]})
    tree = tree_of("more")
    assert tree == {"chain": [{"bands 1.5": ["one", "two"]}, "one"]} and leaves(tree) == ["one", "two", "one"]
    image = smooth_image(np.random.default_rng(0), 31, 22)
    wanted = restore(chain([bands_of([named("one"), named("two")], 1.5), named("one")]), image, "float32")
    write_row("row.safetensors", "row", tree)
    for model in (named("more"), named("row.safetensors")):
        np.testing.assert_allclose(restore(model, image, "float32"), wanted, atol=1e-6)
    assert len(set(map(str, (hashes_of("both"), hashes_of("one"), hashes_of("two"))))) == 3


def test_a_mean_of_one_is_itself_and_of_other_scales_none():
    model = model_of(seasoned("edsr", DOUBLE))
    assert mean_of([model]) is model
    with pytest.raises(ValueError, match=r"enlarge alike, got scales \[2, 1\]"):
        mean_of([model, model_of(seasoned("edsr", SAME))])


def test_what_holds_a_network_that_sees_the_whole_image_is_not_exact():
    rcan, exact = model_of(seasoned("rcan", RCAN)), model_of(seasoned("edsr", SAME))
    for model in (mean_of([exact, rcan]), chain([exact, rcan]), Turned(rcan)):
        assert not model.exact and model.sees_all == ["ChannelAttention"]
    assert exact.exact and Turned(exact).exact and Turned(exact).margin == exact.margin


@pytest.mark.parametrize("arch, options", [("rcan", RCAN), ("resnet", {"blocks": 1, "features": 2})])
def test_networks_that_see_the_whole_image_get_it_in_one_pass_everywhere(arch, options):
    """Larger than tiles of exact networks, and below the limit."""
    network, image = seasoned(arch, options), smooth_image(np.random.default_rng(0), 907, 613)
    assert image[..., 0].size < ONE_PASS
    check(model_of(network), in_one_pass([network], image), image)


def test_sixteen_bit_input_is_the_same_picture():
    model, image = model_of(seasoned("edsr", DOUBLE)), smooth_image(np.random.default_rng(0), 13, 9)
    check(model, restore(model, image, "float32"), image.astype(np.uint16) * 257)


def test_a_name_is_a_network_or_a_file_and_names_make_a_chain(tmp_path):
    for name, options in (("one", SAME), ("two", DOUBLE)):
        save_network(tmp_path / name, seasoned("edsr", options), "edsr", options, {})
    write_row(tmp_path / "row.safetensors", "row", {"chain": ["one", "two"]}, tmp_path)
    image = smooth_image(np.random.default_rng(0), 21, 34)
    wanted = in_one_pass([load_network(tmp_path / name) for name in ("one", "two", "two")], image)
    model = named("one", "two", "two", models=tmp_path)
    check(model, wanted, image)
    assert model.parts[1] is model.parts[2]
    check(named(tmp_path / "row.safetensors", "two", models=tmp_path), wanted, image)


def test_formats_of_networks(tmp_path):
    """One without the field is of the first format, one of a later format is refused."""
    folder, manifest = tmp_path / "n", tmp_path / "n/manifest.json"
    save_network(folder, build("edsr", DOUBLE), "edsr", DOUBLE, {})
    values = json.loads(manifest.read_text())
    assert values.pop("format") == 1
    manifest.write_text(json.dumps(values))
    assert load_network(folder).scale == 2
    manifest.write_text(json.dumps(values | {"format": 2}))
    with pytest.raises(ValueError, match="manifest.json: a network of format 2, this code knows formats up to 1: update"):
        load_network(folder)
    manifest.write_text(json.dumps(values))
    write_row(tmp_path / "a.safetensors", "row", "n", tmp_path)
    assert len(read_row(tmp_path / "a.safetensors").networks) == 1
    with safe_open(tmp_path / "a.safetensors", "pt") as handle:
        header, weights = json.loads(handle.metadata()[KEY]), {key: handle.get_tensor(key) for key in handle.keys()}
    header["networks"]["n"]["format"] = 9999
    save_file(weights, tmp_path / "b.safetensors", {KEY: json.dumps(header)})
    message = "b.safetensors: .* n: a network of format 9999, this code knows formats up to 1: update"
    with pytest.raises(ValueError, match=message):
        read_row(tmp_path / "b.safetensors")


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


def test_turned_is_the_mean_over_the_eight_turns_of_the_image():
    network, image = seasoned("edsr", DOUBLE), smooth_image(np.random.default_rng(0), 21, 34)
    answers = []
    for quarters in range(4):
        rotated = np.rot90(image, quarters)
        answers.append(np.rot90(in_one_pass([network], np.ascontiguousarray(rotated)), -quarters))
        answers.append(np.rot90(in_one_pass([network], np.ascontiguousarray(rotated[:, ::-1]))[:, ::-1], -quarters))
    mean = np.mean(answers, axis=0)
    assert np.abs(answers[0] - mean).max() > 1e-3
    model = Turned(model_of(network))
    np.testing.assert_allclose(restore(model, image, "float32"), mean, atol=1e-5)
    np.testing.assert_allclose(restore(model, np.ascontiguousarray(np.rot90(image)), "float32"), np.rot90(mean), atol=1e-5)
