import numpy as np
import pytest
from conftest import smooth_image
from scipy import ndimage

from pipeline.degrade.bicubic import quantise, resize, resize_uint8
from pipeline.measure.luma import luma
from pipeline.measure.psnr import psnr
from pipeline.measure.ssim import ssim


def pair(height=33, width=41):
    rng = np.random.default_rng(0)
    image = smooth_image(rng, height, width)
    return image, np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def ssim_by_definition(a, b):
    """One channel: weighted moments in every window that fits."""
    line = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(line, line) / np.outer(line, line).sum()

    def mean(x):
        return ndimage.correlate(x, window)[5:-5, 5:-5]

    a, b = a.astype(float), b.astype(float)
    mean_a, mean_b = mean(a), mean(b)
    variance_a, variance_b, covariance = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return np.mean((2 * mean_a * mean_b + c1) * (2 * covariance + c2)
                   / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)))


def test_luma_of_the_primaries_is_bt601s():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_allclose(luma(colours)[0], [16, 235, 81.481, 144.553, 40.966])


def test_psnr_of_a_constant_difference_is_the_closed_form():
    a = np.full((9, 14, 3), 100, np.uint8)
    assert psnr(a, a + 5) == pytest.approx(20 * np.log10(255 / 5))
    assert psnr(a, a + 5, channel="y") == pytest.approx(20 * np.log10(255 / (5 * 219 / 255)))


def test_psnr_takes_the_mean_over_all_channels_before_the_logarithm():
    a, b = pair()
    wanted = 10 * np.log10(255**2 / np.mean((a[3:-3, 3:-3].astype(float) - b[3:-3, 3:-3]) ** 2))
    assert psnr(a, b, border=3) == pytest.approx(wanted)


def test_the_border_is_left_out():
    a, b = (image.copy() for image in (pair()[0],) * 2)
    b[:4], b[-4:], b[:, :4], b[:, -4:] = 0, 0, 0, 0
    assert psnr(a, b) < 30 and psnr(a, b, border=4) == float("inf") and ssim(a, b, border=4) == pytest.approx(1)


@pytest.mark.filterwarnings("error")
def test_identical_images_have_no_finite_ratio_and_similarity_one():
    image, _ = pair()
    assert psnr(image, image.copy()) == float("inf") and ssim(image, image.copy()) == pytest.approx(1)


@pytest.mark.parametrize("border", [0, 5])
def test_ssim_is_the_published_definition(border):
    a, b = pair()
    inner = (slice(border, 33 - border), slice(border, 41 - border))
    by_channel = [ssim_by_definition(a[inner][..., c], b[inner][..., c]) for c in range(3)]
    assert ssim(a, b, border) == pytest.approx(np.mean(by_channel), abs=1e-6)
    assert ssim(a, b, border, "y") == pytest.approx(ssim_by_definition(luma(a[inner]), luma(b[inner])), abs=1e-6)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_images_that_do_not_compare_are_refused(metric):
    a, b = pair()
    with pytest.raises(ValueError, match="one shape"):
        metric(a, b[1:])
    with pytest.raises(ValueError, match="float64"):
        metric(a, b / 255)
    with pytest.raises(ValueError, match="41x33 pixels without a border of 17"):
        metric(a, b, border=17)


def test_ssim_needs_a_window():
    a, b = pair(20, 20)
    with pytest.raises(ValueError, match="11x11 pixels, 10x10 are left"):
        ssim(a, b, border=5)


@pytest.mark.parametrize("scale, wanted_psnr, wanted_ssim",
                         [(2, 33.66, 0.9299), (3, 30.39, 0.8682), (4, 28.42, 0.8104)])
def test_bicubic_on_set5_scores_as_in_the_literature(data_folder, scale, wanted_psnr, wanted_ssim):
    """The published figures shrink and enlarge the 8-bit luma alone, in floating point, and round once. The files of
    small colour images, scored by unrounded luma, come out up to 0.013 dB and 0.0008 higher."""
    from PIL import Image
    set5, luma_alone, colour = data_folder / "benchmarks/Set5", [], []
    for path in sorted((set5 / "HR").glob("*.png")):
        small = np.array(Image.open(set5 / f"LR_bicubic/X{scale}/{path.stem}x{scale}.png").convert("RGB"))
        height, width = scale * small.shape[0], scale * small.shape[1]
        truth = np.array(Image.open(path).convert("RGB"))[:height, :width]
        enlarged = resize_uint8(small, height, width)
        colour.append((psnr(enlarged, truth, scale, "y"), ssim(enlarged, truth, scale, "y")))
        gray = quantise(luma(truth)[..., None])
        enlarged = quantise(resize(resize(gray, *small.shape[:2]), height, width))
        luma_alone.append((psnr(enlarged, gray, scale), ssim(enlarged, gray, scale)))
    got_psnr, got_ssim = np.mean(luma_alone, axis=0)
    assert (round(got_psnr, 2), round(got_ssim, 4)) == (wanted_psnr, wanted_ssim)
    got_psnr, got_ssim = np.mean(colour, axis=0)
    assert got_psnr == pytest.approx(wanted_psnr, abs=0.02) and got_ssim == pytest.approx(wanted_ssim, abs=0.001)
