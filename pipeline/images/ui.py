"""What the rendered screens are drawn with: anti-aliased shapes, text, pictograms, and words to write.

Everything draws onto a uint8 (height, width, 3) array, which may be a view of a larger one: what leaves the view is cut
off. Text is set in the font that comes inside Pillow, so that no system font decides about bytes.
"""
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import ImageFont

SHIFT = 4  # fractional bits of coordinates given to OpenCV

WORDS = """about account across action after again agenda all also archive area average balance before begin below
between board border budget build calendar camera cancel capture catalogue change chapter charge check city class client
close cloud code colour column comment compare contact content copy cost country create current daily data default
delete delivery design detail device document down draft during edit email empty end energy error even event every
example export failed field figure file filter final find first folder form found free from garden general given graph
great group half harbour header health height help history hotel house image import index input invoice island item
journal kitchen label language large last later layer left letter level library light line link list local long machine
main map market match measure meeting member message method minute model money month morning mountain music name network
never next night north note notice number object office open option orange order other output owner page paper part
password pattern people phone photo picture place plan point policy price print private process product profile project
public quarter question quick random range rate ready recent record reference region remove report request reset result
return review right river road room round row sample save scale schedule school science search season second section
select send series service session settings share short show signal simple single sketch small sound source south space
spring standard start state station status still stock storage store street student study subject summary summer support
surface switch system table target task team test text their theme there these thing time title today total town track
train travel tree under unit until update upload user value version video view village visit water week weight west
where which while white width window winter with word work world write year zero""".split()


@dataclass(frozen=True)
class Theme:
    """Colours as RGB in 0..255, sizes in pixels."""
    window: np.ndarray
    text: np.ndarray
    accent: np.ndarray
    em: float  # height of the running text
    radius: float  # of rounded corners

    def shade(self, weight: float) -> np.ndarray:
        """A colour between the window (0) and the text (1)."""
        return mix(self.window, self.text, weight)


@lru_cache(maxsize=64)
def font(size: float) -> ImageFont.FreeTypeFont:
    """Pillow's bundled font at `size` pixels."""
    return ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def _mask(string: str, size: float, bold: bool) -> tuple[np.ndarray, int, int]:
    """Coverage (height, width) in 0..255 of a string, and where it lies relative to the top left corner of the line."""
    core, (left, top) = font(size).getmask2(string, "L")
    mask = np.array(core, np.uint8).reshape(core.size[::-1])
    if bold:
        mask = np.pad(mask, ((0, 0), (0, 1)))
        mask[:, 1:] = np.maximum(mask[:, 1:], mask[:, :-1])
    return mask, int(left), int(top)


