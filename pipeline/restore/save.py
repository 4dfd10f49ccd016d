"""Writing a restored photo, whole or absent, with profile and EXIF: PNG and TIFF at its own depth, JPEG and WebP at 8 bits."""
import zlib
from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from pipeline.core.files import replacing
from pipeline.restore.exif import IFD, Base, completed
from pipeline.restore.photo import Photo

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".tif": "TIFF", ".tiff": "TIFF",
           ".webp": "WEBP"}
LARGEST_SIDE = {"JPEG": 65500, "WEBP": 16383}  # pixels, of libjpeg and of the format
LARGEST_TIFF = 2**32 - 2**24  # bytes: offsets have 32 bits
JPEG_EXIF = 65533 - 2  # bytes of one segment
TIFF_ROWS = 64  # in a strip
TIFF_HEAD = b"II*\0\x08\0\0\0"  # little-endian, the first directory at byte 8


def depth_for(path: Path, dtype: np.dtype) -> np.dtype:
    """The type in which a photo of `dtype` is written to a file of this name."""
    return np.dtype(dtype) if FORMATS[path.suffix.lower()] in ("PNG", "TIFF") else np.dtype(np.uint8)


def check_target(path: Path, height: int, width: int, bytes_per_pixel: int, alpha: np.ndarray | None) -> None:
    """Raise ValueError for what a file of this name cannot hold, before the work is done."""
    kind = FORMATS[path.suffix.lower()]
    if max(height, width) > LARGEST_SIDE.get(kind, max(height, width)):
        raise ValueError(f"{kind} holds at most {LARGEST_SIDE[kind]} pixels on a side, the restoration has {width}x{height}; "
                         "write PNG or TIFF")
    if kind == "TIFF" and height * width * bytes_per_pixel > LARGEST_TIFF:
        raise ValueError(f"TIFF holds at most 4 GB, the restoration {height * width * bytes_per_pixel / 1e9:.1f}; write PNG")
    if kind == "JPEG" and alpha is not None and alpha.min() < np.iinfo(alpha.dtype).max:
        raise ValueError("JPEG holds no transparency; write PNG, TIFF or WebP")


def save_photo(path: Path, photo: Photo, software: str, quality: int = 95) -> None:
    """Write by the suffix of `path`: an existing file is replaced. `software` is the mark in EXIF; `quality` that of JPEG and
    WebP, 1 to 100, where a WebP of 100 is lossless. Values of more than 8 bits need PNG or TIFF."""
    kind = FORMATS[path.suffix.lower()]
    exif = completed(photo.exif, software, *photo.colour.shape[:2])
    values = photo.colour
    if photo.alpha is not None and kind != "JPEG":
        # 16-bit grey with alpha is written as colours of equal values: few programs read it otherwise
        equal = values.dtype == np.uint16 and values.ndim == 2
        values = np.dstack((*([values] * 3 if equal else [values]), photo.alpha))
    with replacing(path) as handle:
        if kind == "TIFF":
            _write_tiff(handle, values, photo.profile, exif)
        elif values.dtype == np.uint16:
            handle.write(_sixteen_bit_png(values, photo.profile, exif).data)
        else:
            if kind == "JPEG" and len(exif.tobytes()) > JPEG_EXIF:
                exif.get_ifd(IFD.Exif).pop(Base.MakerNote, None)
            options = {"PNG": {}, "JPEG": {"quality": quality, "subsampling": 0},
                       "WEBP": {"quality": quality, "lossless": quality == 100, "exact": True}}[kind]
            Image.fromarray(values).save(handle, kind, icc_profile=photo.profile, exif=exif, **options)


def _sixteen_bit_png(values: np.ndarray, profile: bytes | None, exif: Image.Exif) -> np.ndarray:
    """By OpenCV, as Pillow writes no 16-bit colours."""
    if values.ndim == 3:
        values = values[..., [2, 1, 0, 3][: values.shape[2]]]
    extras = {cv2.IMAGE_METADATA_EXIF: exif.tobytes().removeprefix(b"Exif\0\0"), cv2.IMAGE_METADATA_ICCP: profile}
    extras = {kind: np.frombuffer(data, np.uint8)[None] for kind, data in extras.items() if data}
    return cv2.imencodeWithMetadata(".png", np.ascontiguousarray(values), list(extras), list(extras.values()))[1]


def _write_tiff(handle, values: np.ndarray, profile: bytes | None, exif: Image.Exif) -> None:
    """Deflate with horizontal prediction. Pillow writes no 16-bit colours and OpenCV no metadata, so only the directory is
    Pillow's."""
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    strips = [_strip(values[top : top + TIFF_ROWS]) for top in range(0, height, TIFF_ROWS)]
    sizes = [len(strip) for strip in strips]
    tags = ImageFileDirectory_v2(ifh=TIFF_HEAD)
    for tag, value in exif.items():
        tags[tag] = value
    for part in (IFD.Exif, IFD.GPSInfo):
        if values_of_part := exif.get_ifd(part):
            tags[part] = values_of_part
    tags[Base.ImageWidth], tags[Base.ImageLength] = width, height
    tags[Base.BitsPerSample] = (8 * values.dtype.itemsize,) * channels
    tags[Base.Compression], tags[Base.Predictor] = 8, 2
    tags[Base.PhotometricInterpretation] = 2 if channels > 2 else 1
    tags[Base.SamplesPerPixel], tags[Base.PlanarConfiguration], tags[Base.RowsPerStrip] = channels, 1, TIFF_ROWS
    if channels in (2, 4):
        tags[Base.ExtraSamples] = 2  # alpha that the colours are not multiplied with
    if profile:
        tags[Base.InterColorProfile] = profile
    tags[Base.StripByteCounts] = tuple(sizes)
    tags[Base.StripOffsets] = tuple(accumulate(sizes[:-1], initial=0))  # tobytes adds where they begin
    handle.write(TIFF_HEAD + tags.tobytes(len(TIFF_HEAD)))
    for strip in strips:
        handle.write(strip)


def _strip(rows: np.ndarray) -> bytes:
    rows = np.array(rows, rows.dtype.newbyteorder("<"))
    rows[:, 1:] -= rows[:, :-1].copy()
    return zlib.compress(rows.tobytes(), 6)
