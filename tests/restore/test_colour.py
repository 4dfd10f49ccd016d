"""What the colours of a file mean, in sets and in restorations, against formulas: IEC 61966-2-1, Adobe RGB (1998), H.273."""
import io
import struct

import numpy as np
import pytest
from makers import ADOBE_XYZ, SRGB_XYZ, as_srgb, coded, icc, iccp, linear, png, scene, tiff
from PIL import ExifTags, Image, ImageCms

from pipeline.images.decode import BadImage, decode
from pipeline.restore.photo import read_photo
from pipeline.restore.save import save_photo

ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
BT2020 = ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
SRGB = scene(37, 53)
LINEAR = {8: np.rint(linear(SRGB / 255) * 255).astype(np.uint8), 16: np.rint(linear(SRGB / 255) * 65535).astype(np.uint16)}
MARK = "Restage one 0123456789abcdef"


def written(tmp_path, data: bytes):
    (tmp_path / "a").write_bytes(data)
    return tmp_path / "a"


def by_its_profile(path) -> np.ndarray:
    """What another program makes of a file: 8-bit sRGB by littlecms, from the profile in it."""
    with Image.open(path) as image:
        profile = image.info.get("icc_profile")
        if not profile:
            return np.asarray(image.convert("RGB"))
        theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        assert theirs.profile.xcolor_space.strip() == ("GRAY" if image.mode in ("L", "I;16") else "RGB")
        return np.asarray(ImageCms.profileToProfile(image, theirs, ImageCms.createProfile("sRGB"), outputMode="RGB",
                                                    renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC))


def check_both(tmp_path, data: bytes, wanted: np.ndarray, tolerance: float = 1, endings=(".png", ".tif", ".jpg", ".webp")):
    """That a set has these colours, and so has each restoration to whoever reads it; the values themselves are kept."""
    path = written(tmp_path, data)
    assert np.abs(decode(path, 1) - wanted).max() <= tolerance
    photo = read_photo(path, 1)
    for ending in endings:
        if photo.colour.dtype == np.uint16 and ending in (".jpg", ".webp"):
            continue
        save_photo(tmp_path / f"b{ending}", photo, MARK, quality=100)
        back = read_photo(tmp_path / f"b{ending}", 1)
        if ending in (".png", ".tif"):
            assert np.array_equal(back.colour, photo.colour)
            assert np.abs(decode(tmp_path / f"b{ending}", 1) - wanted).max() <= tolerance
        if photo.colour.dtype == np.uint8:
            assert np.abs(by_its_profile(tmp_path / f"b{ending}").astype(float) - wanted).mean() <= 1.5


# EXIF

def exif_of(space: int | None, index: str | None = None, primaries=None) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    part = exif.get_ifd(ExifTags.IFD.Exif)
    if space is not None:
        part[ExifTags.Base.ColorSpace] = space
    if index:
        part[ExifTags.IFD.Interop] = {1: index, 2: b"0100"}
    if primaries:
        exif[ExifTags.Base.PrimaryChromaticities] = tuple(np.ravel(primaries).tolist())
    return exif


ADOBE_WANTED = as_srgb((SRGB / 255) ** (563 / 256), ADOBE)


@pytest.mark.parametrize("space, index, primaries", [
    (2, None, None), (0xFFFF, "R03", None), (None, "R03", None), (0xFFFF, None, ADOBE)])
@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_adobe_rgb_told_by_exif_alone(tmp_path, format, space, index, primaries):
    exif, buffer = exif_of(space, index, primaries), io.BytesIO()
    Image.fromarray(SRGB).save(buffer, format, exif=exif, **({"lossless": True} if format == "WEBP" else {}))
    check_both(tmp_path, buffer.getvalue(), ADOBE_WANTED)
    assert read_photo(tmp_path / "a", 1).exif[ExifTags.Base.Make] == "Maker"


def test_adobe_rgb_told_by_the_exif_of_a_tiff(tmp_path):
    exif = exif_of(2)
    exif.update({ExifTags.IFD.Exif: dict(exif.get_ifd(ExifTags.IFD.Exif))})
    buffer = io.BytesIO()
    Image.fromarray(SRGB).save(buffer, "TIFF", exif=exif)
    check_both(tmp_path, buffer.getvalue(), ADOBE_WANTED)


def test_adobe_rgb_in_jpeg_and_grey(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(SRGB).save(buffer, "JPEG", quality=100, subsampling=0, exif=exif_of(0xFFFF, "R03"))
    stored = np.asarray(Image.open(buffer))
    check_both(tmp_path, buffer.getvalue(), as_srgb((stored / 255) ** (563 / 256), ADOBE))
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "a", "PNG", exif=exif_of(2))
    wanted = 255 * coded((grey / 255) ** (563 / 256))[..., None]
    assert np.abs(decode(tmp_path / "a", 1) - wanted).max() <= 0.51


