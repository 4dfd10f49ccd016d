"""Reading TIFF by tifffile: the first page that is no reduced copy, its samples as they are told, every strip whole.

10-, 12- and 14-bit values become 16-bit ones, round(v 65535 / (2^bits - 1)). Colours that are multiplied with alpha are
divided by it. Further samples than colours and alpha are left out, with a remark. Floats, signed and 32-bit integers have no
known white and are refused, and so are colours in other models than grey, RGB, palette, CMYK and YCbCr in JPEG.
"""
import io
import logging
import struct
from typing import BinaryIO

import imagecodecs
import numpy as np
import simplejpeg
import tifffile
from PIL import ExifTags, Image

from pipeline.images.colour import checked, cmyk_to_srgb, of_exif
from pipeline.images.picture import DAMAGE, INCH, ORIENTATION, BadImage, Picture, eight_bit, parted, read_exif, zero_tail

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its messages name no file; what is wrong is refused here

UNCHECKED = {5: imagecodecs.lzw_decode, 32773: imagecodecs.packbits_decode}
KINDS = {0: ("grey", 1), 1: ("grey", 1), 2: ("RGB", 3), 3: ("palette", 1), 5: ("CMYK", 4), 6: ("YCbCr", 3)}
JPEG = 7
SPACES = {1: "GRAY", 3: "RGB", 4: "CMYK"}  # of simplejpeg, by samples
COMPRESSIONS = {1, 2, 3, 4, 5, JPEG, 8, 32773, 32946, 34925, 50000}  # none, three of fax, LZW, Deflate, PackBits, LZMA, Zstd
SIZES = dict(enumerate((1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), 1)) | {16: 8, 17: 8, 18: 8}  # bytes of a value, by its type
SUBFILE, OLD_SUBFILE, ICC, RESOLUTION, INK_SET, SUB_IFDS = 254, 255, 34675, (282, 283), 332, (330, 34665, 34853)
FORMATS = {1: "whole numbers", 2: "signed numbers", 3: "floats", 5: "complex numbers", 6: "complex numbers"}
SINGLE = (256, 257, 259, 262, 266, 277, 278, 284)  # of size, compression, kind, bit order, samples, rows, planes
REDUCED, MASK = 1, 4  # bits of SUBFILE
ASSOCIATED, ALPHA = 1, 2  # meanings of an extra sample
MOST_SAMPLES = 32


