"""PSNR after registration, on pairs whose displacements are known."""
import cv2
import numpy as np
import pytest

from pipeline.score.fidelity import psnr
from pipeline.score.registered import PAD, Registered, _blurred, _enlarged, _gain, displacements, moved

HEIGHT, WIDTH = 241, 283


def scene(seed: int) -> np.ndarray:
    """Discs with hard edges and texture, drawn larger and averaged down."""
    random = np.random.default_rng(seed)
    canvas = np.full((4 * HEIGHT, 4 * WIDTH, 3), 120, np.float32)
    for _ in range(260):
        centre = int(random.integers(4 * WIDTH)), int(random.integers(4 * HEIGHT))
        cv2.circle(canvas, centre, int(random.uniform(8, 120)), [float(value) for value in random.uniform(30, 220, 3)], -1)
    canvas += 12 * cv2.GaussianBlur(random.standard_normal(canvas.shape).astype(np.float32), (0, 0), 6) * 6
    return canvas


def at_size(canvas: np.ndarray, flow: np.ndarray | None = None) -> np.ndarray:
    """The scene seen at the test's size, displaced by `flow` pixels."""
    if flow is not None:
        large = cv2.resize(4 * flow, (4 * WIDTH, 4 * HEIGHT), interpolation=cv2.INTER_CUBIC)
        x, y = np.meshgrid(np.arange(4 * WIDTH, dtype=np.float32), np.arange(4 * HEIGHT, dtype=np.float32))
        canvas = cv2.remap(canvas, x - large[..., 0], y - large[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.clip(np.rint(cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)), 0, 255).astype(np.uint8)


def soft(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma)


@pytest.fixture(scope="module")
def pair():
    """(truth, displaced truth, capture, displacements): shifted by (0.5, 0.3) and up to 0.3 pixels more, soft and noisy."""
    random = np.random.default_rng(1)
    canvas = scene(0)
    wave = np.stack([cv2.GaussianBlur(random.standard_normal((HEIGHT, WIDTH)), (0, 0), 40) for _ in range(2)], -1)
    flow = ([0.5, 0.3] + 0.3 * wave / np.abs(wave).max()).astype(np.float32)
    sharp = at_size(canvas, flow)
    capture = np.clip(soft(sharp, 1.2) + 2 * random.standard_normal(sharp.shape), 0, 255).astype(np.uint8)
    return at_size(canvas), sharp, capture, flow


def test_displacements_are_found_from_a_soft_and_noisy_capture(pair):
    truth, _, capture, flow = pair
    found = displacements(capture, truth)[20:-20, 20:-20]
    assert np.sqrt(np.mean((found - flow[20:-20, 20:-20]) ** 2)) < 0.08
    assert np.abs(displacements(truth, truth)).max() < 0.02


def test_a_displaced_but_sharp_output_is_ranked_above_a_blurred_one(pair):
    truth, sharp, capture, _ = pair
    half = ((sharp.astype(float) + soft(sharp, 1)) / 2).round().astype(np.uint8)
    registered = Registered()
    assert psnr(sharp, truth, 8) < psnr(half, truth, 8)  # raw PSNR prefers what is blurred
    assert registered(sharp, truth, capture) > registered(half, truth, capture) + 2
    assert registered(sharp, truth, capture) > psnr(sharp, truth, 8) + 6


def test_pairs_that_are_aligned_stay_as_they_are(pair):
    truth, _, _, _ = pair
    noisy = np.clip(soft(truth, 1) + 3 * np.random.default_rng(2).standard_normal(truth.shape), 0, 255).astype(np.uint8)
    assert Registered()(noisy, truth, noisy) == pytest.approx(psnr(noisy, truth, 8), abs=0.1)
    assert np.abs(moved(truth, np.zeros((HEIGHT, WIDTH, 2), np.float32)).astype(int) - truth).max() <= 1


def test_a_smaller_capture_is_enlarged_first(pair):
    truth, _, _, _ = pair
    small = cv2.resize(truth, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    assert np.abs(np.median(displacements(small, truth), axis=(0, 1))).max() < 0.1


@pytest.mark.parametrize("height, width, sigma", [(97, 160, 9), (41, 53, 18)])  # the second is smaller than the kernel
def test_the_gaussian_is_opencvs(height, width, sigma):
    plane = np.random.default_rng(0).standard_normal((height, width))
    wanted = cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    np.testing.assert_allclose(_blurred(plane, _gain(height, width, sigma)), wanted, atol=1e-12)


@pytest.mark.parametrize("height, width", [(36, 40), (37, 40), (37, 41)])
def test_an_image_is_enlarged_by_its_spectrum(height, width):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    padded = np.pad(image.astype(float), ((PAD, PAD), (PAD, PAD), (0, 0)), mode="symmetric")
    larger = np.zeros((2 * padded.shape[0], 2 * padded.shape[1], 3), complex)
    rows, columns = (np.fft.fftfreq(size, 1 / size).astype(int) for size in padded.shape[:2])
    larger[np.ix_(rows, columns)] = 4 * np.fft.fft2(padded, axes=(0, 1))
    wanted = np.fft.ifft2(larger, axes=(0, 1)).real[2 * PAD : -2 * PAD, 2 * PAD : -2 * PAD]
    np.testing.assert_allclose(_enlarged(image), wanted, atol=1e-4)