def test_what_exif_does_not_tell_is_srgb_and_said_when_it_is_odd(tmp_path):
    for space, said in ((1, 0), (None, 0), (0xFFFF, 1)):
        Image.fromarray(SRGB).save(tmp_path / "a", "PNG", exif=exif_of(space, "R98"))
        told = []
        assert np.array_equal(decode(tmp_path / "a", 1, told.append), SRGB) and len(told) == said
    Image.fromarray(SRGB).save(tmp_path / "a", "PNG", exif=exif_of(None, primaries=BT2020))
    with pytest.raises(BadImage, match="PrimaryChromaticities"):
        decode(tmp_path / "a", 1)


def test_a_profile_says_more_than_exif(tmp_path):
    Image.fromarray(SRGB).save(tmp_path / "a", "PNG", exif=exif_of(2), icc_profile=icc("x"))
    assert np.array_equal(decode(tmp_path / "a", 1), SRGB)
    (tmp_path / "a").write_bytes(png(SRGB, [(b"sRGB", b"\0"), (b"eXIf", exif_of(2).tobytes().removeprefix(b"Exif\0\0"))]))
    assert np.array_equal(decode(tmp_path / "a", 1), SRGB)


# Profiles

@pytest.mark.parametrize("name", ["Linear sRGB", "sRGB-elle-V2-g10.icc", "GIMP built-in Linear sRGB", "sRGB IEC61966-2.1", ""])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_profile_is_what_it_does_not_what_it_is_called(tmp_path, name, bits):
    data = png(LINEAR[bits], [iccp(icc(name, gamma=1))])
    check_both(tmp_path, data, 255 * coded(LINEAR[bits] / (2**bits - 1)))
    wide = png(SRGB, [iccp(icc(name, ADOBE_XYZ))])
    check_both(tmp_path, wide, as_srgb(linear(SRGB / 255), ADOBE))
    assert np.array_equal(decode(written(tmp_path, png(SRGB, [iccp(icc(name, SRGB_XYZ))])), 1), SRGB)


def test_sixteen_bits_are_not_rounded_before_the_conversion(tmp_path):
    dark = np.rint(linear(np.linspace(0, 0.2, 3000).reshape(20, 50, 3)) * 65535).astype(np.uint16)
    image = decode(written(tmp_path, png(dark, [iccp(icc("x", gamma=1))])), 1)
    assert np.abs(image - 255 * coded(dark / 65535)).max() <= 0.6
    wide = scene(37, 53, np.uint16)
    image = decode(written(tmp_path, png(wide, [iccp(icc("x", ADOBE_XYZ, 563 / 256))])), 1)
    assert np.abs(image - as_srgb((wide / 65535) ** (563 / 256), ADOBE)).max() <= 1


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_with_a_profile_of_its_own_or_of_colours(tmp_path, bits):
    grey = LINEAR[bits][..., 0]
    wanted = 255 * coded(grey / (2**bits - 1))[..., None]
    for profile in (icc("Linear gray (sRGB white)", gamma=1, space=b"GRAY"), icc("x", ADOBE_XYZ, gamma=1)):
        check_both(tmp_path, png(grey, [iccp(profile)]), wanted)
        check_both(tmp_path, tiff(grey, tags={34675: (7, profile)}), wanted)


def test_equal_colours_with_a_grey_profile_and_real_colours(tmp_path):
    profile = icc("Gray", gamma=1, space=b"GRAY")
    equal = LINEAR[8][..., :1].repeat(3, 2)
    check_both(tmp_path, png(equal, [iccp(profile)]), 255 * coded(equal / 255))
    told = []
    assert np.array_equal(decode(written(tmp_path, png(SRGB, [iccp(profile)])), 1, told.append), SRGB) and "profile" in told[0]
    photo = read_photo(tmp_path / "a", 1)
    assert photo.profile is None and photo.remarks == tuple(told)


@pytest.mark.parametrize("ending", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("bits", [8, 16])
def test_grey_with_alpha_and_a_profile_reads_back_the_same(tmp_path, bits, ending):
    if (bits, ending) == (16, ".webp"):
        return
    grey = LINEAR[bits][..., 0]
    alpha = np.full_like(grey, np.iinfo(grey.dtype).max)
    alpha[:, :20] //= 3
    path = written(tmp_path, png(np.dstack((grey, alpha)), [iccp(icc("Gray", gamma=1, space=b"GRAY"))]))
    save_photo(tmp_path / f"b{ending}", read_photo(path, 1), MARK, quality=100)
    assert np.abs(decode(tmp_path / f"b{ending}", 1).astype(int) - decode(path, 1)).max() <= 1


# PNG's chunks

def gama(value: int) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", value)


def chrm(primaries, white=(0.3127, 0.3290)) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(value * 1e5) for value in np.ravel([white, *primaries])))


