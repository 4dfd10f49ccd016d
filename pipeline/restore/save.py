"""Writing a restored photo, whole or absent, with profile and EXIF: PNG and TIFF at its own depth, JPEG and WebP at 8 bits."""
import struct
import zlib
from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from pipeline.core.files import replacing
from pipeline.images.colour import for_rgb, to_srgb
from pipeline.images.picture import INCH, Picture
from pipeline.images.png import chunk
from pipeline.restore.exif import IFD, Base, completed, trimmed

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".tif": "TIFF", ".tiff": "TIFF",
           ".webp": "WEBP"}
LARGEST_SIDE = {"JPEG": 65500, "WEBP": 16383}  # pixels, of libjpeg and of the format
LARGEST_TIFF = 2**32 - 2**24  # bytes: offsets have 32 bits
JPEG_EXIF = 65533 - 2  # bytes of one segment
PNG_HEAD = 33  # bytes: signature and header
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


def save_photo(path: Path, photo: Picture, software: str, quality: int = 95) -> tuple[str, ...]:
    """Write by the suffix of `path`: an existing file is replaced. `software` is the mark in EXIF; `quality` that of JPEG and
    WebP, 1 to 100, where a WebP of 100 is lossless. Values of more than 8 bits need PNG or TIFF. Returns what could not be
    kept."""
    kind = FORMATS[path.suffix.lower()]
    exif, remarks = completed(photo.exif, software, *photo.colour.shape[:2], photo.dpi), ()
    values, profile = photo.colour, photo.profile
    # WebP has colours only, and of 16-bit grey with alpha few programs read anything else
    if values.ndim == 2 and (kind == "WEBP" or (values.dtype == np.uint16 and photo.alpha is not None)):
        values, profile = _as_rgb(values, profile)
    if photo.alpha is not None and kind != "JPEG":
        values = np.dstack((values, photo.alpha))
    if kind == "JPEG" and (gone := trimmed(exif, JPEG_EXIF)):
        remarks = (f"JPEG holds at most 64 kB of EXIF: left out are {', '.join(gone)}",)
    with replacing(path) as handle:
        if kind == "TIFF":
            _write_tiff(handle, values, profile, exif)
        elif values.dtype == np.uint16:
            handle.write(_sixteen_bit_png(values, profile, exif, photo.dpi))
        else:
            options = {"PNG": {}, "JPEG": {"quality": quality, "subsampling": 0},
                       "WEBP": {"quality": quality, "lossless": quality == 100, "exact": True}}[kind]
            if photo.dpi and kind != "WEBP":
                options["dpi"] = photo.dpi
            Image.fromarray(values).save(handle, kind, icc_profile=profile, exif=exif, **options)
    return remarks


def _as_rgb(grey: np.ndarray, profile: bytes | None) -> tuple[np.ndarray, bytes | None]:
    """Colours of equal values, with a profile that has grey's curve in each; by values of sRGB where it has no plain curve."""
    if profile and not (profile := for_rgb(grey_profile := profile)):
        return to_srgb(grey, grey_profile).astype(grey.dtype) * (257 if grey.dtype == np.uint16 else 1), None
    return np.repeat(grey[..., None], 3, 2), profile


def _sixteen_bit_png(values: np.ndarray, profile: bytes | None, exif: Image.Exif, dpi: tuple[float, float] | None) -> bytes:
    """By OpenCV, as Pillow writes no 16-bit colours; the pixels per inch follow the header."""
    if values.ndim == 3:
        values = values[..., [2, 1, 0, 3][: values.shape[2]]]
    extras = {cv2.IMAGE_METADATA_EXIF: exif.tobytes().removeprefix(b"Exif\0\0"), cv2.IMAGE_METADATA_ICCP: profile}
    extras = {kind: np.frombuffer(data, np.uint8)[None] for kind, data in extras.items() if data}
    data = cv2.imencodeWithMetadata(".png", np.ascontiguousarray(values), list(extras), list(extras.values()))[1].tobytes()
    density = chunk(b"pHYs", struct.pack(">IIB", *(round(value * 100 / INCH) for value in dpi), 1)) if dpi else b""
    return data[:PNG_HEAD] + density + data[PNG_HEAD:]


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
