"""Comparison pictures of the crops that bench has cut: as PNG inside the page, at places that are picked by a rule; and for
`dvc plots` a file for each row, of the first scenes."""
import base64
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.compare.paired import Paired
from pipeline.images.encode import write_png
from pipeline.images.shards import Shard
from pipeline.report.crops import DETAIL, RANDOM
from pipeline.report.places import LEAST, SIDE, Place, gains, places
from pipeline.score.registry import METRICS

CONTACTS = 12  # scenes of a contact sheet
STRIPS = 4  # scenes of a picture for `dvc plots`
ZOOM = 3
GAP, LABEL = 6, 22  # pixels between panels, and for the line of text above them
INPUT, TRUTH = "capture", "truth"


class Figure(NamedTuple):
    title: str
    role: str  # what it is among those that are compared first; empty for others
    source: str  # a data: address
    side: int  # pixels of the output that it shows; an input has fewer of its own
    note: str
    alt: str


class Scene(NamedTuple):
    title: str
    note: str
    figures: list[Figure]  # what is to be compared first
    others: list[Figure]


@dataclass
class Gallery:
    test_set: str = ""
    left: str = ""  # the figures that the slider begins with
    right: str = ""
    rule: str = ""
    scenes: list[Scene] = field(default_factory=list)
    contacts: list[Scene] = field(default_factory=list)  # of captures without truth
    notes: list[str] = field(default_factory=list)


class Cut:
    """The crops of one entry of `tests`: square -> scene -> crops by row, and the name of each scene's image."""

    def __init__(self, folders: list[Path], order: list[str]):
        self.images: dict[str, str] = {}
        self.crops: dict[str, dict[str, dict[str, np.ndarray]]] = {DETAIL: {}, RANDOM: {}}
        self.test_set, self.absent = "", ""
        for folder in folders:
            for name, what in (("inputs", INPUT), ("targets", TRUTH), ("outputs", "")):
                shard = Shard(folder / name)
                if name == "inputs" and shard.absent:
                    self.absent = shard.absent
                for entry, crop in zip(shard.images, shard):
                    self.test_set = entry["test_set"]
                    self.images[entry["scene"]] = entry["name"]
                    scenes = self.crops[entry["place"]]
                    scenes.setdefault(entry["scene"], {})[what or f"row {entry['row']}"] = crop
        self.order = [INPUT, *(f"row {row}" for row in order), TRUTH]

    def figures(self, place: str, scene: str) -> dict[str, np.ndarray]:
        """Name -> crop, in reading order."""
        found = self.crops[place][scene]
        return {name: found[name] for name in self.order if name in found}


class Shown(NamedTuple):
    """The rows that pictures compare; each but the first may be empty."""
    row: str
    input: str
    control: str

    @property
    def roles(self) -> dict[str, str]:
        """What each is, as they are read, the row last; the capture stands in for an input that is no row."""
        return {f"row {self.input}" if self.input else INPUT: "what came in"} | (
            {f"row {self.control}": "best plain filter"} if self.control else {}) | {f"row {self.row}": "best network"}

    @property
    def names(self) -> list[str]:
        return [*self.roles]


@dataclass
class Panels:
    """Makes figures of crops, with what the whole image scored in a metric."""
    cut: Cut
    roles: dict[str, str]  # of what is compared first
    scores: dict[str, dict[tuple[str, str], dict[str, float]]]  # row -> (scene, image) -> metric -> score
    metric: str

    def figures(self, scene: str, crops: dict[str, np.ndarray], names: list[str]) -> list[Figure]:
        """The crops of these names, in this order."""
        found, side = [], max(crop.shape[1] for crop in crops.values())
        for name in (name for name in names if name in crops):
            title = name.removeprefix("row ")
            scores = self.scores.get(title, {}) if name.startswith("row ") else {}
            score = scores.get((scene, self.cut.images[scene]), {}).get(self.metric)
            note = "" if score is None else f"{METRICS[self.metric].title} {METRICS[self.metric].text(score)}"
            found.append(Figure(title, self.roles.get(name, ""), png(crops[name]), side, note, f"{title} of scene {scene}"))
        return found

    def scene(self, place: Place, gain: dict[str, float], first: list[str], others: list[str]) -> Scene:
        squares = self.cut.figures(place.square, place.scene)
        crops = {name: place.of(crop, squares) for name, crop in squares.items()}
        notes = [f"differs by {place.difference:.1f} levels"]
        if place.scene in gain:
            about = METRICS[self.metric]
            notes.append(f"{about.title} {about.text(gain[place.scene], '+')} in this scene (positive: better)")
        return Scene(f"{place.what}: scene {place.scene}", ", ".join(notes), self.figures(place.scene, crops, first),
                     self.figures(place.scene, crops, others))

    def contact(self, scene: str, names: list[str]) -> Scene:
        return Scene(scene, "", self.figures(scene, self.cut.figures(RANDOM, scene), names), [])


def gallery(folders: list[Path], kinds: dict[str, str], shown: Shown, pairs: dict[str, Paired], seed: int,
            budget: int) -> Gallery:
    """The pictures of one entry of `tests` in at most about `budget` bytes.

    `folders` are those of data/crops; `pairs` holds the scores per image of each test set; `seed` is of the random places.
    Where all does not fit, rows that are not compared first are left out, then all but one place of a kind; the notes say so.
    """
    cut = Cut(folders, list(kinds))
    if not cut.test_set:
        return Gallery(notes=[f"No pictures: {cut.absent or 'nothing was scored'}."])
    rows = {name: pairs[cut.test_set].scores(name) for name in pairs[cut.test_set].rows[0]}
    metric, gain = gains(rows.get(shown.row, {}), rows.get(shown.input) if shown.input else None, list(cut.images))
    panels = Panels(cut, shown.roles, rows, metric)
    picked = places(cut.crops, shown.names, gain, seed)
    found = Gallery(cut.test_set, shown.names[0].removeprefix("row "), shown.row, _rule(shown, picked, metric, len(cut.images)))
    if not any(TRUTH in crops for crops in cut.crops[DETAIL].values()):
        scenes = list(cut.images)
        spread = [scenes[i * len(scenes) // CONTACTS] for i in range(CONTACTS)] if len(scenes) > CONTACTS else scenes
        found.contacts = [panels.contact(scene, shown.names) for scene in spread]
        budget -= size_of(found.contacts)
    first = [*shown.names, TRUTH]
    twice = [INPUT] if any(np.array_equal(crops[INPUT], crops.get(first[0])) for crops in cut.crops[DETAIL].values()) else []
    plain = [name for name in cut.order if name not in (*first, *twice) and kinds.get(name.removeprefix("row ")) != "control"]
    one_each = [*{place.what: place for place in reversed(picked)}.values()][::-1]
    for wanted, others, left_out in ((picked, plain, ""), (picked, [], "Other rows"),
                                     (one_each, [], "Other rows and all but one place of a kind")):
        found.scenes = [panels.scene(place, gain, first, others if place in one_each else []) for place in wanted]
        found.notes = [f"{left_out} are left out of the pictures, to keep the page small."] if left_out else []
        if size_of(found.scenes) <= budget:
            break
    return found


def size_of(scenes: list[Scene]) -> int:
    """Bytes of their pictures."""
    return sum(len(figure.source) for scene in scenes for figure in (*scene.figures, *scene.others))


def _rule(shown: Shown, picked: list[Place], metric: str, scenes: int) -> str:
    """How the places were picked, in words."""
    names = [name if name == INPUT else f"`{name.removeprefix('row ')}`" for name in shown.names[:-1]]
    nearer = ", whichever is nearer," if len(names) > 1 else ""
    said = [f"Each square has {SIDE} pixels on a side. A rule picked the places, whatever they look like. The first image of "
            f"each of {scenes} scenes takes part. **Most different**: three scenes, each at the place where `{shown.row}` "
            f"differs most from {' and '.join(names)}{nearer} by the mean absolute difference in 8-bit levels."]
    if any(place.what == LEAST for place in picked):
        said.append(f"**Least gain**: the scene where `{shown.row}` gains least in {METRICS[metric].title}, at such a place.")
    return " ".join([*said, "**Random**: scenes and places that were drawn before anything was scored."])


def png(image: np.ndarray) -> str:
    """A uint8 RGB image as a data: address; the same for the same pixels."""
    handle = io.BytesIO()
    Image.fromarray(image).save(handle, "PNG", compress_level=4)  # a fifth of the time of the smallest, 2 % larger
    return "data:image/png;base64," + base64.b64encode(handle.getvalue()).decode()


def write_strips(crops: list[Path], rows: list[str], folder: Path) -> None:
    """A PNG in `folder` for each of `rows` that has outputs: the capture, the output and the truth. `crops` are of data/crops.

    The scenes are the first ones, whatever the scores: those of two runs are the same and can be compared.
    """
    cut = Cut(crops, rows)
    for row in rows:
        names, lines = (INPUT, f"row {row}", TRUTH), []
        shown = [{name: crop for name, crop in cut.figures(RANDOM, scene).items() if name in names}
                 for scene in list(cut.images)[:STRIPS]]
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
