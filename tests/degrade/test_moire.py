"""The moire simulator as a whole."""
import json

import cv2
import numpy as np
import pytest
import yaml
from conftest import ROOT, smooth_image

from bench.moire import recipe_of
from pipeline.core.moire import Moire
from pipeline.core.params import ParamsError, parse
from pipeline.core.seeds import rng
from pipeline.degrade.camera import to_linear, to_srgb
from pipeline.degrade.moire import downsample, sensor, simulate
from pipeline.degrade.moire.geometry import Geometry
from pipeline.degrade.moire.mosaic import LAYOUTS
from pipeline.degrade.moire.simulate import draw, photograph

RECIPES = {name: yaml.safe_load((ROOT / file).read_text())["recipes"][name]
           for name, file in (("moire", "params.yaml"), ("moire-native", "presets/demoire.yaml"))}
UPRIGHT = {"rotation": 0.0, "tilt": 0.0, "distortion": 0.0, "phase": [0.0, 0.0]}
PLAIN = {"demosaic": "bilinear", "denoise": "none", "colour_sigma": 0.0, "unsharp": 0.0, "exposure": 0.0, "balance": [0.0, 0.0],
         "crosstalk": 0.0, "shot_variance": 0.0, "read_sigma": 0.0}


def recipe(name="moire", **changes) -> Moire:
    return Moire(**RECIPES[name] | changes)


@pytest.fixture
def no_jpeg(monkeypatch):
    for module in (simulate, downsample):
        monkeypatch.setattr(module, "jpeg", lambda image, quality: image)


def texture(rng, sigma=1.5) -> np.ndarray:
    """A grey field of blobs, of mean 0 and standard deviation 1, for a display of 192 pixels."""
    field = cv2.GaussianBlur(rng.standard_normal((192, 192)), (0, 0), sigma)
    return ((field - field.mean()) / field.std())[..., None].repeat(3, axis=2)


def shift_between(image, target) -> float:
    """Distance in pixels by which `image` is off: the peak of the cross-correlation, of waves longer than some 10 pixels."""
    size = len(image)
    window, f = np.outer(np.hanning(size), np.hanning(size)), np.fft.fftfreq(size)
    ours, theirs = (np.fft.fft2((part - part.mean()) * window) for part in (image, target))
    cross = ours * theirs.conj() * np.exp(-((f[:, None] ** 2 + f**2) / 0.08**2))
    tried = np.arange(-80, 81) / 100
    waves = np.exp(2j * np.pi * tried[:, None] * f)
    peak = np.unravel_index((waves @ cross @ waves.T).real.argmax(), (len(tried),) * 2)
    return float(np.hypot(*tried[list(peak)]))


def misalignments(chosen: Moire, pairs: int, size: int, amplitude: float) -> np.ndarray:
    """For each pair the shift of its green channel. Two photographs by the same camera, of a texture and of its negative: in
    their difference what the moire adds cancels, and what is left of the texture lies where the camera put it."""
    shifts = []
    for index in range(pairs):
        stream = rng(3, "aligned", index)
        drawn, blobs = draw(chosen, stream), amplitude * texture(stream)
        drawn |= {"shot_variance": 0.0, "read_sigma": 0.0}
        shots = [photograph(np.clip(110 + sign * blobs, 0, 255).astype(np.uint8), (size, size), chosen, drawn, stream)
                 for sign in (1, -1)]
        difference = [shots[0][side][..., 1].astype(float) - shots[1][side][..., 1] for side in (0, 1)]
        shifts.append(shift_between(*difference))
    return np.array(shifts)


def test_green_is_aligned_with_its_target_in_a_hundred_pairs(no_jpeg):
    shifts = misalignments(recipe(), 100, 87, 30)
    assert shifts.max() < 0.1 and shifts.mean() < 0.02


def test_a_shifted_target_would_be_noticed(no_jpeg, monkeypatch):
    monkeypatch.setattr(simulate.Geometry, "clean_of_capture",
                        lambda self, x, y, right=Geometry.clean_of_capture: right(self, x + 0.15, y))
    assert misalignments(recipe(), 4, 87, 30).min() > 0.1


@pytest.mark.parametrize("changes, down", [({}, {}), ({"zoom": [1, 1]}, {}), ({}, {"align": False}), ({}, {"squeeze": 0.8})])
def test_reduced_captures_are_aligned_too(no_jpeg, changes, down):
    still = RECIPES["moire-native"]["downsample"] | {"shift_sd": 0, "reduce": [1.6, 2.4]} | down
    shifts = misalignments(recipe("moire-native", downsample=still, antialias=[0.4, 0.6], **changes), 8, 63, 20)
    assert shifts.max() < 0.1


def test_misregistration_is_what_was_drawn(no_jpeg):
    shifted = RECIPES["moire-native"]["downsample"] | {"shift_sd": 0.25, "reduce": [2, 2]}
    chosen = recipe("moire-native", downsample=shifted, antialias=[0.4, 0.6])
    drawn = [np.hypot(*(draw(chosen, rng(3, "aligned", index))["shift"])) for index in range(8)]
    np.testing.assert_allclose(misalignments(chosen, 8, 63, 20), drawn, atol=0.1)


