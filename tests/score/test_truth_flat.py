"""Residual moire and noise where the truth is flat, and tone-aligned PSNR."""
import numpy as np
import pytest
from conftest import smooth_image
from scipy import ndimage

from pipeline.score.fidelity import aligned_psnr, psnr
from pipeline.score.flat import flat_area_noise, flat_mask, moire_energy


@pytest.fixture
def truth():
    """A panel of gentle gradient between textured halves, of odd size."""
    image = smooth_image(np.random.default_rng(0), 97, 141)
    panel = 90 + np.arange(71)[None, :, None] / 3 + np.array([0, 20, 40])
    image[11:90, 40:111] = panel.astype(np.uint8)
    return image


def disturbed(truth, seed=1):
    draw = np.random.default_rng(seed)
    wave = 12 * np.sin(np.arange(truth.shape[1]) / 1.7)[None, :, None] * np.array([1, -0.5, 0.3])
    return np.clip(np.round(truth + wave + draw.normal(0, 4, truth.shape)), 0, 255).astype(np.uint8)


def mask_by_definition(truth):
    height, width, _ = truth.shape
    found = np.zeros((height, width), bool)
    for y in range(height):
        for x in range(width):
            window = truth[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5].astype(int).reshape(-1, 3)
            found[y, x] = (window.max(0) - window.min(0)).max() <= 8
    return found


def smooth_by_definition(difference, mask, sigma):
    total, weight = (ndimage.gaussian_filter(x, (sigma, sigma, 0), mode="constant")
                     for x in (difference * mask[..., None], mask[..., None].astype(float)))
    return total / np.maximum(weight, 1e-30)


def test_flat_is_what_varies_little_around(truth):
    mask = flat_mask(truth)
    np.testing.assert_array_equal(mask, mask_by_definition(truth))
    assert mask[50, 75] and not mask[12, 75] and 0.2 < mask.mean() < 0.6


@pytest.mark.parametrize("border", [0, 5])
def test_the_bands_are_gaussian_means_within_the_flat_area(truth, border):
    output = disturbed(truth)
    inner = np.s_[border : 97 - border, border : 141 - border]
    difference, mask = (output[inner].astype(float) - truth[inner]), mask_by_definition(truth[inner])
    fine, coarse = (smooth_by_definition(difference, mask, sigma) for sigma in (0.75, 7.5))
    assert moire_energy(output, truth, border) == pytest.approx(np.sqrt(np.mean((fine - coarse)[mask] ** 2)), rel=1e-4)
    impulse = np.zeros((21, 21))
    impulse[10, 10] = 1
    gain = np.sqrt(np.sum((impulse - ndimage.gaussian_filter(impulse, 0.75)) ** 2))
    wanted = np.sqrt(np.mean((difference - fine)[mask] ** 2)) / gain
    assert flat_area_noise(output, truth, border) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("wavelength, in_band", [(2.2, False), (4, True), (12, True), (40, True), (110, False)])
def test_a_wave_counts_by_the_gain_at_its_wavelength(wavelength, in_band):
    truth = np.full((221, 441, 3), 128, np.uint8)
    wave = np.round(128 + 40 * np.sin(2 * np.pi * np.arange(441) / wavelength)).astype(np.uint8)
    output = np.broadcast_to(wave[None, :, None], truth.shape).copy()
    gain = np.exp(-2 * (np.pi * 0.75 / wavelength) ** 2) - np.exp(-2 * (np.pi * 7.5 / wavelength) ** 2)
    found = moire_energy(output, truth) / (40 / 2**0.5)
    assert found == pytest.approx(gain, abs=0.05) and (found > 0.45) == in_band


@pytest.mark.parametrize("sigma", [2, 7])
def test_white_noise_is_read_as_it_is(sigma):
    truth = np.full((151, 173, 3), 128, np.uint8)
    output = np.round(128 + np.random.default_rng(0).normal(0, sigma, truth.shape)).astype(np.uint8)
    deviation = np.hypot(sigma, 12**-0.5)  # rounding
    assert flat_area_noise(output, truth) == pytest.approx(deviation, rel=0.02)
    assert moire_energy(output, truth) == pytest.approx(0.37 * deviation, rel=0.03)


def test_what_is_beside_flat_areas_and_shifts_of_tone_do_not_count(truth):
    output = truth.copy()
    output[~flat_mask(truth)] = 255 - output[~flat_mask(truth)]
    output[flat_mask(truth)] += np.array([5, 0, 9], np.uint8)
    assert moire_energy(output, truth) < 1e-3 and flat_area_noise(output, truth) < 1e-3


@pytest.mark.parametrize("measure", [moire_energy, flat_area_noise])
def test_identical_constant_and_small_images(measure, truth):
    assert measure(truth, truth.copy()) == 0
    grey = np.full((33, 35, 3), 90, np.uint8)
    assert measure(grey, grey) == 0 and measure(grey + 7, grey) < 1e-4
    with pytest.raises(ValueError, match="the truth has no flat area: 0 pixels of it, wanted 1024"):
        measure(truth, np.random.default_rng(0).integers(0, 256, truth.shape, dtype=np.uint8))
    with pytest.raises(ValueError, match="no flat area: 1023 pixels"):
        measure(grey[:31, :33], grey[:31, :33])
    with pytest.raises(ValueError, match="one shape"):
        measure(truth[1:], truth)


def test_a_truth_that_is_flat_in_luma_alone_is_not_flat():
    truth = np.full((40, 41, 3), 128, np.uint8)
    truth[:, ::2] = (128, 117, 185)  # the same luma, to less than a level
    assert not flat_mask(truth).any()


@pytest.mark.parametrize("border", [0, 3])
def test_aligned_psnr_is_that_of_a_fitted_line_per_channel(truth, border):
    output = np.clip(disturbed(truth) * 0.7 + np.array([30, 10, 0]), 0, 255).astype(np.uint8)
    inner = np.s_[border : 97 - border, border : 141 - border]
    errors = []
    for channel in range(3):
        x, y = output[inner][..., channel].ravel().astype(float), truth[inner][..., channel].ravel().astype(float)
        errors.append(np.mean((np.polyval(np.polyfit(x, y, 1), x) - y) ** 2))
    wanted = 10 * np.log10(255**2 / np.mean(errors))
    assert aligned_psnr(output, truth, border) == pytest.approx(wanted, abs=1e-6)
    assert aligned_psnr(output, truth, border) > psnr(output, truth, border) + 1


def test_aligned_psnr_sees_no_tone(truth):
    output = np.minimum(disturbed(truth) // 2, 120)
    toned = 2 * output + np.array([3, 0, 14], np.uint8)  # exact in 8 bits
    assert aligned_psnr(toned, truth) == pytest.approx(aligned_psnr(output, truth), abs=1e-9)
    darker, brighter = truth // 4 + 10, (truth // 4) * 3 + 20
    assert aligned_psnr(brighter, darker) == float("inf") and psnr(brighter, darker) < 25


@pytest.mark.filterwarnings("error")
def test_aligned_psnr_of_identical_and_constant_images(truth):
    grey = np.full((13, 17, 3), 90, np.uint8)
    assert aligned_psnr(truth, truth.copy()) == aligned_psnr(grey, grey) == aligned_psnr(grey + 9, grey) == float("inf")
    image = truth[:13, :17]
    wanted = 10 * np.log10(255**2 / np.mean(image.astype(float).var(axis=(0, 1))))
    assert aligned_psnr(grey, image) == pytest.approx(wanted)
    with pytest.raises(ValueError, match="one shape"):
        aligned_psnr(truth[1:], truth)
