"""Pictures below one another: a line per scene, a panel for each of what it compares; for `dvc plots` one for each row."""
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.images.encode import write_png
from pipeline.report.gallery import INPUT, TRUTH, Cut

SCENES = 4
ZOOM = 3
GAP, LABEL = 6, 22  # pixels between panels, and for the line of text above them


def write_strips(crops: list[Path], rows: list[str], folder: Path) -> None:
    """A PNG in `folder` for each of `rows` that has outputs: the capture, the output and the truth. `crops` are of data/crops.

    The scenes are the first ones, whatever the scores: those of two runs are the same and can be compared.
    """
    cut = Cut(crops, rows)
    for row in rows:
        shown = [cut.figures(scene, [INPUT, f"row {row}", TRUTH]) for scene in list(cut.crops)[:SCENES]]
        lines = [{name.removeprefix("row "): crop for name, crop in line.items()} for line in shown if f"row {row}" in line]
        if lines:
            write_png(folder / f"{row}.png", stack([_alike(line) for line in lines]))


def _alike(line: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The crops at the size of the largest, by repeating pixels."""
    side = max(crop.shape[0] for crop in line.values())
    return {title: crop.repeat(side // crop.shape[0], axis=0).repeat(side // crop.shape[0], axis=1)
            for title, crop in line.items()}


def stack(lines: list[dict[str, np.ndarray]]) -> np.ndarray:
    """Lines of panels below one another, titles on top; enlarged by repeating pixels, so that each can be judged."""
    width = max(sum(ZOOM * crop.shape[1] + GAP for crop in line.values()) for line in lines) + GAP
    height = LABEL + sum(ZOOM * next(iter(line.values())).shape[0] + GAP for line in lines)
    canvas = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=15)
    y = LABEL
    for number, line in enumerate(lines):
        x = GAP
        for title, crop in line.items():
            size = (ZOOM * crop.shape[1], ZOOM * crop.shape[0])
            if number == 0:
                draw.text((x, 2), title, fill="black", font=font)
            canvas.paste(Image.fromarray(crop).resize(size, Image.Resampling.NEAREST), (x, y))
            x += size[0] + GAP
        y += size[1] + GAP
    return np.asarray(canvas)
