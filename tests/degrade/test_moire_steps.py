"""The steps of the moire simulator, one by one, each against a closed form or another implementation."""
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from scipy import integrate, ndimage, optimize, special

from pipeline.core.seeds import rng
from pipeline.degrade.camera import to_linear
from pipeline.degrade.moire import mosaic as mosaics
from pipeline.degrade.moire.downsample import tone_curve
from pipeline.degrade.moire.geometry import distort, pose, project, undistort
from pipeline.degrade.moire.light import MIDDLE, colour_matrix, developed, filters, metered, response, uneven
from pipeline.degrade.moire.mosaic import green_centre, lit, mosaic
from pipeline.degrade.moire.sensor import (
    PAD,
    antialias,
    cfa,
    demosaic,
    denoise,
    halo,
    kernels,
    points,
    sensor_noise,
    smooth_colour,
    unsharp_mask,
)

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")
LAYOUTS = tuple(mosaics.LAYOUTS)


@pytest.mark.parametrize("layout, rows", [
    ("stripe", ("r00 0g0 00b R00 0G0 00B", "r00 0g0 00b R00 0G0 00B", "r00 0g0 00b R00 0G0 00B")),
    ("bgr", ("00b 0g0 r00 00B 0G0 R00", "00b 0g0 r00 00B 0G0 R00", "00b 0g0 r00 00B 0G0 R00")),
    ("krgb", ("000 000 000 000 000 000", "r00 0g0 00b R00 0G0 00B", "r00 0g0 00b R00 0G0 00B")),
    ("turned", ("r00 r00 r00 R00 R00 R00", "0g0 0g0 0g0 0G0 0G0 0G0", "00b 00b 00b 00B 00B 00B"))])
def test_a_pixel_is_shown_by_its_cells(layout, rows):
    pixels = np.uint8([[[10, 100, 200], [30, 150, 250]]])
    light = dict(zip("rgbRGB0", [*to_linear(pixels).ravel(), 0]))
    wanted = [[[light[letter] for letter in cell] for cell in row.split()] for row in rows]
    np.testing.assert_array_equal(mosaic(pixels, layout, np.eye(3)), np.float32(wanted))


def test_pentile_has_green_at_each_pixel_and_red_and_blue_by_turns():
    pixels = np.full((2, 2, 3), 255, np.uint8)
    pixels[1, 1] = 0
    made = mosaic(pixels, "pentile", np.eye(3))
    red, green, blue = (np.flatnonzero(made[..., channel]).tolist() for channel in range(3))
    assert (red, green, blue) == ([0, 10], [5, 7, 13], [2, 8])  # cells of the 4x4 grid
    assert made[2, 2, 0] == 0.75  # at the corner of four pixels of which one is black


