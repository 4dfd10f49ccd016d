"""Files made byte by byte, of kinds that few programs write; nothing of the product is used."""
import struct
import zlib

import numpy as np

D50 = (0.9642, 1.0, 0.8249)
SRGB_XYZ = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))  # under D50
ADOBE_XYZ = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))


def scene(height: int, width: int, dtype=np.uint8, seed: int = 0) -> np.ndarray:
    """(height, width, 3), ramps and squares with noise, of which nothing can be guessed from its neighbours."""
    y, x = np.mgrid[:height, :width]
    values = np.stack([x / max(width - 1, 1), y / max(height - 1, 1), (x // 8 + y // 8) % 2 * 0.6 + 0.2], -1) * 0.8 + 0.1
    values = np.clip(values + np.random.default_rng(seed).normal(0, 0.05, values.shape), 0, 1)
    return np.rint(values * np.iinfo(dtype).max).astype(dtype)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed(values: np.ndarray, bits: int, order: str = ">") -> list[bytes]:
    """Rows of (height, width, channels), most significant bit first."""
    if bits in (8, 16):
        return [row.astype(f"{order}u{bits // 8}").tobytes() for row in values]
    digits = (values[..., None].astype(int) >> np.arange(bits)[::-1]) & 1
    return [np.packbits(row.ravel().astype(np.uint8)).tobytes() for row in digits]


def png(values: np.ndarray, before: list[tuple[bytes, bytes]] = (), colour: int | None = None,
        bits: int | None = None) -> bytes:
    """Of (height, width) or (height, width, 2 to 4), with these chunks before the pixels."""
    channels = 1 if values.ndim == 2 else values.shape[2]
    bits = bits or 8 * values.dtype.itemsize
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels] if colour is None else colour
    rows = packed(values.reshape(*values.shape[:2], channels), bits)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [(b"IHDR", head), *before, (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def iccp(profile: bytes) -> tuple[bytes, bytes]:
    return b"iCCP", b"any name\0\0" + zlib.compress(profile)


TYPES = {2: "s", 3: "H", 4: "I", 5: "I"}  # of TIFF values


def tiff(values: np.ndarray, bits: int | None = None, photometric: int | None = None, order: str = "<", planar: bool = False,
         tags: dict[int, tuple[int, object]] = {}, compression: int = 1) -> bytes:  # noqa: B006
    """One page in one strip, or one a plane, with the directory behind it. `tags`: {tag: (type, value or values)}."""
    options = dict(bits=bits, photometric=photometric, planar=planar, tags=tags, compression=compression)
    return tiff_of_pages([(values, options)], order)


def tiff_of_pages(pages: list[tuple[np.ndarray, dict]], order: str = "<") -> bytes:
    data, link = bytearray({"<": b"II*\0", ">": b"MM\0*"}[order] + bytes(4)), 4
    for values, options in pages:
        strips, told = _page(values, order, **options)
        places = []
        for strip in strips:
            places.append(len(data))
            data += strip + bytes(len(strip) % 2)
        told |= {273: (4, places), 279: (4, [len(strip) for strip in strips])}
        entries = []
        for tag, (kind, value) in sorted(told.items()):
            body, count = _value(kind, value, order)
            if len(body) > 4:
                place = len(data)
                data += body + bytes(len(body) % 2)
                body = struct.pack(order + "I", place)
            entries.append(struct.pack(order + "HHI", tag, kind, count) + body.ljust(4, b"\0"))
        struct.pack_into(order + "I", data, link, len(data))
        data += struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
        link = len(data) - 4
    return bytes(data)


def _value(kind: int, value, order: str) -> tuple[bytes, int]:
    if isinstance(value, bytes):
        return value, len(value)
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return struct.pack(f"{order}{len(values)}{TYPES[kind]}", *values), len(values) // (2 if kind == 5 else 1)


def _page(values, order, bits=None, photometric=None, planar=False, tags={}, compression=1):  # noqa: B006
    channels = 1 if values.ndim == 2 else values.shape[2]
    values, bits = values.reshape(*values.shape[:2], channels), bits or 8 * values.dtype.itemsize
    planes = np.split(values, channels, axis=2) if planar else [values]
    strips = [b"".join(packed(plane, bits, order)) for plane in planes]
    photometric = (2 if channels > 2 else 1) if photometric is None else photometric
    told = {256: (4, values.shape[1]), 257: (4, values.shape[0]), 258: (3, [bits] * channels), 259: (3, compression),
            262: (3, photometric), 277: (3, channels), 278: (4, values.shape[0]), 284: (3, 2 if planar else 1)}
    return [zlib.compress(strip) for strip in strips] if compression == 8 else strips, told | tags


def icc(name: str, xyz=SRGB_XYZ, gamma: float | None = None, space: bytes = b"RGB ") -> bytes:
    """A profile of version 2: primaries and a power, or for None sRGB's curve; `space` b"GRAY": the curve alone."""
    text = name.encode() + b"\0"
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78), b"cprt": b"text\0\0\0\0none\0",
            b"wtpt": _xyz(D50)}
    if gamma is None:
        x = np.linspace(0, 1, 1024)
        tone = b"curv\0\0\0\0" + struct.pack(">I", 1024) + np.round(linear(x) * 65535).astype(">u2").tobytes()
    else:
        tone = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    if space == b"RGB ":
        tags |= dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, xyz))) | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), tone)
    else:
        tags[b"kTRC"] = tone
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4s4s4s4s4s6H4s", start + len(body), b"lcms", b"\x02\x10\0\0", b"mntr", space, b"XYZ ",
                       2020, 1, 1, 0, 0, 0, b"acsp")
    head = head.ljust(68, b"\0") + _xyz(D50)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _xyz(values) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def linear(coded: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1: light of sRGB values, both 0 to 1."""
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def coded(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def xyz_of(primaries, white) -> np.ndarray:
    """The matrix from RGB to XYZ by chromaticities (x, y)."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    return columns * np.linalg.solve(columns, [white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]])


def as_srgb(light: np.ndarray, primaries) -> np.ndarray:
    """Float 0 to 255: what RGB `light` (0 to 1, D65 white) of these primaries is in sRGB."""
    srgb = xyz_of(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), (0.3127, 0.3290))
    return 255 * coded(light @ np.linalg.solve(srgb, xyz_of(primaries, (0.3127, 0.3290))).T)
