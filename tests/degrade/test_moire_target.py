"""The target of a moire pair, and where its pixels come from."""
# ruff: noqa: F811

import cv2
import numpy as np
import pytest
from conftest import smooth_image
from test_moire import RECIPES, UPRIGHT, no_jpeg, recipe  # noqa: F401

from pipeline.core.seeds import rng
from pipeline.degrade.moire.geometry import STEP, Geometry, dense, fitting
from pipeline.degrade.moire.simulate import draw, photograph


@pytest.mark.parametrize("name", RECIPES)
def test_a_target_with_the_photographs_tone_is_the_photograph_without_its_pattern(name, no_jpeg):
    uneven = {"glare": [0.05, 0.1], "vignetting": [0.3, 0.6], "headroom": [0.5, 1], "resonant": 0, "frame": 16}
    chosen = recipe(name, target_tone="photo", **uneven)
    display = cv2.GaussianBlur(smooth_image(np.random.default_rng(0), 150, 161), (0, 0), 8)
    plain = {"scale": 1.9, "antialias": 1.2, "demosaic": "bilinear", "denoise": "none", "shot_variance": 0.0,
             "read_sigma": 0.0, "unsharp": 0.0, "colour_sigma": 0.0, "blur": 0.0, "filter": "bicubic", "shift": [0.0, 0.0]}
    for index in range(6):
        drawn = draw(chosen, rng(1, "t", index)) | plain
        photos = photograph(display, (61, 70), chosen, drawn, rng(1, "n"))
        capture, target = (image[4:-4, 4:-4].astype(float) for image in photos)
        _, clean = photograph(display, (61, 70), recipe(name, target_tone="clean", **uneven), drawn, rng(1, "n"))
        assert np.abs(capture - clean[4:-4, 4:-4]).mean() > 5
        assert np.abs(capture - target).mean() < 4 and np.abs(capture - target).max() < 18


def test_black_stays_black_in_the_photographs_tone():
    chosen, black = recipe(target_tone="photo", glare=[0, 0]), np.zeros((90, 90, 3), np.uint8)
    assert (photograph(black, (24, 25), chosen, draw(chosen, rng(1, "t")), rng(1, "n"))[1] == 0).all()


def test_an_aligned_target_is_the_clean_image_itself():
    chosen, display = recipe("moire-native", target_tone="clean"), smooth_image(np.random.default_rng(0), 150, 161)
    for index in range(4):
        drawn = draw(chosen, rng(1, "t", index))
        shape = (40 + index, 57)
        rows, columns = Geometry(shape, chosen, drawn).window
        _, target = photograph(display, shape, chosen, drawn, rng(1, "noise"))
        top = (150 - rows) // 2 + (rows - shape[0]) // 2
        left = (161 - columns) // 2 + (columns - shape[1]) // 2
        assert (target == display[top : top + shape[0], left : left + shape[1]]).all()


def test_a_target_finer_than_its_pixels_is_averaged():
    checks = (np.indices((400, 400)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    chosen = recipe()
    drawn = draw(chosen, rng(1, "t")) | UPRIGHT | {"scale": 0.31}
    _, target = photograph(checks, (64, 64), chosen, drawn, rng(1, "t"))
    assert np.abs(target[8:-8, 8:-8].astype(int) - 127).max() < 8  # sampled as it is, it would be full of moire


def test_the_map_between_its_knots():
    chosen = recipe()
    for index in range(20):
        drawn = draw(chosen, rng(1, "map", index))
        geometry = Geometry((128, 128), chosen, drawn)
        (made,) = dense(geometry.screen_at, -60.5, -63.5, 128, 121)
        x, y = np.meshgrid(np.arange(121) - 60.5, np.arange(128) - 63.5)
        assert np.abs(made - np.dstack(geometry.screen_at(x, y))).max() < 0.02, STEP
        back = geometry.camera_at(*geometry.screen_at(x, y))
        np.testing.assert_allclose(back, (x, y), atol=1e-4)


def test_a_small_display_goes_on_mirrored():
    chosen, display = recipe(), smooth_image(np.random.default_rng(0), 30, 24)
    drawn = draw(chosen, rng(1, "t")) | UPRIGHT | {"scale": 1.2, "tilt": 0.0}
    rows, columns = Geometry((64, 64), chosen, drawn).window
    assert rows > 30 and columns > 24
    wide = cv2.copyMakeBorder(display, 30, 30, 24, 24, cv2.BORDER_REFLECT)
    for small, large in zip(photograph(display, (64, 64), chosen, drawn, rng(1, "n")),
                            photograph(wide, (64, 64), chosen, drawn, rng(1, "n"))):
        assert (small == large).all()


@pytest.mark.parametrize("name", RECIPES)
def test_whole_images_are_seen_from_edge_to_edge(name):
    chosen = recipe(name, whole=64)
    for index in range(10):
        drawn = draw(chosen, rng(1, "fit", index))
        for sides in ((50, 41), (300, 90)):
            height, width = fitting(sides, chosen, drawn)
            assert height % 8 == width % 8 == 0 and 8 <= max(height, width) <= 64
            window = Geometry((height, width), chosen, drawn).window
            assert (window <= np.array(sides) + 2).all() or min(height, width) == 8