def text(canvas: np.ndarray, x: float, y: float, string: str, size: float, colour, bold: bool = False,
         align: str = "left") -> int:
    """Write a line whose top left (or right, or centre) corner is (x, y); returns its width in pixels."""
    mask, left, top = _mask(string, size, bold)
    height, width = mask.shape
    shift = {"left": 0, "right": width, "centre": width // 2}[align]
    x0, y0 = int(x) - shift + left, int(y) + top
    x1, y1 = max(x0, 0), max(y0, 0)
    part = canvas[y1 : max(y0 + height, 0), x1 : max(x0 + width, 0)]
    if part.size:
        cover = mask[y1 - y0 :, x1 - x0 :][: part.shape[0], : part.shape[1], None].astype(np.uint16)
        part[:] = (part * (255 - cover) + np.asarray(colour, np.uint16) * cover + 127) // 255
    return left + width


def fixed(canvas: np.ndarray, x: float, y: float, string: str, size: float, colour) -> int:
    """Write a line with every character in a cell of the same width; returns its width in pixels."""
    advance = round(size * 0.6)
    for k, character in enumerate(string):
        if character != " ":
            text(canvas, x + (k + 0.5) * advance, y, character, size, colour, align="centre")
    return advance * len(string)


def box(canvas: np.ndarray, x0: float, y0: float, x1: float, y1: float, colour, radius: float = 0,
        outline=None) -> None:
    """Fill the rectangle [x0, x1) x [y0, y1), with rounded corners, and draw its outline one pixel wide."""
    if x1 - x0 < 1 or y1 - y0 < 1:
        return
    if outline is not None:
        box(canvas, x0, y0, x1, y1, outline, radius)
        x0, y0, x1, y1, radius = x0 + 1, y0 + 1, x1 - 1, y1 - 1, max(radius - 1, 0)
    if radius < 1:
        canvas[max(int(y0), 0) : max(int(y1), 0), max(int(x0), 0) : max(int(x1), 0)] = colour
        return
    radius = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
    turn = np.linspace(0, np.pi / 2, 7)
    arc = radius * np.stack([np.cos(turn), np.sin(turn)], -1)
    left, right, top, bottom = x0 + radius, x1 - radius, y0 + radius, y1 - radius
    corners = [(right, bottom), (left, bottom), (left, top), (right, top)]
    turns = [arc, arc[:, ::-1] * (-1, 1), -arc, arc[:, ::-1] * (1, -1)]
    polygon(canvas, np.concatenate([np.add(corner, part) for corner, part in zip(corners, turns)]) - 0.5, colour)


def polygon(canvas: np.ndarray, points, colour) -> None:
    """Fill a polygon of (x, y) points."""
    points = np.rint(np.asarray(points) * 2**SHIFT).astype(np.int32)
    cv2.fillPoly(canvas, [points], tuple(map(int, colour)), cv2.LINE_AA, SHIFT)


def line(canvas: np.ndarray, points, colour, width: int = 1) -> None:
    """Draw a line through (x, y) points."""
    points = np.rint(np.asarray(points) * 2**SHIFT).astype(np.int32)
    cv2.polylines(canvas, [points], False, tuple(map(int, colour)), width, cv2.LINE_AA, SHIFT)


def disc(canvas: np.ndarray, x: float, y: float, radius: float, colour, width: int = -1) -> None:
    """A filled circle, or a ring of the given line width."""
    centre = (round(x * 2**SHIFT), round(y * 2**SHIFT))
    cv2.circle(canvas, centre, round(radius * 2**SHIFT), tuple(map(int, colour)), width, cv2.LINE_AA, SHIFT)


def words(rng: np.random.Generator, count: int) -> str:
    """A few words, the first one with a capital letter."""
    return " ".join(WORDS[k] for k in rng.integers(len(WORDS), size=count)).capitalize()


def number(rng: np.random.Generator) -> str:
    """A figure as tables hold them: counts, amounts, shares, times, dates."""
    a, b = int(10 ** rng.uniform(0, 4.5)), int(rng.integers(100))
    return str(rng.choice([f"{a}", f"{a:,}.{b:02d}", f"{b}.{a % 10}%", f"{a % 24:02d}:{b % 60:02d}", f"-{a}.{b % 10}",
                           f"20{b % 30:02d}-{a % 12 + 1:02d}-{b % 28 + 1:02d}", f"{a % 1000} kB"]))


def mix(first, second, weight: float) -> np.ndarray:
    """The colour `weight` of the way from the first to the second."""
    return np.rint(np.asarray(first) * (1 - weight) + np.asarray(second) * weight)


def icon(canvas: np.ndarray, x: float, y: float, size: float, theme: Theme, rng: np.random.Generator) -> None:
    """One of a few simple pictograms in the square (x, y, size)."""
    colour = theme.shade(0.65) if rng.uniform() < 0.6 else mix(theme.accent, rng.integers(0, 256, 3), 0.5)

    def at(*points):
        return np.array(points) * size + (x, y)

    def bar(x0, y0, x1, y1, ink, radius=0.0, outline=None):
        box(canvas, x + x0 * size, y + y0 * size, x + x1 * size, y + y1 * size, ink, radius * size, outline)

    kind = rng.choice(["folder", "sheet", "magnifier", "person", "play", "menu", "star", "program"])
    if kind == "folder":
        bar(0, 0.12, 0.5, 0.4, mix(colour, (0, 0, 0), 0.25), 0.08)
        bar(0, 0.25, 1, 0.9, colour, 0.1)
    elif kind == "sheet":
        bar(0.15, 0, 0.85, 1, theme.window, 0, colour)
        for height in (0.25, 0.45, 0.65):
            bar(0.28, height, 0.72, height + 1 / size, colour)
    elif kind == "magnifier":
        disc(canvas, x + 0.42 * size, y + 0.42 * size, 0.3 * size, colour, max(1, round(size / 10)))
        line(canvas, at((0.64, 0.64), (0.95, 0.95)), colour, max(1, round(size / 8)))
    elif kind == "person":
        disc(canvas, x + 0.5 * size, y + 0.28 * size, 0.2 * size, colour)
        bar(0.15, 0.55, 0.85, 1, colour, 0.3)
    elif kind == "play":
        polygon(canvas, at((0.25, 0.12), (0.88, 0.5), (0.25, 0.88)), colour)
    elif kind == "menu":
        for height in (0.2, 0.48, 0.76):
            bar(0.1, height, 0.9, height + max(1 / size, 1 / 9), colour)
    elif kind == "star":
        turn, reach = np.arange(10) * np.pi / 5 - np.pi / 2, np.where(np.arange(10) % 2, 0.2, 0.5)
        polygon(canvas, at(*np.stack([0.5 + reach * np.cos(turn), 0.5 + reach * np.sin(turn)], -1)), colour)
    else:
        bar(0, 0, 1, 1, colour, 0.22)
        text(canvas, x + size / 2, y + 0.16 * size, words(rng, 1)[0], 0.65 * size, (255, 255, 255), align="centre")
