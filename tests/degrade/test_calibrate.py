import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from conftest import smooth_image, write_shard
from PIL import Image
from skimage.color import rgb2ycbcr

from pipeline.core.recipes import Calibrated
from pipeline.core.seeds import rng
from pipeline.core.sources import Calibration
from pipeline.degrade import calibrate as calibration
from pipeline.degrade import transfer_estimate
from pipeline.degrade.calibrate import Estimate, degrade_calibrated, fit_transfer, flat_noise
from pipeline.degrade.quality import jpeg_quality, luma_table
from pipeline.degrade.spectra import frequencies, radial_power, to_rgb, to_ycc

SETTINGS = Calibration(captures="captures", clean="clean", scale=1, block=64, fit=(0.5, 0.95))
EXACT = Calibrated(kind="calibrated", bump=(1, 1), tail_sd=0, stretch_sd=0, noise=(1, 1), white=(0, 0))


def scenes(seed: int, count: int = 6, size: int = 256, transfer=lambda f: 1.0, noise: float = 0.0) -> list[np.ndarray]:
    """Images with a spectrum like that of photographs, seen through a radial transfer function."""
    random = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    images = []
    for _ in range(count):
        shape = transfer(f) / np.maximum(f, 2 / size) ** 1.2
        planes = [np.fft.irfft2(np.fft.rfft2(random.standard_normal((size, size))) * shape) for _ in range(3)]
        image = to_rgb(np.stack([25 * planes[0] / 9, 8 * planes[1] / 9, 8 * planes[2] / 9], -1)) + 128
        images.append(np.clip(np.round(image + noise * random.standard_normal(image.shape)), 0, 255).astype(np.uint8))
    return images


def test_ycc_is_jpegs():
    image = smooth_image(np.random.default_rng(0), 17, 23)
    np.testing.assert_allclose(to_rgb(to_ycc(image)), image, atol=1e-9)
    with_pillow = np.asarray(Image.fromarray(image).convert("YCbCr")).astype(float) - [0, 128, 128]
    np.testing.assert_allclose(to_ycc(image), with_pillow, atol=1.01)  # Pillow rounds
    chroma = rgb2ycbcr(image)[..., 1:] - 128  # in the smaller range of video
    np.testing.assert_allclose(to_ycc(image)[..., 1:] * 224 / 255, chroma, atol=1e-3)


def test_power_of_white_noise_is_its_variance():
    random = np.random.default_rng(1)
    image = np.clip(np.round(128 + 6 * random.standard_normal((300, 350, 3))), 0, 255).astype(np.uint8)
    power, blocks, single = radial_power([image, image[:40]], 64)
    assert blocks == 8 * 9 == single[0][1] and len(single) == 1
    np.testing.assert_array_equal(single[0][0], power)
    wanted = to_ycc(np.eye(3)[None])[0]  # each channel's variance is the sum of its squared weights
    for channel in range(3):
        np.testing.assert_allclose(power[channel, 2:], 36 * (wanted[:, channel] ** 2).sum(), rtol=0.12)


def test_power_of_a_wave_is_where_its_frequency_is():
    x = np.arange(128)
    image = np.repeat((128 + 50 * np.cos(2 * np.pi * 16 / 64 * x))[None, :, None].round().astype(np.uint8), 3, axis=2)
    power = radial_power([np.repeat(image, 128, axis=0)], 64).mean
    assert np.argmax(power[0]) == 16 and frequencies(64)[16] == pytest.approx(16.5 / 64)
    assert power[0, 20:].max() < 1e-3 * power[0, 16] and power[1:].max() < 1


def test_images_without_a_block_are_refused():
    with pytest.raises(ValueError, match="no image holds a block of 64x64"):
        radial_power([np.zeros((63, 200, 3), np.uint8)], 64)