def test_what_is_lit_and_where_green_is():
    share = {"stripe": (3, 3, 3), "bgr": (3, 3, 3), "krgb": (4.5, 4.5, 4.5), "turned": (3, 3, 3), "pentile": (8, 4, 8)}
    centre = {"stripe": (0, 0), "bgr": (0, 0), "krgb": (1 / 6, 0), "turned": (0, 0), "pentile": (0.25, 0.25)}
    for layout in LAYOUTS:
        np.testing.assert_allclose(lit(layout), 1 / np.array(share[layout]))
        np.testing.assert_allclose(green_centre(layout), centre[layout], atol=1e-12)
        green = mosaic(np.full((4, 6, 3), 255, np.uint8), layout, np.eye(3))[..., 1]
        within_pixel = (np.indices(green.shape) + 0.5) / (green.shape[0] // 4) % 1 - 0.5
        np.testing.assert_allclose([np.average(axis, weights=green) for axis in within_pixel], centre[layout], atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("crosstalk", [0, 0.3])
def test_exposure_brings_back_the_light_of_grey(layout, crosstalk):
    pixels = np.full((4, 6, 3), 150, np.uint8)
    light = mosaic(pixels, layout, response(lit(layout), 0, (0, 0), crosstalk)).mean((0, 1), dtype=float)
    np.testing.assert_allclose(light, to_linear(np.uint8(150)), rtol=1e-5)
    brighter = mosaic(pixels, layout, response(lit(layout), 1, (-1, 0.5), crosstalk)).mean((0, 1), dtype=float)
    np.testing.assert_allclose(brighter / light, [1, 2, 2**1.5], rtol=1e-5)


def test_automatic_exposure_takes_back_a_share():
    image = np.full((21, 30, 3), 80, np.uint8)
    light = float(to_linear(np.uint8(80)))
    assert metered(image, 0.5) == pytest.approx(0.5 * np.log2(MIDDLE / light), abs=1e-4)
    assert metered(np.full((9, 9, 3), 255, np.uint8), 1) == pytest.approx(np.log2(MIDDLE))
    assert metered(np.zeros((9, 9, 3), np.uint8), 0.4) == pytest.approx(1.2)  # 3 stops at most
    assert metered(image, 0) == 0


def test_development_takes_the_headroom_back_and_bends_at_white():
    light = np.linspace(0, 1, 2001)
    made = developed(light, 1.5)
    assert made[0] == 0 and made[-1] == pytest.approx(1) and (np.diff(made) > 0).all()
    assert made[1] / light[1] == pytest.approx(2**1.5, rel=2e-3)
    np.testing.assert_allclose(developed(light, 0), light)


def test_the_colour_matrix_undoes_the_filters():
    np.testing.assert_allclose(filters(0.2), [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    np.testing.assert_allclose(colour_matrix(0.3) @ filters(0.3), np.eye(3), atol=1e-12)


def test_the_pose_is_where_rays_meet_the_tilted_screen():
    scale, rotation, tilt, direction, focal = 1.7, 12.0, 25.0, 40.0, 900.0
    homography = pose(scale, rotation, tilt, direction, focal)
    turn, _ = cv2.Rodrigues(np.deg2rad(tilt) * np.array([np.cos(np.deg2rad(direction)), np.sin(np.deg2rad(direction)), 0]))
    about_axis, _ = cv2.Rodrigues(np.deg2rad(rotation) * np.array([0, 0, 1.0]))
    u, v = np.array([[0, 30, -200], [0, -50, 111]], float)
    place = turn @ about_axis @ np.stack([u, v, 0 * u]) + [[0], [0], [focal / scale]]
    x, y = project(homography, u, v)
    np.testing.assert_allclose([x, y], focal * place[:2] / place[2], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(project(np.linalg.inv(homography), x, y), [u, v], atol=1e-9)


def test_without_tilt_the_pose_is_a_turn_and_a_scale():
    homography = pose(2.0, 90, 0, 123, 500)
    np.testing.assert_allclose(project(homography, np.array([1.0, 0]), np.array([0, 1.0])), [[0, -2], [2, 0]], atol=1e-12)
    leaning = pose(2.0, 0, 60, 0, 1e9)  # about the x axis, from so far that nothing converges
    np.testing.assert_allclose(project(leaning, np.array([1.0, 0]), np.array([0, 1.0])), [[2, 0], [0, 1]], atol=1e-6)


@pytest.mark.parametrize("k1", [-0.15, -0.05, 0, 0.08, 0.15])
def test_the_lens_and_its_inverse(k1):
    x, y = np.meshgrid(np.linspace(-400, 400, 9), np.linspace(-400, 400, 7))
    seen_x, seen_y = distort(*undistort(x, y, k1, 400), k1, 400)
    np.testing.assert_allclose([seen_x, seen_y], [x, y], atol=1e-5)
    seen = optimize.brentq(lambda r: r * (1 + k1 * r * r) - 0.7, 0, 1.4)  # an ideal radius of 0.7
    np.testing.assert_allclose(distort(np.array([280.0]), np.array([0.0]), k1, 400)[0], 400 * seen)
    assert np.sign(280 - 400 * seen) == np.sign(k1)  # positive: a barrel


@pytest.mark.parametrize("scale, sigma", [(2, 0.75), (2, 1.25), (1.2, 0.45), (1.2, 1.0), (0.7, 0.3)])
def test_the_filter_has_the_flat_tops_frequency_response(scale, sigma):
    def flat_top(r):
        return np.exp(-((r * r / (2 * sigma**2)) ** 2)) * r

    places = points(scale, sigma)
    weights, around = kernels(sigma, places), np.arange(-halo(sigma), halo(sigma) + 1)
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    y, x = places[:, 0, None, None] + around[:, None], places[:, 1, None, None] + around
    whole = integrate.quad(flat_top, 0, 5 * sigma)[0]
    for f in (0.1, 0.25, 0.5):
        wanted = integrate.quad(lambda r, f=f: flat_top(r) * special.j0(2 * np.pi * f * r), 0, 5 * sigma)[0] / whole
        for angle in (0, 0.5, np.pi / 4):
            got = (weights * np.cos(2 * np.pi * f * (x * np.cos(angle) + y * np.sin(angle)))).sum()
            assert got == pytest.approx(wanted, abs=0.015)


def test_the_filter_is_the_weighted_sum_of_its_samples():
    places, draw = points(2.0, 0.8), np.random.default_rng(0)
    reach = halo(0.8)
    samples = [draw.random((11 + 2 * reach, 9 + 2 * reach, 3), np.float32) for _ in places]
    wanted = sum(ndimage.correlate(sample.astype(float), kernel[..., None].astype(float))
                 for sample, kernel in zip(samples, kernels(0.8, places)))[reach:-reach, reach:-reach]
    np.testing.assert_allclose(antialias(samples, 0.8, places), wanted, atol=1e-5)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_photosite_sees_the_colour_of_its_filter(pattern):
    light = np.arange(5 * 7 * 3, dtype=np.float32).reshape(5, 7, 3)
    raw = cfa(light, pattern)
    for row in range(5):
        for column in range(7):
            assert raw[row, column] == light[row, column, "RGB".index(pattern[2 * (row % 2) + column % 2])]


@pytest.mark.parametrize("height, width", [(31, 45), (80, 80)])
def test_uneven_light_lies_where_it_is_in_the_photograph(height, width):
    light = np.random.default_rng(0).random((height, width), np.float32)
    geometry = SimpleNamespace(middle=[13.0, -20.0], radius=60)
    drawn = {"glare": 0.3, "glare_centre": [-0.4, 0.2], "glare_sigma": 0.5, "vignetting": 0.4, "brightest": [0.3, -0.1]}
    y, x = np.indices(light.shape) + 0.5 - np.array([height, width])[:, None, None] / 2 + [[[13]], [[-20]]]
    spot = 0.3 * np.exp(-((x + 24) ** 2 + (y - 12) ** 2) / (2 * 30**2))
    made = light.copy()
    uneven(made, geometry, drawn)
    np.testing.assert_allclose(made, (light + spot) * 0.6 ** (((x - 18) ** 2 + (y + 6) ** 2) / (2 * 60**2)), rtol=1e-5)
    left = light.copy()
    uneven(left, geometry, {})
    assert (left == light).all()


def test_vignetting_is_the_loss_in_the_corners():
    light = np.ones((1001, 1001), np.float32)
    uneven(light, SimpleNamespace(middle=[0, 0], radius=500.5), {"vignetting": 0.3, "brightest": [0, 0]})
    assert light[500, 500] == 1 and light[500, 0] == pytest.approx(0.7**0.5, abs=1e-3)
    assert light[0, 0] == light[-1, -1] == pytest.approx(0.7, abs=1e-3)


def test_noise_is_poisson_gaussian():
    for signal in (0.05, 0.2, 0.6):
        raw = np.full((300, 301), signal, np.float32)
        noise = sensor_noise(raw, 0.004, 0.01, rng(1, "noise")).astype(float) / 65535 - signal
        assert noise.std() == pytest.approx(np.sqrt(0.004 * signal + 0.01**2), rel=0.01) and abs(noise.mean()) < 3e-4
        gaussian = sensor_noise(raw, 0, 0.01, rng(1, "noise")).astype(float) / 65535 - signal
        assert gaussian.std() == pytest.approx(0.01, rel=0.01)


def test_the_sensor_saturates_and_counts_in_65535_steps():
    raw = np.float32([[-0.1, 0, 0.5, 1, 1.7]])
    np.testing.assert_array_equal(sensor_noise(raw, 0, 0, None), [[0, 0, 32768, 65535, 65535]])
    assert raw[0, 4] == np.float32(1.7)  # the light given is left alone


def mosaicked(image, pattern):
    """uint16 (height, width, 3) -> its Bayer mosaic with the border that demosaicing reads."""
    return cv2.copyMakeBorder(cfa(image, pattern), PAD, PAD, PAD, PAD, cv2.BORDER_REFLECT_101)


@pytest.mark.parametrize("method", ["bilinear", "malvar", "edge"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_demosaicing_keeps_ramps(pattern, method):
    y, x = np.mgrid[:15, :18]
    slopes = ((700, 400),) * 3 if method == "edge" else ((700, 400), (-300, 500), (200, -600))
    image = np.dstack([20000 + down * y + right * x for down, right in slopes]).astype(np.uint16)
    made = demosaic(mosaicked(image, pattern), pattern, method)
    assert made.shape == image.shape and made.dtype == np.uint16
    assert np.abs(made.astype(int) - image)[2:-2, 2:-2].max() <= 1


def test_malvars_coefficients_are_the_published_ones():
    raw = np.random.default_rng(0).integers(20000, 40000, (13, 14)).astype(np.uint16)  # red at even rows, even columns
    made = demosaic(raw, "RGGB", "malvar")

    def at(y, x, red, channel):
        """Figure 2 of the paper around (y, x): own, beside, above, diagonal, two beside, two above."""
        own, beside, above, diagonal, far_beside, far_above = red
        v = raw.astype(float)
        total = (own * v[y, x] + beside * (v[y, x - 1] + v[y, x + 1]) + above * (v[y - 1, x] + v[y + 1, x])
                 + diagonal * (v[y - 1, x - 1] + v[y - 1, x + 1] + v[y + 1, x - 1] + v[y + 1, x + 1])
                 + far_beside * (v[y, x - 2] + v[y, x + 2]) + far_above * (v[y - 2, x] + v[y + 2, x])) / 8
        assert made[y - PAD, x - PAD, channel] == pytest.approx(total, abs=0.51)

    at(6, 6, (4, 2, 2, 0, -1, -1), 1)  # green at red
    at(7, 7, (4, 2, 2, 0, -1, -1), 1)  # green at blue
    at(6, 7, (5, 4, 0, -1, -1, 0.5), 0)  # red at green in a red row
    at(7, 6, (5, 0, 4, -1, 0.5, -1), 0)  # red at green in a blue row
    at(7, 7, (6, 0, 0, 2, -1.5, -1.5), 0)  # red at blue
    at(6, 7, (5, 0, 4, -1, 0.5, -1), 2)  # blue at green in a red row
    at(7, 6, (5, 4, 0, -1, -1, 0.5), 2)  # blue at green in a blue row
    at(6, 6, (6, 0, 0, 2, -1.5, -1.5), 2)  # blue at red


def test_denoising():
    draw = np.random.default_rng(0)
    edge = np.full((40, 41, 3), 60, np.uint8)
    edge[:, 20:] = 180
    noisy = np.clip(edge + draw.normal(0, 4, edge.shape), 0, 255).astype(np.uint8)
    assert denoise(noisy, "none", 1, 10) is noisy
    wanted = ndimage.gaussian_filter(noisy.astype(float), (0.7, 0.7, 0), mode="mirror")
    assert np.abs(denoise(noisy, "gaussian", 0.7, 10) - wanted).max() < 2
    kept = denoise(noisy, "bilateral", 0, 15)
    assert kept[5:-5, 5:15].std() < 0.6 * noisy[5:-5, 5:15].std()  # smoother ...
    assert (kept[:, 20].astype(int) - kept[:, 19]).mean() > 0.95 * 120  # ... and the edge as steep


def test_smoothing_colour_leaves_luma():
    image = np.random.default_rng(0).integers(60, 190, (40, 41, 3), np.uint8)
    made = smooth_colour(image, 2.0)
    luma = np.array([0.299, 0.587, 0.114])
    assert np.abs(made @ luma - image @ luma).max() < 3
    assert np.ptp(made.astype(int), axis=2).mean() < 0.5 * np.ptp(image.astype(int), axis=2).mean()
    assert smooth_colour(image, 0) is image


def test_the_tone_curve_keeps_black_middle_grey_and_white():
    levels = np.linspace(0, 255, 1001)
    for contrast in (0.7, 1.0, 1.6):
        made = tone_curve(levels, contrast, 0)
        np.testing.assert_allclose(made[[0, 500, 1000]], [0, 127.5, 255], atol=1e-3)
        assert np.gradient(made, levels)[500] == pytest.approx(contrast, rel=1e-3) and (np.diff(made) > 0).all()
    np.testing.assert_allclose(tone_curve(levels, 1, 0.1), levels + 25.5, atol=1e-3)
    np.testing.assert_allclose(tone_curve(np.array([-20.0, 300.0]), 1.3, 0), [0, 255])  # beyond the range by sharpening


def test_sharpening_is_an_unsharp_mask():
    image = np.random.default_rng(0).integers(90, 160, (30, 31, 3), np.uint8)
    blurred = ndimage.gaussian_filter(image.astype(float), (1, 1, 0), mode="mirror")
    assert np.abs(unsharp_mask(image, 0.8) - (1.8 * image - 0.8 * blurred)).max() < 2
    assert unsharp_mask(image, 0) is image
