"""Over 200 files that nobody vouches for, from one seed: intact ones of every mode and depth, and damaged ones of every kind.

Each is of one `kind`. `wanted` is what a set has to hold: the pixels of the source as 8-bit RGB; None where a file has to be
refused. A damaged file that `must` be refused, whatever it decodes to, has no pixels that can be right.
"""
import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import simplejpeg
import tifffile
from makers import chunk, png, scene, tiff
from PIL import Image, ImageSequence

ENDINGS = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "WEBP": ".webp", "BMP": ".bmp"}
RGB, DEEP = scene(40, 56), scene(40, 56, np.uint16)
ALPHA = np.linspace(0, 255, 40 * 56).astype(np.uint8).reshape(40, 56)


@dataclass
class File:
    kind: str
    name: str
    format: str
    data: bytes
    wanted: np.ndarray | None = None
    must: bool = False


def encoded(image: np.ndarray | Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format, **options)
    return buffer.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def eight(values: np.ndarray) -> np.ndarray:
    values = np.rint(values / (257 if values.dtype == np.uint16 else 1)).astype(np.uint8)
    return values if values.ndim == 3 else np.repeat(values[..., None], 3, 2)


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    top = float(np.iinfo(colour.dtype).max)
    colour = colour if colour.ndim == 3 else np.repeat(colour[..., None], 3, 2)
    share = alpha[..., None] / top
    return np.floor(255 * (colour / top * share + 1 - share) + 0.5 + 1e-9).astype(np.uint8)


