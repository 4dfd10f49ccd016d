import cv2
import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln
from skimage import data

from pipeline.measure.swd import distances, laplacian_pyramid, sample, swd

SETTINGS = {"patches": 1000, "projections": 64, "seed": 1}


@pytest.fixture(scope="module")
def photographs():
    """Eight pieces of two photographs, all of different sizes."""
    pieces = [image[top : top + 129 + i, left : left + 140 - i] for image in (data.astronaut(), data.coffee())
              for i, (top, left) in enumerate([(0, 0), (0, 250), (200, 0), (200, 200)])]
    return [np.ascontiguousarray(piece) for piece in pieces]


def blurred(images, sigma):
    return [cv2.GaussianBlur(image, (0, 0), sigma) for image in images]


def test_a_shifted_cloud_lies_at_the_mean_length_of_the_projected_shift():
    rng = np.random.default_rng(0)
    points, shift = rng.standard_normal((500, 147)).astype(np.float32), rng.standard_normal(147).astype(np.float32) / 10
    mean_of_a_coordinate = np.exp(gammaln(147 / 2) - gammaln(148 / 2)) / np.sqrt(np.pi)  # of a random unit vector
    levels, mean = distances({0: points}, {0: points + shift}, 5000, seed=1)
    assert levels[0] == mean == pytest.approx(1000 * np.linalg.norm(shift) * mean_of_a_coordinate, rel=0.05)


def test_a_wider_gaussian_lies_at_the_difference_of_the_widths():
    rng = np.random.default_rng(0)
    narrow, wide = (rng.normal(0, sigma, (4000, 147)).astype(np.float32) for sigma in (0.02, 0.05))
    _, mean = distances({0: narrow}, {0: wide}, 128, seed=1)
    assert mean == pytest.approx(1000 * 0.03 * np.sqrt(2 / np.pi), rel=0.02)


def test_along_one_direction_it_is_the_wasserstein_distance_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.random((300, 1)).astype(np.float32), rng.random((300, 1)).astype(np.float32) ** 2
    wanted = 1000 * stats.wasserstein_distance(a[:, 0], b[:, 0])  # in one dimension both directions are alike
    assert distances({0: a}, {0: b}, 3, seed=1)[1] == pytest.approx(wanted, rel=1e-5)


def test_a_set_lies_at_zero_from_itself_and_the_order_of_two_does_not_matter(photographs):
    assert swd(photographs, photographs, **SETTINGS) == ({0: 0.0, 1: 0.0, 2: 0.0}, 0.0)
    other = blurred(photographs[::2], 1)
    assert swd(other, photographs, **SETTINGS)[1] == pytest.approx(swd(photographs, other, **SETTINGS)[1])


def test_it_grows_with_blur_on_every_level_that_the_blur_reaches(photographs):
    results = [swd(blurred(photographs, sigma), photographs, **SETTINGS) for sigma in (0.5, 1, 2)]
    for level in (0, 1, 2):
        assert 0 < results[0][0][level] < results[1][0][level] < results[2][0][level]
    assert results[2][1] == pytest.approx(np.mean(list(results[2][0].values())))
    assert results[2][0][0] > 2 * swd(photographs[::2], photographs[1::2], **SETTINGS)[0][0]


def test_the_same_seed_gives_the_same_value_and_another_seed_another(photographs):
    other = blurred(photographs[:3], 1)
    first, again, reseeded = (swd(other, photographs, 1000, 64, seed) for seed in (1, 1, 2))
    assert first == again and first != reseeded and first[1] == pytest.approx(reseeded[1], rel=0.2)


def test_levels_for_which_an_image_is_too_small_are_absent(photographs):
    small = [image[:40, :40] for image in photographs]
    assert list(swd(small, photographs, **SETTINGS)[0]) == [0, 1]
    assert list(swd([*photographs, small[0]], photographs, **SETTINGS)[0]) == [0, 1]
    with pytest.raises(ValueError, match="SWD needs images of 16x16"):
        swd([image[:15] for image in photographs], photographs, **SETTINGS)
    with pytest.raises(ValueError, match="empty set"):
        swd([], photographs, **SETTINGS)


def test_patches_come_from_all_images_and_many_places():
    rng = np.random.default_rng(0)
    images = [(128 + amplitude * rng.uniform(-1, 1, (64, 64, 3))).astype(np.uint8) for amplitude in (10, 40, 100)]
    points = sample(images, 100, seed=1)[0]
    assert points.shape == (100, 147) and len(np.unique(points, axis=0)) > 95
    spreads = [group.std() for group in np.split(points, [34, 67])]
    np.testing.assert_allclose(np.array(spreads) / spreads[0], [1, 4, 10], rtol=0.1)


def test_the_pyramid_adds_up_to_the_image(photographs):
    image, bands = photographs[0], laplacian_pyramid(photographs[0])
    rest = image.astype(np.float32) / 255
    for _ in bands:
        rest = cv2.pyrDown(rest)
    for band in bands[::-1]:
        rest = cv2.pyrUp(rest, dstsize=band.shape[1::-1]) + band
    np.testing.assert_allclose(rest, image / 255, atol=1e-5)
