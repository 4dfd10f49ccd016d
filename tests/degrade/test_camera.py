import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pipeline.core.seeds import rng
from pipeline.core.sources import Camera
from pipeline.degrade import camera as module
from pipeline.degrade.camera import (
    bilinear_demosaic,
    capture,
    point_spread,
    sample_camera,
    shot_noise,
    to_linear,
    to_srgb,
)
from pipeline.degrade.moire.sensor import cfa

IDEAL = {"psf_sigma": (0, 0), "psf_ratio": (1, 1), "shot_variance": (0, 0), "read_sigma": (0, 0),
         "jpeg_quality": (100, 100), "motion_length": (0, 0), "sharpen": (0, 0), "mosaic": False}


def camera(**changes) -> Camera:
    return Camera(**IDEAL | changes)


@pytest.fixture
def no_jpeg(monkeypatch):
    monkeypatch.setattr(module, "jpeg", lambda image, quality: image)


def soft_scene(height=64, width=96) -> np.ndarray:
    noise = np.random.default_rng(1).uniform(0, 255, (height, width, 3))
    soft = cv2.GaussianBlur(noise, (0, 0), 6)
    return np.rint((soft - soft.min()) / np.ptp(soft) * 255).astype(np.uint8)


def test_srgb_curve_against_published_values():
    light = to_linear(np.array([0, 1, 10, 11, 128, 188, 255], np.uint8))
    assert np.allclose(light, [0, 0.000303527, 0.003035270, 0.003346536, 0.215860500, 0.502886458, 1], rtol=1e-6)
    assert np.allclose(to_srgb(np.float32([0, 0.0031308, 0.5, 1])), [0, 0.040450, 0.735357, 1], atol=1e-6)


def test_srgb_curve_and_back():
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(np.rint(to_srgb(to_linear(levels)) * 255), levels)
    assert np.allclose(to_srgb(np.float32([-0.5, 1.5])), [0, 1])


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("changes", [
    {}, {"psf_sigma": (2, 3), "motion_length": (2, 6)}, {"mosaic": True}, {"sharpen": (0.5, 1)}])
def test_a_constant_stays_constant(scale, changes):
    scene = np.full((12 * scale, 15 * scale, 3), (200, 90, 30), np.uint8)
    image = capture(scene, scale, camera(**changes), rng(1, "t"))
    assert image.shape == (12, 15, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(int) - (200, 90, 30)).max() <= 2  # JPEG's colour conversion


def test_black_and_white_average_in_linear_light(no_jpeg):
    scene = np.zeros((32, 48, 3), np.uint8)
    scene[:, ::2] = 255
    image = capture(scene, 2, camera(), rng(1, "t"))
    assert (image == 188).all()  # half the light; an average of the encoded values would be 128


def test_at_scale_one_the_ideal_camera_sees_the_scene(no_jpeg):
    scene = np.random.default_rng(0).integers(0, 256, (17, 23, 3), dtype=np.uint8)
    assert np.array_equal(capture(scene, 1, camera(), rng(1, "t")), scene)


@pytest.mark.parametrize("scale, rows", [(1, [0]), (2, [0, 1]), (3, [1]), (4, [1, 2])])
def test_a_sensor_cell_sees_its_centre(scale, rows):
    light = np.random.default_rng(0).uniform(size=(5 * scale, 7 * scale, 3)).astype(np.float32)
    cells = light.reshape(5, scale, 7, scale, 3)[:, rows][:, :, :, rows]
    assert np.allclose(sample_camera(light, scale), cells.mean((1, 3)), atol=1e-6)


def moments(kernel):
    radius = len(kernel) // 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.array([[(kernel * a * b).sum() for a in (x, y)] for b in (x, y)])


@pytest.mark.parametrize("sigma, ratio, angle, motion, heading", [
    (2.0, 1.0, 0.0, 0, 0), (2.5, 0.6, 0.7, 0, 0), (1.8, 0.8, 2.0, 5, 0.4), (3.0, 0.5, 3.0, 3, 2.5)])
def test_point_spread_has_the_covariance_of_gaussian_plus_line(sigma, ratio, angle, motion, heading):
    kernel = point_spread(sigma, ratio, angle, motion, heading)
    assert kernel.shape[0] == kernel.shape[1] and len(kernel) % 2 == 1 and abs(kernel.sum() - 1) < 1e-6
    assert np.allclose(kernel, kernel[::-1, ::-1], atol=1e-9)  # nothing moves
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    way = np.array([np.cos(heading), np.sin(heading)])
    wanted = turn @ np.diag([sigma**2, (sigma * ratio) ** 2]) @ turn.T + motion**2 / 12 * np.outer(way, way)
    assert np.abs(moments(kernel.astype(float)) - wanted).max() < 0.02 * sigma**2 + 0.015 * motion**2


