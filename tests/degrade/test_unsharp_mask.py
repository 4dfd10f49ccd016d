"""The unsharp mask of synthetic pairs and of the proxy camera, against its gain in closed form."""
import numpy as np
import pytest
from conftest import ROOT

from pipeline.core.params import ParamsError, load, parse
from pipeline.core.reading import read_yaml
from pipeline.degrade.basics import sharpened
from pipeline.degrade.camera import capture
from pipeline.degrade.recipe import How, degrade


def wave(frequency: float, size: int, contrast: float = 40) -> np.ndarray:
    """A vertical grating about middle grey, float64 (size, size + 5, 3) in 8-bit levels; its frequency in cycles per pixel."""
    line = 128 + contrast * np.cos(2 * np.pi * frequency * np.arange(size + 5))
    return np.broadcast_to(line[None, :, None], (size, size + 5, 3))


def amplitude(image: np.ndarray, frequency: float) -> float:
    """Of a grating, by least squares in its middle."""
    line = image[..., 1].astype(np.float64).mean(0)[10:-10]
    x = 2 * np.pi * frequency * (np.arange(len(line)) + 10)
    return np.hypot(*np.linalg.lstsq(np.stack([np.cos(x), np.sin(x), np.ones_like(x)], 1), line, rcond=None)[0][:2])


@pytest.mark.parametrize(("amount", "sigma", "frequency"), [(0.5, 1, 0.2), (0.4, 2.7, 0.07), (1.2, 1.5, 0.31)])
def test_a_wave_gains_what_the_gaussian_takes_from_it(amount, sigma, frequency):
    image = wave(frequency, 71)
    gained = amplitude(sharpened(image.astype(np.float32), amount, sigma), frequency) / amplitude(image, frequency)
    assert gained == pytest.approx(1 + amount * (1 - np.exp(-2 * (np.pi * sigma * frequency) ** 2)), abs=0.01)


def test_no_amount_changes_nothing():
    image = wave(0.1, 31).astype(np.float32)
    assert sharpened(image, 0, 2) is image


def test_random_pairs_are_sharpened_as_drawn():
    values = read_yaml(ROOT / "params.yaml")
    quiet = {"blur_sigma": [0, 0], "resize": [1, 1], "noise_sigma": [0, 0], "jpeg_quality": [100, 100], "light": "coded"}
    values["recipes"]["random"] |= quiet | {"sharpen": [0.5, 0.9], "sharpen_sigma": [1, 2]}
    recipe = parse(values).recipes["random"]
    clean = np.rint(wave(0.09, 63)).astype(np.uint8)
    image, _, draw = degrade(clean, np.random.default_rng(1), How(recipe))
    assert 0.5 < draw["sharpen"] < 0.9 and 1 < draw["sharpen_sigma"] < 2
    wanted = 1 + draw["sharpen"] * (1 - np.exp(-2 * (np.pi * draw["sharpen_sigma"] * 0.09) ** 2))
    assert amplitude(image, 0.09) / amplitude(clean, 0.09) == pytest.approx(wanted, abs=0.02)
    with pytest.raises(ParamsError, match="sharpen_sigma"):
        values["recipes"]["random"]["sharpen_sigma"] = [0, 1]
        parse(values)


def test_the_built_in_camera_sharpens_as_a_phone_does():
    """A gain of 1.19 at 0.07 cycles per pixel is City100's iPhone; its lens takes part of it."""
    builtin = load(ROOT / "params.yaml").builtin["demo"]
    quiet = builtin.camera.model_copy(update={"shot_variance": (0, 0), "read_sigma": (0, 0), "jpeg_quality": (100, 100)})
    frequency, contrast = 0.07, 8  # so little that the curve between light and levels is straight
    scene = np.rint(wave(frequency / builtin.scale, 256, contrast)[:, :256]).astype(np.uint8)
    gains = [amplitude(capture(scene, builtin.scale, quiet, np.random.default_rng(i)), frequency) / contrast for i in range(20)]
    assert np.mean(gains) == pytest.approx(1.19, abs=0.02)
