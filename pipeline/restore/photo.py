"""Reading a photo as it is: its pixels upright, at their own depth and in their own colours, and what the file says of it.

Decoding is that of sets (images/decode.py), but nothing is converted that can be kept: grey stays grey, 16 bits stay 16 bits,
alpha is kept apart, and the values stay in the space of the ICC profile, which goes along. Where EXIF or PNG's chunks tell the
space, a profile that says the same takes their place. XMP, thumbnails and further frames are dropped.
"""
from dataclasses import replace
from pathlib import Path

from pipeline.images.by_pillow import picture_of
from pipeline.images.colour import of_cicp
from pipeline.images.decode import read
from pipeline.images.picture import DAMAGE, ORIENTATION, BadImage, Picture
from pipeline.restore.exif import carried

UNSAID = 2  # code of H.273
HEIC_SUFFIXES = {".heic", ".heif"}
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}


def read_photo(path: Path | str, max_megapixels: float) -> Picture:
    """Read a PNG, JPEG, TIFF, WebP or BMP file, or, with pillow-heif installed, HEIC, at 8 bits.

    Raises BadImage as `images.decode.read` does.
    """
    picture = _heic(path, max_megapixels) if _is_heic(path) else read(path, max_megapixels)
    return replace(picture, exif=carried(picture.exif))


def _heic(path: Path | str, max_megapixels: float) -> Picture:
    try:
        import pillow_heif
    except ImportError:
        raise BadImage("HEIC needs an extra: pip install pillow-heif") from None
    try:
        heif = pillow_heif.open_heif(path)  # its pixels are decoded by to_pillow
        if heif.size[0] * heif.size[1] > max_megapixels * 1e6:
            raise BadImage(f"its header says {heif.size[0]}x{heif.size[1]}, allowed are {max_megapixels:g} megapixels")
        image = heif.to_pillow()
        picture = picture_of(image, image.info.get("icc_profile"))
        if not picture.profile and (told := image.info.get("nclx_profile")):
            codes = told["color_primaries"], told["transfer_characteristics"]
            if UNSAID not in codes:  # the decoder has undone matrix and range
                picture = replace(picture, profile=of_cicp(bytes((*codes, 0, 1)), picture.colour.ndim == 2))
    except DAMAGE as error:
        raise error if isinstance(error, BadImage) else BadImage(f"damaged ({str(error).strip()})") from error
    picture.exif.pop(ORIENTATION, None)  # the decoder turns the picture and leaves the tag
    return picture


def _is_heic(path: Path | str) -> bool:
    if not Path(path).is_file():  # a named pipe would be waited for
        return False
    try:
        with open(path, "rb") as handle:
            head = handle.read(12)
    except OSError:
        return False
    return head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS
