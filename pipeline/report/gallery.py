"""Comparison pictures of the crops that bench has cut: as PNG inside the page, of scenes that are picked by a rule; and for
`dvc plots` a file for each row, of the first scenes."""
import base64
import io
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.compare.paired import Paired
from pipeline.images.encode import write_png
from pipeline.images.shards import Shard
from pipeline.score.registry import METRICS, of_family

CONTACTS = 12  # scenes of a contact sheet
STRIPS = 4  # scenes of a picture for `dvc plots`
ZOOM = 3
GAP, LABEL = 6, 22  # pixels between panels, and for the line of text above them
INPUT, TRUTH = "capture", "truth"


class Figure(NamedTuple):
    title: str
    kind: str
    source: str  # a data: address
    side: int  # pixels of the output that it shows; an input has fewer of its own
    note: str
    alt: str


class Scene(NamedTuple):
    what: str
    name: str
    gain: str
    figures: list[Figure]


@dataclass
class Gallery:
    test_set: str = ""
    row: str = ""
    base: str = ""
    rule: str = ""
    scenes: list[Scene] = field(default_factory=list)
    contacts: list[Scene] = field(default_factory=list)  # of captures without truth
    notes: list[str] = field(default_factory=list)
    truth: bool = False


class Cut:
    """The crops of one entry of `tests`: scene -> name of the image, crops by row."""

    def __init__(self, folders: list[Path], order: list[str]):
        self.images: dict[str, str] = {}
        self.crops: dict[str, dict[str, np.ndarray]] = {}
        self.test_set, self.absent = "", ""
        for folder in folders:
            for name, what in (("inputs", INPUT), ("targets", TRUTH), ("outputs", "")):
                shard = Shard(folder / name)
                if name == "inputs" and shard.absent:
                    self.absent = shard.absent
                for entry, crop in zip(shard.images, shard):
                    self.test_set = entry["test_set"]
                    self.images[entry["scene"]] = entry["name"]
                    self.crops.setdefault(entry["scene"], {})[what or f"row {entry['row']}"] = crop
        self.order = [INPUT, *(f"row {row}" for row in order), TRUTH]

    def figures(self, scene: str, names: list[str] | None = None) -> dict[str, np.ndarray]:
        """Name -> crop, in reading order; all, or those named."""
        return {name: self.crops[scene][name] for name in self.order
                if name in self.crops[scene] and (names is None or name in names)}


