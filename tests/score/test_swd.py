import cv2
import numpy as np
import pytest
from conftest import ROOT
from scipy import ndimage, stats
from scipy.special import gammaln
from skimage import data

from pipeline.core.params import load
from pipeline.core.seeds import rng as stream
from pipeline.score.registry import METRICS
from pipeline.score.score import Scoring
from pipeline.score.swd import distances, laplacian_pyramid, sample_pyramids

SETTINGS = {"patches": 1000, "projections": 64, "seed": 1}


@pytest.fixture(scope="module")
def photographs():
    """Eight pieces of two photographs, all of different sizes."""
    pieces = [image[top : top + 129 + i, left : left + 140 - i] for image in (data.astronaut(), data.coffee())
              for i, (top, left) in enumerate([(0, 0), (0, 250), (200, 0), (200, 200)])]
    return [np.ascontiguousarray(piece) for piece in pieces]


def swd(images, references, patches, projections, seed):
    samples = (sample_pyramids(chosen, patches, seed) for chosen in (images, references))
    return distances(*samples, projections, seed)


def blurred(images, sigma):
    return [cv2.GaussianBlur(image, (0, 0), sigma) for image in images]


def one_level(band, low=None):
    """A sample of one band-pass level, and of the low-pass level below it."""
    low = band if low is None else low
    return [(band, band), (low, low)]


def halved(image):
    """Burt and Adelson's REDUCE by convolution, mirrored about the edge pixel."""
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    for axis in (0, 1):
        image = ndimage.correlate1d(image, kernel, axis, mode="mirror")
    return image[::2, ::2]


def doubled(image, height, width):
    """EXPAND: zeros in between, the same kernel, four times as bright; then what an odd side has too much is cut off."""
    filled = np.zeros((2 * image.shape[0], 2 * image.shape[1], 3))
    filled[::2, ::2] = image
    kernel = np.array([1, 4, 6, 4, 1]) / 8
    for axis in (0, 1):
        filled = ndimage.correlate1d(filled, kernel, axis, mode="mirror")
    return filled[:height, :width]


def swd_by_definition(images, references, patches, projections, seed):
    """Per level: patches cut one by one at the places of `sample`, one-dimensional distances by scipy."""
    def points(images, level, last):
        places, found = stream(seed, "swd/positions", level), []
        for index, image in enumerate(images):
            image = image / 255
            for _ in range(level):
                image = halved(image)
            if level < last:
                image = image - doubled(halved(image), *image.shape[:2])
            count = patches // len(images) + (index < patches % len(images))
            tops, lefts = places.integers(image.shape[0] - 6, size=count), places.integers(image.shape[1] - 6, size=count)
            found += [image[y : y + 7, x : x + 7].transpose(2, 0, 1).ravel() for y, x in zip(tops, lefts)]
        return np.array(found)

    side, last = min(min(image.shape[:2]) for image in [*images, *references]), -1
    while side >= 16:
        side, last = (side + 1) // 2, last + 1
    found = []
    for level in range(last + 1):
        directions = stream(seed, "swd/directions", level).standard_normal((147, projections), dtype=np.float32)
        directions = directions / np.linalg.norm(directions, axis=0)
        a, b = (points(chosen, level, last) @ directions for chosen in (images, references))
        found.append(1000 * np.mean([stats.wasserstein_distance(x, y) for x, y in zip(a.T, b.T)]))
    return found


@pytest.mark.parametrize("sizes, count", [(((33, 41), (45, 32)), 2), (((67, 81), (73, 65)), 3), (((129, 125), (123, 131)), 4)])
def test_it_is_the_mean_distance_along_directions_on_every_level(photographs, sizes, count):
    images, references = ([image[:height, :width] for image in chosen] for (height, width), chosen in
                          zip(sizes, (photographs[:3], photographs[3:5])))
    levels, mean = swd(images, references, patches=50, projections=16, seed=3)
    wanted = swd_by_definition(images, references, 50, 16, 3)
    assert list(levels) == [*map(str, range(count - 1)), "low"]
    np.testing.assert_allclose(list(levels.values()), wanted, atol=5e-5)
    assert mean == pytest.approx(np.mean(wanted[:-1]), abs=5e-5)


def test_constant_images_differ_on_the_low_pass_level_alone():
    grey, lighter = (np.full((41, 37, 3), value, np.uint8) for value in (100, 110))
    levels, mean = swd([grey], [lighter], 20, 8, seed=1)
    directions = stream(1, "swd/directions", 1).standard_normal((147, 8), dtype=np.float32)
    directions = directions / np.linalg.norm(directions, axis=0)
    assert levels["0"] == mean == pytest.approx(0, abs=5e-4)
    assert levels["low"] == pytest.approx(1000 * 10 / 255 * np.mean(np.abs(directions.sum(axis=0))), abs=5e-3)


