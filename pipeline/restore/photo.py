"""Reading a photo as it is: its pixels upright, at their own depth and in their own colours, and what the file says of it.

Decoding is as strict as that of sets (images/decode.py), but nothing is converted that can be kept: grey stays grey, 16 bits
stay 16 bits, alpha is kept apart, and the values stay in the space of the embedded ICC profile, which goes along. Palettes
become RGB, bilevel images grey. CMYK becomes sRGB without a profile. XMP, thumbnails and further frames are dropped.
"""
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

# decode.py is a dependency of ingest: were these made public there, all sets and networks would be made anew
from pipeline.images.decode import DAMAGE, ORIENTATION, BadImage, _opened, _to_srgb
from pipeline.restore.exif import carried

PLAIN = {"1": "L", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}  # Pillow's modes
HEIC_SUFFIXES = {".heic", ".heif"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}


@dataclass(frozen=True)
class Photo:
    """`colour` is (height, width, 3) RGB or (height, width) grey, uint8 or uint16; `alpha` (height, width) of the same type."""
    colour: np.ndarray
    alpha: np.ndarray | None
    profile: bytes | None
    exif: Image.Exif


def read_photo(path: Path | str, max_megapixels: float) -> Photo:
    """Read a PNG, JPEG, TIFF, WebP or BMP file, or, with pillow-heif installed, HEIC.

    Raises BadImage as `images.decode.decode` does.
    """
    with _image(path, max_megapixels) as image:
        profile = image.info.get("icc_profile")
        deep = any(";16" in str(tile.args) for tile in getattr(image, "tile", ())) and image.mode in ("LA", "RGB", "RGBA")
        exif, orientation = carried(image), _orientation(image)  # before load(), which turns a TIFF
        image.load()
        values = _sixteen_bit(path, image.mode) if deep else None
        if values is None:
            orientation = _orientation(image)
            colour, alpha, profile = _values(image, profile)
        else:
            colour, alpha = values
            orientation = 1 if image.format == "TIFF" else orientation  # OpenCV turns a TIFF too
    colour = upright(colour, orientation)
    return Photo(colour, None if alpha is None else upright(alpha, orientation), profile, exif)


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


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except DAMAGE:
        return 1


def _sixteen_bit(path: Path | str, mode: str) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Colour and alpha of 16-bit RGB, RGBA or grey with alpha by OpenCV, as Pillow keeps the high byte only; None where
    OpenCV does not know the kind either."""
    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] != (3 if mode == "RGB" else 4):
        return None
    return (values[..., 0] if mode == "LA" else values[..., 2::-1]), (None if mode == "RGB" else values[..., 3])


def _values(image: Image.Image, profile: bytes | None) -> tuple[np.ndarray, np.ndarray | None, bytes | None]:
    """Colour, alpha and the profile that still holds."""
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16), None, profile
    if image.mode == "CMYK":
        return np.asarray(_to_srgb(image, profile)), None, None
    kind = PLAIN.get(image.mode, image.mode)
    if "transparency" in image.info:
        kind = {"L": "LA", "RGB": "RGBA"}.get(kind, kind)
    if kind not in ("L", "LA", "RGB", "RGBA"):
        raise BadImage(f"pixels of kind {image.mode!r}; wanted 8- or 16-bit grey, RGB, palette, CMYK or YCbCr")
    values = np.asarray(image if image.mode == kind else image.convert(kind))
    if kind in ("L", "RGB"):
        return values, None, profile
    return (values[..., 0] if kind == "LA" else values[..., :3]), values[..., -1], profile


@contextmanager
def _image(path: Path | str, max_megapixels: float):
    if not _is_heic(path):
        with _opened(path, max_megapixels) as image:
            yield image
        return
    try:
        import pillow_heif
    except ImportError:
        raise BadImage("HEIC needs an extra: pip install pillow-heif") from None
    try:
        heif = pillow_heif.open_heif(path)  # its pixels are decoded by to_pillow
        if heif.size[0] * heif.size[1] > max_megapixels * 1e6:
            raise BadImage(f"its header says {heif.size[0]}x{heif.size[1]}, allowed are {max_megapixels:g} megapixels")
        image = heif.to_pillow()
    except DAMAGE as error:
        raise error if isinstance(error, BadImage) else BadImage(f"damaged ({str(error).strip()})") from error
    image.getexif().pop(ORIENTATION, None)  # the decoder turns the picture and leaves the tag
    yield image


def _is_heic(path: Path | str) -> bool:
    if not Path(path).is_file():  # a named pipe would be waited for
        return False
    try:
        with open(path, "rb") as handle:
            head = handle.read(12)
    except OSError:
        return False
    return head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS
