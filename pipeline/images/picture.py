"""A picture as its file holds it, and what every reader of files needs: why a file is refused, and its EXIF."""
import struct
import warnings
import zlib
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import ExifTags, Image

ORIENTATION = ExifTags.Base.Orientation
INCH = 2.54  # centimetres

# What the parsers of Pillow, tifffile, simplejpeg and imagecodecs let through when the bytes make no sense.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, MemoryError, RuntimeError,
          struct.error, zlib.error, cv2.error)


class BadImage(ValueError):
    """A file that is refused; the text is the reason, without the file's name."""


@dataclass(frozen=True)
class Picture:
    """Pixels at their own depth and in their own colours, with what the file says of them."""
    colour: np.ndarray
    """(height, width, 3) RGB or (height, width) grey, uint8 or uint16."""
    alpha: np.ndarray | None = None
    """(height, width), of the same type. The colours are not multiplied with it."""
    profile: bytes | None = None
    """The ICC profile of the colours, for RGB or for grey as these are; None is sRGB."""
    exif: Image.Exif = field(default_factory=Image.Exif)
    dpi: tuple[float, float] | None = None
    """Pixels per inch, across and down."""
    remarks: tuple[str, ...] = ()
    """What a user is to know of how the file was read."""


def read_exif(data: bytes | None) -> tuple[Image.Exif, tuple[str, ...]]:
    """The tags in an EXIF block, or in a whole TIFF file, and a remark when they are damaged."""
    exif = Image.Exif()
    if not data:
        return exif, ()
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            exif.load(data)
            for part in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.Interop):
                exif.get_ifd(part)
            dict(exif)
        damaged = any("orrupt" in str(warning.message) or "runcated" in str(warning.message) for warning in heard)
        return exif, ("its EXIF is damaged in part",) if damaged else ()
    except DAMAGE:
        return Image.Exif(), ("its EXIF is damaged and left out",)


def orientation_of(exif: Image.Exif) -> int:
    """1 to 8; 1 where the tag is absent or makes no sense."""
    value = exif.get(ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """A view of (height, width, ...) turned as an EXIF orientation (1 to 8) asks for."""
    match orientation:
        case 2:
            return values[:, ::-1]
        case 3:
            return values[::-1, ::-1]
        case 4:
            return values[::-1]
        case 5:
            return values.swapaxes(0, 1)
        case 6:
            return values.swapaxes(0, 1)[:, ::-1]
        case 7:
            return values.swapaxes(0, 1)[::-1, ::-1]
        case 8:
            return values.swapaxes(0, 1)[::-1]
    return values


def eight_bit(values: np.ndarray) -> np.ndarray:
    """uint8: uint16 values become round(v / 257)."""
    return values if values.dtype == np.uint8 else ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def parted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Colour and alpha of (height, width) grey or (height, width, 1 to 4) grey, grey and alpha, RGB, RGB and alpha."""
    if values.ndim == 2:
        return values, None
    channels = values.shape[2]
    return values[..., 0] if channels < 3 else values[..., :3], values[..., -1] if channels in (2, 4) else None


def zero_tail(data: bytes, step: int = 1) -> tuple[str, ...]:
    """A remark when the data of a format without end marker or checksum end in many zeros: whether they were lost cannot be
    known. `step`: bytes of a row of raw pixels, where zeros that fill whole rows are a black border."""
    zeros = len(data) - len(data.rstrip(b"\0"))
    if zeros < 1024 or (step > 1 and min(zeros % step, -zeros % step) < 8):
        return ()
    return (f"its last {zeros} of {len(data)} bytes of pixels are zeros: an even part, or one that never arrived",)
