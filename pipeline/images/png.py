"""Reading PNG: every chunk's checksum and the end are checked, and only what makes the pixels goes to the decoder."""
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import imagecodecs
import numpy as np

from pipeline.images.colour import checked, of_cicp, of_exif, of_gama
from pipeline.images.picture import INCH, BadImage, Picture, parted, read_exif

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
LARGEST_PROFILE = 2**26  # bytes, unpacked


def read_png(data: bytes) -> Picture:
    found = chunks(data)
    first = dict(reversed(found))
    values = imagecodecs.png_decode(SIGNATURE + b"".join(chunk(kind, body) for kind, body in found if kind in PIXELS))
    colour, alpha = parted(values)
    exif, remarks = read_exif(exif_of(found))
    profile, more = _profile(first, exif, colour)
    if b"acTL" in first:
        more += (f"an animation of {struct.unpack_from('>I', first[b'acTL'])[0]} frames: its still picture is taken",)
    return Picture(colour, alpha, profile, exif, _dpi(first.get(b"pHYs")), remarks + more)


def size_of_png(head: bytes) -> tuple[int, int]:
    """Height and width, from the first bytes of a file."""
    if head[12:16] != b"IHDR" or len(head) < 33:
        raise BadImage("damaged (its first chunk is no header)")
    width, height = struct.unpack_from(">II", head, 16)
    return height, width


def chunks(data: bytes) -> list[tuple[bytes, memoryview]]:
    """(kind, body) in their order, to the end marker."""
    place, view, found = len(SIGNATURE), memoryview(data), []
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data):
            raise BadImage(f"cut off: its chunk {_name(kind)} wants {end - len(data)} more bytes")
        if zlib.crc32(view[place + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise BadImage(f"damaged: the checksum of its chunk {_name(kind)} at byte {place} is another")
        found.append((kind, view[place + 8 : end - 4]))
        if kind == b"IEND":
            return found
        place = end
    raise BadImage("cut off: it has no end marker (IEND)")


def exif_of(found: Iterable[tuple[bytes, bytes | memoryview]]) -> bytes | None:
    """The EXIF block: a chunk of its own, or as ImageMagick wrote it before there was one, in hexadecimal digits."""
    for kind, body in found:
        if kind == b"eXIf":
            return bytes(body)
        if kind == b"zTXt" and bytes(body[:23]) == b"Raw profile type exif\0\0":
            try:
                return bytes.fromhex(b"".join(_unpacked(body[23:], 2**20).split()[2:]).decode("latin-1"))
            except (ValueError, zlib.error):
                return b"damaged"
    return None


def texts(handle: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """(kind, body) of the chunks that may hold EXIF, without a look at the others."""
    handle.seek(len(SIGNATURE))
    while len(head := handle.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in (b"eXIf", b"zTXt"):
            yield kind, handle.read(length)
            length = 0
        handle.seek(length + 4, os.SEEK_CUR)


def chunk(kind: bytes, body: bytes | memoryview) -> bytes:
    data = kind + bytes(body)
    return struct.pack(">I", len(body)) + data + struct.pack(">I", zlib.crc32(data))


def _profile(first: dict, exif, colour: np.ndarray) -> tuple[bytes | None, tuple[str, ...]]:
    """By the precedence of the PNG specification, third edition: cICP, iCCP, sRGB, then gAMA and cHRM; then EXIF."""
    grey = colour.ndim == 2
    if b"cICP" in first:
        return of_cicp(bytes(first[b"cICP"]), grey), ()
    remarks = ()
    if b"iCCP" in first:
        profile, remarks = checked(_icc(first[b"iCCP"]), colour)
        if profile:
            return profile, ()
    if b"sRGB" in first:
        return None, remarks
    if b"gAMA" in first or b"cHRM" in first:
        gama = struct.unpack(">I", first[b"gAMA"])[0] if b"gAMA" in first else None
        chrm = np.array(struct.unpack(">8I", first[b"cHRM"])) / 1e5 if b"cHRM" in first else None
        return of_gama(gama, chrm, grey), remarks
    profile, more = of_exif(exif, grey)
    return profile, remarks + more


def _icc(body: memoryview) -> bytes:
    try:
        return _unpacked(body[bytes(body[:80]).index(b"\0") + 2 :], LARGEST_PROFILE) or b"empty"
    except (ValueError, zlib.error):
        return b"damaged"


def _unpacked(data: memoryview, most: int) -> bytes:
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(data, most)
    if not unpacker.eof:
        raise ValueError(f"more than {most} bytes, or cut off")
    return unpacked


def _dpi(body: memoryview | None) -> tuple[float, float] | None:
    across, down, unit = struct.unpack(">IIB", body) if body and len(body) == 9 else (0, 0, 0)
    return (across * INCH / 100, down * INCH / 100) if unit == 1 and across and down else None  # per metre


def _name(kind: bytes) -> str:
    return repr(kind.decode("latin-1"))
