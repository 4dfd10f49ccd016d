import io
import os
import re
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.images.decode import IMAGE_SUFFIXES, BadImage, decode, read_size
from pipeline.images.encode import write_png

HEIGHT, WIDTH = 37, 29
RGB = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8), (0, 0), 1.5)


def encoded(image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format, **options)
    return buffer.getvalue()


def decoded(tmp_path, data: bytes, max_megapixels: float = 1) -> np.ndarray:
    path = tmp_path / "image"
    path.write_bytes(data)
    return decode(path, max_megapixels)


FILES = {
    "png": encoded(RGB, "PNG"), "jpeg": encoded(RGB, "JPEG"), "progressive": encoded(RGB, "JPEG", progressive=True),
    "webp": encoded(RGB, "WEBP"), "bmp": encoded(RGB, "BMP"), "tiff": encoded(RGB, "TIFF"),
    "tiff-lzw": encoded(RGB, "TIFF", compression="tiff_lzw"), "tiff-jpeg": encoded(RGB, "TIFF", compression="jpeg"),
    "png16": cv2.imencode(".png", RGB.astype(np.uint16) * 257)[1].tobytes(),
    "tiff16": cv2.imencode(".tiff", RGB.astype(np.uint16) * 257)[1].tobytes(),
}


# Files that are not what they should be

@pytest.mark.parametrize("kind", FILES)
def test_a_truncated_file_is_refused_or_lost_nothing_of_the_picture(tmp_path, kind):
    data = FILES[kind]
    whole = decoded(tmp_path, data)
    refused = 0
    for length in [*np.linspace(0, len(data) - 1, 40, dtype=int), len(data) - 30]:
        try:
            assert np.array_equal(decoded(tmp_path, data[:length]), whole)  # only what follows the pixels was cut off
        except BadImage:
            refused += 1
    assert refused >= 36


@pytest.mark.parametrize("kind", FILES)
def test_damaged_bytes_never_raise_anything_but_bad_image(tmp_path, kind):
    rng, refused = np.random.default_rng(5), 0
    for _ in range(60):
        data = bytearray(FILES[kind])
        for place in rng.integers(0, min(len(data), 400), 4):
            data[place] = rng.integers(256)
        try:
            image = decoded(tmp_path, bytes(data))
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        except BadImage as error:
            refused += 1
            assert str(tmp_path) not in str(error) and not re.search("0x[0-9a-f]{6}", str(error))  # of manifests
    assert refused > 0


def test_a_file_without_a_byte(tmp_path):
    with pytest.raises(BadImage, match="empty"):
        decoded(tmp_path, b"")


@pytest.mark.parametrize("data", [b"a letter, renamed to .png\n" * 20, encoded(RGB, "GIF"), encoded(RGB, "PPM"), b"%PDF"])
def test_a_file_of_another_kind(tmp_path, data):
    with pytest.raises(BadImage, match="not a PNG, JPEG, TIFF, WebP or BMP"):
        decoded(tmp_path, data)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"")


def test_a_header_that_claims_too_much_is_refused_before_decoding(tmp_path):
    with pytest.raises(BadImage, match="60000x60000, allowed are 200 megapixels"):
        decoded(tmp_path, png_header(60000, 60000), 200)
    with pytest.raises(BadImage, match="60000x60000"):
        read_size(tmp_path / "image", 200)


def test_the_limit_is_the_given_one(tmp_path):
    data = encoded(np.zeros((100, 101, 3), np.uint8), "PNG")
    assert decoded(tmp_path, data, 0.0101).shape == (100, 101, 3)
    with pytest.raises(BadImage, match="101x100"):
        decoded(tmp_path, data, 0.01)


def test_large_photographs_need_no_ones_leave(tmp_path, recwarn):
    (tmp_path / "image").write_bytes(png_header(20000, 9500))  # beyond the size at which Pillow refuses by itself
    assert read_size(tmp_path / "image", 200) == (9500, 20000)
    assert not recwarn


def test_a_file_much_larger_than_its_pixels(tmp_path):
    path = tmp_path / "image.webp"
    with open(path, "wb") as handle:
        handle.truncate(2**30)
    with pytest.raises(BadImage, match="MB are too much"):
        decode(path, 1)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadImage, match="regular"):
        decode(tmp_path / "pipe.png", 1)
    with pytest.raises(BadImage, match="directory"):
        decode(tmp_path, 1)
    with pytest.raises(BadImage, match="No such file"):
        decode(tmp_path / "gone.png", 1)


def test_floats_have_no_known_white(tmp_path):
    with pytest.raises(BadImage, match="floats of 32 bits"):
        decoded(tmp_path, encoded(Image.fromarray(RGB[..., 0].astype(np.float32)), "TIFF"))


# Kinds of pixels

