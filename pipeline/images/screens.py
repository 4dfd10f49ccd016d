"""Rendered screens for the built-in data: desktops with windows of all kinds, in light and dark themes."""
import cv2
import numpy as np

from pipeline.images.panes import CONTENTS, icons
from pipeline.images.ui import Theme, box, disc, icon, line, mix, number, polygon, text, words

THEMES = (  # window, text
    ((255, 255, 255), (26, 26, 28)), ((246, 246, 247), (40, 42, 46)), ((253, 246, 227), (88, 110, 117)),
    ((236, 239, 244), (46, 52, 64)), ((30, 30, 32), (222, 222, 224)), ((13, 17, 23), (201, 209, 217)),
    ((0, 43, 54), (147, 161, 161)), ((40, 42, 54), (248, 248, 242)), ((255, 255, 255), (0, 0, 0)))


def render_screen(size: int, rng: np.random.Generator) -> np.ndarray:
    """A part of a rendered screen, uint8 (size, size, 3)."""
    side = 2 * size
    canvas = np.empty((side, side, 3), np.uint8)
    _wallpaper(canvas, rng)
    theme = _theme(rng)
    for _ in range(int(rng.integers(2, 5))):
        width, height = (rng.uniform(0.45, 0.9, 2) * side).astype(int)
        left, top = (rng.uniform(-0.1, 0.6, 2) * side).astype(int)
        if rng.uniform() < 0.4:
            theme = _theme(rng)
        window = np.empty((height, width, 3), np.uint8)
        _window(window, theme, rng)
        window[[0, -1]] = window[:, [0, -1]] = theme.shade(0.3)
        _shadow(canvas, left, top, left + width, top + height)
        x, y = max(left, 0), max(top, 0)
        canvas[y : top + height, x : left + width] = window[y - top :, x - left :][: side - y, : side - x]
    middle = (left + rng.uniform() * width, top + rng.uniform() * height)  # on the last window: no bare wallpaper
    x, y = (int(np.clip(place - size / 2, 0, side - size)) for place in middle)
    part = canvas[y : y + size, x : x + size]
    if rng.uniform() < 0.2:
        _pointer(part, *rng.uniform(0.1, 0.9, 2) * size)
    return np.ascontiguousarray(part)


def _theme(rng) -> Theme:
    window, ink = THEMES[rng.integers(len(THEMES))]
    hue = np.uint8([[[rng.integers(180), rng.integers(110, 220), rng.integers(110, 220)]]])
    accent = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0].astype(float)
    scaling = rng.choice([1, 1, 1.25, 1.5, 2])  # of the display
    em, radius = round(rng.integers(10, 14) * scaling), rng.choice([0, 3, 6])
    return Theme(np.array(window, float), np.array(ink, float), accent, em, radius)


