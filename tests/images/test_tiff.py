"""Kinds of TIFF that few programs write, made byte by byte and read against numpy and tifffile."""
import io

import numpy as np
import pytest
import tifffile
from makers import scene, tiff, tiff_of_pages
from PIL import Image

from pipeline.images.decode import BadImage, decode, read_size
from pipeline.restore.photo import read_photo

RGB, DEEP = scene(21, 34), scene(21, 34, np.uint16)
ALPHA = np.linspace(0, 65535, 21 * 34).astype(np.uint16).reshape(21, 34)
SUBFILE = 254


def check(tmp_path, data: bytes, colour: np.ndarray, alpha: np.ndarray | None = None) -> list[str]:
    """Both readers give these values; returns what they said."""
    (tmp_path / "a").write_bytes(data)
    photo, told = read_photo(tmp_path / "a", 1), []
    assert photo.colour.dtype == colour.dtype and np.array_equal(photo.colour, colour)
    assert (photo.alpha is None) == (alpha is None) and (alpha is None or np.array_equal(photo.alpha, alpha))
    image = decode(tmp_path / "a", 1, told.append)
    colour, alpha = (None if values is None else values / (257 if values.dtype == np.uint16 else 1)
                     for values in (colour if colour.ndim == 3 else colour[..., None], alpha))
    wanted = colour if alpha is None else (colour * alpha[..., None] + 255 * (255 - alpha[..., None])) / 255
    assert np.abs(image - wanted).max() <= 0.51
    assert read_size(tmp_path / "a", 1) == image.shape[:2] and photo.remarks == tuple(told)
    return told


def refused(tmp_path, data: bytes, message: str) -> None:
    (tmp_path / "a").write_bytes(data)
    for read in (decode, read_photo):
        with pytest.raises(BadImage, match=message):
            read(tmp_path / "a", 1)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("planar", [False, True])
def test_planes_orders_and_depths(tmp_path, order, planar, compression):
    options = {"order": order, "planar": planar, "compression": compression}
    with_alpha = {338: (3, 2)}
    for values, alpha in ((RGB, (ALPHA >> 8).astype(np.uint8)), (DEEP, ALPHA)):
        check(tmp_path, tiff(values, **options), values)
        assert np.array_equal(tifffile.imread(tmp_path / "a"), values.transpose(2, 0, 1) if planar else values)
        check(tmp_path, tiff(np.dstack((values, alpha)), tags=with_alpha, **options), values, alpha)
        check(tmp_path, tiff(np.dstack((values[..., 0], alpha)), tags=with_alpha, **options), values[..., 0], alpha)
        check(tmp_path, tiff(values[..., 0], photometric=0, order=order, compression=compression),
              np.iinfo(values.dtype).max - values[..., 0])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("bits", [1, 2, 4, 6, 10, 12, 14])
@pytest.mark.parametrize("photometric", [0, 1])
def test_packed_grey(tmp_path, bits, photometric, order):
    stored = np.random.default_rng(bits).integers(0, 2**bits, (21, 33))
    top = 255 if bits < 8 else 65535
    wanted = np.floor((stored if photometric else 2**bits - 1 - stored) * top / (2**bits - 1) + 0.5)
    check(tmp_path, tiff(stored, bits, photometric, order), wanted.astype(np.uint8 if bits < 8 else np.uint16))


def test_packed_colours(tmp_path):
    stored = np.random.default_rng(0).integers(0, 4096, (21, 33, 3))
    for planar in (False, True):
        check(tmp_path, tiff(stored, 12, planar=planar), np.floor(stored * 65535 / 4095 + 0.5).astype(np.uint16))


@pytest.mark.parametrize("values, alpha", [(RGB, (ALPHA >> 8).astype(np.uint8)), (DEEP, ALPHA)])
def test_colours_multiplied_with_alpha(tmp_path, values, alpha):
    top = np.iinfo(values.dtype).max
    stored = np.rint(values * (alpha / top)[..., None]).astype(values.dtype)
    (tmp_path / "a").write_bytes(tiff(np.dstack((stored, alpha)), tags={338: (3, 1)}))
    wanted = stored * (255 / top) + 255 * (1 - alpha / top)[..., None]
    assert np.abs(decode(tmp_path / "a", 1) - wanted).max() <= 1.01
    photo = read_photo(tmp_path / "a", 1)
    clear = alpha > top // 8
    assert np.array_equal(photo.alpha, alpha) and np.abs(photo.colour[clear].astype(int) - values[clear]).max() <= 4


