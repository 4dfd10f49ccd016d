"""What the windows of rendered screens show: documents, code, tables, plots, forms, icons and chats.

Each pane fills its canvas, a view of the window with the window's colour already there.
"""
import numpy as np

from pipeline.images.ui import Theme, box, disc, fixed, icon, line, mix, number, text, words

INKS = ((214, 60, 60), (60, 150, 70), (70, 110, 230))


def _paragraph(canvas, x, y, width, rows, theme, rng, weight=0.9) -> float:
    em = theme.em
    for k in range(rows):
        string, limit = words(rng, 2), width * (1 if k < rows - 1 else rng.uniform(0.3, 0.9))
        while len(string) * 0.5 * em < limit - 3 * em:
            string += (". " + words(rng, 1)) if rng.uniform() < 0.08 else " " + words(rng, 1).lower()
        text(canvas, x, y, string, em, theme.shade(weight))
        y += 1.45 * em
    return y


def document(canvas, theme, rng) -> None:
    em, y = theme.em, 0.8 * theme.em
    margin = rng.uniform(0.6, 2) * em
    while y < len(canvas):
        heading, size = words(rng, int(rng.integers(1, 4))), em * rng.choice([1.3, 1.6, 2.2])
        text(canvas, margin, y, heading, size, theme.text, bold=rng.uniform() < 0.7)
        y += 3 * em
        y = _paragraph(canvas, margin, y, canvas.shape[1] - 2 * margin, int(rng.integers(2, 6)), theme, rng)
        if rng.uniform() < 0.4:
            text(canvas, margin, y, words(rng, 3), em, theme.accent)
            box(canvas, margin, y + 1.25 * em, margin + 8 * em, y + 1.25 * em + 1, theme.accent)
            y += 1.5 * em
        y += em


def code(canvas, theme, rng) -> None:
    em = theme.em
    inks = [theme.text, theme.shade(0.5), theme.accent, *(mix(theme.text, ink, 0.6) for ink in INKS)]
    box(canvas, 0, 0, 2.4 * em, len(canvas), theme.shade(0.06))
    current, indent, first = rng.integers(8), 0, int(rng.integers(1, 900))
    for k in range(int(len(canvas) / (1.4 * em)) + 1):
        y = (1.4 * k + 0.4) * em
        if k == current:
            box(canvas, 2.4 * em, y, canvas.shape[1], y + 1.4 * em, theme.shade(0.09))
        text(canvas, 2 * em, y, str(first + k), em * 0.9, theme.shade(0.45), align="right")
        indent = int(np.clip(indent + rng.integers(-1, 2), 0, 3))
        x = (3 + 1.2 * indent) * em
        for _ in range(int(rng.integers(0, 5))):
            token = words(rng, 1).lower() + str(rng.choice(["", "", "()", " =", ":", ".", "[0]", " +", ","]))
            x += fixed(canvas, x, y, token, em, inks[rng.integers(len(inks))]) + round(0.6 * em)


def table_pane(canvas, theme, rng) -> None:
    em, x = theme.em, 0
    row, grid, striped = round(rng.uniform(1.6, 2.1) * em), rng.uniform() < 0.5, rng.uniform() < 0.5
    rows = len(canvas) // row + 1
    head = theme.shade(0.15) if rng.uniform() < 0.6 else theme.accent
    for k in range(1, rows):
        if striped and k % 2:
            box(canvas, 0, k * row, canvas.shape[1], (k + 1) * row, theme.shade(0.05))
        box(canvas, 0, k * row, canvas.shape[1], k * row + 1, theme.shade(0.15))
    box(canvas, 0, 0, canvas.shape[1], row, head)
    ink = (255, 255, 255) if head.mean() < 140 else (20, 20, 20)
    while x < canvas.shape[1]:
        width, figures = round(rng.uniform(5, 9) * em), rng.uniform() < 0.6
        for k in range(rows):
            y = k * row + (row - 1.25 * em) / 2
            cell = words(rng, 1) if k == 0 or not figures else number(rng)
            place, align = (x + width - 0.5 * em, "right") if figures else (x + 0.5 * em, "left")
            colour = ink if k == 0 else theme.shade(0.9)
            text(canvas[:, : round(x + width)], place, y, cell, em, colour, bold=k == 0, align=align)
        x += width
        if grid:
            box(canvas, x, 0, x + 1, len(canvas), theme.shade(0.15))


def plot(canvas, theme, rng) -> None:
    em, (height, width) = theme.em, canvas.shape[:2]
    left, right, top, bottom = 3.2 * em, width - 0.8 * em, 2.2 * em, height - 2 * em
    if right - left < 3 * em or bottom - top < 3 * em:
        return document(canvas, theme, rng)
    text(canvas, width / 2, 0.4 * em, words(rng, 2), em * 1.1, theme.text, bold=True, align="centre")
    unit = 10.0 ** rng.integers(-1, 4)
    for k in range(5):
        y = round(bottom - (bottom - top) * k / 4)
        box(canvas, left, y, right, y + 1, theme.shade(0.12))
        text(canvas, left - 0.4 * em, y - 0.6 * em, f"{k * unit:g}", em * 0.85, theme.shade(0.7), align="right")
        x = left + (right - left) * k / 4
        text(canvas, x, bottom + 0.4 * em, f"{2 * k}", em * 0.85, theme.shade(0.7), align="centre")
    inks = [mix(theme.accent, ink, 0.5) for ink in INKS]
    kind, count = rng.choice(["line", "bar", "points"]), int(rng.integers(6, 14))
    if kind == "bar":
        step = (right - left) / count
        for k, value in enumerate(rng.uniform(0.1, 0.95, count)):
            x, y = left + k * step, bottom - value * (bottom - top)
            box(canvas, x + 0.15 * step, y, x + 0.85 * step, bottom, inks[0])
    for ink in inks[: rng.integers(1, 4)] if kind != "bar" else []:
        count = 8 * count if kind == "line" and rng.uniform() < 0.3 else count
        values = np.cumsum(rng.normal(0, 1, count))
        values = 0.05 + 0.9 * (values - values.min()) / np.ptp(values)
        points = np.stack([np.linspace(left + 2, right - 2, count), bottom - values * (bottom - top)], -1)
        if kind == "line":
            line(canvas, points, ink, int(rng.integers(1, 3)))
        if kind == "points" or (count < 14 and rng.uniform() < 0.5):
            for x, y in points:
                disc(canvas, x, y, 0.22 * em, ink)
    line(canvas, [(left, top), (left, bottom), (right, bottom)], theme.shade(0.7))