@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
def test_rgb_is_kept_exactly(tmp_path, format):
    assert np.array_equal(decoded(tmp_path, encoded(RGB, format)), RGB)


def test_rgb_of_lossless_webp_and_good_jpeg(tmp_path):
    assert np.array_equal(decoded(tmp_path, encoded(RGB, "WEBP", lossless=True)), RGB)
    assert np.abs(decoded(tmp_path, encoded(RGB, "JPEG", quality=100, subsampling=0)).astype(int) - RGB).max() <= 3


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "JPEG"])
def test_grey(tmp_path, format):
    image = decoded(tmp_path, encoded(np.full((5, 7), 100, np.uint8), format))
    assert image.shape == (5, 7, 3) and (image == 100).all()


def test_bilevel(tmp_path):
    bits = RGB[..., 0] > 128
    wanted = np.repeat(bits[..., None], 3, 2) * np.uint8(255)
    assert np.array_equal(decoded(tmp_path, encoded(Image.fromarray(bits), "PNG")), wanted)


def on_white(colour, alpha):
    return np.floor((colour * alpha.astype(float) + 255 * (255.0 - alpha)) / 255 + 0.5)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_alpha_goes_on_white(tmp_path, format):
    alpha = np.linspace(0, 255, HEIGHT * WIDTH).astype(np.uint8).reshape(HEIGHT, WIDTH, 1)
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    image = decoded(tmp_path, encoded(np.concatenate([RGB, alpha], 2), format, **options))
    assert np.array_equal(image, on_white(RGB, alpha))
    assert (image[0, 0] == 255).all() and np.array_equal(image[-1, -1], RGB[-1, -1])


def test_grey_with_alpha(tmp_path):
    pair = np.stack([np.full((4, 5), 100, np.uint8), np.full((4, 5), 51, np.uint8)], -1)
    assert (decoded(tmp_path, encoded(Image.fromarray(pair), "PNG")) == 224).all()  # 100 * .2 + 255 * .8


def test_palette_with_and_without_transparency(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 50, 0, 0, 255])
    colours = np.array([[[10, 20, 30], [200, 100, 50]], [[0, 0, 255], [200, 100, 50]]])
    assert np.array_equal(decoded(tmp_path, encoded(image, "PNG")), colours)
    colours[1, 0] = 255
    assert np.array_equal(decoded(tmp_path, encoded(image, "PNG", transparency=2)), colours)


def test_colour_key(tmp_path):
    image = RGB.copy()
    image[3, 4] = (1, 2, 3)
    seen = decoded(tmp_path, encoded(image, "PNG", transparency=(1, 2, 3)))
    assert (seen[3, 4] == 255).all() and np.array_equal(seen[5:], RGB[5:])


@pytest.mark.parametrize("format", ["TIFF", "JPEG"])
def test_cmyk(tmp_path, format):
    cmyk = np.empty((16, 16, 4), np.uint8)
    cmyk[:] = (51, 102, 204, 51)
    options = {"quality": 100} if format == "JPEG" else {}
    image = decoded(tmp_path, encoded(Image.fromarray(cmyk, "CMYK"), format, **options))
    assert np.abs(image - np.array([163.2, 122.4, 40.8])).max() <= 2  # (255-C)(255-K)/255


@pytest.mark.parametrize("ending", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_rounded(tmp_path, ending, channels):
    values = np.random.default_rng(2).integers(0, 65536, (HEIGHT, WIDTH, channels), dtype=np.uint16)
    if channels == 4:
        values[..., 3] = 65535
    image = decoded(tmp_path, cv2.imencode(ending, values)[1].tobytes())
    wanted = np.rint(values[..., :3] / 257)[..., ::-1]
    assert np.array_equal(image, np.broadcast_to(wanted, image.shape))


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_sixteen_bits_with_alpha_go_on_white(tmp_path, ending):
    values = np.full((4, 5, 4), (0, 65535, 0, 32896), np.uint16)  # green at alpha 128/255
    assert (decoded(tmp_path, cv2.imencode(ending, values)[1].tobytes()) == (127, 255, 127)).all()


def test_suffixes():
    assert {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp"} == IMAGE_SUFFIXES


# Writing

def test_png_round_trip_with_equal_bytes(tmp_path):
    write_png(tmp_path / "deep" / "a b.png", RGB)
    write_png(tmp_path / "b.png", np.asfortranarray(RGB))
    assert np.array_equal(decode(tmp_path / "b.png", 1), RGB)
    assert (tmp_path / "deep" / "a b.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a b.png"]


@pytest.mark.parametrize("image", [RGB[..., 0], RGB.astype(np.float32), np.dstack([RGB, RGB[..., :1]])])
def test_png_of_anything_else_is_an_error(tmp_path, image):
    with pytest.raises(ValueError, match="x.png.*wanted uint8"):
        write_png(tmp_path / "x.png", image)
