import cv2
import numpy as np
import pytest
from conftest import smooth_image
from scipy import ndimage

from pipeline.degrade.bicubic import resize, resize_uint8
from pipeline.score.diagnostics import drift, mean_energy, residual, sharpness


@pytest.fixture
def source():
    """An input that leaves room below and above; enlarged 4 times it fills whole blocks."""
    return (40 + smooth_image(np.random.default_rng(0), 24, 32) * 0.6).astype(np.uint8)


def checkerboard(image: np.ndarray, amplitude: int) -> np.ndarray:
    """The image with `amplitude` added and taken away from pixel to pixel; it has to leave room for that."""
    sign = 1 - 2 * (np.indices(image.shape[:2]).sum(0) % 2)[..., None]
    return (image + amplitude * sign).astype(np.uint8)


def test_the_enlarged_input_has_neither_drift_nor_residual(source):
    enlarged = resize_uint8(source, 96, 128)
    assert drift(enlarged, source) < 0.1 and residual(enlarged, source) < 3  # bicubic there and back blurs edges
    assert drift(source, source) == residual(source, source) == 0


def test_a_shift_of_one_channel_is_its_rms_over_three(source):
    shifted = source.copy()
    shifted[..., 1] += 15
    for measure in (drift, residual):
        assert measure(shifted, source) == pytest.approx(15 / 3**0.5, rel=1e-4)


def test_drift_is_that_of_block_means(source):
    output = np.random.default_rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    blocks = (output - resize(source, 96, 128).astype(float)).reshape(3, 32, 4, 32, 3).mean(axis=(1, 3))
    assert drift(output, source) == pytest.approx(np.sqrt(np.mean(blocks**2)), rel=1e-4)


def test_residual_is_that_of_low_passed_images(source):
    output = np.random.default_rng(1).integers(0, 256, source.shape, dtype=np.uint8)
    smooth = ndimage.gaussian_filter(output.astype(float) - source, (1, 1, 0), mode="reflect")
    assert residual(output, source) == pytest.approx(np.sqrt(np.mean(smooth**2)), rel=1e-4)
    large = cv2.resize(output, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    reduced = resize(large, *source.shape[:2]).astype(float)
    smooth = ndimage.gaussian_filter(reduced - source, (1, 1, 0), mode="reflect")
    assert residual(large, source) == pytest.approx(np.sqrt(np.mean(smooth**2)), rel=1e-4)


def test_fine_texture_is_sharpness_and_nothing_else(source):
    room = resize_uint8(source, 96, 128)
    textured = checkerboard(room, 12)
    assert drift(textured, source) == pytest.approx(drift(room, source), abs=0.01)
    assert residual(textured, source) == pytest.approx(residual(room, source), abs=0.05)
    assert sharpness(textured, 1) > sharpness(room, 1) + (11 / 255) ** 2  # a checkerboard is all in the finest band


def test_sharpness_is_one_for_the_reference_and_goes_with_the_square_of_contrast():
    rng = np.random.default_rng(0)
    clean = [2 * rng.integers(0, 128, (40 + i, 51, 3), dtype=np.uint8) for i in range(3)]
    pristine = mean_energy(clean)
    assert np.mean([sharpness(image, pristine) for image in clean]) == pytest.approx(1)
    assert sharpness(clean[0] // 2, pristine) == pytest.approx(sharpness(clean[0], pristine) / 4, rel=1e-4)
    assert sharpness(cv2.GaussianBlur(clean[0], (0, 0), 1), pristine) < 0.1


@pytest.mark.parametrize("height, width, scale", [(17, 23, 2), (5, 7, 4), (61, 33, 1)])
def test_odd_sizes(height, width, scale):
    source = smooth_image(np.random.default_rng(0), height, width)
    output = np.full((scale * height, scale * width, 3), source.mean((0, 1)).round(), np.uint8)
    assert 0 <= drift(output, source) < 128 and 0 < residual(output, source) < 128


def test_what_has_no_sharpness_is_refused():
    with pytest.raises(ValueError, match="16x16 pixels, one is 30x12"):
        sharpness(np.zeros((12, 30, 3), np.uint8), 1)
    with pytest.raises(ValueError, match="flat"):
        mean_energy([np.full((20, 20, 3), 9, np.uint8)])
