import numpy as np
import pytest
from conftest import smooth_image
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio

from pipeline.degrade.bicubic import downscale, resize, resize_uint8, round_to_uint8
from pipeline.score.fidelity import luma, psnr, rounded_luma, ssim


def pair(height=33, width=41):
    rng = np.random.default_rng(0)
    image = smooth_image(rng, height, width)
    return image, np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def ssim_by_definition(a, b):
    """One channel: weighted moments in every window that fits."""
    line = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)

    def mean(x):  # a window is the product of both lines
        return ndimage.correlate1d(ndimage.correlate1d(x, line / line.sum(), 0), line / line.sum(), 1)[5:-5, 5:-5]

    a, b = a.astype(float), b.astype(float)
    mean_a, mean_b = mean(a), mean(b)
    variance_a, variance_b, covariance = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return np.mean((2 * mean_a * mean_b + c1) * (2 * covariance + c2)
                   / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)))


def test_luma_of_the_primaries_is_bt601s():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_allclose(luma(colours)[0], [16, 235, 81.481, 144.553, 40.966])
    tie = np.array([[[146, 124, 97]]], np.uint8)
    assert luma(tie) == 125.5 and rounded_luma(tie) == 126


def test_psnr_of_a_constant_difference_is_the_closed_form():
    a = np.full((9, 14, 3), 100, np.uint8)
    assert psnr(a, a + 5) == pytest.approx(20 * np.log10(255 / 5))
    assert psnr(a, a + 5, channel="y") == pytest.approx(20 * np.log10(255 / (5 * 219 / 255)))


def test_psnr_takes_the_mean_over_all_channels_before_the_logarithm():
    a, b = pair()
    wanted = 10 * np.log10(255**2 / np.mean((a[3:-3, 3:-3].astype(float) - b[3:-3, 3:-3]) ** 2))
    assert psnr(a, b, border=3) == pytest.approx(wanted)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b), rel=1e-12)


@pytest.mark.parametrize("border", [0, 5])
@pytest.mark.parametrize("round_luma", [False, True])
def test_on_luma_they_are_those_of_the_grey_images_that_matlabs_weights_give(border, round_luma):
    a, b = pair()
    inner = (slice(border, 33 - border), slice(border, 41 - border))
    grey_a, grey_b = (16 + (65.481 * x[..., 0] + 128.553 * x[..., 1] + 24.966 * x[..., 2]) / 255 for x in (a[inner], b[inner]))
    if round_luma:
        grey_a, grey_b = np.floor(grey_a + 0.5), np.floor(grey_b + 0.5)
    wanted = 10 * np.log10(255**2 / np.mean((grey_a - grey_b) ** 2))
    assert psnr(a, b, border, "y", round_luma) == pytest.approx(wanted, abs=5e-5)
    assert ssim(a, b, border, "y", round_luma) == pytest.approx(ssim_by_definition(grey_a, grey_b), abs=5e-5)
    assert psnr(a, b, border, "rgb", round_luma) == psnr(a, b, border)


def test_rounding_luma_hides_a_difference_of_less_than_half_a_level():
    a = np.full((16, 16, 3), (100, 100, 102), np.uint8)
    b = np.full((16, 16, 3), (100, 100, 101), np.uint8)  # 101.97 and 101.87 of luma
    assert psnr(a, b, channel="y") == pytest.approx(20 * np.log10(255 / (24.966 / 255)))
    assert psnr(a, b, channel="y", round_luma=True) == float("inf")
    assert ssim(a, b, channel="y", round_luma=True) == 1 > ssim(a, b, channel="y")


def test_ssim_of_constant_images_compares_their_means_alone():
    a, b = np.full((13, 17, 3), 100, np.uint8), np.full((13, 17, 3), 130, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 130 + c1) / (100**2 + 130**2 + c1), abs=5e-5)
    y, z = 16 + 100 * 219 / 255, 16 + 130 * 219 / 255
    assert ssim(a, b, channel="y") == pytest.approx((2 * y * z + c1) / (y * y + z * z + c1), abs=5e-5)


