"""What goes with the pixels: density, EXIF of any size, profiles and text of any size; and names of any length."""
import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from makers import ADOBE_XYZ, icc, iccp, png, scene, tiff
from PIL import Image
from test_restore import RGB as PROJECTS
from test_restore import files, project, read, run, wanted  # noqa: F401

from pipeline.core.files import replacing
from pipeline.core.sources import Ingest, Set
from pipeline.images.decode import BadImage, decode, exif_of, read_size
from pipeline.images.encode import write_png
from pipeline.images.ingest import ingest
from pipeline.images.picture import Picture
from pipeline.restore.exif import IFD, Base
from pipeline.restore.photo import read_photo
from pipeline.restore.plan import Job, plan
from pipeline.restore.save import save_photo
from pipeline.stages.ingest import tell

RGB, DEEP = scene(37, 53), scene(37, 53, np.uint16)
MARK = "Restage one 0123456789abcdef"


def density(path) -> tuple[float, float]:
    """By another program; WebP has EXIF only."""
    with Image.open(path) as image:
        exif = image.getexif()
        found = image.info.get("dpi") or (exif[Base.XResolution], exif[Base.YResolution])
        assert exif[Base.ResolutionUnit] == 2 or image.format in ("PNG", "JPEG")
        return tuple(float(value) for value in found)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
@pytest.mark.parametrize("source", ["PNG", "JPEG", "TIFF", "BMP", "deep PNG", "deep TIFF"])
def test_pixels_per_inch_are_kept(tmp_path, source, suffix):
    if source == "deep PNG":
        (tmp_path / "a").write_bytes(png(DEEP, [(b"pHYs", struct.pack(">IIB", 11811, 5906, 1))]))
    elif source == "deep TIFF":
        (tmp_path / "a").write_bytes(tiff(DEEP, tags={282: (5, [300, 1]), 283: (5, [150, 1]), 296: (3, 2)}))
    else:
        Image.fromarray(RGB).save(tmp_path / "a", source, dpi=(300, 150))
    photo = read_photo(tmp_path / "a", 1)
    assert photo.dpi == pytest.approx((300, 150), abs=0.05)
    if photo.colour.dtype == np.uint16 and suffix in (".jpg", ".webp"):
        photo = Picture(RGB, dpi=photo.dpi)
    save_photo(tmp_path / f"b{suffix}", photo, MARK)
    assert density(tmp_path / f"b{suffix}") == pytest.approx((300, 150), abs=0.05)


def test_density_in_other_units_of_a_turned_picture_and_none(tmp_path):
    (tmp_path / "a").write_bytes(tiff(DEEP, tags={282: (5, [1000, 10]), 283: (5, [50, 1]), 296: (3, 3), 274: (3, 6)}))
    assert read_photo(tmp_path / "a", 1).dpi == pytest.approx((127, 254))  # per centimetre, and turned
    for data in (png(RGB, [(b"pHYs", struct.pack(">IIB", 2, 1, 0))]), tiff(RGB, tags={282: (5, [2, 1]), 283: (5, [1, 0])}),
                 png(RGB)):
        (tmp_path / "a").write_bytes(data)
        assert read_photo(tmp_path / "a", 1).dpi is None


