"""Strict decoding of image files nobody vouches for: a whole, plausible picture, or a reason why not.

Sets take it as 8-bit sRGB (`decode`), photos are restored as they are (`read`). How each kind of file is read:

* EXIF orientation is applied. Of several frames or pages the first is taken that is no reduced copy, with a remark.
* Grey, bilevel and palette images take their stored values; CMYK becomes sRGB, without a profile by (255-C)(255-K)/255.
* A colour key or a palette's transparency is alpha. 16 bits stay 16 bits; 10, 12 and 14 bits become 16. Floats and 32-bit
  integers have no known white and are refused.
* Colours are told by an ICC profile, by PNG's chunks or by EXIF (images/colour.py). A profile that is damaged, or for another
  colour model than the image's, is left out, with a remark. Nothing told means sRGB.

A set composites alpha on white, in stored (not linear) values, and converts to sRGB by relative colorimetry with black point
compensation; 16-bit values become round(v / 257).

Cut and damaged files are refused as far as they can be told: by end markers, sizes and checksums, by what libjpeg warns of,
and by what decodes to fewer pixels than the header says. Where pixels end in zeros that may be lost data, a remark says so.
"""
import os
import stat
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from pipeline.images import by_pillow, jpeg, png, tiff
from pipeline.images.colour import to_srgb
from pipeline.images.picture import DAMAGE, ORIENTATION, BadImage, Picture, orientation_of, read_exif, upright

__all__ = ["DAMAGE", "IMAGE_SUFFIXES", "ORIENTATION", "BadImage", "Picture", "decode", "exif_of", "read", "read_size"]

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp"}
SIGNATURES = {png.SIGNATURE: "PNG", b"\xff\xd8\xff": "JPEG", b"RIFF": "WEBP", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF",
              b"II+\0": "TIFF", b"MM\0+": "TIFF"}
READERS = {"PNG": png.read_png, "JPEG": jpeg.read_jpeg, "TIFF": tiff.read_tiff, "WEBP": by_pillow.read_webp,
           "BMP": by_pillow.read_bmp}
HEAD = 2**18  # bytes in which a header usually lies

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns at 89 megapixels; here max_megapixels decides


def read_size(path: Path | str, max_megapixels: float) -> tuple[int, int]:
    """Height and width from the header, before any EXIF rotation; raises BadImage as `decode` does."""
    with _opened(path, max_megapixels) as handle:
        return _checked_size(handle, max_megapixels)[1:]


def read(path: Path | str, max_megapixels: float) -> Picture:
    """The picture in a PNG, JPEG, TIFF, WebP or BMP file, upright, at its own depth and in its own colours.

    Raises BadImage for anything else: another format, truncated or damaged data, a kind of pixels or colours that cannot be
    read rightly, a header that claims more than `max_megapixels` (checked before pixels are decoded), a file that cannot be
    read.
    """
    with _opened(path, max_megapixels) as handle:
        kind, _, _ = _checked_size(handle, max_megapixels)
        picture = READERS[kind](handle.read())
    turn = orientation_of(picture.exif)
    picture.exif.pop(ORIENTATION, None)
    dpi = picture.dpi[::-1] if picture.dpi and turn > 4 else picture.dpi
    alpha = None if picture.alpha is None else upright(picture.alpha, turn)
    return replace(picture, colour=upright(picture.colour, turn), alpha=alpha, dpi=dpi)


def decode(path: Path | str, max_megapixels: float, tell: Callable[[str], None] = lambda remark: None) -> np.ndarray:
    """The same picture as uint8 (height, width, 3) sRGB, alpha on white. `tell` gets what a user is to know of it."""
    picture = read(path, max_megapixels)
    for remark in picture.remarks:
        tell(remark)
    try:
        colour = picture.colour if picture.alpha is None else on_white(picture.colour, picture.alpha)
        return np.ascontiguousarray(to_srgb(colour, picture.profile))
    except DAMAGE as error:
        raise BadImage(_reason(error)) from error


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    top = int(np.iinfo(colour.dtype).max)
    alpha = (alpha if colour.ndim == 2 else alpha[..., None]).astype(np.uint32 if top == 255 else np.uint64)
    return ((colour * alpha + top * (top - alpha) + top // 2) // top).astype(colour.dtype)


def exif_of(path: Path | str) -> Image.Exif:
    """The EXIF of a file, without its pixels; empty where there is none, or it cannot be read."""
    try:
        with open(path, "rb") as handle:
            kind = kind_of(handle.read(16))
            handle.seek(0)
            if kind == "PNG":
                return read_exif(png.exif_of(png.texts(handle)))[0]
            with Image.open(handle) as image:
                exif = image.getexif()
                exif.get_ifd(ExifTags.IFD.Exif)  # before the file is closed
                return exif
    except DAMAGE:
        return Image.Exif()


def kind_of(head: bytes) -> str | None:
    kind = next((kind for signature, kind in SIGNATURES.items() if head.startswith(signature)), None)
    return None if kind == "WEBP" and head[8:12] != b"WEBP" else kind


def _checked_size(handle, max_megapixels: float) -> tuple[str, int, int]:
    """(format, height, width) of a file at its beginning, to which it is set back."""
    head = handle.read(HEAD)
    kind = kind_of(head)
    handle.seek(0)
    if kind == "PNG":
        height, width = png.size_of_png(head)
    elif kind == "JPEG":
        height, width = jpeg.size_of_jpeg(head) or jpeg.size_of_jpeg(handle.read()) or (0, 0)
    elif kind == "TIFF":
        height, width = tiff.size_of_tiff(handle)
    elif kind:
        with Image.open(handle, formats=(kind,)) as image:
            height, width = image.height, image.width
    else:
        raise BadImage("not a PNG, JPEG, TIFF, WebP or BMP image")
    handle.seek(0)
    if height * width == 0 or height * width > max_megapixels * 1e6:
        raise BadImage(f"its header says {width}x{height}, allowed are {max_megapixels:g} megapixels")
    return kind, height, width


@contextmanager
def _opened(path, max_megapixels):
    """The file, found to be one of a sensible size; errors inside become BadImage."""
    try:
        with open(path, "rb", opener=_without_waiting) as handle:
            status = os.fstat(handle.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BadImage("not a regular file")
            if status.st_size == 0:
                raise BadImage("an empty file")
            if status.st_size > max_megapixels * 8e6 + 2**26:  # 16-bit RGBA, uncompressed, and room for metadata
                raise BadImage(f"{status.st_size / 1e6:.0f} MB are too much for {max_megapixels:g} megapixels")
            yield handle
    except BadImage:
        raise
    except Image.UnidentifiedImageError:  # whose text holds an address
        raise BadImage("damaged (its header makes no sense)") from None
    except DAMAGE as error:
        raise BadImage(_reason(error)) from error


def _without_waiting(path, flags):
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # opening a named pipe would wait for its writer


def _reason(error) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # without the path, which has no place in a manifest
    return f"damaged ({error or type(error).__name__})"