def beat(scale, rotation, channel, lattice):
    """Where the fundamental of vertical stripes is seen: its alias nearest to 0, by the reciprocal lattice of the channel."""
    turn = np.deg2rad(rotation)
    aliases = np.array([np.cos(turn), np.sin(turn)]) / scale - lattice
    return aliases[np.hypot(*aliases.T).argmin()]


STEPS = np.array([(a, b) for a in range(-4, 5) for b in range(-4, 5)]) / 2
SITES = {0: STEPS, 1: STEPS[np.rint(2 * STEPS.sum(axis=1)) % 2 == 0]}  # red on every second row and column, green on a quincunx


@pytest.mark.parametrize("scale, rotation, channel", [(2.1, 3, 0), (1.9, -4, 0), (1.06, 2, 0), (1.06, 2, 1), (0.94, -3, 1)])
def test_a_flat_grey_screen_beats_where_theory_says(no_jpeg, scale, rotation, channel):
    chosen = recipe()
    drawn = draw(chosen, rng(1, "beat")) | UPRIGHT | PLAIN
    drawn |= {"layout": "stripe", "scale": scale, "rotation": float(rotation), "antialias": 0.4, "pattern": "RGGB"}
    grey = np.full((280, 280, 3), 128, np.uint8)
    plane = photograph(grey, (192, 192), chosen, drawn, rng(1, "beat"))[0][..., channel].astype(float)
    window = np.outer(np.hanning(192), np.hanning(192))
    spectrum = np.abs(np.fft.fft2((plane - plane.mean()) * window, (768, 768)))
    f = np.fft.fftfreq(768)
    spectrum[np.hypot(f[:, None], f) > 0.25] = 0  # the pattern of stripes itself may be seen beside its beat
    row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
    found, wanted = np.array([f[column], f[row]]), beat(scale, rotation, channel, SITES[channel])
    assert min(np.abs(found - wanted).max(), np.abs(found + wanted).max()) < 1 / 768 + 1e-9
    assert 2 * spectrum.max() / window.sum() > 1  # levels


@pytest.mark.parametrize("scale, sigma", [(1.6, 0.75), (1.1, 0.45), (0.8, 0.45)])
@pytest.mark.parametrize("layout", ["stripe", "krgb", "pentile"])
def test_the_samples_of_light_make_no_moire_of_their_own(monkeypatch, scale, sigma, layout):
    chosen = recipe()
    drawn = draw(chosen, rng(1, "dense")) | UPRIGHT | PLAIN | {"layout": layout, "scale": scale, "rotation": 4.0,
                                                               "antialias": sigma, "exposure": -1.0}
    raws = []
    monkeypatch.setattr(simulate, "_develop",
                        lambda raw, drawn: raws.append(raw / 65535) or np.zeros((*raw.shape, 3), np.uint8))
    grey = np.full((90, 90, 3), 188, np.uint8)  # a light of 0.5, a quarter after the exposure
    many = (np.arange(144)[:, None] * (1, 55) / 144 + 0.5) % 1 - 0.5
    for places in (sensor.points(scale, sigma), many):
        monkeypatch.setattr(sensor, "points", lambda scale, sigma, places=places: places)
        photograph(grey, (56, 56), chosen, drawn, rng(1, "dense"))
    assert np.std(raws[0] - raws[1]) / 0.25 < 0.04
    square = np.array([(a, b) for a in (-0.25, 0.25) for b in (-0.25, 0.25)])
    monkeypatch.setattr(sensor, "points", lambda scale, sigma: square)
    photograph(grey, (56, 56), chosen, drawn, rng(1, "dense"))
    assert np.std(raws[2] - raws[1]) > np.std(raws[0] - raws[1])  # 2x2 points are worse


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", RECIPES)
def test_grey_comes_out_as_bright_as_it_is(layout, name):
    chosen = recipe(name, glare=[0, 0], vignetting=[0, 0], headroom=[0, 0])
    drawn = draw(chosen, rng(1, "grey")) | PLAIN | {"layout": layout, "scale": 1.9, "antialias": 1.2, "contrast": 1.0,
                                                    "brightness": 0.0, "crosstalk": 0.2}
    capture, target = photograph(np.full((150, 150, 3), 128, np.uint8), (72, 72), chosen, drawn, rng(1, "grey"))
    assert (target == 128).all()
    light = to_linear(capture).mean((0, 1), dtype=float)
    np.testing.assert_allclose(255 * to_srgb(light), 128, atol=1.5)


@pytest.mark.parametrize("name", RECIPES)
def test_the_same_draws_and_noise_give_the_same_bytes(name):
    chosen, display = recipe(name, target_tone="clean"), smooth_image(np.random.default_rng(0), 120, 131)
    drawn = json.loads(json.dumps(draw(chosen, rng(1, "t"))))  # as it is recorded
    assert drawn == draw(chosen, rng(1, "t"))
    first, again, other = (photograph(display, (41, 50), chosen, drawn, rng(seed, "noise")) for seed in (1, 1, 2))
    assert first[0].shape == first[1].shape == (41, 50, 3) and first[0].dtype == first[1].dtype == np.uint8
    assert (first[0] == again[0]).all() and (first[1] == again[1]).all()
    assert (first[0] != other[0]).any() and (first[1] == other[1]).all()


