"""Reading JPEG: the end marker has to be there, every scan, and not one warning of libjpeg is let pass."""
import re
import struct
from dataclasses import dataclass, field

import numpy as np
import simplejpeg

from pipeline.images.colour import checked, cmyk_to_srgb, of_exif
from pipeline.images.picture import INCH, BadImage, Picture, read_exif

MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in entropy-coded data: neither a stuffed zero nor a restart
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE, END, SCAN = (0xC2, 0xC6, 0xCA, 0xCE), 0xD9, 0xDA
EXIF, ICC, MULTI = b"Exif\0\0", b"ICC_PROFILE\0", b"MPF\0"
SPACES = {1: ("GRAY", "L"), 3: ("RGB", "RGB"), 4: ("CMYK", "CMYK")}  # by components: of simplejpeg, of ICC profiles


class _TooShort(BadImage):
    pass


@dataclass
class Parts:
    """The segments of a file up to its end marker."""
    frame: tuple[int, int, int, int, list[int]] | None = None
    """Marker, bits, height, width, identifiers of the components."""
    scans: list[tuple[list[int], int, int, int]] = field(default_factory=list)
    """Components, first and last coefficient, bits that are still to come."""
    app: list[tuple[int, bytes]] = field(default_factory=list)

    def blocks(self, head: bytes) -> list[bytes]:
        """What follows `head` in application segments."""
        return [body[len(head) :] for _, body in self.app if body.startswith(head)]


def read_jpeg(data: bytes) -> Picture:
    parts = _parts(data)
    _, bits, _, _, components = parts.frame
    if bits != 8 or len(components) not in SPACES:
        raise BadImage(f"a JPEG of {bits} bits and {len(components)} components; wanted 8 bits and 1, 3 or 4")
    _check_scans(parts)
    space, mode = SPACES[len(components)]
    values = simplejpeg.decode_jpeg(data, colorspace=space, strict=True)
    colour = values[..., 0] if mode == "L" else values
    profile, remarks = checked(_icc(parts), colour, mode)
    exif, more = read_exif(next(iter(parts.blocks(EXIF)), None))
    remarks += more
    if mode == "CMYK":  # as Adobe stores it: 255 is no ink
        return Picture(cmyk_to_srgb(255 - values, profile), None, None, exif, _dpi(parts), remarks + _others(parts))
    if not profile:
        profile, more = of_exif(exif, mode == "L")
        remarks += more
    return Picture(colour, None, profile, exif, _dpi(parts), remarks + _others(parts))


def size_of_jpeg(head: bytes) -> tuple[int, int] | None:
    """Height and width, from the first bytes of a file; None when they are not among these."""
    try:
        frame = _parts(head, to_frame=True).frame
    except _TooShort:
        return None
    return frame[2], frame[3]


def _parts(data: bytes, to_frame: bool = False) -> Parts:
    parts, place = Parts(), 2
    while place + 4 <= len(data) or data[place : place + 2] == b"\xff\xd9":
        if data[place] != 0xFF:
            raise BadImage(f"damaged (no marker at byte {place})")
        marker = data[place + 1]
        if marker == 0xFF:  # filling
            place += 1
        elif marker == END:
            if not parts.frame or not parts.scans:
                raise BadImage("damaged (it ends before a picture)")
            return parts
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # without a length
            place += 2
        else:
            end = place + 2 + struct.unpack_from(">H", data, place + 2)[0]
            if end > len(data):
                break
            _take(parts, marker, data[place + 4 : end])
            if to_frame and parts.frame:
                return parts
            if marker == SCAN:
                found = MARKER.search(data, end)
                if not found:
                    break
                end = found.start()
            place = end
    raise _TooShort("cut off: it has no end marker (EOI)")


def _take(parts: Parts, marker: int, body: bytes) -> None:
    if marker in FRAMES:
        if parts.frame:
            raise BadImage("damaged (two frames)")
        bits, height, width, count = struct.unpack_from(">BHHB", body)
        parts.frame = marker, bits, height, width, list(body[6 : 6 + 3 * count : 3])
    elif marker == SCAN:
        count = body[0]
        first, last, approximation = body[1 + 2 * count : 4 + 2 * count]
        parts.scans.append((list(body[1 : 1 + 2 * count : 2]), first, last, approximation & 15))
    elif 0xE0 <= marker < 0xF0:
        parts.app.append((marker, body))


def _check_scans(parts: Parts) -> None:
    """A file that was cut between two scans and given an end makes libjpeg say nothing."""
    marker, _, _, _, components = parts.frame
    missing = {component: np.full(64, 255) for component in components}
    for scan, first, last, left in parts.scans:
        for component in scan:
            if component in missing:
                missing[component][(slice(first, last + 1) if marker in PROGRESSIVE else slice(None))] = left
    if any(left.any() for left in missing.values()):
        raise BadImage("cut off: not all of its scans are there")


def _icc(parts: Parts) -> bytes | None:
    """The profile, which may lie in several segments; damaged bytes when one of them is missing."""
    pieces = sorted(parts.blocks(ICC))
    if not pieces:
        return None
    whole = all(len(piece) > 2 and piece[0] == k and piece[1] == len(pieces) for k, piece in enumerate(pieces, 1))
    return b"".join(piece[2:] for piece in pieces) if whole else b"incomplete"


def _dpi(parts: Parts) -> tuple[float, float] | None:
    for body in parts.blocks(b"JFIF\0"):
        if len(body) >= 7:
            unit, across, down = struct.unpack_from(">BHH", body, 2)
            factor = {1: 1, 2: INCH}.get(unit, 0)
            return (across * factor, down * factor) if factor and across and down else None
    return None


def _others(parts: Parts) -> tuple[str, ...]:
    for body in parts.blocks(MULTI):
        count = read_exif(EXIF + body)[0].get(0xB001, 1)
        if isinstance(count, int) and count > 1:
            return (f"picture 1 of {count} is taken",)
    return ()