def test_a_fourth_channel_of_no_meaning_is_left_out_with_a_word(tmp_path):
    for extra, more in ((0, 1), ([0, 0], 2), ([2, 0], 1)):
        count = 2 if isinstance(extra, list) else 1
        values = np.dstack((DEEP, *[ALPHA] * count))
        told = check(tmp_path, tiff(values, tags={338: (3, extra)}), DEEP, ALPHA if extra == [2, 0] else None)
        assert told == [f"{more} samples beside its colours are left out"]
    check(tmp_path, tiff(np.dstack((DEEP, ALPHA))), DEEP, ALPHA)  # no word at all: OpenCV writes alpha so


def test_cmyk_of_sixteen_bits_and_palette(tmp_path):
    inks = scene(21, 34, np.uint16, 3)[..., [0, 1, 2, 0]]
    (tmp_path / "a").write_bytes(tiff(inks, photometric=5))
    part = 1 - inks / 65535
    assert np.abs(decode(tmp_path / "a", 1) - 255 * part[..., :3] * part[..., 3:]).max() <= 2
    colours = np.random.default_rng(0).integers(0, 256, (16, 3))
    index = np.random.default_rng(1).integers(0, 16, (21, 34))
    check(tmp_path, tiff(index, 4, 3, tags={320: (3, [int(value) * 257 for value in colours.T.ravel()])}),
          colours[index].astype(np.uint8))


@pytest.mark.parametrize("options", [{"tile": (16, 16)}, {"rowsperstrip": 5}, {"bigtiff": True}, {"byteorder": ">"},
                                     {"tile": (16, 16), "planarconfig": "separate"}])
@pytest.mark.parametrize("compression", [None, "lzw", "packbits", "zlib", "zstd", "lzma"])
def test_tiles_strips_and_compressions(tmp_path, options, compression):
    for values in (RGB, DEEP):
        buffer = io.BytesIO()
        stored = values.transpose(2, 0, 1) if "planarconfig" in options else values
        predictor = {"predictor": True} if compression in ("lzw", "zlib") else {}
        tifffile.imwrite(buffer, stored, photometric="rgb", compression=compression, **options, **predictor)
        assert check(tmp_path, buffer.getvalue(), values) == []


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group3", "group4"])
def test_what_libtiff_writes_is_read_as_libtiff_reads_it(tmp_path, mode, compression):
    if (compression == "jpeg" and mode in ("1", "P", "LA")) or (compression.startswith("group") and mode != "1") or \
            (mode == "YCbCr" and compression != "jpeg"):
        return  # there is no such file, or it is refused
    Image.fromarray(scene(64, 48)).convert(mode).save(tmp_path / "a", "TIFF", compression=compression)
    with Image.open(tmp_path / "a") as image:
        wanted = np.asarray(image.convert("RGBA" if image.mode in ("LA", "RGBA") else "RGB")).astype(float)
    if wanted.shape[2] == 4:
        wanted = (wanted[..., :3] * wanted[..., 3:] + 255 * (255 - wanted[..., 3:])) / 255
    assert np.abs(decode(tmp_path / "a", 1) - wanted).max() <= 0.5


def test_a_reduced_page_is_no_picture_and_more_pages_are_said(tmp_path):
    small = (scene(12, 16, np.uint8, 5), {"tags": {SUBFILE: (4, 1)}})
    whole, other = (DEEP, {}), (scene(10, 10, np.uint16), {})
    assert check(tmp_path, tiff_of_pages([small, whole]), DEEP) == []
    assert check(tmp_path, tiff_of_pages([whole, small], ">"), DEEP) == []
    assert check(tmp_path, tiff_of_pages([(small[0], {"tags": {255: (3, 2)}}), whole]), DEEP) == []
    assert check(tmp_path, tiff_of_pages([whole, other, other]), DEEP) == ["page 1 of 3 is taken"]
    assert check(tmp_path, tiff_of_pages([small, whole, other]), DEEP) == ["page 2 of 3 is taken"]
    assert check(tmp_path, tiff_of_pages([small]), small[0]) == []
    masked = (np.zeros((21, 34), np.uint8), {"tags": {SUBFILE: (4, 4)}, "photometric": 4})
    assert check(tmp_path, tiff_of_pages([masked, whole]), DEEP) == []


