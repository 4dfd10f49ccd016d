from types import SimpleNamespace

import cv2
import numpy as np
from conftest import smooth_image, write_shard
from scipy import ndimage

from pipeline.core.seeds import rng
from pipeline.images.shards import Shard
from pipeline.score.control import Tone, blurred, match_tone, mix_with_input, set_tone, sharpened
from pipeline.score.fidelity import psnr
from pipeline.score.strength import strength_curves


def test_without_amount_and_noise_nothing_changes():
    image = smooth_image(np.random.default_rng(0), 21, 34)
    assert (sharpened(image, 0, 0, rng(1, "test")) == image).all()


def test_sharpening_is_the_unsharp_mask():
    image = smooth_image(np.random.default_rng(0), 41, 34)
    blurred = ndimage.gaussian_filter(image.astype(float), (2, 2, 0), mode="reflect")
    wanted = np.clip(image + 0.7 * (image - blurred), 0, 255)
    assert abs(sharpened(image, 0.7, 0, rng(1, "test")) - wanted).max() < 0.6  # half a level of rounding


def test_noise_has_the_sigma_it_was_asked_for_and_comes_from_the_stream():
    gray = np.full((120, 121, 3), 128, np.uint8)
    noisy = sharpened(gray, 1.2, 3, rng(1, "test"))
    assert noisy.dtype == np.uint8 and abs(noisy.std() - np.hypot(3, 12**-0.5)) < 0.05  # rounding adds 1/12
    assert (noisy == sharpened(gray, 1.2, 3, rng(1, "test"))).all()
    assert (noisy != sharpened(gray, 1.2, 3, rng(2, "test"))).any()


def test_mixing_is_the_weighted_mean_with_the_enlarged_input():
    draw = np.random.default_rng(1)
    image, degraded = smooth_image(draw, 42, 36), smooth_image(draw, 21, 18)
    enlarged = np.clip(cv2.resize(degraded.astype(np.float32), (36, 42), interpolation=cv2.INTER_CUBIC), 0, 255)
    wanted = 0.75 * image + 0.25 * enlarged
    inside = np.s_[4:-4, 4:-4]
    assert abs(mix_with_input(image, degraded, 0.25) - wanted)[inside].mean() < 1  # OpenCV's cubic has another coefficient
    np.testing.assert_allclose(mix_with_input(image, image[::-1], 0.5), (image.astype(float) + image[::-1]) / 2, atol=0.51)


def test_the_mean_of_two_estimates_gains_a_quarter_of_their_squared_distance():
    draw = np.random.default_rng(2)
    truth, first, second = (draw.integers(50, 200, (31, 22, 3)).astype(np.uint8) for _ in range(3))
    def error(a, b):
        return np.mean((a.astype(float) - b) ** 2)
    expected = (error(first, truth) + error(second, truth)) / 2 - error(first, second) / 4
    assert abs(error(mix_with_input(first, second, 0.5), truth) / expected - 1) < 0.02


def test_blur_is_a_gaussian_of_the_sigma_asked_for():
    image = smooth_image(np.random.default_rng(0), 41, 34)
    for sigma in (0.5, 1.5):
        wanted = ndimage.gaussian_filter(image.astype(float), (sigma, sigma, 0), mode="reflect")
        assert abs(blurred(image, sigma) - wanted).max() < 0.6  # half a level of rounding
    grey = np.full((9, 7, 3), 77, np.uint8)
    assert (blurred(grey, 1) == grey).all()


def test_tone_is_that_of_all_pixels_whatever_the_sizes():
    draw = np.random.default_rng(0)
    images = [draw.integers(0, 256, (size, 17, 3)).astype(np.uint8) for size in (5, 31)]
    pixels = np.concatenate([image.reshape(-1, 3) for image in images])
    found = set_tone(images)
    np.testing.assert_allclose(found.mean, pixels.mean(axis=0))
    np.testing.assert_allclose(found.deviation, pixels.std(axis=0))


def test_matched_outputs_have_the_tone_asked_for_and_one_line_serves_all():
    draw = np.random.default_rng(3)
    outputs = [(60 + 0.4 * smooth_image(draw, 21 + i, 30)).astype(np.uint8) for i in range(3)]
    wanted = Tone(np.array([120.0, 100, 130]), np.array([25.0, 30, 20]))
    changed = [match_tone(image, set_tone(outputs), wanted) for image in outputs]
    np.testing.assert_allclose(set_tone(changed).mean, wanted.mean, atol=0.2)
    np.testing.assert_allclose(set_tone(changed).deviation, wanted.deviation, atol=0.3)
    before, after = (np.concatenate([image.reshape(-1, 3) for image in images]) for images in (outputs, changed))
    for channel in range(3):  # the brightness of one image beside another stays
        line = np.polyfit(before[:, channel], after[:, channel].astype(float), 1)
        assert abs(np.polyval(line, before[:, channel]) - after[:, channel]).max() < 0.6
    assert abs(changed[0].mean() - changed[1].mean()) > 1


def test_a_set_of_the_wanted_tone_stays_and_a_constant_one_is_shifted():
    image = smooth_image(np.random.default_rng(0), 21, 30)
    assert (match_tone(image, set_tone([image]), set_tone([image])) == image).all()
    grey = np.full((9, 7, 3), 77, np.uint8)
    assert (match_tone(grey, set_tone([grey]), Tone(np.full(3, 90.0), np.full(3, 30.0))) == 90).all()


def test_strengths_are_on_the_line_from_input_to_output(tmp_path):
    truth = np.full((20, 24, 3), 128, np.uint8)
    for name, level in (("inputs", 100), ("outputs", 132), ("targets", 128)):
        write_shard(tmp_path / name, {"a": np.full_like(truth, level), "b": np.full_like(truth, level)})
    inputs, outputs, targets = (Shard(tmp_path / name) for name in ("inputs", "outputs", "targets"))
    scorer = SimpleNamespace(measures={"psnr": psnr, "niqe": lambda image: 0.0})
    off = [28, 20, 12, 4, 4, 12, 20]  # levels at strengths of 0 to 1.5 in steps of a quarter
    wanted = [round(20 * np.log10(255 / levels), 4) for levels in off]
    assert strength_curves(scorer, inputs, outputs, targets) == {"psnr": wanted}
    assert strength_curves(scorer, inputs, targets, targets) == {}  # infinite at 1


def test_strengths_are_of_eight_images_spread_over_a_large_set(tmp_path):
    names = "abcdefghijklmno"  # of these 15 every second one counts
    for part, level in (("inputs", 100), ("outputs", 132), ("targets", 128)):
        write_shard(tmp_path / part, {name: np.full((9, 11, 3), level + k % 2, np.uint8) for k, name in enumerate(names)})
    inputs, outputs, targets = (Shard(tmp_path / name) for name in ("inputs", "outputs", "targets"))
    seen = []
    scorer = SimpleNamespace(measures={"psnr": lambda image, target: seen.append(int(target[0, 0, 0])) or 1.0})
    assert strength_curves(scorer, inputs, outputs, targets) == {"psnr": [1.0] * 7} and seen == [128] * 8 * 7
