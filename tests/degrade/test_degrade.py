import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from conftest import ROOT, smooth_image
from scipy import ndimage

from pipeline.core.moire import Moire
from pipeline.core.params import ParamsError
from pipeline.core.recipes import Bicubic, Blur, Calibrated, Random, Sharpened, Unknown, UpDown
from pipeline.core.seeds import rng
from pipeline.degrade.basics import add_noise, blur, fixed_kernel, gaussian_kernel, jpeg, sigma_at
from pipeline.degrade.bicubic import downscale, resize, round_to_uint8
from pipeline.degrade.calibrate import Estimate, Measured
from pipeline.degrade.recipe import FRAMES, KINDS, SHARES, How, degrade, hidden_camera
from pipeline.degrade.transfer_estimate import Transfer

WIDE = Random(kind="random", blur_sigma=(0.2, 3), blur_ratio=(0.6, 1), resize=(0.7, 1.2), noise_sigma=(0, 6),
              jpeg_quality=(60, 97))
HIDDEN = Unknown(kind="unknown", seed=1, psf_sigma=(1.6, 2.4), psf_ratio=(0.5, 1), read_sigma=(0.3, 0.8))


def second_moments(kernel):
    radius = kernel.shape[0] // 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (kernel * x * x).sum(), (kernel * y * y).sum(), (kernel * x * y).sum()


@pytest.mark.parametrize("sigma", [0.7, 1.5, 3.0])
def test_isotropic_blur_is_scipys(sigma):
    image = smooth_image(np.random.default_rng(0), 37, 29)
    wanted = ndimage.gaussian_filter(image.astype(float), (sigma, sigma, 0), mode="reflect", truncate=4)
    np.testing.assert_allclose(blur(image, gaussian_kernel(sigma, sigma)), wanted, atol=2e-3)


