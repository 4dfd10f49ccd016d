"""Photos read and written with what belongs to them."""
import io
import sys
import tempfile
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from conftest import smooth_image
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import IFDRational

from pipeline.images.colour import P3, for_rgb
from pipeline.images.decode import ORIENTATION, BadImage
from pipeline.images.icc import curve, grey_profile, rgb_profile
from pipeline.images.picture import Picture, upright
from pipeline.restore.exif import IFD, Base
from pipeline.restore.photo import read_photo
from pipeline.restore.save import check_target, depth_for, save_photo

RGB = smooth_image(np.random.default_rng(0), 37, 29)
ALPHA = smooth_image(np.random.default_rng(1), 37, 29)[..., 0]
DEEP = RGB.astype(np.uint16) * 257 - np.random.default_rng(2).integers(0, 200, RGB.shape).astype(np.uint16)
PROFILE = rgb_profile("P3", P3)
GREY = grey_profile("Grey", curve(1.8))
MARK = "Restage sr-edsr 0123456789abcdef"


def shot() -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Copyright], exif[Base.Software] = "Maker", "Somebody", "Camera 1.0"
    taken = {Base.ExposureTime: IFDRational(1, 60), Base.ExifImageWidth: 29, Base.DateTimeOriginal: "2020:02:02 02:02:02"}
    exif.get_ifd(IFD.Exif).update(taken)
    exif.get_ifd(IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.5)})
    return exif


def check_tags(exif: Image.Exif, width: int) -> None:
    assert exif[Base.Make] == "Maker" and exif[Base.Copyright] == "Somebody" and exif[Base.Software] == MARK
    part = exif.get_ifd(IFD.Exif)
    assert float(part[Base.ExposureTime]) == pytest.approx(1 / 60) and part[Base.DateTimeOriginal] == "2020:02:02 02:02:02"
    assert part[Base.ExifImageWidth] == width and exif.get(ORIENTATION, 1) == 1
    assert exif.get_ifd(IFD.GPSInfo)[1] == "N" and tuple(map(float, exif.get_ifd(IFD.GPSInfo)[2])) == (52.0, 31.0, 12.5)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff", ".webp"])
