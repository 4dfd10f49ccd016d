"""Plots as SVG to stand in a page: their colours are classes of its style sheet, so that they follow a dark mode."""
import math
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 66, 14, 14, 44  # margins that hold the axes
LETTER, LINE = 6.1, 12  # estimated size of the labels' letters
COLOURS = 8
SHAPES = {
    "circle": "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0",
    "square": "M-4.5,-4.5h9v9h-9z",
    "triangle": "M0,-6l5.5,10h-11z",
    "diamond": "M0,-6.5l6,6.5l-6,6.5l-6,-6.5z",
    "star": "M0,-7l2,4.6l5,0.4l-3.8,3.3l1.2,4.9l-4.4,-2.6l-4.4,2.6l1.2,-4.9l-3.8,-3.3l5,-0.4z",
    "dot": "M-2.5,0a2.5,2.5 0 1,0 5,0a2.5,2.5 0 1,0 -5,0",
}


class Point(NamedTuple):
    name: str
    x: float
    y: float
    shape: str
    colour: int
    labelled: bool = True


@dataclass(frozen=True)
class Path:
    points: list[tuple[float, float]]
    colour: int
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    title: str
    better: str  # up, down, or nothing: where better lies, drawn to the right or to the top
    digits: int


class Frame(NamedTuple):
    """The ends of the axes, in units of the picture."""
    left: int
    top: int
    right: int
    bottom: int


def scatter(points: list[Point], paths: list[Path], x: Axis, y: Axis, title: str, description: str) -> str:
    """Points with their names, where there is room for them; every name is a tooltip too."""
    to_x = scale([point.x for point in points], LEFT, WIDTH - RIGHT, x.better == "down")
    to_y = scale([point.y for point in points], HEIGHT - BOTTOM, TOP, y.better == "down")
    parts = [f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
             f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"]
    frame = Frame(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)
    parts += axes(frame, to_x, to_y, [point.x for point in points], [point.y for point in points],
                  f"{x.title}, better to the right", f"{y.title}, better to the top",
                  f"{{:.{x.digits}f}}", f"{{:.{y.digits}f}}")
    for path in paths:
        line = "L".join(f"{to_x(a):.1f},{to_y(b):.1f}" for a, b in path.points)
        parts.append(f'<path class="line c{path.colour % COLOURS}{" dashed" if path.dashed else ""}" d="M{line}"/>')
    taken = [(to_x(p.x) - 5, to_y(p.y) - 5, to_x(p.x) + 5, to_y(p.y) + 5) for p in points if p.labelled]
    for point in points:
        at = to_x(point.x), to_y(point.y)
        parts.append(f'<path class="mark c{point.colour % COLOURS}" transform="translate({at[0]:.1f} {at[1]:.1f})" '
                     f'd="{SHAPES[point.shape]}"><title>{escape(point.name)}: {escape(x.title)} {point.x:.{x.digits}f}, '
                     f"{escape(y.title)} {point.y:.{y.digits}f}</title></path>")
        place = _free(point.name, *at, taken) if point.labelled else None
        if place:
            parts.append(f'<text class="label" x="{place[0]:.1f}" y="{place[1]:.1f}">{escape(point.name)}</text>')
    return "".join([*parts, "</svg>"])


def axes(frame: Frame, to_x, to_y, xs: list[float], ys: list[float], x: str, y: str, form_x: str, form_y: str) -> list[str]:
    """A grid at round numbers within the values, with these numbers and the titles of the axes."""
    parts = []
    for value in ticks(xs):
        parts.append(f'<path class="grid" d="M{to_x(value):.1f},{frame.top}V{frame.bottom}"/><text class="tick" '
                     f'x="{to_x(value):.1f}" y="{frame.bottom + 15}" text-anchor="middle">{form_x.format(value)}</text>')
    for value in ticks(ys):
        parts.append(f'<path class="grid" d="M{frame.left},{to_y(value):.1f}H{frame.right}"/><text class="tick" '
                     f'x="{frame.left - 6}" y="{to_y(value) + 4:.1f}" text-anchor="end">{form_y.format(value)}</text>')
    return [*parts, f'<text class="axis" x="{(frame.left + frame.right) / 2}" y="{frame.bottom + 33}" text-anchor="middle">'
            f'{escape(x)}</text><text class="axis" transform="translate(12 {(frame.top + frame.bottom) / 2}) rotate(-90)" '
            f'text-anchor="middle">{escape(y)}</text>']


def chart(curves: dict[str, list[tuple[float, float]]], title: str, end: str = "{:g} steps") -> str:
    """A small plot of curves over training steps, or of what `end` names; of each the first and the last value are told."""
    width, height, left, top = 250, 120, 8, 22
    values = [b for points in curves.values() for _, b in points]
    to_x = scale([a for points in curves.values() for a, _ in points], left, width - 8, False, 0)
    to_y = scale(values, height - 16, top, False)
    words = ", ".join(f"{name} {points[0][1]:.4g} to {points[-1][1]:.4g}" for name, points in curves.items())
    parts = [f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}: {escape(words)}">',
             f'<title>{escape(title)}: {escape(words)}</title><text class="tick" x="{left}" y="12">{escape(title)}</text>']
    for colour, points in enumerate(curves.values()):
        line = "L".join(f"{to_x(a):.1f},{to_y(b):.1f}" for a, b in points)
        parts.append(f'<path class="line c{colour}" d="M{line}"/>')
    last = max(a for points in curves.values() for a, _ in points)
    parts.append(f'<text class="tick" x="{width - 8}" y="12" text-anchor="end">{min(values):.4g} to {max(values):.4g}</text>'
                 f'<text class="tick" x="{width - 8}" y="{height - 3}" text-anchor="end">{end.format(last)}</text></svg>')
    return "".join(parts)


def scale(values: list[float], first: float, last: float, turned: bool, margin: float = 0.06):
    """A function from a value to its place between `first` and `last`, or the other way round."""
    low, high = min(values), max(values)
    room = margin * (high - low) or 0.5
    low, high = (high + room, low - room) if turned else (low - room, high + room)
    return lambda value: first + (last - first) * (value - low) / (high - low)


def ticks(values: list[float]) -> list[float]:
    """Some five round numbers within the values."""
    span = max(values) - min(values)
    if span == 0:
        return [values[0]]
    step = 10 ** math.floor(math.log10(span / 4))
    step = next(step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    return [step * i for i in range(math.ceil(min(values) / step), math.floor(max(values) / step) + 1)]


def _free(name: str, x: float, y: float, taken: list[tuple]) -> tuple[float, float] | None:
    """Left end and baseline of a label beside a point that covers no other; takes its room."""
    wide = LETTER * len(name)
    for left, base in ((x + 8, y + 4), (x - 8 - wide, y + 4), (x - wide / 2, y - 9), (x - wide / 2, y + 17),
                       (x + 6, y - 8), (x + 6, y + 16), (x - 6 - wide, y - 8), (x - 6 - wide, y + 16)):
        box = (left, base - LINE + 2, left + wide, base + 2)
        inside = box[0] >= LEFT and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT - BOTTOM + 2
        if inside and not any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken):
            taken.append(box)
            return left, base
    return None