def test_the_kernel_has_the_covariance_it_was_asked_for():
    kernel, angle = gaussian_kernel(2.5, 1.2, 0.6), 0.6
    assert kernel.shape == (21, 21) and kernel.sum() == pytest.approx(1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    covariance = turn @ np.diag([2.5**2, 1.2**2]) @ turn.T
    xx, yy, xy = second_moments(kernel)
    np.testing.assert_allclose([xx, yy, xy], [covariance[0, 0], covariance[1, 1], covariance[0, 1]], rtol=0.01)


def test_no_blur_is_the_identity():
    image = smooth_image(np.random.default_rng(0), 9, 12)
    assert (blur(image, gaussian_kernel(0, 0)) == image).all()


def test_noise_has_the_sigma_it_was_asked_for():
    image = np.full((200, 201, 3), 100, np.float32)
    noise = add_noise(image, 5, rng(1, "test")) - image
    assert noise.dtype == np.float32 and noise.std() == pytest.approx(5, rel=0.01) and abs(noise.mean()) < 0.05
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.02


def test_jpeg_keeps_the_channels_in_order_and_loses_more_at_lower_quality():
    red = np.zeros((16, 24, 3), np.uint8)
    red[..., 0] = 200
    assert abs(jpeg(red, 95).astype(int) - red).max() < 4
    image = smooth_image(np.random.default_rng(0), 37, 29)
    errors = [abs(jpeg(image, quality).astype(float) - image).mean() for quality in (97, 60, 10)]
    assert 0 < errors[0] < errors[1] < errors[2]


def test_bicubic_is_the_plain_downscale():
    image = smooth_image(np.random.default_rng(0), 36, 28)
    made, _, drawn = degrade(image, rng(1, "test"), How(Bicubic(kind="bicubic"), 4))
    assert (made == downscale(image, 4)).all() and drawn == {}


def test_updown_returns_to_the_size_by_the_drawn_factor():
    image = smooth_image(np.random.default_rng(0), 41, 30)
    recipe, factors = UpDown(kind="updown", factors=(2, 2.5, 3)), set()
    for index in range(20):
        made, _, drawn = degrade(image, rng(1, "test", index), How(recipe, 1))
        small = resize(image, round(41 / drawn["factor"]), round(30 / drawn["factor"]))
        assert (made == round_to_uint8(resize(small, 41, 30))).all()
        factors.add(drawn["factor"])
    assert factors == {2.0, 2.5, 3.0}


def test_random_draws_lie_in_their_ranges_and_fill_them():
    image, draws = smooth_image(np.random.default_rng(0), 24, 32), []
    for index in range(60):
        made, _, drawn = degrade(image, rng(1, "test", index), How(WIDE, 4))
        assert made.shape == (6, 8, 3) and made.dtype == np.uint8
        draws.append(drawn)
    for field in ("blur_sigma", "blur_ratio", "resize", "noise_sigma", "jpeg_quality"):
        low, high = getattr(WIDE, field)
        values = [drawn[field] for drawn in draws]
        edge = 0.15 * (high - low)
        assert low <= min(values) < low + edge and high - edge < max(values) <= high, field


def test_random_is_blur_then_both_resizes_then_noise_then_jpeg_of_the_drawn_values():
    image, draw = smooth_image(np.random.default_rng(0), 48, 64), rng(1, "test")
    made, _, drawn = degrade(image, rng(1, "test"), How(WIDE, 4))
    for low, high in (WIDE.blur_sigma, WIDE.blur_ratio, (0, np.pi), WIDE.resize, WIDE.noise_sigma, WIDE.jpeg_quality,
                      WIDE.sharpen, WIDE.sharpen_sigma):
        draw.uniform(low, high)
    kernel = gaussian_kernel(drawn["blur_sigma"], drawn["blur_sigma"] * drawn["blur_ratio"], drawn["blur_angle"])
    detour = resize(blur(image, kernel), round(48 * drawn["resize"]), round(64 * drawn["resize"]))
    noise = drawn["noise_sigma"] * draw.standard_normal((12, 16, 3), dtype=np.float32)
    assert (made == jpeg(round_to_uint8(resize(detour, 12, 16) + noise.astype(np.float32)), drawn["jpeg_quality"])).all()


def test_random_with_nothing_to_draw_is_bicubic_and_jpeg():
    image = smooth_image(np.random.default_rng(0), 24, 32)
    still = Random(kind="random", blur_sigma=(0, 0), blur_ratio=(1, 1), resize=(1, 1), noise_sigma=(0, 0),
                   jpeg_quality=(90, 90))
    made, _, _ = degrade(image, rng(1, "test"), How(still, 2))
    assert (made == jpeg(round_to_uint8(resize(image, 12, 16)), 90)).all()


def test_the_same_stream_gives_the_same_bytes_and_another_gives_others():
    image = smooth_image(np.random.default_rng(0), 24, 32)
    first, again, other = (degrade(image, rng(1, "test", index), How(WIDE, 2))[0] for index in (0, 0, 1))
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("field, value", [("jpeg_quality", (60, 101)), ("blur_ratio", (0.5, 1.5)), ("resize", (0, 1))])
def test_impossible_ranges_are_refused_by_name(field, value):
    import yaml

    from pipeline.core.params import parse
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["recipes"]["random"][field] = list(value)
    with pytest.raises(ParamsError, match=f"recipes.random.*{field}"):
        parse(values)


@pytest.mark.parametrize("size", [7, 9, 11])
def test_fixed_kernels_have_their_shape_and_size_and_sum_one(size):
    radius = size // 2
    away = np.arange(-radius, radius + 1)
    sigma = {7: 1.4, 9: 1.7, 11: 2.0}[size]  # OpenCV's 0.3 ((size - 1) / 2 - 1) + 0.8
    gaussian = np.exp(-(away[:, None] ** 2 + away**2) / (2 * sigma**2))
    np.testing.assert_allclose(fixed_kernel("gaussian", size), gaussian / gaussian.sum(), atol=1e-12)
    box = ndimage.uniform_filter(np.pad([[1.0]], radius), size, mode="constant")
    np.testing.assert_allclose(fixed_kernel("box", size), box)
    disk = fixed_kernel("disk", size)
    assert disk.shape == (size, size) and disk.sum() == pytest.approx(1)
    assert disk[radius, radius] == pytest.approx(1 / (np.pi * size**2 / 4), rel=1e-3)  # one pixel of the circle's area
    assert disk[0, 0] == 0 and 0 < disk[0, radius] < disk[1, radius] == disk[radius, radius]
    assert second_moments(disk)[0] == pytest.approx(size**2 / 16, rel=0.05)  # r^2 / 4 of a disk
    for kernel in (disk, fixed_kernel("gaussian", size)):
        np.testing.assert_allclose(kernel, np.rot90(kernel), atol=1e-15)


def test_a_kernel_blurs_as_scipy_does():
    image = smooth_image(np.random.default_rng(0), 37, 29)
    made, _, drawn = degrade(image, rng(1, "test"), How(Blur(kind="blur", shape="box", size=9, snr_db=None), 1))
    wanted = ndimage.uniform_filter(image.astype(float), (9, 9, 1), mode="reflect")
    assert made.dtype == np.uint8 and np.abs(made - wanted).max() < 0.51 and drawn == {"noise_sigma": 0}


def test_noise_has_the_blurred_signal_to_noise_ratio_it_was_asked_for():
    image = np.random.default_rng(0).uniform(0, 255, (200, 151, 3)).astype(np.float32) * (1, 0.5, 0.2)
    noise = add_noise(np.zeros_like(image), sigma_at(image, 20), rng(1, "test"))
    signal = np.mean([np.var(image[..., channel]) for channel in range(3)])
    assert 10 * np.log10(signal / np.var(noise)) == pytest.approx(20, abs=0.05)
    assert sigma_at(image + 50, 40) == pytest.approx(sigma_at(image, 20) / 10) and sigma_at(np.ones((4, 5, 3)), 40) == 0
    image = smooth_image(np.random.default_rng(0), 97, 90)
    recipe = Blur(kind="blur", shape="gaussian", size=7, snr_db=25)
    made, _, drawn = degrade(image, rng(1, "test"), How(recipe, 1))
    clean = blur(image, fixed_kernel("gaussian", 7))
    assert drawn["noise_sigma"] == pytest.approx(np.sqrt(clean.var(axis=(0, 1)).mean()) * 10**-1.25)
    assert np.std(made - clean) == pytest.approx(np.hypot(drawn["noise_sigma"], 12**-0.5), rel=0.03)  # and the rounding's


def test_a_hidden_camera_is_one_for_all_images_and_another_for_another_seed():
    camera = hidden_camera(HIDDEN)
    assert camera == hidden_camera(HIDDEN) and 1.6 <= camera["psf_sigma"] <= 2.4 and 0 <= camera["psf_angle"] < np.pi
    others = [hidden_camera(HIDDEN.model_copy(update={"seed": seed})) for seed in range(40)]
    for name, (low, high) in {"psf_sigma": (1.6, 2.4), "psf_ratio": (0.5, 1), "psf_angle": (0, np.pi),
                              "read_sigma": (0.3, 0.8)}.items():
        values = [other[name] for other in others]
        assert low <= min(values) < low + 0.2 * (high - low) and high - 0.2 * (high - low) < max(values) <= high
    step = np.zeros((64, 64, 3), np.uint8)
    step[:, 32:] = 200
    still = HIDDEN.model_copy(update={"read_sigma": (0, 0)})
    made = [degrade(step, rng(seed, "test", index), How(still, 4))[0] for seed, index in ((1, 0), (2, 7))]
    assert (made[0] == made[1]).all() and made[0].shape == (16, 16, 3)


def test_a_hidden_camera_sees_through_its_point_spread_without_a_shift():
    image = smooth_image(np.random.default_rng(0), 48, 64)
    recipe = Unknown(kind="unknown", seed=3, psf_sigma=(2, 2), psf_ratio=(1, 1), read_sigma=(0, 0))
    made, _, drawn = degrade(image, rng(1, "test"), How(recipe, 4))
    light = ndimage.gaussian_filter(image.astype(float), (2, 2, 0), mode="reflect", truncate=4)
    centres = light.reshape(12, 4, 16, 4, 3)[:, 1:3, :, 1:3].mean((1, 3))
    assert np.abs(made - centres).max() < 0.51 and drawn == {}
    noisy = HIDDEN.model_copy(update={"read_sigma": (3, 3)})
    flat, _, _ = degrade(np.full((400, 404, 3), 90, np.uint8), rng(1, "test"), How(noisy, 4))
    assert np.std(flat - 90.0) == pytest.approx(np.hypot(3, 12**-0.5), rel=0.02)


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="15x16 pixels cannot be divided by 4"):
        degrade(np.zeros((16, 15, 3), np.uint8), rng(1, "test"), How(WIDE, 4))


