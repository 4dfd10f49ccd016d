"""What comes with the pixels of a file: orientation, colour profile, pages."""
import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from test_decode import FILES, HEIGHT, RGB, WIDTH, decoded, encoded, png_chunk

from pipeline.images.decode import decode, read_size


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, format, orientation):
    scene = np.zeros((32, 48, 3), np.uint8)  # what was photographed: red top left, green top right, blue bottom left
    scene[:16, :16], scene[:16, 32:], scene[16:, :16] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    stored = {1: scene, 2: scene[:, ::-1], 3: scene[::-1, ::-1], 4: scene[::-1], 5: scene.swapaxes(0, 1),
              6: np.rot90(scene), 7: np.rot90(scene, 2).swapaxes(0, 1), 8: np.rot90(scene, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decoded(tmp_path, encoded(np.ascontiguousarray(stored), format, exif=exif))
    assert image.shape == scene.shape and np.abs(image.astype(int) - scene)[4:12, 4:12].max() < 30
    assert np.abs(image.astype(int) - scene)[4:-4:8, 4:-4:8].max() < 60
    assert sorted(read_size(tmp_path / "image", 1)) == [32, 48]


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_exif_orientation_of_sixteen_bit_tiff(tmp_path, orientation):
    turned = RGB.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tiff", turned, photometric="rgb", extratags=[(0x0112, "H", 1, orientation, True)])
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=_oriented(orientation))
    assert np.array_equal(decode(tmp_path / "a.tiff", 100), decode(tmp_path / "a.png", 100))


def _oriented(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_an_interlaced_png(tmp_path):
    passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]  # of Adam7
    for values, depth in ((RGB, 8), (RGB.astype(np.uint16) * 257, 16)):
        parts = [values[top::down, left::right] for top, down, left, right in passes]
        rows = b"".join(b"\0" + row.astype(f">u{depth // 8}").tobytes() for part in parts for row in part)
        head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, 2, 0, 0, 1)
        chunks = png_chunk(b"IHDR", head) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
        assert np.array_equal(decoded(tmp_path, b"\x89PNG\r\n\x1a\n" + chunks), RGB)


def test_exif_orientation_of_sixteen_bit_png(tmp_path):
    data = FILES["png16"]
    exif = Image.Exif()
    exif[0x0112] = 6
    body = exif.tobytes().removeprefix(b"Exif\0\0")
    image = decoded(tmp_path, data[:33] + png_chunk(b"eXIf", body) + data[33:])
    assert np.array_equal(image, np.rot90(RGB[..., ::-1], -1))


def test_a_profile_is_converted_to_srgb(tmp_path):
    wide = ImageCms.ImageCmsProfile(io.BytesIO(_profile_with_gamma(1.0)))
    image = decoded(tmp_path, encoded(np.full((4, 5, 3), 55, np.uint8), "PNG", icc_profile=wide.tobytes()))
    linear = 55 / 255
    wanted = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(image - wanted).max() <= 1.5 and wanted > 120


def _profile_with_gamma(gamma: float) -> bytes:
    """sRGB's primaries with another curve: sRGB's own profile with its three curves replaced."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    for k in range(count):
        tag, offset, size = struct.unpack(">4sII", data[132 + 12 * k : 144 + 12 * k])
        if tag in (b"rTRC", b"gTRC", b"bTRC"):
            data[offset : offset + 16] = b"para" + bytes(4) + struct.pack(">HHi", 0, 0, round(gamma * 65536))
        if tag == b"desc":
            text = data[offset : offset + size]
            data[offset : offset + size] = text.replace("sRGB".encode("utf-16-be"), "else".encode("utf-16-be"))
    return bytes(data)


def test_srgb_damaged_and_foreign_profiles_change_nothing(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (srgb, srgb[:100], b"nonsense" * 40, lab):
        assert np.array_equal(decoded(tmp_path, encoded(RGB, "PNG", icc_profile=profile)), RGB)


def test_the_first_page_is_taken(tmp_path):
    data = encoded(RGB, "TIFF", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    assert np.array_equal(decoded(tmp_path, data), RGB)