@pytest.mark.parametrize("source", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_exif_and_profile_go_from_any_format_to_any(tmp_path, source, suffix):
    exif = shot()
    exif[ORIENTATION] = 6
    if source == "TIFF":  # Pillow leaves out parts that are no tags
        exif.update({part: dict(exif.get_ifd(part)) for part in (IFD.Exif, IFD.GPSInfo)})
    Image.fromarray(RGB).save(tmp_path / "a", source, exif=exif, icc_profile=PROFILE)
    photo = read_photo(tmp_path / "a", 1)
    assert photo.colour.shape == (29, 37, 3) and photo.alpha is None
    save_photo(tmp_path / f"b{suffix}", Picture(photo.colour[:20, :30], None, photo.profile, photo.exif), MARK)
    with Image.open(tmp_path / f"b{suffix}") as image:
        assert image.size == (30, 20) and image.info["icc_profile"] == PROFILE
        check_tags(image.getexif(), 30)


KINDS = {"grey": RGB[..., 0], "rgb": RGB, "grey+alpha": np.dstack((RGB[..., 0], ALPHA)), "rgb+alpha": np.dstack((RGB, ALPHA))}
DEEP_KINDS = {"grey": DEEP[..., 0], "rgb": DEEP, "rgb+alpha": np.dstack((DEEP, ALPHA.astype(np.uint16) * 250))}
DEEP_KINDS["grey+alpha"] = DEEP_KINDS["rgb+alpha"][..., [0, 3]]


def rgb_order(values: np.ndarray) -> np.ndarray:
    return values if values.ndim == 2 else values[..., [2, 1, 0, 3][: values.shape[2]]]


def as_photo(values: np.ndarray) -> Picture:
    if values.ndim == 3 and values.shape[2] % 2 == 0:
        grey = values.shape[2] == 2
        return Picture(values[..., 0] if grey else values[..., :3], values[..., -1], GREY if grey else PROFILE, shot())
    return Picture(values, None, GREY if values.ndim == 2 else PROFILE, shot())


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("depth, kind", [(8, kind) for kind in KINDS] + [(16, kind) for kind in DEEP_KINDS])
def test_grey_alpha_and_depth_come_back_as_they_were(tmp_path, suffix, depth, kind):
    photo, path = as_photo((KINDS if depth == 8 else DEEP_KINDS)[kind]), tmp_path / f"a{suffix}"
    save_photo(path, photo, MARK)
    back = read_photo(path, 1)
    assert back.colour.dtype == photo.colour.dtype and (back.alpha is None) == (photo.alpha is None)
    colour = photo.colour
    if (depth, kind) == (16, "grey+alpha"):  # few programs read that; equal colours are as good
        colour = np.dstack([colour] * 3)
    np.testing.assert_array_equal(back.colour, colour)
    if photo.alpha is not None:
        np.testing.assert_array_equal(back.alpha, photo.alpha)
    grey_stays = "grey" in kind and (depth, kind) != (16, "grey+alpha")
    assert back.profile == (GREY if grey_stays else photo.profile if "rgb" in kind else for_rgb(GREY))
    assert back.exif[Base.Make] == "Maker"
    if kind != "grey+alpha":
        other = tifffile.imread(path) if suffix == ".tif" else rgb_order(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
        np.testing.assert_array_equal(other, np.dstack((colour, photo.alpha)) if "alpha" in kind else colour)


def test_a_tall_tiff_has_many_strips_that_others_read(tmp_path):
    tall = np.random.default_rng(0).integers(0, 65536, (301, 17, 3)).astype(np.uint16)
    save_photo(tmp_path / "a.tiff", Picture(tall, None, None, Image.Exif()), MARK)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.tiff"), cv2.IMREAD_UNCHANGED)[..., ::-1], tall)
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        assert file.pages[0].tags["Predictor"].value == 2 and len(file.pages[0].dataoffsets) == 5
        assert file.pages[0].software == MARK and file.pages[0].shape == tall.shape


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_is_turned_as_its_orientation_says(tmp_path, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turned = ImageOps.exif_transpose(_with(exif))
    np.testing.assert_array_equal(upright(RGB, orientation), np.asarray(turned))
    for format in ("PNG", "TIFF"):
        Image.fromarray(RGB).save(tmp_path / "a", format, exif=exif)
        np.testing.assert_array_equal(read_photo(tmp_path / "a", 1).colour, np.asarray(turned))


def _with(exif: Image.Exif) -> Image.Image:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "PNG", exif=exif)
    return Image.open(buffer)


@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_a_turned_sixteen_bit_file_is_turned_once(tmp_path, orientation):
    exif = shot()
    exif[ORIENTATION] = orientation
    data = np.frombuffer(exif.tobytes().removeprefix(b"Exif\0\0"), np.uint8)[None]
    bgr = np.ascontiguousarray(DEEP[..., ::-1])
    cv2.imencodeWithMetadata(".png", bgr, [cv2.IMAGE_METADATA_EXIF], [data])[1].tofile(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb", extratags=[(ORIENTATION, "H", 1, orientation, True)])
    for name in ("a.png", "a.tif"):
        photo = read_photo(tmp_path / name, 1)
        assert photo.colour.dtype == np.uint16
        np.testing.assert_array_equal(photo.colour, upright(DEEP, orientation))
        assert ORIENTATION not in photo.exif


def saved(tmp_path, image: Image.Image, format: str, **options):
    image.save(tmp_path / "a", format, **options)
    return read_photo(tmp_path / "a", 1)


def test_other_kinds_of_pixels(tmp_path):
    image = Image.fromarray(RGB)
    photo = saved(tmp_path, image.convert("P"), "PNG")
    assert photo.alpha is None and np.array_equal(photo.colour, np.asarray(image.convert("P").convert("RGB")))
    photo = saved(tmp_path, image.convert("P"), "PNG", transparency=int(np.asarray(image.convert("P"))[3, 3]))
    assert photo.alpha[3, 3] == 0 and photo.alpha.max() == 255
    photo = saved(tmp_path, image, "PNG", transparency=tuple(int(value) for value in RGB[5, 6]))
    assert photo.alpha[5, 6] == 0 and np.array_equal(photo.colour, RGB)
    photo = saved(tmp_path, image.convert("1"), "PNG")
    assert photo.colour.ndim == 2 and set(np.unique(photo.colour)) == {0, 255}
    photo = saved(tmp_path, image.convert("CMYK"), "TIFF", icc_profile=PROFILE)  # for RGB
    assert photo.remarks and photo.colour.shape == RGB.shape and photo.profile is None
    photo = saved(tmp_path, image, "BMP")
    assert np.array_equal(photo.colour, RGB) and photo.profile is None and not dict(photo.exif)
    with pytest.raises(BadImage, match="pixels of floats of 32 bits"):
        saved(tmp_path, Image.fromarray(np.zeros((9, 9), np.float32)), "TIFF")


def test_damaged_exif_is_lost_and_the_picture_kept(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a", "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    np.testing.assert_array_equal(read_photo(tmp_path / "a", 1).colour, RGB)


def test_formats_say_what_they_cannot_hold(tmp_path):
    assert depth_for(tmp_path / "a.TIF", np.uint16) == np.uint16 and depth_for(tmp_path / "a.jpg", np.uint16) == np.uint8
    with pytest.raises(ValueError, match="JPEG holds no transparency; write PNG"):
        check_target(tmp_path / "a.jpg", 9, 9, 4, ALPHA)
    check_target(tmp_path / "a.jpg", 9, 9, 4, np.full_like(ALPHA, 255))
    for name, message in (("a.webp", "WEBP holds at most 16383"), ("a.jpeg", "JPEG holds at most 65500")):
        with pytest.raises(ValueError, match=message):
            check_target(tmp_path / name, 70_000, 9, 3, None)
    with pytest.raises(ValueError, match="TIFF holds at most 4 GB"):
        check_target(tmp_path / "a.tif", 30_000, 30_000, 6, None)
    check_target(tmp_path / "a.png", 70_000, 70_000, 8, ALPHA)


def test_too_long_a_makers_note_is_left_out_of_a_jpeg(tmp_path):
    exif = shot()
    exif.get_ifd(IFD.Exif)[Base.MakerNote] = bytes(70_000)
    for name, there in (("a.jpg", False), ("a.tiff", True)):
        save_photo(tmp_path / name, Picture(RGB, None, None, exif), MARK)
        with Image.open(tmp_path / name) as image:
            check_tags(image.getexif(), 29)
            assert (Base.MakerNote in image.getexif().get_ifd(IFD.Exif)) == there


def test_quality_and_lossless_webp(tmp_path):
    photo = Picture(RGB, ALPHA, None, Image.Exif())
    save_photo(tmp_path / "a.webp", photo, MARK, quality=100)
    back = read_photo(tmp_path / "a.webp", 1)
    assert np.array_equal(back.colour, RGB) and np.array_equal(back.alpha, ALPHA)
    for quality in (30, 95):
        save_photo(tmp_path / f"{quality}.jpg", Picture(RGB, None, None, Image.Exif()), MARK, quality)
    assert (tmp_path / "30.jpg").stat().st_size < (tmp_path / "95.jpg").stat().st_size


HEIC = b"\0\0\0\x18ftypheic" + bytes(40)


def test_heic_without_the_extra_names_the_cure(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(HEIC)
    with pytest.raises(BadImage, match="pip install pillow-heif"):
        read_photo(tmp_path / "a.heic", 1)


def test_heic_by_the_extra(tmp_path, monkeypatch):
    """A stand-in that does what the extra is documented to do: a size at once, the upright picture with its tags later."""
    exif = shot()
    exif[ORIENTATION] = 6
    image = _with(exif).copy()
    opened = types.SimpleNamespace(size=(29, 37), to_pillow=lambda: image)
    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(open_heif=lambda path: opened))
    (tmp_path / "a.heic").write_bytes(HEIC)
    photo = read_photo(tmp_path / "a.heic", 1)
    assert photo.exif[Base.Make] == "Maker" and np.array_equal(photo.colour, RGB) and photo.profile is None
    for codes, profile in (((12, 13), rgb_profile("CICP 12/13", P3)), ((1, 13), None), ((2, 2), None)):
        image.info["nclx_profile"] = dict(zip(("color_primaries", "transfer_characteristics"), codes))
        assert read_photo(tmp_path / "a.heic", 1).profile == profile
    image.info["nclx_profile"]["transfer_characteristics"], image.info["nclx_profile"]["color_primaries"] = 16, 9
    with pytest.raises(BadImage, match="PQ"):
        read_photo(tmp_path / "a.heic", 1)
    with pytest.raises(BadImage, match="its header says 29x37"):
        read_photo(tmp_path / "a.heic", 0.001)


def files() -> dict[str, bytes]:
    """A photo with all that belongs to it, in each format."""
    data = {}
    for suffix, values in ((".png", RGB), (".jpg", RGB), (".webp", RGB), (".tif", DEEP), (".16.png", DEEP)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"a{suffix}")
            save_photo(path, Picture(values, None, PROFILE, shot()), MARK)
            data[suffix] = path.read_bytes()
    return data


@pytest.mark.parametrize("kind, data", files().items())
def test_damaged_bytes_raise_nothing_but_bad_image(tmp_path, kind, data):
    rng, refused = np.random.default_rng(5), 0
    for i in range(60):
        damaged = bytearray(data[: rng.integers(len(data))] if i % 3 == 0 else data)
        for place in rng.integers(0, len(damaged) + 1, 4) if i % 3 else ():
            damaged[place % len(damaged)] = rng.integers(256)
        (tmp_path / "a").write_bytes(damaged)
        try:
            photo = read_photo(tmp_path / "a", 1)
            save_photo(tmp_path / "b.tif", photo, MARK)
        except BadImage:
            refused += 1
    assert refused >= 15