def _wallpaper(canvas, rng) -> None:
    size = len(canvas)
    corners = mix(np.full(3, rng.integers(30, 220)), rng.integers(0, 256, (2, 2, 3)), rng.uniform(0.1, 0.6))
    if rng.uniform() < 0.4:
        corners[:] = corners[0, 0]
    canvas[:] = cv2.resize(corners.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    if rng.uniform() < 0.6:
        icons(canvas, _theme(rng), rng, (245, 245, 245) if corners.mean() < 140 else (15, 15, 15))


def _shadow(canvas, x0, y0, x1, y1) -> None:
    mask = np.zeros(canvas.shape[:2], np.float32)
    mask[max(y0 + 4, 0) : max(y1 + 4, 0), max(x0, 0) : max(x1, 0)] = 0.4
    canvas[:] = np.rint(canvas * (1 - cv2.GaussianBlur(mask, (0, 0), 5)[..., None]))


def _pointer(canvas, x, y) -> None:
    arrow = np.array([(0, 0), (0, 16), (4, 12.5), (6.5, 18), (9, 17), (6.5, 11.5), (11, 11)]) + (x, y)
    polygon(canvas, arrow, (255, 255, 255))
    line(canvas, np.vstack([arrow, arrow[:1]]), (0, 0, 0))


def _window(canvas, theme, rng) -> None:
    """A program: title bar, perhaps tabs or tools, a side bar and a status bar, and one or two panes of content."""
    canvas[:] = theme.window
    em = theme.em
    top = round(2 * em)
    _title(canvas[:top], theme, rng)
    if rng.uniform() < 0.5:
        top = (_tabs if rng.uniform() < 0.5 else _tools)(canvas, top, theme, rng)
    if rng.uniform() < 0.3:
        height = round(1.7 * em)
        box(canvas, 0, len(canvas) - height, canvas.shape[1], len(canvas), theme.shade(0.1))
        status = f"{words(rng, 2)}: {number(rng)}"
        text(canvas, 6, len(canvas) - height + 0.35 * em, status, em * 0.85, theme.shade(0.7))
        canvas = canvas[:-height]
    left = 0
    if rng.uniform() < 0.35 and canvas.shape[1] > 12 * em:
        left = round(rng.uniform(5, 7) * em)
        _sidebar(canvas[top:, :left], theme, rng)
    area = canvas[top:, left:]
    picks = rng.permutation(len(CONTENTS))
    if rng.uniform() < 0.35 and len(area) > 14 * em:
        middle = len(area) // 2
        CONTENTS[picks[0]](area[:middle], theme, rng)
        box(area, 0, middle, area.shape[1], middle + 1, theme.shade(0.2))
        CONTENTS[picks[1]](area[middle + 1 :], theme, rng)
    elif len(area):
        CONTENTS[picks[0]](area, theme, rng)


def _title(canvas, theme, rng) -> None:
    em, width = theme.em, canvas.shape[1]
    canvas[:] = theme.shade(rng.choice([0.06, 0.12, 0.85])) if rng.uniform() < 0.7 else theme.accent
    ink = (250, 250, 250) if canvas.mean() < 128 else (25, 25, 25)
    title, bold = words(rng, int(rng.integers(1, 4))), rng.uniform() < 0.5
    if rng.uniform() < 0.5:
        for k, colour in enumerate(((237, 106, 94), (245, 191, 79), (98, 197, 84))):
            disc(canvas, em * (1 + 1.4 * k), em, em * 0.42, colour)
        text(canvas, max(5.2 * em, 0.3 * width), 0.45 * em, title, em, ink, bold)
        return
    text(canvas, 0.8 * em, 0.45 * em, title, em, ink, bold)
    x, half = width - em, 0.32 * em
    line(canvas, [(x - half, em - half), (x + half, em + half)], ink)
    line(canvas, [(x - half, em + half), (x + half, em - half)], ink)
    x -= 2 * em
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * half
    line(canvas, square + (x, em), ink)
    line(canvas, [(x - 2 * em - half, em), (x - 2 * em + half, em)], ink)


def _tabs(canvas, top, theme, rng) -> int:
    em, x, current = theme.em, 0, rng.integers(4)
    height = round(1.9 * em)
    box(canvas, 0, top, canvas.shape[1], top + height, theme.shade(0.12))
    for k in range(6):
        width = round(rng.uniform(5, 8) * em)
        if k == current:
            box(canvas, x, top, x + width, top + height, theme.window)
            box(canvas, x, top, x + width, top + 2, theme.accent)
        text(canvas, x + 0.7 * em, top + 0.45 * em, words(rng, 1), em * 0.95, theme.shade(1 if k == current else 0.6))
        x += width
        box(canvas, x, top + 3, x + 1, top + height - 3, theme.shade(0.25))
    return top + height


def _tools(canvas, top, theme, rng) -> int:
    em = theme.em
    height = round(2.2 * em)
    box(canvas, 0, top, canvas.shape[1], top + height, theme.shade(0.05))
    box(canvas, 0, top + height - 1, canvas.shape[1], top + height, theme.shade(0.2))
    for k in range(int(rng.integers(3, 9))):
        icon(canvas, (0.6 + 1.9 * k) * em, top + 0.4 * em, 1.3 * em, theme, rng)
    return top + height


def _sidebar(canvas, theme, rng) -> None:
    em = theme.em
    canvas[:] = theme.shade(0.07)
    canvas[:, -1] = theme.shade(0.2)
    chosen = rng.integers(6)
    for k in range(int(len(canvas) / (2 * em)) + 1):
        y = (2 * k + 0.4) * em
        if k == chosen:
            box(canvas, 3, y, canvas.shape[1] - 4, y + 1.8 * em, mix(theme.window, theme.accent, 0.35), theme.radius)
        icon(canvas, 0.6 * em, y + 0.4 * em, em, theme, rng)
        text(canvas[:, :-2], 2 * em, y + 0.35 * em, words(rng, 1), em * 0.95, theme.shade(0.85))