def test_the_picture_below_a_preview(tmp_path):
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:  # as DNG does
        file.write(scene(12, 16), photometric="rgb", subifds=1, subfiletype=1)
        file.write(DEEP, photometric="rgb")
    check(tmp_path, buffer.getvalue(), DEEP)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_the_page_that_is_taken(tmp_path, orientation):
    small = (scene(12, 16), {"tags": {SUBFILE: (4, 1), 274: (3, 1)}})
    (tmp_path / "a").write_bytes(tiff_of_pages([small, (DEEP, {"tags": {274: (3, orientation)}})]))
    turned = {1: DEEP, 2: DEEP[:, ::-1], 3: np.rot90(DEEP, 2), 4: DEEP[::-1], 5: DEEP.swapaxes(0, 1), 6: np.rot90(DEEP, -1),
              7: np.rot90(DEEP, 2).swapaxes(0, 1), 8: np.rot90(DEEP)}[orientation]
    assert np.array_equal(read_photo(tmp_path / "a", 1).colour, turned)


def test_kinds_that_have_no_right_value_are_refused_by_name(tmp_path):
    refused(tmp_path, tiff(DEEP[..., 0], tags={339: (3, 2)}), "signed numbers of 16 bits")
    refused(tmp_path, tiff(RGB, photometric=8), "CIELAB")
    refused(tmp_path, tiff(RGB, photometric=6), "YCbCr")
    refused(tmp_path, tiff(RGB[..., 0], photometric=32803), "CFA")
    refused(tmp_path, tiff(RGB, compression=34712), "JPEG2000|JPEG_2000")
    refused(tmp_path, tiff(RGB[..., [0, 1, 2, 0]], photometric=5, tags={332: (3, 2)}), "inks")
    for values in (np.zeros((9, 9), np.float32), np.zeros((9, 9), np.uint32)):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, values)
        refused(tmp_path, buffer.getvalue(), "of 32 bits; wanted whole numbers without sign, of at most 16 bits")


def test_strips_that_are_missing_or_too_short_or_too_long(tmp_path):
    whole = tiff(RGB, compression=8)
    assert len(whole) > 900
    refused(tmp_path, tiff(RGB, tags={257: (4, 42), 278: (4, 42)}), "damaged|cut off")
    refused(tmp_path, tiff(RGB, compression=8, tags={257: (4, 42), 278: (4, 42)}), "damaged|cut off")
    refused(tmp_path, tiff(RGB, tags={278: (4, 7)}), "1 strips or tiles, wanted 3")
    for compression in ("lzw", "packbits"):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, RGB, photometric="rgb", compression=compression)
        data = bytearray(buffer.getvalue())
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            place = file.pages[0].tags[257].valueoffset  # rows: fewer than were packed
            rows = file.pages[0].tags[278].valueoffset
        data[place], data[rows] = 20, 20
        refused(tmp_path, bytes(data), "unpacks to|TOO_SMALL")


def test_a_loop_of_pages_ends(tmp_path):
    data = bytearray(tiff(RGB))
    data[-4:] = data[4:8]  # the next page is this one
    (tmp_path / "a").write_bytes(data)
    try:
        assert np.array_equal(decode(tmp_path / "a", 1), RGB)
    except BadImage:
        pass


def test_zeros_at_the_end_of_raw_pixels_are_said(tmp_path):
    bright = np.maximum(scene(200, 300), 1)
    data = bytearray(tiff(bright))
    start, size = 8, bright.size
    there = size * 6 // 10 + 123
    data[start + there : start + size] = bytes(size - there)
    lost = bright.reshape(-1).copy()
    lost[there:] = 0
    assert "are zeros" in check(tmp_path, bytes(data), lost.reshape(bright.shape))[0]
    bright[150:] = 0  # a black border
    assert check(tmp_path, tiff(bright), bright) == []