def intact(source: np.ndarray = RGB, deep: np.ndarray = DEEP, alpha: np.ndarray = ALPHA) -> list[File]:
    """Every mode and depth of the five formats, with the pixels that were put in; of lossy ones with what Pillow takes out."""
    grey, deep_grey, deep_alpha = source[..., 0], deep[..., 0], alpha.astype(np.uint16) * 257
    few = Image.fromarray(source).quantize(16)
    found = []

    def add(name, format, data, wanted):
        found.append(File("intact", name, format, data, wanted))

    for bits in (1, 2, 4):
        levels = grey >> (8 - bits)
        add(f"grey{bits}", "PNG", png(levels, bits=bits), eight((levels * (255 // (2**bits - 1))).astype(np.uint8)))
        add(f"grey{bits}", "TIFF", tiff(levels, bits), eight((levels * (255 // (2**bits - 1))).astype(np.uint8)))
    for order in "<>":
        for name, values in (("grey", grey), ("grey16", deep_grey), ("rgb", source), ("rgb16", deep)):
            add(f"{name}{order}", "TIFF", tiff(values, order=order, planar=order == ">"), eight(values))
    for name, colour, part in (("la", grey, alpha), ("la16", deep_grey, deep_alpha), ("rgba", source, alpha),
                               ("rgba16", deep, deep_alpha)):
        add(name, "PNG", png(np.dstack((colour, part))), on_white(colour, part))
        add(name, "TIFF", tiff(np.dstack((colour, part)), tags={338: (3, 2)}, compression=8), on_white(colour, part))
    for name, values in (("grey", grey), ("grey16", deep_grey), ("rgb", source), ("rgb16", deep)):
        add(name, "PNG", png(values), eight(values))
    key = struct.pack(">HHH", *map(int, deep[0, 0]))
    matches = (deep == deep[0, 0]).all(2)
    add("key16", "PNG", png(deep, [(b"tRNS", key)]), np.where(matches[..., None], 255, eight(deep)).astype(np.uint8))
    add("palette", "PNG", encoded(few, "PNG"), np.asarray(few.convert("RGB")))
    add("text", "PNG", png(source, [(b"tEXt", b"a\0" + b"x" * 1_500_000)]), source)
    add("exif", "PNG", png(source, [(b"eXIf", b"garbage" * 9)]), source)
    twelve = (deep_grey >> 4).astype(int)
    add("grey12", "TIFF", tiff(twelve, 12), eight(np.floor(twelve * 65535 / 4095 + 0.5).astype(np.uint16)))
    add("white-is-zero", "TIFF", tiff(deep_grey, photometric=0), eight(65535 - deep_grey))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        add(compression, "TIFF", encoded(source, "TIFF", compression=compression), source)
    for name, options in (("444", {"subsampling": 0}), ("420", {}), ("progressive", {"progressive": True}),
                          ("restart", {"restart_marker_rows": 1})):
        data = encoded(source, "JPEG", quality=90, **options)
        add(name, "JPEG", data, by_pillow(data))
    data = encoded(grey, "JPEG", quality=90)
    add("grey", "JPEG", data, by_pillow(data))
    data = encoded(Image.fromarray(source).convert("CMYK"), "JPEG", quality=90)
    add("cmyk", "JPEG", data, by_pillow(data))
    for name, options in (("lossless", {"lossless": True}), ("lossy", {"quality": 80})):
        data = encoded(source, "WEBP", **options)
        add(name, "WEBP", data, by_pillow(data))
    add("alpha", "WEBP", encoded(np.dstack((source, alpha)), "WEBP", lossless=True, exact=True), on_white(source, alpha))
    for name, image in (("rgb", Image.fromarray(source)), ("grey", Image.fromarray(grey)), ("palette", few),
                        ("bilevel", Image.fromarray(grey > 99))):
        add(name, "BMP", encoded(image, "BMP"), np.asarray(image.convert("RGB")))
    return found


BASES = {
    "png": ("PNG", png(RGB)), "png16": ("PNG", png(DEEP)), "jpeg": ("JPEG", encoded(RGB, "JPEG", quality=92)),
    "progressive": ("JPEG", encoded(RGB, "JPEG", quality=92, progressive=True)),
    "restart": ("JPEG", encoded(RGB, "JPEG", quality=92, restart_marker_rows=1)), "tiff": ("TIFF", tiff(DEEP)),
    "deflate": ("TIFF", tiff(RGB, compression=8)), "lzw": ("TIFF", encoded(RGB, "TIFF", compression="tiff_lzw")),
    "webp": ("WEBP", encoded(RGB, "WEBP", quality=90)), "lossless": ("WEBP", encoded(RGB, "WEBP", lossless=True)),
    "bmp": ("BMP", encoded(RGB, "BMP")),
}
PIXELS_OF = {name: eight(DEEP) if name in ("png16", "tiff") else RGB if name not in ("jpeg", "progressive", "restart", "webp")
             else by_pillow(data) for name, (_, data) in BASES.items()}


def damaged(seed: int) -> list[File]:
    rng, found = np.random.default_rng(seed), []

    def add(kind, base, name, data, must=False):
        found.append(File(kind, f"{base}-{name}", BASES[base][0], bytes(data), PIXELS_OF[base], must))

    for base, (format, data) in BASES.items():
        size = len(data)
        for k, length in enumerate(rng.integers(size // 20, size - 1, 3)):  # no format here may lose even its last byte
            add("truncation", base, f"cut{k}", data[:length], must=True)
        for k in range(3):
            flipped = bytearray(data)
            place = rng.integers(*((8, size // 2) if base == "deflate" else (60, size - 60)))
            flipped[place] ^= 1 << rng.integers(8)
            add("bit flip", base, f"flip{k}", flipped, must=format == "PNG" or base == "deflate")
        for k, length in enumerate((64, 300)):
            hole, place = bytearray(data), rng.integers(size // 4, size // 2)
            hole[place : place + length] = bytes(length)
            add("hole", base, f"hole{k}", hole, must=format == "PNG" or base == "deflate")
        lost, place = data[: size // 2] + data[size // 2 + 100 :], size * 6 // 10
        add("hole", base, "lost", lost, must=True)
        ending = {"PNG": data[-12:], "JPEG": b"\xff\xd9"}.get(format, data[-8:])
        add("fake ending", base, "end", data[:place] + ending, must=True)
        sure = format in ("PNG", "JPEG") or base == "deflate"
        add("fake ending", base, "zeros", data[:place] + bytes(size - place), must=sure)
    return found


def bombs() -> list[File]:
    """Small files that claim, or would unpack to, more than anybody wants."""
    found = []
    for side in (40_000, 2**31 - 1):
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        body = chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")
        found.append(("PNG", b"\x89PNG\r\n\x1a\n" + head + body))
        for compression in (1, 5, 8):
            tags = {256: (4, side), 257: (4, side), 278: (4, side), 259: (3, compression)}
            found.append(("TIFF", tiff(RGB, tags=tags)))
        bmp = bytearray(encoded(RGB, "BMP"))
        struct.pack_into("<ii", bmp, 18, side, side)
        found.append(("BMP", bytes(bmp)))
    jpeg = bytearray(encoded(RGB, "JPEG"))
    struct.pack_into(">HH", jpeg, jpeg.index(b"\xff\xc0") + 5, 65_500, 65_500)
    webp = bytearray(encoded(RGB, "WEBP"))
    struct.pack_into("<HH", webp, 26, 16_383, 16_383)
    found += [("JPEG", bytes(jpeg)), ("WEBP", bytes(webp)), ("TIFF", tiff(RGB, tags={277: (3, 60_000)})),
              ("TIFF", tiff(RGB, tags={278: (4, 1)})), ("PNG", b"\x89PNG\r\n\x1a\n" + bytes(40))]
    return [File("bomb", f"bomb{k}", format, data, None, True) for k, (format, data) in enumerate(found)]


def slim() -> list[File]:
    """One pixel wide, or high, or both."""
    found = []
    for height, width in ((1, 1), (1, 31), (31, 1)):
        source, deep = scene(height, width), scene(height, width, np.uint16)
        whole = intact(source, deep, np.full((height, width), 77, np.uint8))
        some = ("rgb", "rgb<", "rgb16>", "grey12", "420", "lossless", "la16", "alpha")
        found += [file for file in whole if file.name in some]
    for file in found:
        file.kind, file.name = "one pixel", f"{file.name}-{'x'.join(map(str, file.wanted.shape[:2]))}"
    return found


def nothing() -> list[File]:
    """Without a byte, or of zeros, or all but the first bytes zeros, or another kind of file altogether."""
    frames = [frame.copy() for frame in ImageSequence.Iterator(Image.open(io.BytesIO(encoded(RGB, "GIF"))))]
    other = {"gif": encoded(frames[0], "GIF"), "ppm": encoded(RGB, "PPM"), "jp2": encoded(RGB, "JPEG2000"),
             "avif": encoded(RGB, "AVIF"), "tga": encoded(RGB, "TGA"), "text": b"no picture\n" * 40,
             "heic": b"\0\0\0\x18ftypheic" + bytes(40)}
    made = [("empty", format, b"") for format in ENDINGS] + [("zeros", format, bytes(3000)) for format in ENDINGS]
    made += [("head", format, data[:16] + bytes(len(data) - 16)) for format, data in BASES.values()][:5]
    made += [(name, format, data) for (name, data), format in zip(other.items(), list(ENDINGS) * 2)]
    return [File("nothing", f"{name}-{k}", format, data, None, True) for k, (name, format, data) in enumerate(made)]


def named() -> list[File]:
    """Whole pictures whose names and folders are odd."""
    names = ["a/b/c/d/e/f/deep", "brackets [1]/a[b]", "*/star", "white space /  two", "ümlaut/日本語", "e\u0301 combining",
             "quote'\"", "-dash", "#000120", "semi;colon", "percent%20", "dot.s.in.name", "x" * 240, "é" * 120, "new\nline",
             "UPPER.png.PNG"]
    return [File("odd name", name, "PNG", png(RGB), RGB) for name in names]


def files(seed: int = 0) -> list[File]:
    return [*intact(), *damaged(seed), *bombs(), *slim(), *nothing(), *named()]


def strict(file: File) -> bool:
    """Whether the strictest decoder that there is for a format takes a file without an error or a warning."""
    try:
        if file.format == "JPEG":
            simplejpeg.decode_jpeg(file.data, strict=True)
        else:
            with Image.open(io.BytesIO(file.data)) as image:  # libtiff, libwebp
                image.load()
            if file.format == "TIFF":
                tifffile.imread(io.BytesIO(file.data))
        return True
    except Exception:  # each of these libraries has errors of its own, and any of them is a refusal
        return False
