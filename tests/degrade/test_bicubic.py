import cv2
import numpy as np
import pytest

from pipeline.degrade.bicubic import downscale, resize, resize_uint8, round_to_uint8


def direct_sum(line, size, scale):
    """The definition, one output value at a time: kernel taps over a signal mirrored on both sides."""
    line = np.asarray(line, np.float64)
    mirrored = np.concatenate([line, line[::-1]])
    shrink, result = min(scale, 1.0), []
    for i in range(size):
        centre, total, weight_sum = (i + 0.5) / scale - 0.5, 0.0, 0.0
        for j in range(int(np.floor(centre - 2 / shrink)) - 1, int(np.ceil(centre + 2 / shrink)) + 2):
            x = abs(shrink * (centre - j))
            weight = 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0
            total, weight_sum = total + weight * mirrored[j % len(mirrored)], weight_sum + weight
        result.append(total / weight_sum)
    return np.array(result)


@pytest.mark.parametrize("height, width, new_height, new_width", [
    (12, 20, 3, 5), (13, 17, 5, 6), (9, 7, 23, 18), (16, 16, 8, 32), (70, 11, 66, 11), (5, 3, 1, 1), (300, 4, 280, 4)])
def test_resize_is_the_direct_sum_along_each_axis(height, width, new_height, new_width):
    image = np.random.default_rng(0).random((height, width, 3)).astype(np.float32)
    down = np.apply_along_axis(direct_sum, 0, image, new_height, new_height / height)
    wanted = np.apply_along_axis(direct_sum, 1, down, new_width, new_width / width)
    np.testing.assert_allclose(resize(image, new_height, new_width), wanted, atol=2e-6)


def test_a_given_scale_acts_from_the_top_left():
    line = np.random.default_rng(1).random(33)
    resized = resize(line.reshape(-1, 1, 1), 83, 1, scale=2.5)
    np.testing.assert_allclose(resized[:, 0, 0], direct_sum(line, 83, 2.5), atol=2e-6)


def test_a_parabola_is_enlarged_exactly_which_only_the_kernel_with_a_half_does():
    def parabola(y, x):
        return 100 + 0.1 * (y - 15) ** 2 - 0.05 * (x - 20) ** 2

    y, x = np.mgrid[0:40, 0:50]
    image = parabola(y, x)[..., None].repeat(3, axis=2)
    inner, (fine_y, fine_x) = (slice(12, -12), slice(12, -12)), (np.mgrid[0:120, 0:150] + 0.5) / 3 - 0.5
    wanted = parabola(fine_y, fine_x)[inner]
    np.testing.assert_allclose(resize(image, 120, 150)[inner][..., 0], wanted, atol=1e-4)
    with_three_quarters = cv2.resize(image, (150, 120), interpolation=cv2.INTER_CUBIC)
    assert abs(with_three_quarters[inner][..., 0] - wanted).max() > 1e-3


def test_the_same_size_is_the_identity_and_a_constant_stays():
    image = np.random.default_rng(2).integers(0, 256, (21, 34, 3), dtype=np.uint8)
    assert (resize(image, 21, 34) == image).all() and (resize_uint8(image, 21, 34) == image).all()
    np.testing.assert_allclose(resize(np.full((31, 9, 3), 77, np.uint8), 13, 20), 77, rtol=1e-6)


def test_float_results_are_not_clipped_and_uint8_results_are():
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, 8:] = 255
    enlarged = resize(image, 48, 48)
    assert enlarged.dtype == np.float32 and enlarged.min() < -1 and enlarged.max() > 256
    assert resize_uint8(image, 48, 48).min() == 0


def test_halves_are_rounded_up():
    assert round_to_uint8(np.array([-3.0, 0.49, 0.5, 1.5, 2.5, 254.5, 300])).tolist() == [0, 0, 1, 2, 3, 255, 255]


@pytest.mark.parametrize("height, width, first", [(12, 18, 0), (12, 12, 0), (18, 12, 1)])
def test_uint8_is_rounded_after_each_axis_and_the_more_shrunk_axis_is_first(height, width, first):
    image = np.random.default_rng(4).integers(0, 256, (36, 36, 3), dtype=np.uint8)
    wanted, sizes = image, (height, width)
    for axis in (first, 1 - first):
        wanted = np.apply_along_axis(direct_sum, axis, wanted, sizes[axis], sizes[axis] / 36)
        wanted = np.floor(np.clip(wanted, 0, 255) + 0.5)
    got = resize_uint8(image, height, width)
    assert (got == wanted).mean() > 0.999  # ties may fall either way
    assert (got == round_to_uint8(resize(image, height, width))).mean() < 0.95


def test_sizes_that_do_not_divide_are_refused_by_name():
    with pytest.raises(ValueError, match="21x30 pixels cannot be divided by 4"):
        downscale(np.zeros((30, 21, 3), np.uint8), 4)


def test_wrong_arrays_are_refused():
    with pytest.raises(ValueError, match="float32, wanted uint8"):
        resize_uint8(np.zeros((4, 4, 3), np.float32), 2, 2)
    with pytest.raises(ValueError, match="to 0x2"):
        resize(np.zeros((4, 4, 3), np.float32), 2, 0)
    with pytest.raises(ValueError, match="channels"):
        resize(np.zeros((4, 4), np.float32), 2, 2)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_files_of_set5_are_reproduced_bit_by_bit(data_folder, scale):
    from PIL import Image
    set5 = data_folder / "benchmarks/Set5"
    paths = sorted((set5 / "HR").glob("*.png"))
    assert len(paths) == 5
    for path in paths:
        wanted = np.array(Image.open(set5 / f"LR_bicubic/X{scale}/{path.stem}x{scale}.png").convert("RGB"))
        image = np.array(Image.open(path).convert("RGB"))[: wanted.shape[0] * scale, : wanted.shape[1] * scale]
        assert (downscale(image, scale) == wanted).all(), path.name
