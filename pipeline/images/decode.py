"""Strict decoding of image files nobody vouches for: a whole, plausible picture as 8-bit RGB, or a reason why not.

How each kind of file becomes RGB:

* EXIF orientation is applied. Of several frames or pages the first is taken.
* Grey, bilevel and palette images take their stored values; CMYK without a profile is (255-C)(255-K)/255 per channel.
* Alpha, palette transparency and 8-bit colour keys are composited on white, in stored (not linear) values. Colour keys
  of 16-bit images are ignored.
* 16-bit values become round(v / 257). Kinds that only Pillow reads (16-bit grey+alpha, CMYK, premultiplied alpha) keep
  their high byte, at most one level off. Floats and 32-bit integers have no known white and are refused.
* An embedded ICC profile is converted to sRGB (relative colorimetric, black point compensation, at 8 bits) unless it is
  sRGB itself; a damaged profile, or one for another colour model than the image's, is ignored. No profile means sRGB.
"""
import io
import os
import stat
import struct
import warnings
import zlib
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp"}
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
ORIENTATION = 0x0112  # EXIF tag

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns at 89 megapixels; here max_megapixels decides

# What Pillow's parsers let through when the bytes make no sense.
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, MemoryError,
          struct.error, zlib.error, cv2.error)

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


class BadImage(ValueError):
    """A file that is refused; the text is the reason, without the file's name."""


def read_size(path: Path | str, max_megapixels: float) -> tuple[int, int]:
    """Height and width from the header, before any EXIF rotation; raises BadImage as `decode` does."""
    with _opened(path, max_megapixels) as image:
        return image.height, image.width


def decode(path: Path | str, max_megapixels: float) -> np.ndarray:
    """The picture in a PNG, JPEG, TIFF, WebP or BMP file as uint8 (height, width, 3) sRGB.

    Raises BadImage for anything else: another format, truncated or damaged data, a header that claims more than
    `max_megapixels` (checked before pixels are decoded), a file that cannot be read.
    """
    with _opened(path, max_megapixels) as image:
        profile = image.info.get("icc_profile")
        deep = any(";16" in str(tile.args) for tile in image.tile) and image.mode in ("RGB", "RGBA")
        if deep:
            image = _sixteen_bit(image, path)
        image.load()
        image = ImageOps.exif_transpose(image)
        return np.array(_to_srgb(_flatten(image), profile))


@contextmanager
def _opened(path, max_megapixels):
    """The file as a Pillow image whose header was read and found plausible; errors inside become BadImage."""
    try:
        with open(path, "rb", opener=_without_waiting) as handle, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's warnings name no file
            status = os.fstat(handle.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BadImage("not a regular file")
            if status.st_size == 0:
                raise BadImage("an empty file")
            if status.st_size > max_megapixels * 8e6 + 2**26:  # 16-bit RGBA, uncompressed, and room for metadata
                raise BadImage(f"{status.st_size / 1e6:.0f} MB are too much for {max_megapixels:g} megapixels")
            try:
                image = Image.open(handle, formats=FORMATS)
            except Image.UnidentifiedImageError:
                raise BadImage("not a PNG, JPEG, TIFF, WebP or BMP image") from None
            with image:
                pixels = image.width * image.height
                if pixels == 0 or pixels > max_megapixels * 1e6:
                    raise BadImage(f"its header says {image.width}x{image.height}, "
                                   f"allowed are {max_megapixels:g} megapixels")
                yield image
    except BadImage:
        raise
    except DAMAGE as error:
        raise BadImage(_reason(error)) from error


def _without_waiting(path, flags):
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # opening a named pipe would wait for its writer


def _reason(error) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # without the path, which has no place in a manifest
    return f"damaged ({error or type(error).__name__})"


def _sixteen_bit(image: Image.Image, path: Path | str) -> Image.Image:
    """16-bit RGB or RGBA brought to 8 bits by OpenCV, as Pillow keeps the high byte only."""
    orientation = 1 if image.format == "TIFF" else image.getexif().get(ORIENTATION, 1)  # OpenCV turns a TIFF itself
    image.load()  # OpenCV fills what is missing with grey, Pillow refuses
    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        return image
    rgb = _eight_bit(cv2.cvtColor(values, cv2.COLOR_BGRA2RGBA if values.shape[2] == 4 else cv2.COLOR_BGR2RGB))
    image = Image.fromarray(rgb)
    image.getexif()[ORIENTATION] = orientation
    return image


def _eight_bit(values: np.ndarray) -> np.ndarray:
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _flatten(image: Image.Image) -> Image.Image:
    """The image in mode L, RGB or CMYK, 8 bits, without transparency."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(_eight_bit(np.asarray(image)))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        values = np.asarray(image.convert("RGBA")).astype(np.uint16)
        colour, alpha = values[..., :3], values[..., 3:]
        return Image.fromarray(((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8))
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    if image.mode in ("1", "P", "RGBX", "YCbCr"):
        return image.convert("L" if image.mode == "1" else "RGB")
    raise BadImage(f"pixels of kind {image.mode!r}; wanted 8- or 16-bit grey, RGB, palette, CMYK or YCbCr")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(theirs):
                return ImageCms.profileToProfile(image, theirs, _SRGB, ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB",
                                                 flags=ImageCms.Flags.BLACKPOINTCOMPENSATION)
        except (ImageCms.PyCMSError, OSError):  # damaged, or for another colour model
            pass
    return image.convert("RGB")