def test_the_border_is_left_out():
    a, b = (image.copy() for image in (pair()[0],) * 2)
    b[:4], b[-4:], b[:, :4], b[:, -4:] = 0, 0, 0, 0
    assert psnr(a, b) < 30 and psnr(a, b, border=4) == float("inf") and ssim(a, b, border=4) == pytest.approx(1)


@pytest.mark.filterwarnings("error")
def test_identical_images_have_no_finite_ratio_and_similarity_one():
    for image in (pair()[0], np.full((13, 17, 3), 7, np.uint8)):
        for channel in ("rgb", "y"):
            assert psnr(image, image.copy(), channel=channel) == float("inf")
            assert ssim(image, image.copy(), channel=channel) == pytest.approx(1)


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
        gray = round_to_uint8(luma(truth)[..., None])
        enlarged = round_to_uint8(resize(resize(gray, *small.shape[:2]), height, width))
        luma_alone.append((psnr(enlarged, gray, scale), ssim(enlarged, gray, scale)))
    got_psnr, got_ssim = np.mean(luma_alone, axis=0)
    assert (round(got_psnr, 2), round(got_ssim, 4)) == (wanted_psnr, wanted_ssim)
    got_psnr, got_ssim = np.mean(colour, axis=0)
    assert got_psnr == pytest.approx(wanted_psnr, abs=0.02) and got_ssim == pytest.approx(wanted_ssim, abs=0.001)


@pytest.mark.parametrize("scale, wanted_psnr, wanted_ssim",
                         [(2, 30.24, 0.8688), (3, 27.55, 0.7742), (4, 26.00, 0.7027)])
def test_bicubic_on_set14_scores_as_in_the_literature(data_folder, scale, wanted_psnr, wanted_ssim):
    """To 0.02 dB and 0.0005 by two protocols: our own path, 8-bit colour images scored by unrounded luma; and the 8-bit
    luma alone, shrunk and enlarged in floating point and not rounded. Sides are cut to multiples of the scale, `scale`
    pixels of border are left out. The file of `bridge` is grey and is scored by its own values; with luma, whose range is
    smaller, its PSNR would be 1.32 dB higher.

    The protocol that gives all digits of Set5 gives 30.23/.8686, 27.54/.7737 and 26.00/.7019 here. Part of that may be
    the files: they come cut to multiples of 4, which `comic`, `flowers`, `ppt3` and `zebra` were not. At x4 it cannot be.
    """
    from PIL import Image
    own, luma_alone = [], []
    for path in sorted((data_folder / "benchmarks/Set14/HR").glob("*.png")):
        file = Image.open(path)
        truth = np.array(file.convert("RGB"))
        height, width = (side - side % scale for side in truth.shape[:2])
        truth, channel = truth[:height, :width], "rgb" if file.mode == "L" else "y"
        enlarged = resize_uint8(downscale(truth, scale), height, width)
        own.append((psnr(enlarged, truth, scale, channel), ssim(enlarged, truth, scale, channel)))
        grey = (truth[..., 0] if channel == "rgb" else rounded_luma(truth)).astype(np.float64)
        enlarged = resize(resize(grey[..., None], height // scale, width // scale), height, width)[..., 0]
        inner = (slice(scale, -scale), slice(scale, -scale))
        luma_alone.append((10 * np.log10(255**2 / np.mean((enlarged[inner] - grey[inner]) ** 2)),
                           ssim_by_definition(enlarged[inner], grey[inner])))
    assert len(own) == 14
    for got_psnr, got_ssim in (np.mean(own, axis=0), np.mean(luma_alone, axis=0)):
        assert got_psnr == pytest.approx(wanted_psnr, abs=0.02) and got_ssim == pytest.approx(wanted_ssim, abs=0.0005)