def read_tiff(data: bytes) -> Picture:
    with _opened(io.BytesIO(data)) as file:
        page, remarks = _page(file)
        _check_tags(data, page.offset, file.byteorder, file.is_bigtiff)
        kind, channels, alpha_is = _kind(page)
        _check_strips(data, page)
        samples = _samples(data, page)
        samples = samples.transpose(1, 2, 0, 3).reshape(page.imagelength, page.imagewidth, -1)
        if samples.shape[2] > channels + (alpha_is is not None):
            remarks += (f"{samples.shape[2] - channels - (alpha_is is not None)} samples beside its colours are left out",)
        if page.compression == 1 and not page.is_tiled:
            end = page.dataoffsets[-1] + page.databytecounts[-1]
            remarks += zero_tail(data[page.dataoffsets[0] : end], max(samples[0].size * page.bitspersample // 8, 2))
        values = _scaled(page, kind, samples[..., : channels + (alpha_is is not None)])
        big = file.is_bigtiff
        profile, orientation, dpi = page.tags.valueof(ICC), page.tags.valueof(ORIENTATION), _dpi(page)
    exif, more = _exif(data, big)
    exif[ORIENTATION] = orientation or 1  # of the page that is taken
    remarks += more
    colour, alpha = (values, None) if kind == "CMYK" else parted(values)
    profile, more = checked(profile, colour, "CMYK" if kind == "CMYK" else "")
    remarks += more
    if kind == "CMYK":
        return Picture(cmyk_to_srgb(eight_bit(values), profile), None, None, exif, dpi, remarks)
    if alpha is not None and alpha_is == ASSOCIATED:
        colour = _divided(colour, alpha)
    if not profile:
        profile, more = of_exif(exif, colour.ndim == 2)
        remarks += more
    return Picture(colour, alpha, profile, exif, dpi, remarks)


def size_of_tiff(handle: BinaryIO) -> tuple[int, int]:
    with _opened(handle) as file:
        page = _page(file)[0]
        return page.imagelength, page.imagewidth


def _opened(handle: BinaryIO) -> tifffile.TiffFile:
    return tifffile.TiffFile(handle, _multifile=False)


def _page(file: tifffile.TiffFile) -> tuple[tifffile.TiffPage, tuple[str, ...]]:
    """The picture and a remark when there are others. A reduced copy may come first, and the picture hang below it."""
    pages = [file.pages[k] for k in range(len(file.pages))]
    pages = [page if isinstance(page, tifffile.TiffPage) else page.aspage() for page in pages]
    tops = len(pages)
    pages += [page for top in pages[:1] if top.subifds for page in top.pages or () if isinstance(page, tifffile.TiffPage)]
    if not pages:
        raise BadImage("damaged (it has no page)")
    whole = [page for page in pages if not _is_part(page)]
    chosen = whole[0] if whole else max(pages, key=lambda page: page.imagelength * page.imagewidth)
    others = sum(not _is_part(page) for page in pages[:tops])
    number = 1 + next(k for k, page in enumerate(pages) if page is chosen)
    return chosen, (f"page {number} of {tops} is taken",) if others > 1 else ()


def _is_part(page: tifffile.TiffPage) -> bool:
    return bool(page.tags.valueof(SUBFILE, 0) & (REDUCED | MASK)) or page.tags.valueof(OLD_SUBFILE, 1) == 2


def _kind(page: tifffile.TiffPage) -> tuple[str, int, int | None]:
    """(kind of colours, their number, what the sample behind them is when it is alpha) of a page that can be read rightly."""
    kind, channels = KINDS.get(int(page.photometric), (None, 0))
    bits, samples = page.bitspersample, page.samplesperpixel
    if kind is None or page.imagedepth != 1 or not channels <= samples <= MOST_SAMPLES:
        raise BadImage(f"pixels of kind {kind or _name(page.photometric)} with {samples} samples; wanted "
                       f"{', '.join(name for name, _ in list(KINDS.values())[1:])}, of one plane deep")
    if not isinstance(bits, int) or bits > 16 or page.sampleformat != 1:
        values = FORMATS.get(page.sampleformat, "unknown values")
        raise BadImage(f"pixels of {values} of {bits} bits; wanted whole numbers without sign, of at most 16 bits")
    if page.compression not in COMPRESSIONS:
        raise BadImage(f"its compression is {_name(page.compression)}; wanted none, LZW, Deflate, "
                       "PackBits, JPEG, fax, LZMA or Zstd")
    if kind == "YCbCr" and page.compression != JPEG:
        raise BadImage("pixels of kind YCbCr; wanted are these in JPEG compression, or RGB")
    if page.compression == JPEG and (bits != 8 or (page.planarconfig == 1 and samples not in SPACES)):
        raise BadImage(f"JPEG of {bits} bits and {samples} samples; wanted 8 bits, and 1, 3 or 4 samples")
    if kind == "CMYK" and page.tags.valueof(INK_SET, 1) != 1:
        raise BadImage("other inks than CMYK")
    extra = page.extrasamples[0] if page.extrasamples else ALPHA if samples == channels + 1 else 0  # untold: as OpenCV writes
    return kind, channels, int(extra) if extra in (ASSOCIATED, ALPHA) and kind not in ("CMYK", "palette") else None


def _name(value) -> str:
    return getattr(value, "name", str(value))


def _scaled(page: tifffile.TiffPage, kind: str, samples: np.ndarray) -> np.ndarray:
    """uint8 or uint16, over their whole range, black 0."""
    bits = page.bitspersample
    if kind == "palette":
        colours = page.colormap.T  # 16 bits, of which programs give the upper 8 a meaning
        return (colours[samples[..., 0]] // 256).astype(np.uint8)
    if bits not in (8, 16):
        most, top, dtype = 2**bits - 1, 255 if bits < 8 else 65535, np.uint8 if bits < 8 else np.uint16
        samples = ((samples.astype(np.uint64) * (2 * top) + most) // (2 * most)).astype(dtype)
    if int(page.photometric) == 0:
        samples = samples.copy()
        samples[..., 0] = np.iinfo(samples.dtype).max - samples[..., 0]
    return samples


def _divided(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    top, parts = int(np.iinfo(colour.dtype).max), alpha.astype(np.uint64)
    parts = parts if colour.ndim == 2 else parts[..., None]
    return np.minimum((colour.astype(np.uint64) * (2 * top) + parts) // np.maximum(2 * parts, 1), top).astype(colour.dtype)


def _check_strips(data: bytes, page: tifffile.TiffPage) -> None:
    """That every strip or tile is there, and what the decoder lets pass: JPEG's warnings."""
    wanted, samples = int(np.prod(page.chunked)), page.samplesperpixel
    if min(len(page.dataoffsets), len(page.databytecounts)) < wanted:
        raise BadImage(f"damaged ({len(page.dataoffsets)} strips or tiles, wanted {wanted})")
    for k, (start, size) in enumerate(zip(page.dataoffsets[:wanted], page.databytecounts[:wanted]), 1):
        if start <= 0 or size <= 0 or start + size > len(data):
            raise BadImage(f"cut off: strip or tile {k} of {wanted} is not in the file")
        if page.compression == JPEG:
            tables = page.jpegtables[:-2] if page.jpegtables else b"\xff\xd8"
            space = SPACES[samples if page.planarconfig == 1 else 1]
            simplejpeg.decode_jpeg(tables + data[start + 2 : start + size], strict=True, colorspace=space)


def _samples(data: bytes, page: tifffile.TiffPage) -> np.ndarray:
    """(planes, height, width, samples of each). Where neither a checksum nor the decoder tells of damage, the length does."""
    unpack = UNCHECKED.get(int(page.compression))
    if not unpack:
        return page.asarray(squeeze=False, maxworkers=1)[:, 0]
    planes, _, height, width, samples = page.shaped
    values, turned = np.empty((planes, height, width, samples), page.dtype), page.fillorder == 2
    page.compression, page.fillorder = 1, 1  # what its `decode` gets is unpacked here
    for index, (start, size) in enumerate(zip(page.dataoffsets[: np.prod(page.chunked)], page.databytecounts)):
        packed = data[start : start + size]
        _, (plane, _, top, left, _), (_, rows, columns, _) = page.decode(None, index)
        wanted = rows * -(-columns * samples * page.bitspersample // 8)
        raw = unpack(imagecodecs.bitorder_decode(packed) if turned else packed, out=wanted + 1)
        if len(raw) != wanted:
            raise BadImage(f"damaged (strip or tile {index + 1} unpacks to {len(raw)} bytes, wanted {wanted})")
        part = values[plane, top : top + rows, left : left + columns]
        part[:] = page.decode(raw, index)[0][0, : part.shape[0], : part.shape[1]]
    return values


def _check_tags(data: bytes, place: int, order: str, big: bool) -> None:
    """That a directory, and those of sub-pages, EXIF and place below it, lie in the file with all their values."""
    count_at, entry_at, offset, room = ("Q", "HHQ", "Q", 8) if big else ("H", "HHI", "I", 4)
    count = struct.unpack_from(order + count_at, data, place)[0]
    first, size = place + struct.calcsize(order + count_at), struct.calcsize(order + entry_at) + room
    for entry in range(first, first + count * size, size):
        tag, kind, number = struct.unpack_from(order + entry_at, data, entry)
        if tag in SINGLE and number != 1:
            raise BadImage(f"damaged (its tag {tag} has {number} values, wanted 1)")
        at = entry + size - room
        if (length := SIZES.get(kind, 0) * number) > room:
            at = struct.unpack_from(order + offset, data, at)[0]
        if at + length > len(data):
            raise BadImage(f"cut off: the value of its tag {tag} is not in the file")
        if tag in SUB_IFDS[1:]:
            _check_tags(data, struct.unpack_from(order + offset, data, entry + size - room)[0], order, big)


def _exif(data: bytes, big: bool) -> tuple[Image.Exif, tuple[str, ...]]:
    if not big:
        return read_exif(data)
    try:
        with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
            exif = image.getexif()
            for part in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.Interop):
                exif.get_ifd(part)
            return exif, ()
    except DAMAGE:
        return Image.Exif(), ("its EXIF is left out, as that of a BigTIFF of this kind cannot be read",)


def _dpi(page: tifffile.TiffPage) -> tuple[float, float] | None:
    told = [page.tags.valueof(tag) for tag in RESOLUTION]
    factor = {2: 1, 3: INCH}.get(int(page.tags.valueof(296, 2)), 0)
    if not factor or not all(value and value[0] and value[1] for value in told):
        return None
    across, down = (value[0] / value[1] * factor for value in told)
    return across, down
