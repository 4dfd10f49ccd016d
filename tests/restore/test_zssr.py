"""ZSSR: learning from one image, and its rows of the benchmark."""

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, smooth_image
from torch.nn import functional as F

from pipeline.core.baselines import ZssrEntry
from pipeline.degrade.bicubic import resize
from pipeline.nets.build import build
from pipeline.restore import zssr
from pipeline.restore.pixels import quantise

PRESET = yaml.safe_load((ROOT / "presets/all.yaml").read_text())
ENTRY = PRESET["zssr"]["sr-zssr"]
QUICK = {"layers": 3, "features": 4, "crop": 16, "max_steps": 6, "back_projections": 2}


def settings(**changes) -> ZssrEntry:
    return ZssrEntry.model_validate(ENTRY | changes)


def picture(seed=0, height=27, width=22):
    """float32 in [0.2, 0.8], so that nothing is clipped."""
    noise = torch.from_numpy(np.random.default_rng(seed).random((1, 3, height // 3, width // 3)))
    return (0.2 + 0.6 * F.interpolate(noise, (height, width), mode="bilinear")[0].permute(1, 2, 0).numpy()).astype(np.float32)


def test_back_projection_makes_the_output_shrink_to_the_input():
    image = picture()
    wrong = np.clip(np.kron(image, np.ones((4, 4, 1))) + np.random.default_rng(1).normal(0, 0.1, (108, 88, 3)), 0, 1)
    right = zssr.back_project(wrong.astype(np.float32), image, 30)

    def shrunk(large):  # torch's differs from MATLAB's within two pixels of the border
        small = F.interpolate(torch.from_numpy(large).permute(2, 0, 1)[None].float(), (27, 22), mode="bicubic", antialias=True)
        return small[0].permute(1, 2, 0).numpy()[2:-2, 2:-2]

    assert np.abs(shrunk(wrong) - image[2:-2, 2:-2]).max() > 0.05
    np.testing.assert_allclose(shrunk(right), image[2:-2, 2:-2], atol=2e-3)
    assert zssr.back_project(wrong, image, 0) is wrong


def test_the_ensemble_turns_each_answer_back_and_takes_the_median():
    image = picture()
    np.testing.assert_array_equal(zssr.median_of_orientations(lambda x: x, image), image)

    def four_ways():
        return [np.roll(image, shift, axis) for axis in (0, 1) for shift in (-1, 1)]

    found = zssr.median_of_orientations(lambda x: np.roll(x, 1, 1), image)  # to the right: elsewhere, once it is turned back
    np.testing.assert_allclose(found, np.median(four_ways() * 2, axis=0), atol=1e-6)


def test_an_untrained_residual_of_zero_is_bicubic():
    network, image = build("zssr", {"layers": 3, "features": 4}), picture()
    for weight in network.parameters():
        torch.nn.init.zeros_(weight)
    for ensemble in (False, True):
        found = zssr.learn_to_enlarge(network, image, 54, 44, settings(back_projections=0, ensemble=ensemble))
        np.testing.assert_allclose(found, resize(image, 54, 44), atol=1e-5)


def course(error, **changes):
    """The learning rate after each of 400 steps whose error is a function of the step."""
    rule = zssr.Rate(settings(lr=1.0, min_steps=60, check_every=20, test_every=10, fit_steps=80, fit_ratio=1.5, **changes))
    rates = []
    for step in range(400):
        if step % 10 == 0:
            rule.note(step, error(step))
        rule.look(step)
        rates.append(rule.value)
    return rates


def test_the_rate_is_kept_while_the_error_falls_and_divided_when_it_does_not():
    noise = np.random.default_rng(0).normal(0, 1, 400)
    assert set(course(lambda step: 5 - step / 100)) == {1.0}
    assert set(course(lambda step: 5 - step / 10 + 0.1 * noise[step])) == {1.0}
    for stalled in (lambda step: 0.0, lambda step: step / 100):
        rates = course(stalled)
        assert [step for step in range(1, 400) if rates[step] < rates[step - 1]] == [79, 159, 239, 319, 399]
        assert rates[-1] == pytest.approx(1e-5)
    assert course(lambda step: noise[step])[-1] < 1e-3  # chance makes it look like falling now and then
    stops = course(lambda step: max(1 - step / 200, 0.0))
    assert set(stops[:200]) == {1.0} and stops[299] < 1  # once four of the eight errors no longer fall, at the latest


@pytest.mark.parametrize("seed", range(6))
def test_the_rule_is_that_of_a_fit_by_numpy(seed):
    draw = np.random.default_rng(seed)
    errors = draw.normal(0, 1, 8) - draw.uniform(0, 1) * np.arange(8)
    rule = zssr.Rate(settings(lr=1.0, min_steps=60, check_every=1, test_every=10, fit_steps=80, fit_ratio=2.5))
    for place, error in enumerate(errors):
        rule.note(10 * place, error)
    rule.look(79)
    (slope, _), covariance = np.polyfit(np.arange(0, 80, 10), errors, 1, cov=True)
    assert (rule.value == 0.1) == (covariance[0, 0] ** 0.5 >= -2.5 * slope)


def test_factors_rise_by_the_same_multiple():
    assert zssr.factors(4, 1) == [4.0] and zssr.factors(4, 2) == [2.0, 4.0]
    assert zssr.factors(3, 6) == pytest.approx([3 ** (n / 6) for n in range(1, 7)]) and zssr.factors(3, 6)[-1] == 3


def test_training_images_without_interpolation_are_crops_turned():
    small, large = picture(0, 20, 23), picture(1, 40, 46)
    windows = {base: {np.ascontiguousarray(image[y : y + 8, x : x + 8]).tobytes() for y in range(image.shape[0] - 7)
                      for x in range(image.shape[1] - 7)} for base, image in ((1.0, small), (2.0, large))}

    def found(orientations, **changes):
        bases = set()
        for index in range(60):
            crop = zssr.training_image([(1.0, small), (2.0, large)], settings(crop=8, **changes), np.random.default_rng(index))
            turned = [np.ascontiguousarray(side).tobytes() for q in range(4) for side in (
                np.rot90(crop, q), np.rot90(crop[:, ::-1], q))][:orientations]
            bases |= {base for base, inside in windows.items() if inside & set(turned)}
            assert any(inside & set(turned) for inside in windows.values())
        return bases

    assert found(1, as_is=1, turned=0) == {1.0}
    assert found(8, as_is=0, turned=1) == {1.0, 2.0}
    assert found(1, as_is=0, turned=1, turns=False) == {1.0, 2.0}
    assert zssr.training_image([(1.0, small)], settings(crop=99), np.random.default_rng(0)).shape == (20, 20, 3)


def test_affine_training_images_keep_a_plane_a_plane_and_scale_its_slope():
    plane = np.add.outer(np.arange(60) * 0.001, np.arange(70) * 0.003)[..., None].repeat(3, 2).astype(np.float32) + 0.3
    options = {"crop": 12, "as_is": 0, "turned": 0, "stretch_sd": 0, "shear_sd": 0, "min_scale": 0.5}
    slopes = []
    for index in range(40):
        for turns in (False, True):
            crop = zssr.training_image([(1.0, plane)], settings(**options, turns=turns), np.random.default_rng(index))
            down, right = np.gradient(crop[..., 0])
            inner = np.s_[2:-2, 2:-2]
            if turns and down[inner].std() > 3e-4:
                continue  # a corner that sticks out is mirrored
            assert down[inner].std() < 3e-4 and right[inner].std() < 3e-4  # OpenCV places pixels to 1/32
            slopes.append(np.hypot(down[inner].mean(), right[inner].mean()) / np.hypot(0.001, 0.003))
            if not turns:
                assert right[inner].mean() / down[inner].mean() == pytest.approx(3, rel=0.05)
    assert len(slopes) > 55 and 1 / 1.03 < min(slopes) < 1.2 and 1.7 < max(slopes) < 2.06  # 1 / scale


def test_sheared_and_stretched_training_images_are_of_all_kinds():
    wild = settings(as_is=0, turned=0, crop=16, stretch_sd=2.0)
    draws = [zssr.training_image([(1.0, picture())], wild, np.random.default_rng(i)) for i in range(50)]
    assert all(crop.shape == (16, 16, 3) and crop.dtype == np.float32 and 0 <= crop.min() and crop.max() <= 1 for crop in draws)
    assert len({crop.tobytes() for crop in draws}) == 50


def test_same_seed_same_bytes_and_the_global_generator_is_left_alone():
    image = smooth_image(np.random.default_rng(0), 25, 19)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    (one, steps), (other, _), (another, _) = (zssr.restore_by_learning(image, 4, settings(**QUICK), seed) for seed in (1, 1, 2))
    assert one.shape == (100, 76, 3) and one.dtype == np.float32 and steps == 12
    assert one.tobytes() == other.tobytes() != another.tobytes()
    assert torch.equal(torch.get_rng_state(), before)
    noisy, _ = zssr.restore_by_learning(image, 4, settings(**QUICK, noise=5), 1)
    assert noisy.tobytes() != one.tobytes()


def test_it_learns_from_the_image_what_bicubic_does_not_know():
    rows, columns = np.mgrid[:88, :96]
    large = np.where((rows // 8 + columns // 12) % 2, 0.8, 0.2)[..., None].repeat(3, 2).astype(np.float32)
    image = quantise(resize(large, 44, 48))
    found, steps = zssr.restore_by_learning(image, 2, settings(gradual=1, layers=4, features=12, max_steps=250), 0)
    errors = [np.square(output - large)[4:-4, 4:-4].mean() for output in (found, resize(image / np.float32(255), 88, 96))]
    assert steps <= 250 and errors[0] < 0.6 * errors[1]