def gallery(folders: list[Path], kinds: dict[str, str], row: str, base: str, pairs: dict[str, Paired], budget: int) -> Gallery:
    """The pictures of one entry of `tests` in at most about `budget` bytes.

    `folders` are those of data/crops; `row` is shown against `base` (which may be empty); `pairs` holds the scores per image of
    each test set. Where all does not fit, the controls go first, then the median and the best scene; the notes say so.
    """
    cut = Cut(folders, list(kinds))
    if not cut.test_set:
        return Gallery(notes=[f"No pictures: {cut.absent or 'nothing was scored'}."])
    rows = {name: pairs[cut.test_set].scores(name) for name in pairs[cut.test_set].rows[0]}
    found = Gallery(cut.test_set, row, base, truth=any(TRUTH in crops for crops in cut.crops.values()))
    measured = gains(rows.get(row, {}), rows.get(base) if base else None, list(cut.crops))
    if measured is None:
        metric, chosen = "", [("", scene, "") for scene in list(cut.crops)[:3]]
        found.rule = "The first scenes, as no score of single images tells them apart."
    else:
        metric, gain = measured
        about = METRICS[metric]
        chosen = [(pick.what, pick.scene, about.text(pick.gain, "+")) for pick in picks(gain)]
        over = f" over {base}" if base else ""
        found.rule = (f"The worst, the median and the best of {len(gain)} scenes by what {row} gains in {about.title}{over} "
                      "(positive: better), whatever they look like. Of each scene the first image, and of that the square "
                      f"with most detail in {'the truth' if found.truth else 'the input'}.")
    if not found.truth:
        names = [INPUT, f"row {base}", f"row {row}"]
        scenes = list(cut.crops)
        spread = [scenes[i * len(scenes) // CONTACTS] for i in range(CONTACTS)] if len(scenes) > CONTACTS else scenes
        found.contacts = [_scene(cut, "", scene, "", metric, kinds, rows, names) for scene in spread]
        budget -= sum(len(figure.source) for scene in found.contacts for figure in scene.figures)
    plain = [name for name in cut.order if kinds.get(name.removeprefix("row ")) != "control"]
    for names, wanted, left_out in ((None, chosen, ""), (plain, chosen, "Controls"),
                                    (plain, chosen[:1], "Controls and all scenes but the worst")):
        found.scenes = [_scene(cut, *each, metric, kinds, rows, names) for each in wanted]
        found.notes = [f"{left_out} are left out of the pictures, to keep the page small."] if left_out else []
        if sum(len(figure.source) for scene in found.scenes for figure in scene.figures) <= budget:
            break
    return found


def _scene(cut: Cut, what: str, scene: str, gain: str, metric: str, kinds: dict[str, str], rows: dict[str, dict],
           names: list[str] | None) -> Scene:
    crops, figures = cut.figures(scene, names), []
    side = max(crop.shape[1] for crop in crops.values())
    for name, crop in crops.items():
        title = name.removeprefix("row ")
        score = rows.get(title, {}).get((scene, cut.images[scene]), {}).get(metric) if name.startswith("row ") else None
        note = "" if score is None else f"{METRICS[metric].title} {METRICS[metric].text(score)}"
        kind = kinds[title] if name.startswith("row ") else name
        figures.append(Figure(title, kind, png(crop), side, note, f"{title} of scene {scene}"))
    return Scene(what, scene, gain, figures)


def png(image: np.ndarray) -> str:
    """A uint8 RGB image as a data: address; the same for the same pixels."""
    handle = io.BytesIO()
    Image.fromarray(image).save(handle, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(handle.getvalue()).decode()


class Pick(NamedTuple):
    what: str  # worst, median or best; both or all where there are too few scenes
    scene: str
    gain: float  # positive where the row is better than the base, whichever way the metric runs


def gains(images: dict[tuple[str, str], dict[str, float]], base: dict[tuple[str, str], dict[str, float]] | None,
          scenes: list[str]) -> tuple[str, dict[str, float]] | None:
    """The first of LPIPS, PSNR and NIQE that both have, and what the row gains in it over the base: a mean over the images of
    each of the `scenes`.

    `images` and `base` are (scene, image) -> metric -> score; without a base, it is the score itself with the sign that makes
    more the better. None when no metric is there.
    """
    for metric in (*of_family("perceptual"), *of_family("fidelity"), *of_family("blind")):
        sign = 1 if METRICS[metric].better == "up" else -1
        found: dict[str, list[float]] = {}
        for (scene, image), scores in images.items():
            other = {metric: 0.0} if base is None else base.get((scene, image), {})
            if scene in scenes and metric in scores and metric in other:
                found.setdefault(scene, []).append(sign * (scores[metric] - other[metric]))
        if found:
            return metric, {scene: statistics.fmean(values) for scene, values in found.items()}
    return None


def picks(gain: dict[str, float]) -> list[Pick]:
    """The worst, the median (the lower one of an even number) and the best scene, each once; equal ones by name."""
    order = sorted(gain, key=lambda scene: (gain[scene], scene))
    places = {"worst": 0, "median": (len(order) - 1) // 2, "best": len(order) - 1}
    found: dict[int, list[str]] = {}
    for what, place in places.items():
        found.setdefault(place, []).append(what)
    return [Pick(" and ".join(names), order[place], gain[order[place]]) for place, names in found.items()] if order else []


def write_strips(crops: list[Path], rows: list[str], folder: Path) -> None:
    """A PNG in `folder` for each of `rows` that has outputs: the capture, the output and the truth. `crops` are of data/crops.

    The scenes are the first ones, whatever the scores: those of two runs are the same and can be compared.
    """
    cut = Cut(crops, rows)
    for row in rows:
        shown = [cut.figures(scene, [INPUT, f"row {row}", TRUTH]) for scene in list(cut.crops)[:STRIPS]]
        lines = []
        for line in (line for line in shown if f"row {row}" in line):  # all at the size of the largest, by repeating pixels
            side = max(crop.shape[0] for crop in line.values())
            lines.append({name.removeprefix("row "): crop.repeat(side // len(crop), axis=0).repeat(side // len(crop), axis=1)
                          for name, crop in line.items()})
        if lines:
            write_png(folder / f"{row}.png", stack(lines))


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