def test_a_shifted_cloud_lies_at_the_mean_length_of_the_projected_shift():
    rng = np.random.default_rng(0)
    points, shift = rng.standard_normal((500, 147)).astype(np.float32), rng.standard_normal(147).astype(np.float32) / 10
    mean_of_a_coordinate = np.exp(gammaln(147 / 2) - gammaln(148 / 2)) / np.sqrt(np.pi)  # of a random unit vector
    levels, mean = distances(one_level(points), one_level(points + shift, points), 5000, seed=1)
    assert levels == {"0": mean, "low": 0}
    assert mean == pytest.approx(1000 * np.linalg.norm(shift) * mean_of_a_coordinate, rel=0.05)


def test_a_wider_gaussian_lies_at_the_difference_of_the_widths():
    rng = np.random.default_rng(0)
    narrow, wide = (rng.normal(0, sigma, (4000, 147)).astype(np.float32) for sigma in (0.02, 0.05))
    _, mean = distances(one_level(narrow), one_level(wide), 128, seed=1)
    assert mean == pytest.approx(1000 * 0.03 * np.sqrt(2 / np.pi), rel=0.02)


def test_a_set_lies_at_zero_from_itself_and_the_order_of_two_does_not_matter(photographs):
    assert swd(photographs, photographs, **SETTINGS) == ({"0": 0.0, "1": 0.0, "2": 0.0, "low": 0.0}, 0.0)
    other = blurred(photographs[::2], 1)
    assert swd(other, photographs, **SETTINGS)[1] == pytest.approx(swd(photographs, other, **SETTINGS)[1])


def test_it_grows_with_blur_on_every_level_that_the_blur_reaches(photographs):
    results = [swd(blurred(photographs, sigma), photographs, **SETTINGS) for sigma in (0.5, 1, 2)]
    for level in ("0", "1", "2", "low"):
        assert 0 < results[0][0][level] < results[1][0][level] < results[2][0][level]
    assert results[2][1] == pytest.approx(np.mean([results[2][0][level] for level in ("0", "1", "2")]))
    assert results[2][0]["0"] > 2 * swd(photographs[::2], photographs[1::2], **SETTINGS)[0]["0"]


def test_the_same_seed_gives_the_same_value_and_another_seed_another(photographs):
    other = blurred(photographs[:3], 1)
    first, again, reseeded = (swd(other, photographs, 1000, 64, seed) for seed in (1, 1, 2))
    assert first == again and first != reseeded and first[1] == pytest.approx(reseeded[1], rel=0.2)


def test_the_smallest_image_of_both_sets_says_how_many_levels_there_are(photographs):
    small = [image[:40, :40] for image in photographs]
    for a, b in ((small, photographs), (photographs, small), ([*photographs, small[0]], photographs),
                 ([small[0], *photographs], photographs)):
        assert list(swd(a, b, **SETTINGS)[0]) == ["0", "low"]
    for size in (15, 30):
        with pytest.raises(ValueError, match="SWD needs images of 32x32"):
            swd([image[:size] for image in photographs], photographs, **SETTINGS)
    with pytest.raises(ValueError, match="empty set"):
        swd([], photographs, **SETTINGS)


def test_patches_come_from_all_images_and_many_places():
    rng = np.random.default_rng(0)
    images = [(128 + amplitude * rng.uniform(-1, 1, (64, 64, 3))).astype(np.uint8) for amplitude in (10, 40, 100)]
    points, _ = sample_pyramids(images, 100, seed=1)[0]
    assert points.shape == (100, 147) and len(np.unique(points, axis=0)) > 95
    spreads = [group.std() for group in np.split(points, [34, 67])]
    np.testing.assert_allclose(np.array(spreads) / spreads[0], [1, 4, 10], rtol=0.1)


def test_the_pyramid_adds_up_to_the_image(photographs):
    image, pyramid = photographs[0], laplacian_pyramid(photographs[0])
    assert len(pyramid) == 4 and min(pyramid[-1][1].shape[:2]) >= 16
    rest = pyramid[-1][1]
    for band, _ in pyramid[-2::-1]:
        rest = cv2.pyrUp(rest, dstsize=band.shape[1::-1]) + band
    np.testing.assert_allclose(rest, image / 255, atol=1e-5)


def test_of_an_image_and_its_truth_alone_it_does_not_hang_on_what_other_scenes_show(photographs):
    bench = load(ROOT / "params.yaml").bench
    measure = METRICS["swd_truth"].measure(Scoring(bench, photographs, "no trunks"))
    truth, other = photographs[0], photographs[5]
    soft, softer = blurred([truth], 1)[0], blurred([truth], 2)[0]
    assert measure(truth, truth) == 0
    assert measure(soft, truth) == swd([soft], [truth], bench.swd_patches, bench.swd_projections, bench.seed)[1]
    assert 0 < measure(soft, truth) < measure(softer, truth) < measure(other, truth)