@pytest.mark.parametrize("bits", [8, 16])
def test_gama_and_chrm(tmp_path, bits):
    values, top = LINEAR[bits], 2**bits - 1
    for chunks, wanted in (([gama(100_000)], 255 * coded(values / top)),
                           ([gama(100_000), chrm(P3)], as_srgb(values / top, P3)),
                           ([gama(55_556)], 255 * coded((values / top) ** 1.8)),
                           ([gama(45_455), chrm(BT2020)], as_srgb((values / top) ** 2.2, BT2020))):
        check_both(tmp_path, png(values, chunks), wanted, tolerance=1.01)
    check_both(tmp_path, png(values[..., 0], [gama(100_000), chrm(P3)]), 255 * coded(values[..., :1] / top))


def test_chunks_that_say_srgb_or_give_way(tmp_path):
    srgb = chrm(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)))
    for chunks in ([gama(45_455)], [gama(45_455), srgb], [gama(45_000)], [srgb], [(b"sRGB", b"\0"), gama(100_000)],
                   [(b"cICP", bytes((1, 13, 0, 1))), gama(100_000)], [iccp(icc("x")), gama(100_000)]):
        path = written(tmp_path, png(SRGB, chunks))
        assert np.array_equal(decode(path, 1), SRGB)
        read = read_photo(path, 1)
        assert np.array_equal(read.colour, SRGB)


def test_cicp(tmp_path):
    light = linear(SRGB / 255)
    bt709 = np.where(SRGB / 255 < 0.081, SRGB / 255 / 4.5, ((SRGB / 255 + 0.099) / 1.099) ** (1 / 0.45))
    for codes, wanted in (((12, 13), as_srgb(light, P3)), ((9, 8), as_srgb(SRGB / 255, BT2020)),
                          ((1, 8), 255 * coded(SRGB / 255)), ((1, 1), 255 * coded(bt709)),
                          ((1, 4), 255 * coded((SRGB / 255) ** 2.2))):
        check_both(tmp_path, png(SRGB, [(b"cICP", bytes((*codes, 0, 1)))]), wanted, tolerance=1.01)


@pytest.mark.parametrize("chunks, message", [
    ([(b"cICP", bytes((9, 16, 0, 1)))], "PQ"), ([(b"cICP", bytes((9, 18, 0, 1)))], "HLG"),
    ([(b"cICP", bytes((2, 2, 0, 1)))], "primaries 2"),
    ([(b"cICP", bytes((1, 13, 0, 0)))], "full range"), ([chrm(BT2020)], "no gAMA"), ([gama(0)], "gAMA"),
    ([gama(100_000), chrm(((0, 0), (0, 0), (0, 0)), (0.3, 0.3))], "make no sense"),
    ([(b"cICP", b"1")], "4"), ([(b"gAMA", b"1")], "damaged")])
def test_what_cannot_be_converted_is_refused_by_name(tmp_path, chunks, message):
    path = written(tmp_path, png(SRGB, chunks))
    for read in (decode, read_photo):
        with pytest.raises(BadImage, match=message):
            read(path, 1)


def bmp_of_version_5(kind: bytes, profile: bytes = b"", end_points: bytes = bytes(48)) -> bytes:
    rows = b"".join(row[:, ::-1].tobytes() + bytes(-3 * SRGB.shape[1] % 4) for row in SRGB[::-1])
    head = struct.pack("<IiiHHIIiiIIIIII", 124, SRGB.shape[1], SRGB.shape[0], 1, 24, 0, len(rows), 3937, 3937, 0, 0, 0, 0, 0, 0)
    head += kind + end_points + struct.pack("<IIII", 4, 124 + len(rows), len(profile), 0)
    return struct.pack("<2sIII", b"BM", 14 + 124 + len(rows) + len(profile), 0, 138) + head + rows + profile


def test_bmp_of_version_5(tmp_path):
    check_both(tmp_path, bmp_of_version_5(b"DEBM", icc("x", ADOBE_XYZ)), as_srgb(linear(SRGB / 255), ADOBE))
    assert read_photo(tmp_path / "a", 1).dpi == pytest.approx((100, 100), abs=0.01)
    for kind in (b"BGRs", b" niW", bytes(4)):
        assert np.array_equal(decode(written(tmp_path, bmp_of_version_5(kind)), 1), SRGB)
    for kind, points in ((b"KNIL", bytes(48)), (bytes(4), bytes(range(48)))):
        with pytest.raises(BadImage, match="its colours are told by"):
            decode(written(tmp_path, bmp_of_version_5(kind, end_points=points)), 1)