@pytest.mark.parametrize("quality", [35, 50, 68, 80, 90])
def test_jpeg_quality_is_found(quality, tmp_path):
    image = scenes(3, 1)[0]
    Image.fromarray(image).save(tmp_path / "a.jpg", quality=quality)
    assert jpeg_quality(np.asarray(Image.open(tmp_path / "a.jpg"))) == pytest.approx(quality, abs=1)
    with Image.open(tmp_path / "a.jpg") as opened:
        stored = sorted(opened.quantization[0])
    assert sorted(luma_table(quality).ravel()) == stored


def test_no_jpeg_quality_where_there_is_none():
    image = scenes(4, 1)[0]
    compressed = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], cv2.IMREAD_COLOR)
    assert jpeg_quality(image) is None
    assert jpeg_quality(compressed) is not None and jpeg_quality(compressed[3:, 2:]) is None
    assert jpeg_quality(np.full((40, 56, 3), 90, np.uint8)) is None


def test_flat_noise():
    random = np.random.default_rng(5)
    slope = np.linspace(40, 200, 160)[None, :, None] + np.zeros((120, 1, 3))
    for sigma in (0.0, 1.0, 4.0):
        noise = sigma * random.standard_normal(slope.shape)
        image = np.round(slope + noise).astype(np.uint8)
        assert flat_noise([image]) == pytest.approx(sigma, abs=0.15 if sigma else 0.3)
    assert flat_noise([np.full((64, 64, 3), 255, np.uint8)]) == 0


def calibrate(captures, clean, settings):
    return calibration.calibrate(captures, clean, radial_power(captures, settings.block), radial_power(clean, settings.block),
                                 settings)


def camera(f):
    """Blur of sigma 1.2 pixels, and sharpening."""
    blurred = np.exp(-2 * (np.pi * 1.2 * f) ** 2)
    return blurred * (1 + 0.6 * (1 - np.exp(-2 * (np.pi * 3 * f) ** 2)))


def test_a_known_camera_is_found_again_from_other_scenes():
    found = calibrate(scenes(6, 30, transfer=camera), scenes(7, 30), SETTINGS)
    f = np.array(found.frequency)
    for channel in range(3):
        transfer = np.array(found.bump[channel]) * found.tail[channel]
        trusted = camera(f) > 0.3
        np.testing.assert_allclose(transfer[trusted], camera(f)[trusted], rtol=0.12)
    assert max(found.bump[0]) > 1.1 and np.all(np.diff(found.tail[0]) <= 0)
    assert found.quality == []


def test_power_beyond_the_lens_is_noise_and_not_detail():
    clean, noisy = scenes(8), scenes(9, transfer=lambda f: np.exp(-2 * (np.pi * 2.0 * f) ** 2), noise=4)
    found = calibrate(noisy, clean, SETTINGS)
    high = np.array(found.frequency) > 0.3
    assert np.all(np.array(found.measured)[0, high] > 0.1)
    assert np.all((np.array(found.bump) * found.tail)[0, high] < 0.02)
    white = 0.447 * found.white**2
    np.testing.assert_allclose(np.array(found.noise)[0, high] + white, 16 * 0.447, rtol=0.3)
    assert 2 < found.white < 5


def test_synthesised_captures_have_the_captures_spectrum():
    clean, captures = scenes(10, 20), scenes(11, 20, transfer=camera, noise=2)
    found = calibrate(captures, clean, SETTINGS)
    made = [degrade_calibrated(image.astype(np.float32), EXACT, found, rng(1, "test", i))[0] for i, image in enumerate(clean)]
    ours, theirs = radial_power(made, 64).mean, radial_power(captures, 64).mean
    np.testing.assert_allclose(np.sqrt(ours[0] / theirs[0]), 1, atol=0.15)


def grey(images: list[np.ndarray]) -> list[np.ndarray]:
    return [np.repeat(image[..., 1:2], 3, axis=2) for image in images]


