"""ICC profiles made from primaries and a curve, for colours that a file tells otherwise than by a profile.

ICC.1:2010 (version 4.3): a matrix and a parametric curve, or for grey a curve alone. The same arguments give the same bytes.
"""
import struct

import numpy as np

D50 = np.array([0.9642, 1.0, 0.8249])  # XYZ of the profile connection space
D65 = (0.3127, 0.3290)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def curve(gamma: float, a: float = 1, b: float = 0, c: float = 0, d: float = 0) -> bytes:
    """The tag of Y = (aX + b)^gamma from X = d on, and cX below."""
    return b"para" + struct.pack(">IHH", 0, 3, 0) + _fixed(gamma, a, b, c, d)


SRGB_CURVE = curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def rgb_profile(name: str, primaries=SRGB_PRIMARIES, white: tuple[float, float] = D65, tone: bytes = SRGB_CURVE) -> bytes:
    """The profile of RGB with these chromaticities (x, y) and, in each channel, this curve."""
    adapted = _adaptation(_xyz(*white))
    columns = np.stack([_xyz(*xy) for xy in primaries], axis=1)
    columns = adapted @ columns * np.linalg.solve(adapted @ columns, D50)
    tags = {f"{channel}XYZ": _xyz_tag(columns[:, k]) for k, channel in enumerate("rgb")}
    tags |= {f"{channel}TRC": tone for channel in "rgb"}
    return _profile(b"RGB ", name, tags | {"chad": b"sf32" + bytes(4) + _fixed(*adapted.ravel())})


def grey_profile(name: str, tone: bytes) -> bytes:
    return _profile(b"GRAY", name, {"kTRC": tone})


def tags_of(profile: bytes) -> dict[str, bytes]:
    count = struct.unpack_from(">I", profile, 128)[0]
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * k) for k in range(min(count, 100)))
    return {kind.decode("latin-1"): profile[start : start + size] for kind, start, size in entries}


def _profile(space: bytes, name: str, tags: dict[str, bytes]) -> bytes:
    tags = {"desc": _text(name), "cprt": _text("No copyright, use freely"), "wtpt": _xyz_tag(D50)} | tags
    table, body, places = b"", b"", {}
    start = 132 + 12 * len(tags)
    for kind, data in tags.items():
        if data not in places:  # equal curves are stored once
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", kind.encode(), places[data], len(data))
    head = struct.pack(">I4xI4s4s4s6H4s24xI", start + len(body), 0x04300000, b"mntr", space, b"XYZ ", 2020, 1, 1, 0, 0, 0,
                       b"acsp", 0)
    return (head + _fixed(*D50)).ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(data), 28) + data  # en-US


def _xyz_tag(xyz) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(*xyz)


def _xyz(x: float, y: float) -> np.ndarray:
    x, y = float(x), float(y)
    return np.array([x / y, 1, (1 - x - y) / y])


def _adaptation(white: np.ndarray) -> np.ndarray:
    """From colours under `white` to colours under D50, by Bradford's linear transform (ICC.1:2010, annex E)."""
    return np.linalg.solve(BRADFORD, np.diag((BRADFORD @ D50) / (BRADFORD @ white)) @ BRADFORD)
