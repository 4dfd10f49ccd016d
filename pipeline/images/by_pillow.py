"""Reading what Pillow decodes, WebP and BMP, with the checks that it leaves out."""
import io
import struct

import imagecodecs
import numpy as np
from PIL import Image

from pipeline.images.colour import checked, of_exif
from pipeline.images.picture import BadImage, Picture, parted, read_exif, zero_tail

PLAIN = {"1": "L", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}  # Pillow's modes
PIXELS = (b"VP8 ", b"VP8L")
SPARE = 16  # bytes that a WebP encoder may leave behind its picture
EMBEDDED, LINKED, CALIBRATED = b"DEBM", b"KNIL", bytes(4)  # of a BMP's colours
V4, V5 = 108, 124  # bytes of a BMP's header


def read_webp(data: bytes) -> Picture:
    remarks = _check_webp(data)
    with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
        if image.n_frames > 1:
            remarks += (f"frame 1 of {image.n_frames} is taken",)
        return picture_of(image, image.info.get("icc_profile"), remarks)


def read_bmp(data: bytes) -> Picture:
    size, start = struct.unpack_from("<I4xI", data, 2)
    if size > len(data):
        raise BadImage(f"cut off: {len(data)} bytes of {size}")
    profile = _bmp_profile(data)
    with Image.open(io.BytesIO(data), formats=("BMP",)) as image:
        plain = struct.unpack_from("<I", data, 14)[0] >= 40 and struct.unpack_from("<I", data, 30)[0] in (0, 3)
        bits = struct.unpack_from("<H", data, 28)[0] if plain else 0
        remarks = zero_tail(data[start:], (image.width * bits + 31) // 32 * 4) if plain else ()
        return picture_of(image, profile, remarks)


def picture_of(image: Image.Image, profile: bytes | None, remarks: tuple[str, ...] = ()) -> Picture:
    """An opened image of 8 bits; its EXIF is that of the file."""
    exif, more = read_exif(image.info.get("exif"))
    kind, remarks = PLAIN.get(image.mode, image.mode), remarks + more
    if "transparency" in image.info:
        kind = {"L": "LA", "RGB": "RGBA"}.get(kind, kind)
    if kind not in ("L", "LA", "RGB", "RGBA"):
        raise BadImage(f"pixels of kind {image.mode!r}; wanted 8-bit grey, RGB or palette")
    image.load()
    colour, alpha = parted(np.asarray(image if image.mode == kind else image.convert(kind)))
    profile, more = checked(profile, colour)
    remarks += more
    if not profile:
        profile, more = of_exif(exif, colour.ndim == 2)
        remarks += more
    dpi = image.info.get("dpi") if image.format == "BMP" else None
    return Picture(colour, alpha, profile, exif, dpi if dpi and min(dpi) > 0 else None, remarks)


def _check_webp(data: bytes) -> tuple[str, ...]:
    """The sizes of the file and of its chunks, and that the decoder takes all of the pixels' data: the format has neither
    checksums nor an end marker."""
    end, place, remarks = 8 + struct.unpack_from("<I", data, 4)[0], 12, ()
    if end > len(data):
        raise BadImage(f"cut off: {len(data)} bytes of {end}")
    while place + 8 <= end:
        kind, size = struct.unpack_from("<4sI", data, place)
        if place + 8 + size > end or not kind.isascii() or not kind.strip().isalnum():
            raise BadImage(f"damaged (no chunk at byte {place})")
        if kind in PIXELS:
            _check_length(kind, data[place + 8 : place + 8 + size])
        if kind in (*PIXELS, b"ANMF"):
            remarks = zero_tail(data[place + 8 : place + 8 + size])
        place += 8 + size + size % 2
    return remarks


def _check_length(kind: bytes, body: bytes) -> None:
    """A picture that can be decoded without the end of its data has lost its place in them."""
    if len(body) <= 2 * SPARE:
        return
    body = body[:-SPARE] + bytes(len(body) % 2)
    head = struct.pack("<4sI4s4sI", b"RIFF", 12 + len(body), b"WEBP", kind, len(body))
    try:
        imagecodecs.webp_decode(head + body)
    except imagecodecs.WebpError:
        return
    raise BadImage("damaged (its picture ends before its data do)")


def _bmp_profile(data: bytes) -> bytes | None:
    """The profile that a header of version 5 holds; what else tells of colours is refused, unless it is empty."""
    header = struct.unpack_from("<I", data, 14)[0]
    if header < V4:
        return None
    kind = bytes(data[70:74])
    if header >= V5 and kind == EMBEDDED:
        start, size = struct.unpack_from("<II", data, 14 + 112)
        return bytes(data[14 + start : 14 + start + size])
    if kind == LINKED or (kind == CALIBRATED and any(data[74:122])):
        raise BadImage("its colours are told by " + ("a profile in another file" if kind == LINKED else "end points and gamma")
                       + "; wanted is sRGB or an embedded profile")
    return None