def form(canvas, theme, rng) -> None:
    em, width, y = theme.em, canvas.shape[1], 0.8 * theme.em
    edge = theme.shade(0.35)
    while y < len(canvas):
        kind = rng.integers(5)
        if kind == 0:  # field
            text(canvas, em, y, words(rng, 2), em * 0.9, theme.shade(0.7))
            box(canvas, em, y + 1.4 * em, width - em, y + 3.4 * em, theme.shade(0.03), theme.radius, edge)
            text(canvas, 1.6 * em, y + 1.8 * em, words(rng, 2), em, theme.text)
            y += 4.2 * em
        elif kind == 1:  # check boxes
            for _ in range(2):
                box(canvas, em, y, em + round(1.1 * em), y + round(1.1 * em), theme.window, theme.radius / 2, edge)
                if rng.uniform() < 0.6:
                    tick = np.array([(1.2, 0.55), (1.5, 0.85), (1.95, 0.2)]) * em + (0, y)
                    line(canvas, tick, theme.accent, 2)
                text(canvas, 2.7 * em, y - 1, words(rng, 3), em, theme.shade(0.9))
                y += 1.8 * em
        elif kind == 2:  # switch
            text(canvas, em, y + 1, words(rng, 2), em, theme.shade(0.9))
            on = rng.uniform() < 0.5
            box(canvas, width - 3.4 * em, y, width - em, y + 1.3 * em, theme.accent if on else theme.shade(0.3), em)
            disc(canvas, width - (1.65 if on else 2.75) * em, y + 0.65 * em - 0.5, 0.48 * em, (255, 255, 255))
            y += 2.2 * em
        elif kind == 3:  # slider
            end = em + rng.uniform(0.1, 0.9) * (width - 2 * em)
            box(canvas, em, y + 0.5 * em, width - em, y + 0.5 * em + 3, theme.shade(0.25), 1.5)
            box(canvas, em, y + 0.5 * em, end, y + 0.5 * em + 3, theme.accent, 1.5)
            disc(canvas, end, y + 0.5 * em + 1, 0.5 * em, theme.accent)
            y += 1.8 * em
        else:  # buttons
            for k, (fill, ink) in enumerate(((theme.accent, (255, 255, 255)), (theme.shade(0.1), theme.text))):
                x = em + 6.6 * em * k
                box(canvas, x, y, x + 6 * em, y + 2 * em, fill, theme.radius, edge)
                text(canvas, x + 3 * em, y + 0.4 * em, words(rng, 1), em, ink, align="centre")
            y += 3 * em


def icons(canvas, theme, rng, ink=None) -> None:
    em, ink = theme.em, theme.shade(0.9) if ink is None else ink
    step = round(rng.uniform(4.5, 6.5) * em)
    for y in range(round(0.6 * em), len(canvas), step):
        for x in range(round(0.6 * em), canvas.shape[1], step):
            if rng.uniform() < 0.1:
                chosen = mix(theme.window, theme.accent, 0.3)
                box(canvas, x - 3, y - 3, x + step - 6, y + step - 6, chosen, theme.radius)
            icon(canvas, x + step / 2 - 1.2 * em, y, 2.3 * em, theme, rng)
            text(canvas, x + step / 2, y + 2.6 * em, words(rng, 1), em * 0.9, ink, align="centre")


def chat(canvas, theme, rng) -> None:
    em, width, y = theme.em, canvas.shape[1], 0.6 * theme.em
    while y < len(canvas):
        mine, rows = rng.uniform() < 0.5, int(rng.integers(1, 4))
        span = min(rng.uniform(0.5, 0.8) * width, 22 * em)
        x = width - span - 0.8 * em if mine else 2.6 * em
        fill = theme.accent if mine else theme.shade(0.1)
        height = (1.45 * rows + 0.9) * em
        box(canvas, x, y, x + span, y + height, fill, 0.7 * em)
        inside = canvas[:, : max(int(x + span - 0.3 * em), 0)]
        ink = np.full(3, 255.0 if fill.mean() < 140 else 20.0)
        bubble = Theme(fill, ink, theme.accent, em, theme.radius)
        _paragraph(inside, x + 0.6 * em, y + 0.45 * em, span - em, rows, bubble, rng, 1)
        if not mine:
            disc(canvas, 1.3 * em, y + em, 0.9 * em, mix(theme.accent, rng.integers(0, 256, 3), 0.7))
        y += height + 0.7 * em


CONTENTS = (document, code, table_pane, plot, form, icons, chat, table_pane, document, plot)