RECIPES = yaml.safe_load((ROOT / "params.yaml").read_text())["recipes"]
FLAT = Estimate(frequency=[0, 0.5, 0.8], measured=[[1, 1, 1]] * 3, bump=[[1, 1, 1]] * 3, tail=[[1, 0.5, 0.3]] * 3,
                noise=[[0, 1, 1]] * 3, white=1.0, contrast=[400.0, 50.0, 50.0], quality=[90], captures=4,
                clean=4)
TRANSFER = Transfer(
    parameters={"softness": {"value": 3.0}}, frequency=[0, 0.1, 0.5], measured=[1, 1, 1], gain=[1, 1.2, 0], low=[1, 1.1, 0],
    high=[1, 1.3, 0], sharpening=[1, 1.5, 1.5], softness=[1, 0.8, 0], stray=[0, 0, 0], aliased=False, residual=0.01, end=0.2,
    captures=9, clean=9, refused="")
CAMERA = Measured(FLAT, TRANSFER)
SETTINGS = {
    "bicubic": Bicubic(kind="bicubic"), "updown": UpDown(kind="updown", factors=(2, 2.5)), "random": WIDE, "unknown": HIDDEN,
    "blur": Blur(kind="blur", shape="disk", size=7, snr_db=30), "moire": Moire(**RECIPES["moire"]),
    "sharpened": Sharpened(kind="sharpened"),
    "calibrated": Calibrated(kind="calibrated", bump=(0, 1), tail_sd=0.1, stretch_sd=0.1, noise=(0.5, 1), white=(0, 2)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_degradation_makes_input_target_and_draw_and_leaves_the_image(kind):
    scale = 1 if kind in ("blur", "moire", "sharpened") else 2
    image = smooth_image(np.random.default_rng(0), 66, 74)
    how, before = How(SETTINGS[kind], scale, CAMERA, 40 if kind in FRAMES else None), image.copy()
    first, again = (degrade(image, rng(1, "test"), how) for _ in range(2))
    made, target, drawn = first
    assert made.dtype == target.dtype == np.uint8 and (image == before).all()
    assert tuple(scale * side for side in made.shape[:2]) == target.shape[:2] and json.loads(json.dumps(drawn)) == drawn
    assert (made == again[0]).all() and (target == again[1]).all() and drawn == again[2]
    if kind in FRAMES:
        assert target.shape == (40, 40, 3) and {"top", "left", "height", "width"} <= drawn.keys()
    else:
        assert (target == image).all()


def test_estimated_factors_are_shares_of_the_cameras_softness():
    image, recipe = smooth_image(np.random.default_rng(0), 40, 50), UpDown(kind="updown", factors="estimated")
    drawn = {degrade(image, rng(1, "test", index), How(recipe, 1, CAMERA))[2]["factor"] for index in range(20)}
    assert sorted(drawn) == pytest.approx([share * 3 for share in SHARES])
    sharp = CAMERA._replace(transfer=replace(TRANSFER, parameters={"softness": {"value": 1.05}}))
    made, _, draw = degrade(image, rng(1, "test"), How(recipe, 1, sharp))
    assert draw["factor"] == 1 and (made == image).all()


def test_the_cameras_sharpening_in_pairs_is_that_of_the_estimate():
    x = np.arange(128)
    wave = np.repeat((128 + 40 * np.cos(2 * np.pi * 0.1 * x))[None, :, None], 3, axis=2).round().astype(np.uint8)
    clean = np.repeat(wave, 128, axis=0)
    exact = Sharpened(kind="sharpened", sharpening=(1, 1), colour_sd=0, noise=(0, 0))
    made, _, drawn = degrade(clean, rng(1, "test"), How(exact, 1, CAMERA))
    soft, _, same = degrade(clean, rng(1, "test"), How(UpDown(kind="updown", factors="estimated"), 1, CAMERA))
    assert drawn["factor"] == same["factor"] and drawn["sharpening"] == 1
    middle = np.s_[40:-40, 40:-40, 0]
    assert made[middle].std() / soft[middle].std() == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize("kind", ["bicubic", "random", "calibrated", "blur"])
def test_linear_light_is_summed_up_and_coded_again(kind):
    scale = 1 if kind == "blur" else 2
    quiet = {"random": {"noise_sigma": (0, 0), "jpeg_quality": (100, 100), "blur_sigma": (2, 2), "resize": (1, 1)},
             "calibrated": {"white": (0, 0), "noise": (0, 0)}, "blur": {"snr_db": None}}.get(kind, {})
    board = np.zeros((128, 128, 3), np.uint8)
    board[::2, ::2] = board[1::2, 1::2] = 255
    camera = CAMERA._replace(estimate=replace(FLAT, white=0.0, quality=[]))
    coded, linear = (degrade(board, rng(1, "test"), How(SETTINGS[kind].model_copy(update=quiet | {"light": light}), scale,
                                                        camera))[0] for light in ("coded", "linear"))
    assert coded[20:-20, 20:-20].mean() == pytest.approx(127.5, abs=2)
    assert linear[20:-20, 20:-20].mean() == pytest.approx(188, abs=2)  # half of the light
