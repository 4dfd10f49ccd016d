"""A plot of curves with axes and a legend, as SVG to stand in a page; wide enough to be read on a phone."""
from dataclasses import dataclass
from html import escape

from pipeline.report.svg import Frame, axes, scale

WIDTH, HEIGHT = 380, 270  # without the legend
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 10, 40
LINE = 16  # of the legend


@dataclass(frozen=True)
class Curve:
    name: str  # in the legend; empty for none
    points: list[tuple[float, float]]
    colour: int
    style: str = "line"  # a class of the style sheet: line, dashed, dotted; or dots for points alone


@dataclass(frozen=True)
class Band:
    name: str
    low: list[tuple[float, float]]
    high: list[tuple[float, float]]
    colour: int


def plot(curves: list[Curve], x: str, y: str, title: str, band: Band | None = None, at: float | None = None) -> str:
    """Curves over the same axis; those with a band from 0 on. `at` is a place on x that is marked."""
    points = [point for curve in curves for point in curve.points]
    points += [*band.low, *band.high, (band.low[0][0], 0)] if band else []
    xs, ys = ([point[axis] for point in points] for axis in (0, 1))
    named = [*([band] if band else []), *(curve for curve in curves if curve.name)]
    to_x, to_y = scale(xs, LEFT, WIDTH - RIGHT, False, 0.02), scale(ys, HEIGHT - BOTTOM, TOP, False)
    words = "; ".join(f"{curve.name or y} {curve.points[0][1]:.3g} to {curve.points[-1][1]:.3g}" for curve in curves)
    height = HEIGHT + LINE * -(-len(named) // 2) + (4 if named else 0)
    parts = [f'<svg class="lines" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
             f"<title>{escape(title)}</title><desc>{escape(words)}</desc>"]
    parts += axes(Frame(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM), to_x, to_y, xs, ys, x, y, "{:.4g}", "{:.4g}")
    if at is not None:
        parts.append(f'<path class="line c0 dashed" d="M{to_x(at):.1f},{TOP}V{HEIGHT - BOTTOM}"/>')
    if band:
        parts.append(f'<path class="band c{band.colour}" d="M{_line([*band.low, *reversed(band.high)], to_x, to_y)}z"/>')
    for curve in curves:
        if curve.style == "dots":
            parts += [f'<circle class="mark c{curve.colour}" cx="{to_x(a):.1f}" cy="{to_y(b):.1f}" r="3"/>'
                      for a, b in curve.points]
        else:
            parts.append(f'<path class="line c{curve.colour} {curve.style}" d="M{_line(curve.points, to_x, to_y)}"/>')
    return "".join([*parts, *_legend(named), "</svg>"])


def _line(points: list[tuple[float, float]], to_x, to_y) -> str:
    return "L".join(f"{to_x(a):.1f},{to_y(b):.1f}" for a, b in points)


def _legend(named: list[Curve | Band]) -> list[str]:
    """Names in two columns below, each behind a piece of its curve."""
    parts = []
    for number, item in enumerate(named):
        y, left = HEIGHT + 8 + LINE * (number // 2), 10 + (WIDTH // 2 - 5) * (number % 2)
        if isinstance(item, Band):
            parts.append(f'<path class="band c{item.colour}" d="M{left},{y - 4}h22v8h-22z"/>')
        elif item.style == "dots":
            parts.append(f'<circle class="mark c{item.colour}" cx="{left + 11}" cy="{y}" r="3"/>')
        else:
            parts.append(f'<path class="line c{item.colour} {item.style}" d="M{left},{y}h22"/>')
        parts.append(f'<text x="{left + 28}" y="{y + 4}">{escape(item.name)}</text>')
    return parts