def test_draws_fill_their_ranges():
    chosen = recipe("moire-native", resonant=0)
    draws = [draw(chosen, rng(1, "ranges", index)) for index in range(200)]
    for field in ("scale", "tilt", "focal", "distortion", "antialias", "exposure", "crosstalk", "read_sigma", "unsharp"):
        low, high = getattr(chosen, field)
        values = np.array([drawn[field] for drawn in draws])
        assert low <= values.min() < low + 0.1 * (high - low) and high - 0.1 * (high - low) < values.max() <= high, field
    assert {drawn["layout"] for drawn in draws} == set(chosen.layouts)
    chosen = recipe(resonances=(2.0,), resonant=1, resonance_sd=0.05)
    near = [draw(chosen, rng(1, "near", index))["scale"] for index in range(200)]
    assert np.std(np.log(near)) == pytest.approx(0.05, rel=0.2) and np.median(near) == pytest.approx(2, rel=0.02)


def test_what_is_left_out_draws_nothing_and_the_rest_stays():
    without = {"glare": [0, 0], "vignetting": [0, 0], "headroom": [0, 0]}
    plain, some = draw(recipe("moire-native", **without), rng(1, "t")), {"glare": [0.1, 0.3], "vignetting": [0.2, 0.4]}
    some |= {"headroom": [0.5, 1]}
    for fields in (some, *({field: some[field]} for field in some)):
        drawn = draw(recipe("moire-native", **without | fields), rng(1, "t"))
        assert plain.items() <= drawn.items() and not plain.keys() & without.keys()
        assert all(low <= drawn[field] <= high for field, (low, high) in fields.items())


def test_a_bilinear_reduction_keeps_what_an_antialiased_one_averages_away():
    chosen = recipe("moire-native")
    drawn = draw(chosen, rng(1, "t")) | UPRIGHT | {"shift": [0.0, 0.0], "blur": 0.0, "contrast": 1.0, "brightness": 0.0}
    geometry = Geometry((40, 40), chosen, drawn)
    rows = np.where(np.arange(geometry.camera[0]) % 3 < 1, 200, 100).astype(np.uint8)
    photo = np.broadcast_to(rows[:, None, None], (*geometry.camera, 3)).copy()
    spread = {name: downsample.downsample(photo, geometry, drawn | {"filter": name})[5:-5, 5:-5, 1].std()
              for name in ("bicubic", "bilinear")}
    assert spread["bilinear"] > 15 and spread["bicubic"] < spread["bilinear"] / 3


def test_a_reflection_lightens_what_is_dark():
    chosen = recipe("moire-native", glare=[0.1, 0.1], vignetting=[0, 0], headroom=[0, 0])
    black = np.zeros((90, 90, 3), np.uint8)
    drawn = draw(chosen, rng(1, "t")) | {"read_sigma": 0.0, "shot_variance": 0.0, "contrast": 1.0, "brightness": 0.0}
    lit, _ = photograph(black, (40, 40), chosen, drawn | {"glare_centre": [0.0, 0.0], "part": [0.5, 0.5]}, rng(1, "t"))
    assert np.abs(lit.astype(float) - 255 * to_srgb(np.float32(0.1))).max() < 2  # neutral, and wider than this part


@pytest.mark.parametrize("name", RECIPES)
def test_the_benchmark_finds_its_recipe(name):
    assert recipe_of(name) == recipe(name)


@pytest.mark.parametrize("field, value, allowed", [
    ("scale", [0.1, 2], "got 0.1; .* greater than or equal to 0.3"),
    ("distortion", [-0.3, 0], "got -0.3; .* greater than or equal to -0.15"), ("tilt", [10, 5], "wanted .* low <= high"),
    ("jpeg_quality", [60, 101], "got 101; .* less than or equal to 100"),
    ("antialias", [0, 1], "got 0; .* greater than or equal to 0.2"),
    ("layouts", ["oled"], "'stripe', 'bgr', 'krgb', 'turned' or 'pentile'"),
    ("patterns", [], "at least 1 item"), ("resonances", [20], "less than or equal to 8"),
    ("resonant", 0.5, "got none, wanted at least one as resonant is 0.5"),
    ("frame", 3, "greater than or equal to 16"), ("layers", 1, "no such key")])
def test_impossible_ranges_are_refused_by_name(field, value, allowed):
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["recipes"]["moire"][field] = value
    with pytest.raises(ParamsError, match=rf"recipes\.moire.*({field}|resonances).*{allowed}"):
        parse(params)


def test_moire_does_not_change_the_size():
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["pairs"]["sr"]["recipe"] = "moire"
    with pytest.raises(ParamsError, match="pairs.sr.scale: 4, but the recipe 'moire' is moire: allowed is 1"):
        parse(params)
