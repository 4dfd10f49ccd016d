import numpy as np
from conftest import smooth_image
from scipy import ndimage

from pipeline.core.seeds import rng
from pipeline.measure.control import sharpen


def test_without_amount_and_noise_nothing_changes():
    image = smooth_image(np.random.default_rng(0), 21, 34)
    assert (sharpen(image, 0, 0, rng(1, "test")) == image).all()


def test_sharpening_is_the_unsharp_mask():
    image = smooth_image(np.random.default_rng(0), 41, 34)
    blurred = ndimage.gaussian_filter(image.astype(float), (2, 2, 0), mode="reflect")
    wanted = np.clip(image + 0.7 * (image - blurred), 0, 255)
    assert abs(sharpen(image, 0.7, 0, rng(1, "test")) - wanted).max() < 0.6  # half a level of rounding


def test_noise_has_the_sigma_it_was_asked_for_and_comes_from_the_stream():
    gray = np.full((120, 121, 3), 128, np.uint8)
    noisy = sharpen(gray, 1.2, 3, rng(1, "test"))
    assert noisy.dtype == np.uint8 and abs(noisy.std() - np.hypot(3, 12**-0.5)) < 0.05  # rounding adds 1/12
    assert (noisy == sharpen(gray, 1.2, 3, rng(1, "test"))).all()
    assert (noisy != sharpen(gray, 1.2, 3, rng(2, "test"))).any()