def test_point_spread_without_width_is_a_point():
    kernel = point_spread(0, 0, 0.3)
    assert kernel[len(kernel) // 2, len(kernel) // 2] > 0.9999
    streak = point_spread(0, 1, 0, 4, 0)
    assert np.isfinite(streak).all() and streak[len(streak) // 2].sum() > 0.99  # all in one row


def test_blur_against_scipy_in_linear_light(no_jpeg):
    scene = soft_scene()
    image = capture(scene, 1, camera(psf_sigma=(2, 2)), rng(1, "t"))
    value = scene / 255
    light = np.where(scene > 10, ((value + 0.055) / 1.055) ** 2.4, value / 12.92)
    light = gaussian_filter(light, (2, 2, 0), mode="mirror")
    wanted = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    assert np.abs(image - wanted).max() <= 0.6


@pytest.mark.parametrize("signal", [0.05, 0.2, 0.6])
def test_shot_noise_has_a_variance_proportional_to_the_signal(signal):
    light = np.full((300, 300, 3), signal, np.float32)
    noisy = shot_noise(light, 4e-4, rng(1, "t"))
    assert abs(noisy.var() / (4e-4 * signal) - 1) < 0.02  # 270,000 samples: sd 0.3 %
    assert abs(noisy.mean() - signal) < 1e-4


def test_shot_noise_in_the_dark():
    assert (shot_noise(np.zeros((9, 9, 3), np.float32), 1e-3, rng(1, "t")) == 0).all()


def test_read_noise_is_in_levels_after_the_curve(no_jpeg):
    for level in (60, 180):
        scene = np.full((200, 200, 3), level, np.uint8)
        image = capture(scene, 1, camera(read_sigma=(3, 3)), rng(1, "t")).astype(float)
        assert abs(image.std() / np.sqrt(9 + 1 / 12) - 1) < 0.02 and abs(image.mean() - level) < 0.05  # 1/12: rounding


def test_shot_noise_reaches_the_picture_through_the_curve(no_jpeg):
    scene = np.full((200, 200, 3), 128, np.uint8)
    image = capture(scene, 1, camera(shot_variance=(2e-4, 2e-4)), rng(1, "t")).astype(float)
    light = 0.2158605
    slope = 1.055 / 2.4 * light ** (1 / 2.4 - 1)
    assert abs(image.var() / ((255 * slope) ** 2 * 2e-4 * light + 1 / 12) - 1) < 0.03


def test_sharpening_against_scipy(no_jpeg):
    scene = soft_scene()
    image = capture(scene, 1, camera(sharpen=(0.8, 0.8)), rng(1, "t"))
    wanted = scene + 0.8 * (scene - gaussian_filter(scene.astype(float), (1, 1, 0), mode="mirror"))
    assert np.abs(image - np.clip(wanted, 0, 255)).max() <= 0.6


def test_mosaic_is_rggb():
    light = np.zeros((4, 6, 3), np.float32)
    light[:] = (0.1, 0.2, 0.3)
    assert np.allclose(cfa(light, "RGGB"), np.tile([[0.1, 0.2], [0.2, 0.3]], (2, 3)))


@pytest.mark.parametrize("height, width", [(32, 48), (31, 47), (3, 5)])
def test_demosaicing_restores_constants_exactly_and_soft_images_nearly(height, width):
    constant = np.full((height, width, 3), (0.1, 0.5, 0.9), np.float32)
    assert np.abs(bilinear_demosaic(cfa(constant, "RGGB")) - constant).max() < 2e-5
    soft = to_linear(soft_scene(64, 96))[:height, :width]
    if height > 10:
        error = np.abs(bilinear_demosaic(cfa(soft, "RGGB")) - soft)[2:-2, 2:-2]
        assert error.max() < 0.03  # a sample off by one pixel errs by 0.08


def test_jpeg_quality_acts():
    scene = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    seen = [capture(scene, 1, camera(jpeg_quality=(quality, quality)), rng(1, "t")) for quality in (30, 70, 95)]
    errors = [np.abs(image.astype(int) - scene).mean() for image in seen]
    assert errors[0] > errors[1] > errors[2] > 0


def test_the_stream_decides_and_nothing_else():
    scene = soft_scene()
    real = camera(psf_sigma=(1.8, 2.8), read_sigma=(1, 4), jpeg_quality=(70, 92), shot_variance=(5e-5, 4e-4))
    first, again, other = (capture(scene, 4, real, rng(1, "t", k)) for k in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize("height, width", [(65, 96), (64, 95)])
def test_sides_that_are_no_multiples_of_the_scale(height, width):
    with pytest.raises(ValueError, match=f"scene is {width}x{height}, wanted sides that are multiples of 4"):
        capture(np.zeros((height, width, 3), np.uint8), 4, camera(), rng(1, "t"))
