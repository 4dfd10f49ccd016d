import cv2
import numpy as np
import pytest
from scipy import ndimage
from scipy.special import gamma
from skimage import data

from pipeline.degrade.bicubic import resize, round_to_uint8
from pipeline.score.fidelity import luma
from pipeline.score.niqe import NiqeModel, TooFewPatches, aggd, fit, patch_features, published, score


@pytest.fixture(scope="module")
def photographs():
    return [data.astronaut(), data.coffee(), data.rocket(), data.chelsea()]


@pytest.fixture(scope="module")
def model(photographs):
    return fit(photographs, 48)


def aggd_by_definition(values):
    """Best entry of the table of shapes by search, one sample at a time."""
    left, right = np.sqrt(np.mean(values[values < 0] ** 2)), np.sqrt(np.mean(values[values > 0] ** 2))
    skew = left / right
    wanted = np.mean(np.abs(values)) ** 2 / np.mean(values**2) * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    table = np.arange(0.2, 10.001, 0.001)
    shape = table[np.argmin(np.abs(gamma(2 / table) ** 2 / (gamma(1 / table) * gamma(3 / table)) - wanted))]
    to_scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * to_scale, right * to_scale


def features_by_definition(gray, top, left, side):
    """18 features of one patch, from scipy's convolution with the full window."""
    y, x = np.mgrid[-3:4, -3:4]
    window = np.exp(-0.5 * (x * x + y * y) / (7 / 6) ** 2)
    window /= window.sum()
    mean = ndimage.convolve(gray, window, mode="nearest")
    deviation = np.sqrt(np.abs(ndimage.convolve(gray**2, window, mode="nearest") - mean**2))
    block = ((gray - mean) / (deviation + 1))[top : top + side, left : left + side]
    shape, left_scale, right_scale = aggd_by_definition(block)
    found = [shape, (left_scale + right_scale) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shape, left_scale, right_scale = aggd_by_definition(block * np.roll(block, shift, axis=(0, 1)))
        found += [shape, (right_scale - left_scale) * gamma(2 / shape) / gamma(1 / shape), left_scale, right_scale]
    return found


def test_gaussian_and_laplacian_samples_have_the_shapes_two_and_one():
    rng = np.random.default_rng(0)
    shape, left, right = aggd(np.stack([rng.normal(0, 3, 100_000), rng.laplace(0, 3, 100_000)]))
    np.testing.assert_allclose(shape, [2, 1], rtol=0.03)
    np.testing.assert_allclose([left, right], [[3 * np.sqrt(2), 3]] * 2, rtol=0.03)


def test_an_asymmetric_sample_is_fitted_as_by_definition():
    values = np.random.default_rng(0).normal(0, 1, (5, 30, 30))
    values = np.where(values < 0, 0.4, 1.7) * np.abs(values) ** 1.3 * np.sign(values)
    wanted = [aggd_by_definition(block.ravel()) for block in values]
    np.testing.assert_allclose(np.transpose(aggd(values)), wanted, rtol=1e-6)


def test_the_features_of_a_patch_are_those_of_the_definition():
    image = data.astronaut()[:150, 100:221]
    features, sharpness = patch_features(image, 48)
    assert features.shape == (6, 36) and sharpness.shape == (6,)
    gray = luma(image[:144, :96]).round()
    half = resize(gray[..., None], 72, 48)[..., 0].astype(float)
    wanted = features_by_definition(gray, 48, 0, 48) + features_by_definition(half, 24, 0, 24)
    np.testing.assert_allclose(features[2], wanted, rtol=2e-3, atol=1e-4)


def test_it_grows_with_blur_and_with_noise(photographs, model):
    rng = np.random.default_rng(0)
    for image in photographs:
        blurred = [score(cv2.GaussianBlur(image, (0, 0), sigma), model) for sigma in (0.7, 1, 2)]
        noisy = [score(round_to_uint8(image + rng.normal(0, sigma, image.shape)), model) for sigma in (10, 30)]
        assert score(image, model) < blurred[0] < blurred[1] < blurred[2] and score(image, model) < noisy[0] < noisy[1]


def test_the_model_is_fitted_to_the_sharp_patches():
    photograph = data.astronaut()
    half_blurred = photograph.copy()
    half_blurred[:, 240:] = cv2.GaussianBlur(photograph, (0, 0), 5)[:, 240:]
    features, sharpness = patch_features(half_blurred, 48)
    chosen = features[sharpness > 0.75 * sharpness.max()]
    assert 2 <= len(chosen) < 20
    np.testing.assert_allclose(fit([half_blurred], 48).mean, chosen.mean(axis=0))


def test_the_score_is_the_distance_of_the_formula(model):
    image = data.astronaut()[200:392, 100:292]
    features, _ = patch_features(image, 48)
    middle, difference = (np.cov(features.T) + model.covariance) / 2, features.mean(axis=0) - model.mean
    assert score(image, model) == pytest.approx(np.sqrt(difference @ np.linalg.solve(middle, difference)), rel=1e-6)


def resized_by_definition(line, size):
    """Keys' kernel (a = -0.5) widened by the reduction, over a line mirrored at both ends: one value at a time."""
    shrink, mirrored, found = size / len(line), np.concatenate([line, line[::-1]]), []
    for i in range(size):
        centre = (i + 0.5) / shrink - 0.5
        taps = np.arange(np.floor(centre - 2 / shrink) - 1, np.ceil(centre + 2 / shrink) + 2).astype(int)
        x = np.abs(shrink * (centre - taps))
        weights = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x <= 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))
        found.append(weights @ mirrored[taps % len(mirrored)] / weights.sum())
    return np.array(found)


