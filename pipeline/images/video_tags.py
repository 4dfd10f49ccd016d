"""What a video file says of its colours, as OpenCV does not tell it: FFmpeg hands out HDR and wide colours as if they were SDR.

The numbers are those of ITU-T H.273. MP4 and MOV have them in the box `colr` (ISO/IEC 14496-12), Matroska and WebM in the
element Colour (RFC 9559). Other containers have none, and a file that says nothing is taken for SDR.
"""
import re
from pathlib import Path
from typing import NamedTuple

PRIMARIES = {1, 2, 4, 5, 6, 7}
TRANSFERS = {1, 2, 4, 5, 6, 7, 11, 12, 13, 14, 15}
MATRICES = {0, 1, 2, 4, 5, 6, 7}
"""Of SDR video, or not specified (2): those of BT.709, BT.601 and sRGB, and what is close to them."""
NAMES = {9: "BT.2020", 10: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
CURVES = {8: "linear", 16: "PQ", 18: "HLG"}
BOXES = 2**26  # bytes of MP4's `moov`, or of Matroska's beginning, that are looked through
EBML, COLOUR = b"\x1a\x45\xdf\xa3", rb"\x55\xb0([\x80-\xbf])(?=\x55)"


class Tags(NamedTuple):
    primaries: int
    transfer: int
    matrix: int

    @property
    def unlike_sdr(self) -> str:
        """Words for colours that are not those of SDR video; empty for those that are."""
        curve = "" if self.transfer in TRANSFERS else CURVES.get(self.transfer, f"transfer {self.transfer}")
        wide = "" if self.primaries in PRIMARIES else NAMES.get(self.primaries, f"primaries {self.primaries}")
        matrix = "" if self.matrix in MATRICES else NAMES.get(self.matrix, f"matrix {self.matrix}")
        return ", ".join(dict.fromkeys(filter(None, (curve, wide, matrix))))


def colour_tags(path: Path | str) -> list[Tags]:
    """The colours of each video track that says them; none for other files."""
    with open(path, "rb") as handle:
        head = handle.read(BOXES) if handle.read(4) == EBML else b""
        if head:
            return [_matroska(head, found) for found in re.finditer(COLOUR, head.partition(b"\x1f\x43\xb6\x75")[0], re.DOTALL)]
        handle.seek(0)
        while len(header := handle.read(16)) >= 8:
            size, kind, start = int.from_bytes(header[:4]), header[4:8], handle.tell() - len(header)
            length = int.from_bytes(header[8:]) if size == 1 else size
            if kind == b"moov":
                handle.seek(start)
                return [Tags(*(int.from_bytes(numbers[at : at + 2]) for at in (0, 2, 4)))
                        for numbers in re.findall(rb"colrncl[xc](.{6})", handle.read(min(length or BOXES, BOXES)), re.DOTALL)]
            if length < 8:  # to the end of the file, or no box
                break
            handle.seek(start + length)
    return []


def _matroska(head: bytes, found: re.Match) -> Tags:
    content = head[found.end() : found.end() + (found[1][0] & 0x7F)]
    numbers = [re.search(b"\x55" + identity + rb"\x81(.)", content, re.DOTALL) for identity in (rb"\xbb", rb"\xba", rb"\xb1")]
    return Tags(*(number[1][0] if number else 2 for number in numbers))
