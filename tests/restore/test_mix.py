"""Strength, blends and masks of `restore`, against closed forms."""
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import smooth_image
from PIL import Image
from test_restore import RGB, project, read, run  # noqa: F401 (project is a fixture)

from pipeline.degrade.bicubic import resize
from pipeline.images.encode import write_png
from pipeline.nets.build import build
from pipeline.restore.mix import AtStrength, blend_of, enlarged, keep_black
from pipeline.restore.model import model_of
from pipeline.restore.network import save_network
from pipeline.restore.pixels import quantise, to_tensor
from pipeline.restore.restorer import Restorer
from pipeline.restore.tiles import restore

SAME_SIZE = {"scale": 1, "blocks": 1, "features": 12, "unshuffle": 2}


@pytest.fixture(params=[1, 2, 4])
def model(request):
    torch.manual_seed(5)
    options = SAME_SIZE if request.param == 1 else {"scale": request.param, "blocks": 1, "features": 4}
    return model_of(build("edsr", options))


def base(image: np.ndarray, scale: int) -> np.ndarray:
    """float32 in [0, 1]: the photo, or its bicubic enlargement by the product's own matrices."""
    return resize(image / np.float32(255), scale * image.shape[0], scale * image.shape[1])


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (37, 53)])
def test_the_enlargement_is_matlabs(scale, size):
    image = smooth_image(np.random.default_rng(0), *size) if size != (1, 1) else np.full((1, 1, 3), 77, np.uint8)
    ours = enlarged(to_tensor(image), scale)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - base(image, scale)).max() < 2e-5


@pytest.mark.parametrize("strength", [0, 0.3, 1, 1.5])
def test_a_strength_is_on_the_line_from_photo_to_restoration(model, strength):
    photo = base(RGB, model.scale)
    wanted = photo + strength * (restore(model, RGB, "float32") - photo)
    got = restore(AtStrength(model, strength), RGB, "float32")
    assert np.abs(got - wanted).max() < 1e-4
    in_tiles = restore(AtStrength(model, strength), RGB, "float32", tile=16)
    assert np.abs(in_tiles - wanted).max() < 1e-4


def test_strength_0_gives_the_photo_itself():
    torch.manual_seed(5)
    image = np.random.default_rng(1).integers(0, 256, (19, 31, 3), np.uint8)
    assert (restore(AtStrength(model_of(build("edsr", SAME_SIZE)), 0), image) == image).all()


def test_a_blend_is_the_mean_with_its_share():
    torch.manual_seed(5)
    one, two = (model_of(build("edsr", SAME_SIZE)) for _ in range(2))
    wanted = 0.7 * restore(one, RGB, "float32") + 0.3 * restore(two, RGB, "float32")
    assert np.abs(restore(blend_of(one, two, 0.3), RGB, "float32") - wanted).max() < 1e-5
    with pytest.raises(ValueError, match="scales"):
        blend_of(one, model_of(build("edsr", {"scale": 2, "blocks": 1, "features": 4})), 0.5)


@pytest.mark.parametrize("value", [-0.1, 1.6])
def test_impossible_strengths_are_refused(model, value):
    with pytest.raises(ValueError, match="strength"):
        AtStrength(model, value)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("scale", [1, 3])
def test_a_mask_keeps_black_leaves_white_and_mixes_grey(dtype, grey, scale):
    stream, top = np.random.default_rng(2), np.iinfo(dtype).max
    shape = (150, 23) if grey else (150, 23, 3)  # more rows than one band
    photo = stream.integers(0, top, shape, dtype, endpoint=True)
    restored = stream.integers(0, top, (150 * scale, 23 * scale, *shape[2:]), dtype, endpoint=True)
    mask = np.linspace(0, 1, 150 * 23, dtype=np.float32).reshape(150, 23)
    mask[:40], mask[100:] = 0, 1
    photo_there = np.atleast_3d(resize(np.atleast_3d(photo / np.float32(top)), 150 * scale, 23 * scale)).reshape(restored.shape)
    share = np.repeat(np.repeat(mask, scale, 0), scale, 1).reshape(*restored.shape[:2], *[1] * (restored.ndim - 2))
    wanted = quantise(photo_there * (1 - share) + share * (restored / top), dtype)
    before = restored.copy()
    keep_black(restored, photo, mask)
    assert np.abs(restored.astype(int) - wanted).max() <= (1 if dtype == np.uint8 else 2)  # a half may round the other way
    assert (restored[100 * scale :] == before[100 * scale :]).all()
    if scale == 1:
        assert (restored[:40] == photo[:40]).all()


# The command

@pytest.fixture
def same_size(project):  # noqa: F811
    for i, name in enumerate(("sharp", "soft")):
        torch.manual_seed(i)
        save_network(project / "models" / name, build("edsr", SAME_SIZE), "edsr", SAME_SIZE, {})
    return project


def test_the_command_mixes_and_does_it_again_when_the_mixture_changes(same_size):
    assert run("photos/a.png", "-o", "out.png", "--strength", "0", model="sharp").exit_code == 0
    assert (read("out.png") == RGB).all()
    assert "1 restored" in run("photos/a.png", "-o", "out.png", "--strength", "0.5", model="sharp").output
    assert "there already" in run("photos/a.png", "-o", "out.png", "--strength", "0.5", model="sharp").output
    assert "1 restored" in run("photos/a.png", "-o", "out.png", "--blend", "soft", "0.25", model="sharp").output
    wanted = 0.75 * Restorer("sharp")(RGB).astype(float) + 0.25 * Restorer("soft")(RGB)
    assert np.abs(read("out.png") - wanted).max() <= 1.01  # both were rounded
    assert "1 restored" in run("photos/a.png", "-o", "out.png", "--blend", "soft", "0.5", model="sharp").output


def test_the_command_keeps_what_a_mask_blackens(same_size):
    mask = np.zeros(RGB.shape[:2], np.uint8)
    mask[:, 20:] = 255
    write_png(same_size / "mask.png", np.dstack([mask] * 3))
    assert run("photos/a.png", "-o", "out.png", "--mask", "mask.png", model="sharp").exit_code == 0
    out, whole = read("out.png"), Restorer("sharp")(RGB)
    assert (out[:, :20] == RGB[:, :20]).all() and (out[:, 20:] == whole[:, 20:]).all()
    Image.fromarray(mask[:5]).save("small.png")
    refused = run("photos/a.png", "-o", "out2.png", "--mask", "small.png", model="sharp")
    assert refused.exit_code == 1 and "53x5" in refused.output and "53x37" in refused.output
    assert not Path("out2.png").exists()


def test_impossible_mixtures_are_refused(same_size):
    for arguments, word in ((("--strength", "2"), "strength"), (("--blend", "soft", "1.5"), "share"),
                            (("--blend", "one", "0.5"), "scales"), (("--blend", "none", "0.5"), "none")):
        refused = run("photos/a.png", "-o", "out.png", *arguments, model="sharp")
        assert refused.exit_code and word in refused.output, arguments