def niqe_by_definition(image, mean, covariance, side):
    """The score from the paper's formulas, patch by patch in double precision."""
    height, width = image.shape[0] // side * side, image.shape[1] // side * side
    exact = image[:height, :width].astype(int) @ np.array([65481, 128553, 24966])
    grey = (16 + (exact + 127_500) // 255_000).astype(float)
    half = np.apply_along_axis(resized_by_definition, 0, grey, height // 2)
    half = np.apply_along_axis(resized_by_definition, 1, half, width // 2)
    features = np.array([features_by_definition(grey, top, left, side)
                         + features_by_definition(half, top // 2, left // 2, side // 2)
                         for top in range(0, height, side) for left in range(0, width, side)])
    difference = features.mean(axis=0) - mean
    centred = features - features.mean(axis=0)
    middle = (centred.T @ centred / (len(features) - 1) + covariance) / 2
    return np.sqrt(difference @ np.linalg.solve(middle, difference))


@pytest.mark.parametrize("top, left, height, width", [(10, 33, 201, 157), (120, 60, 97, 245)])
def test_the_score_is_that_of_an_independent_implementation(photographs, top, left, height, width):
    """Under a model of all patches, so that its covariance has full rank. With a little noise, as in flat areas the signs
    that the features count are those of rounding errors."""
    features = np.concatenate([patch_features(photograph, 48)[0] for photograph in photographs])
    features = features[np.isfinite(features).all(axis=1)]
    model = NiqeModel(features.mean(axis=0), np.cov(features.T), 48)
    image = data.astronaut()[top : top + height, left : left + width]
    image = round_to_uint8(image + np.random.default_rng(0).normal(0, 2, image.shape))
    assert score(image, model) == pytest.approx(niqe_by_definition(image, model.mean, model.covariance, 48), abs=5e-5)


@pytest.mark.filterwarnings("error")
def test_few_patches_are_enough_and_fewer_than_two_are_refused(model):
    image = data.astronaut()
    assert 0 < score(image[:48, :96], model) < 100
    few = fit([image[:144, :144]], 48)  # nine patches at most: a covariance of rank eight at most
    assert 0 <= score(image[:96, :96], few) < 1000
    with pytest.raises(TooFewPatches, match="2 patches of 48x48 pixels that are not flat; the image has 1"):
        score(image[:95, :95], model)
    with pytest.raises(TooFewPatches, match="the image has 0"):
        score(np.full((192, 192, 3), 128, np.uint8), model)
    with pytest.raises(TooFewPatches, match="the pristine images have 0"):
        fit([image[:20, :20]], 48)


@pytest.mark.filterwarnings("error")
def test_flat_patches_are_left_out(model):
    image = data.astronaut()[:144, :144]
    padded = np.concatenate([image, np.full((48, 144, 3), 200, np.uint8)])
    features, _ = patch_features(padded, 48)
    assert np.isfinite(features[:6]).all() and not np.isfinite(features[9:]).all()
    assert np.isfinite(score(padded, model))


def test_the_published_model_is_read_and_its_absence_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="niqe_pris_params.npz is not there; `python -m pipeline fetch-trunks"):
        published(tmp_path)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "niqe_pris_params.npz", mu_pris_param=rng.random((1, 36)), cov_pris_param=np.eye(36))
    read = published(tmp_path)
    assert read.patch == 96 and read.mean.shape == (36,) and (read.mean == np.random.default_rng(0).random(36)).all()


def test_the_authors_model_gives_the_value_of_their_matlab_release(data_folder):
    """5.7296 for `baboon`, as MATLAB R2021a is reported to give and BasicSR's port does."""
    from PIL import Image
    authors = published(data_folder / "weights")
    paths = sorted((data_folder / "benchmarks/Set14/HR").glob("*.png"))
    images = [np.array(Image.open(path).convert("RGB")) for path in paths]
    assert paths[0].stem == "img_001" and score(images[0], authors) == pytest.approx(5.7296, abs=5e-5)
    assert 3 < np.median([score(image, authors) for image in images]) < 6
