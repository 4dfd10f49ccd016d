"""The estimate of a camera's luma transfer, on captures whose reduction, sharpening and noise are known."""
import cv2
import numpy as np
import pytest

from pipeline.degrade import transfer_estimate
from pipeline.degrade.bicubic import resize, round_to_uint8
from pipeline.degrade.spectra import Powers, frequencies, radial_power, radius
from pipeline.degrade.transfer import fit_transfer, softened
from pipeline.degrade.transfer_estimate import estimate_transfer

SIZE, BLOCK, SCENES, HALVES = 192, 64, 60, 20
F = frequencies(BLOCK)


def leaves(random: np.random.Generator) -> np.ndarray:
    """A clean scene: opaque discs with radii distributed as r^-3, each with a texture, as photographs have them."""
    canvas = np.zeros((2 * SIZE, 2 * SIZE), np.float32)
    for size in sorted(6 / np.sqrt(random.uniform(0.003, 1, 700)), reverse=True):
        centre = [int(value) for value in random.uniform(0, 2 * SIZE, 2)]
        cv2.circle(canvas, centre, int(size), float(random.uniform(30, 220)), -1)
    canvas += 6 * cv2.GaussianBlur(random.standard_normal(canvas.shape).astype(np.float32), (0, 0), 1.5)
    grey = cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.repeat(round_to_uint8(grey)[..., None], 3, axis=2)


def seen(image: np.ndarray, reduced: int, amount: float, noise: float, random: np.random.Generator) -> np.ndarray:
    """Reduced to a side of `reduced` pixels and enlarged; an unsharp mask with a Gaussian of sigma 3; white noise."""
    soft = resize(resize(image, reduced, reduced), SIZE, SIZE)
    sharp = soft + np.float32(amount) * (soft - cv2.GaussianBlur(soft, (0, 0), 3, borderType=cv2.BORDER_REFLECT))
    return round_to_uint8(sharp + np.float32(noise) * random.standard_normal(sharp.shape, np.float32))


def true_gain(reduced: int, amount: float) -> np.ndarray:
    """Measured on points at several places of the reduced image's grid, in whose mean aliases cancel."""
    kept = 0
    for place in range(9):
        point = np.zeros((SIZE, SIZE, 1), np.float32)
        point[90 + place, 90 + 2 * place % 9] = 1
        soft = resize(resize(point, reduced, reduced), SIZE, SIZE)
        kept = kept + np.fft.fft2(soft[..., 0]) / np.fft.fft2(point[..., 0]) / 9
    rings = (radius(SIZE, SIZE) * BLOCK).astype(int)
    kept = np.abs(kept[:, : SIZE // 2 + 1])
    return (1 + amount * (1 - np.exp(-2 * (np.pi * 3 * F) ** 2))) * [kept[rings == k].mean() for k in range(len(F))]


@pytest.fixture(scope="module")
def clean():
    random = np.random.default_rng(0)
    scenes = [leaves(random) for _ in range(SCENES)]
    return scenes, [radial_power([image], BLOCK).images[0] for image in scenes]


def halves(clean, amounts, seed: int):
    """(reduced side, sharpening, spectra of captures, spectra of clean images of other scenes) of random halves."""
    random, (scenes, powers) = np.random.default_rng(seed), clean
    for case in range(HALVES):
        order = random.permutation(SCENES)
        reduced, amount = int(random.integers(SIZE // 4, SIZE // 2 + 1)), amounts[case % len(amounts)]
        noise = random.uniform(1, 3)
        captures = [seen(scenes[i], reduced, amount, noise, random) for i in order[: SCENES // 2]]
        yield reduced, amount, radial_power(captures, BLOCK), powers_of([powers[i] for i in order[SCENES // 2 :]])


def powers_of(images) -> Powers:
    return Powers(np.mean([power for power, _ in images], axis=0), sum(blocks for _, blocks in images), images)


def test_known_softness_and_gain_are_found_from_other_scenes(clean):
    softness, gain = [], []
    for reduced, amount, captures, others in halves(clean, (0, 0.1, 0.2, 0.3, 0.4), 1):
        fit = fit_transfer(F, captures.mean[0] / others.mean[0])
        wanted = true_gain(reduced, amount)
        trusted = np.arange(len(F)) < np.argmax(wanted < 0.3)
        softness.append(abs(fit.softness * reduced / SIZE - 1))
        gain.append(np.abs(fit.gain(F) - wanted)[trusted].max())
    assert np.median(softness) <= 0.03 and np.sort(softness)[HALVES * 9 // 10 - 1] < 0.06
    assert np.median(gain) <= 0.05


def test_a_camera_without_sharpening_is_told_as_such(clean, monkeypatch):
    monkeypatch.setattr(transfer_estimate, "DRAWS", 25)
    told = [not estimate_transfer(captures, others).sharpens for _, _, captures, others in halves(clean, (0,), 2)]
    assert sum(told) >= 18


def test_softness_is_what_the_resizing_itself_does():
    for reduced in (48, 64, 95):
        np.testing.assert_allclose(softened(F, SIZE / reduced), true_gain(reduced, 0), atol=0.03)
    assert softened(np.zeros(1), 3.0) == pytest.approx(1, abs=1e-3)


def test_an_exact_ratio_gives_its_parameters():
    wanted = {"sharpening": 0.35, "onset": 0.05, "softness": 3.1, "incoherent": 0.1}
    f = frequencies(128)
    rise = 1 - np.exp(-((f / 0.05) ** 2))
    ratio = 0.7 * (((1 + 0.35 * rise) * softened(f, 3.1)) ** 2 + 0.1 * rise)
    fit = fit_transfer(f, ratio)
    assert {name: getattr(fit, name) for name in wanted} == pytest.approx(wanted, rel=0.02)
    assert not fit.aliased and fit.level == pytest.approx(0.7**0.5, rel=1e-3) and fit.residual < 1e-3 and fit.at_bounds == []
    sharpest = fit_transfer(f, 0.7 * ((1 + 1.5 * rise) * softened(f, 8.0)) ** 2)
    assert {"sharpening", "softness", "incoherent"} <= set(sharpest.at_bounds)


def test_photographs_of_screens_are_refused_and_the_reason_is_named(clean, monkeypatch):
    monkeypatch.setattr(transfer_estimate, "DRAWS", 25)
    _, powers = clean
    more = powers_of([(power * (1.4 + 20 * F), blocks) for power, blocks in powers])
    transfer = estimate_transfer(more, powers_of(powers))
    assert "at every frequency" in transfer.refused and "screens" in transfer.refused and not transfer.sharpens
    softest = powers_of([(power * softened(F, 12.0) ** 2, blocks) for power, blocks in powers])
    transfer = estimate_transfer(softest, powers_of(powers))
    assert "at its bound" in transfer.refused and estimate_transfer(softest, powers_of(powers)) == transfer