def exif_with(size: int) -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Copyright] = "Maker", "Somebody"
    exif.get_ifd(IFD.Exif).update({Base.UserComment: b"ASCII\0\0\0" + b"c" * size, Base.MakerNote: bytes(size // 2),
                                   Base.DateTimeOriginal: "2020:02:02 02:02:02"})
    return exif


def test_exif_that_jpeg_cannot_hold_is_trimmed_with_a_word(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a", "PNG", exif=exif_with(150_000))
    photo = read_photo(tmp_path / "a", 1)
    for suffix in (".png", ".webp", ".tif"):
        assert save_photo(tmp_path / f"b{suffix}", photo, MARK) == ()
        assert exif_of(tmp_path / f"b{suffix}").get_ifd(IFD.Exif)[Base.UserComment] == b"ASCII\0\0\0" + b"c" * 150_000
    assert save_photo(tmp_path / "b.jpg", photo, MARK) == (
        "JPEG holds at most 64 kB of EXIF: left out are UserComment, MakerNote",)
    exif = exif_of(tmp_path / "b.jpg")
    assert exif[Base.Make] == "Maker" and exif[Base.Software] == MARK
    assert exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] == "2020:02:02 02:02:02"


def test_a_png_with_much_text_a_large_profile_or_garbage_is_healthy(tmp_path):
    profile = icc("x", ADOBE_XYZ)
    large = profile + np.random.default_rng(0).bytes(2_000_000)
    large = struct.pack(">I", len(large)) + large[4:]
    text = b"a\0\0" + zlib.compress(bytes(5_000_000))
    xmp = b"XML:com.adobe.xmp\0\0\0\0\0" + b"x" * 3_000_000
    for before in ([(b"tEXt", b"a\0" + b"x" * 3_000_000)], [(b"zTXt", text)], [(b"iTXt", xmp)],
                   [(b"eXIf", b"garbage" * 100)], [(b"eXIf", b"II*\0\xff\xff\xff\x7f")]):
        (tmp_path / "a").write_bytes(png(RGB, before))
        assert np.array_equal(decode(tmp_path / "a", 1), RGB) and read_size(tmp_path / "a", 1) == RGB.shape[:2]
        photo = read_photo(tmp_path / "a", 1)
        assert np.array_equal(photo.colour, RGB) and len(photo.remarks) == (before[0][0] == b"eXIf")
    (tmp_path / "a").write_bytes(png(RGB, [iccp(large)]))
    photo = read_photo(tmp_path / "a", 1)
    assert photo.profile == large and np.abs(decode(tmp_path / "a", 1).astype(int) - RGB).max() > 20
    for suffix in (".png", ".tif", ".jpg", ".webp"):
        save_photo(tmp_path / f"b{suffix}", photo, MARK)
        assert read_photo(tmp_path / f"b{suffix}", 1).profile == large
        assert exif_of(tmp_path / f"b{suffix}")[Base.Software] == MARK  # by which a second run knows it


def test_exif_as_imagemagick_wrote_it(tmp_path):
    exif = Image.Exif()
    exif[Base.Orientation], exif[Base.Make] = 6, "Maker"
    body = exif.tobytes()
    digits = b"\nexif\n" + str(len(body)).encode().rjust(8) + b"\n" + body.hex().encode() + b"\n"
    (tmp_path / "a").write_bytes(png(RGB, [(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(digits))]))
    photo = read_photo(tmp_path / "a", 1)
    assert np.array_equal(photo.colour, np.rot90(RGB, -1)) and photo.exif[Base.Make] == "Maker"
    assert exif_of(tmp_path / "a")[Base.Make] == "Maker"
    for bad in (b"garbage", zlib.compress(b"\nexif\n 4\nno digits")):
        (tmp_path / "a").write_bytes(png(RGB, [(b"zTXt", b"Raw profile type exif\0\0" + bad)]))
        photo = read_photo(tmp_path / "a", 1)
        assert np.array_equal(photo.colour, RGB) and photo.remarks == ("its EXIF is damaged and left out",)


def test_a_moving_picture_and_one_of_several_are_said(tmp_path):
    frames = [Image.fromarray(scene(37, 53, seed=k)) for k in range(3)]
    for format, told in (("PNG", "an animation of 3 frames: its still picture is taken"), ("WEBP", "frame 1 of 3 is taken"),
                         ("MPO", "picture 1 of 3 is taken")):
        options = {"lossless": True} if format == "WEBP" else {}
        frames[0].save(tmp_path / "a", format, save_all=True, append_images=frames[1:], **options)
        heard = []
        image = decode(tmp_path / "a", 1, heard.append)
        assert heard == [told] and image.shape == (37, 53, 3)
        if format != "MPO":
            assert np.array_equal(image, np.asarray(frames[0]))


# Names

LONG = ["x" * (255 - len(".png")) + ".png", "x" * 240 + ".png", "é" * 125 + "x.png"]


@pytest.mark.parametrize("name", LONG)
def test_names_as_long_as_a_disk_takes(project, name):  # noqa: F811
    Path("photos/a.png").rename(Path("photos", name))
    assert 244 <= len(name.encode()) <= 255
    assert run("photos", "-o", "out", "--compare").exit_code == 0
    assert (read(Path("out", name)) == wanted(PROJECTS)).all() and len(files("out")) == 2
    again = run("photos", "-o", "out", "--compare")
    assert again.exit_code == 0 and "0 restored, 1 there already" in again.output and len(files("out")) == 2


def test_long_names_of_temporary_files_and_pictures_stay_apart(tmp_path):
    names = ["y" * 251 + ending for ending in (".png", ".tif")]
    with replacing(tmp_path / names[0]) as one, replacing(tmp_path / names[1]) as other:
        one.write(b"1")
        other.write(b"2")
    assert [(tmp_path / name).read_bytes() for name in names] == [b"1", b"2"] and len(list(tmp_path.iterdir())) == 2
    jobs = [Job(Path("a"), Path("y" * 250 + end)) for end in ("1.png", "2.png")]
    pictures = {job.picture.name for job in jobs}
    assert len(pictures) == 2 and all(len(name) <= 255 and name.endswith("-compare.png") for name in pictures)
    assert Job(Path("a"), Path("b.png")).picture == Path("b.png-compare.png")


def test_brackets_in_the_names_of_folders(project):  # noqa: F811
    folder = Path("photos [2024]/x[1]")
    for place in (folder / "a.png", folder / "deep/b.png", Path("photos 2/c.png")):
        write_png(place, RGB)
    assert sorted(str(job.target) for job in plan([folder / "*.png"], Path("out [1]"))[0]) == ["out [1]/a.png"]
    assert sorted(str(job.target) for job in plan([folder / "**/*.png"], Path("o"))[0]) == ["o/a.png", "o/deep/b.png"]
    assert [str(job.target) for job in plan([Path("photos [0-9]/*.png")], Path("o"))[0]] == ["o/photos 2/c.png"]
    result = run(folder / "*.png", folder, "-o", "out [1]")
    assert result.exit_code == 0 and files("out [1]") == ["a.png", "deep/b.png"]
    assert "2 there already" in run(folder, "-o", "out [1]").output


# Said in the end

def test_remarks_reach_the_user_of_restore_and_of_sets(project):  # noqa: F811
    Image.fromarray(RGB).save("photos/b.tif", save_all=True, append_images=[Image.fromarray(RGB)])
    result = run("photos", "-o", "out")
    assert result.exit_code == 0 and "note: photos/b.tif: page 1 of 2 is taken" in result.output
    for k in range(6):
        write_png(f"photos/{k}.png", RGB)
    manifest, _ = ingest(Set(folder="photos", val=0.2, test=0.2, holdout=0), Ingest(), 0, "sets.x", Path("set"))
    assert manifest["remarks"] == [{"file": "b.tif", "remarks": ["page 1 of 2 is taken"]}]
    assert tell("x", manifest, {}) == {}
    Path("photos/b.tif").unlink()
    manifest, _ = ingest(Set(folder="photos", val=0.2, test=0.2, holdout=0), Ingest(), 0, "sets.x", Path("set"))
    assert "remarks" not in manifest


def test_a_comparison_is_in_srgb(project):  # noqa: F811
    Path("photos/a.png").write_bytes(png(RGB, [iccp(icc("x", ADOBE_XYZ))]))
    assert run("photos", "-o", "out", "--compare").exit_code == 0
    left = read("out/a.png-compare.png")[: 2 * RGB.shape[0] : 2, : 2 * RGB.shape[1] : 2]
    assert (left == decode("photos/a.png", 1)).all()


def test_sixteen_bit_grey_with_alpha_and_colour_keys(tmp_path):
    alpha = np.full(DEEP.shape[:2], 65535, np.uint16)
    alpha[:, :20] = 20_000
    key = struct.pack(">HHH", *map(int, DEEP[5, 5]))
    for data, colour, part in ((png(np.dstack((DEEP[..., 0], alpha))), DEEP[..., 0], alpha),
                               (png(DEEP, [(b"tRNS", key)]), DEEP, np.where((DEEP == DEEP[5, 5]).all(2), 0, 65535)),
                               (png(DEEP[..., 0], [(b"tRNS", struct.pack(">H", int(DEEP[5, 5, 0])))]), DEEP[..., 0],
                                np.where(DEEP[..., 0] == DEEP[5, 5, 0], 0, 65535))):
        (tmp_path / "a").write_bytes(data)
        photo = read_photo(tmp_path / "a", 1)
        assert photo.colour.dtype == np.uint16 and np.array_equal(photo.colour, colour) and np.array_equal(photo.alpha, part)
        share, grey = part[..., None] / 65535, colour if colour.ndim == 3 else colour[..., None]
        assert np.abs(decode(tmp_path / "a", 1) - (grey / 257 * share + 255 * (1 - share))).max() <= 0.51
        save_photo(tmp_path / "b.png", photo, MARK)
        other = cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED)
        assert other.dtype == np.uint16 and np.array_equal(other[..., 2::-1], np.broadcast_to(grey, DEEP.shape))


def test_a_progressive_jpeg_that_lost_its_last_scans(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scans = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    assert len(scans) > 5
    for place in scans[1:]:
        (tmp_path / "a").write_bytes(data[:place] + b"\xff\xd9")
        with pytest.raises(BadImage, match="not all of its scans"):
            decode(tmp_path / "a", 1)