def test_grey_images_stay_grey_and_are_not_taken_for_a_camera_without_colour():
    clean, captures = grey(scenes(14)), grey(scenes(15, transfer=camera))
    found = calibrate(captures, clean, SETTINGS)
    assert np.all(np.isfinite(found.contrast)) and np.array(found.noise)[1:].max() == 0
    quiet = replace(found, white=0.0)  # white noise has colours
    made, _ = degrade_calibrated(clean[0].astype(np.float32), EXACT, quiet, rng(1, "test", 0))
    assert np.ptp(made.astype(int), axis=2).max() <= 1 and 10 < made.std() < 90
    with pytest.raises(ValueError, match="the captures have no contrast in blue"):
        calibrate(captures, scenes(14), SETTINGS)
    with pytest.raises(ValueError, match="the clean images have no contrast in blue"):
        calibrate(scenes(15), clean, SETTINGS)


def identity() -> Estimate:
    one, none = [[1.0, 1.0]] * 3, [[0.0, 0.0]] * 3
    return Estimate([0.1, 0.4], one, one, one, none, [50.0] * 3, 0.0, [], 1, 1)


def test_the_perfect_camera_changes_nothing_and_draws_are_recorded():
    image = smooth_image(np.random.default_rng(2), 33, 47)
    same, drawn = degrade_calibrated(image.astype(np.float32), EXACT, identity(), rng(1, "a", 0))
    np.testing.assert_array_equal(same, image)
    assert drawn == {"bump": 1, "tail": 1, "stretch": [1, 1], "noise": 1, "white": 0, "jpeg_quality": None}
    wide = EXACT.model_copy(update={"bump": (0.5, 1.5), "tail_sd": 0.2, "stretch_sd": 0.1, "white": (1, 3)})
    once, twice, other = (degrade_calibrated(image.astype(np.float32), wide, identity(), rng(1, "a", i)) for i in (1, 1, 2))
    np.testing.assert_array_equal(once[0], twice[0])
    assert once[1] == twice[1] != other[1] and 1 <= once[1]["white"] <= 3


def test_fit_of_transfers_that_hardly_fall():
    f = frequencies(32)
    bump, tail = fit_transfer(f, np.full(16, 1.02), (0.5, 0.95), "luma")
    np.testing.assert_allclose(bump * tail, 1.02)
    steep = np.where(f < 0.2, 1.0, 0.1)
    bump, tail = fit_transfer(f, steep, (0.5, 0.95), "luma")
    assert np.all(bump * tail <= 1.001) and (bump * tail)[-1] < 0.1


def test_the_stage_writes_estimate_and_plot(tiny_project, monkeypatch):
    import yaml

    from pipeline.stages import calibrate as stage
    monkeypatch.setattr(transfer_estimate, "DRAWS", 25)
    values = yaml.safe_load((tiny_project / "params.yaml").read_text())
    values["calibrations"]["sr"] |= {"scale": 2, "block": 16}
    (tiny_project / "params.yaml").write_text(yaml.safe_dump(values))
    big = scenes(12, 3, 70)
    write_shard(tiny_project / "data/sets/clean/train", {f"c{i}": image for i, image in enumerate(big)})
    small = {f"x{i}": image[:35, :33] for i, image in enumerate(scenes(13, 3, 70))}
    write_shard(tiny_project / "data/sets/sr-captures/train", small)
    stage.main("sr")
    assert (tiny_project / "metrics/calibrations/sr.png").stat().st_size > 1000
    rows = (tiny_project / "metrics/calibrations/sr.csv").read_text().splitlines()
    assert rows[0] == "channel,frequency,measured,transfer,noise,gain,low,high,sharpening,softness,stray"
    assert len(rows) == 1 + 3 * 8 and rows[1].count(",,") == 0 and rows[9].endswith(",,,,,,")
    numbers = json.loads((tiny_project / "metrics/calibrations/sr.json").read_text())
    assert numbers["softness"].keys() == {"value", "low", "high", "unit", "at_bound"}
    first = (tiny_project / "data/calibrations/sr/estimate.json").read_bytes()
    stage.main("sr")
    assert (tiny_project / "data/calibrations/sr/estimate.json").read_bytes() == first
