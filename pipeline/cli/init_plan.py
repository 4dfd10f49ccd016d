"""What `python -m pipeline init` chooses for somebody's own photos, from what is known of their folders."""
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import yaml

MEGA = 1e6
WHOLE = 250  # megapixels of the captures' outputs, or a quarter of those of clean images, above which patches are cut
SCORED = 40  # megapixels of the outputs of a test split, where there is a choice
LARGEST = 50  # megapixels of one output, above which scoring takes many gigabytes of memory
PATCHES = 2000
SHORT, FEW = 10, 400  # instead of WHOLE and PATCHES, where stage 1 is trained already
STARTERS = Path("presets/starters.yaml")


class Photos:
    """The images of a folder, as their headers tell: {name: (file, height, width)}, and how many scenes they show."""

    def __init__(self, folder: Path, images: dict[str, tuple[str, int, int]], scenes: int):
        self.folder, self.images, self.scenes = folder, images, scenes
        self.smallest = min(images.values(), key=lambda image: (min(image[1:]), image))  # that with the shortest side
        self.least = min(self.smallest[1:])  # that side in pixels
        self.megapixels = sorted(height * width / MEGA for _, height, width in images.values())


@dataclass(frozen=True)
class InitTask:
    title: str
    scale: int
    arch: str
    options: dict
    recipe: str  # the kind, and the end of the recipe's name
    ranges: dict | None  # of the recipe; None: those of moire-native in presets/demoire.yaml
    least: int  # shortest side of captures that the trainings can use, in pixels; `scale` times that of clean images
    size: int  # of a synthetic pair, in pixels of the clean image
    cut: int  # of a patch of large captures, in their pixels
    stage1: dict
    stage2: dict
    words: str  # what the recipe assumes of the captures, and what to change where it is wrong


def _enlarged(scale: int, blur: float, patch: int, cut: int) -> InitTask:
    return InitTask(
        f"Super-resolution x{scale}", scale, "edsr", {"scale": scale, "blocks": 6, "features": 32, "start": "bilinear"},
        "random",
        {"kind": "random", "light": "linear", "blur_sigma": [0.2, blur], "blur_ratio": [0.6, 1.0], "resize": [0.7, 1.2],
         "sharpen": [0, 0.6], "sharpen_sigma": [1, 3], "noise_sigma": [0, 6], "jpeg_quality": [60, 97]},
        24, 128, cut,
        {"steps": 4000, "batch": 8, "patch": patch, "lr": 0.001, "loss": "l1", "validate_every": 250},
        {"steps": 300, "batch": 8, "patch": patch, "lr": 0.0001, "lambda": 0.002, "d_features": 8, "validate_every": 50},
        "The captures are assumed to be blurred, sharpened, noisy and compressed, within the ranges of recipes.photos-random. "
        "If yours are worse, widen the ranges.")


TASKS = {
    "x4": _enlarged(4, 3.0, 24, 64),
    "x2": _enlarged(2, 1.5, 32, 96),
    "same-size": InitTask(
        "Restoration of soft photographs", 1, "edsr",
        {"scale": 1, "blocks": 6, "features": 48, "unshuffle": 2, "start": "bilinear"}, "updown",
        {"kind": "updown", "factors": "estimated"}, 48, 96, 128,
        {"steps": 5000, "batch": 8, "patch": 48, "lr": 0.001, "loss": "l1", "validate_every": 250},
        {"steps": 300, "batch": 8, "patch": 64, "lr": 0.0001, "lambda": 0.001, "d_features": 16, "validate_every": 50},
        "The captures are assumed to be soft, to have little noise and to show the same kind of scenes as the clean images. "
        "How soft they are, and how much the camera has sharpened them, is estimated from both sides: see "
        "metrics/calibrations/photos.png after the run. Clean images of other kinds of scenes make the estimate wrong; then "
        "use the row photos-edsr instead of photos-restored. To set the softness by hand, write `factors: [2, 2.5, 3]` in "
        "recipes.photos-updown and `calibration: none` in pairs.photos. If the captures are noisy or compressed, use the "
        "recipe random-x1 of presets/optics.yaml."),
    "screens": InitTask(
        "Demoireing of photographed screens", 1, "dmnet",
        {"blocks": 10, "features": 48, "layers": 8, "fine_features": 24, "batch_norm": False, "mu": 1.0, "start": "identity"},
        "moire", None, 64, 192, 192,
        {"steps": 4000, "batch": 4, "patch": 96, "lr": 0.0005, "loss": "mse", "validate_every": 250},
        {"steps": 600, "batch": 4, "patch": 96, "lr": 0.0001, "lambda": 0.002, "d_features": 8, "validate_every": 50},
        "The captures are assumed to be photographs of screens that a phone took and that were made smaller afterwards. The "
        "clean images are assumed to be what screens show. Moire is removed, and the photograph's brightness and colours "
        "stay. If your photographs are different, change the ranges of recipes.photos-moire."),
}


class Start(NamedTuple):
    """A network that is trained already."""
    name: str
    file: str
    arch: str
    options: dict
    saw_truth: bool = False


def from_start(task: InitTask) -> InitTask:
    """The task where stage 1 is there already: no camera is estimated, and stage 2 is short."""
    if task.recipe == "updown":
        ranges = yaml.safe_load(STARTERS.read_text(encoding="utf-8"))["recipes"]["starter-photo"]
        task = replace(task, recipe="random", ranges=ranges, words="The synthetic pairs of the control are blurred, sharpened, "
                       "noisy and compressed, within the ranges of recipes.photos-random.")
    return replace(task, stage2=task.stage2 | {"steps": 200})


ESTIMATED = "photos-restored"
"""The network to use where the camera is estimated: its sharpening taken back, then stage 1."""


def smaller(wanted: int, least: int, step: int) -> int:
    """`wanted`, or the largest multiple of `step` that fits into `least` pixels."""
    return min(wanted, least // step * step)


class Plan:
    """A task, the folders, and what follows from both. `truth`: the set of the captures' truth, or none; `truth_folder`: where
    that set needs a folder of its own; `start`: what takes the place of stage 1, if anything does."""

    def __init__(self, task: InitTask, captures: Photos, clean: Photos, truth: str, truth_folder: Path | None,
                 start: Start | None = None):
        self.task, self.captures, self.clean, self.truth, self.truth_folder = task, captures, clean, truth, truth_folder
        self.start, self.network = start, "photos-start" if start else f"photos-{task.arch}"
        self.time = "five minutes" if start else "an hour"  # of an idle CPU
        self.size = smaller(task.size, clean.least, 8)  # of a synthetic pair, in pixels of the clean image
        self.cut = smaller(task.cut, captures.least, 8)  # of a patch of large captures
        # how many are cut; 0 for none. From a start the trainings are short, and labelling whole captures would take longer.
        most, many = (SHORT, FEW) if start else (WHOLE, PATCHES)
        self.captures_patches = many * (sum(captures.megapixels) * task.scale**2 > most)
        self.clean_patches = PATCHES * (sum(clean.megapixels) > 4 * WHOLE)
        # scenes of each split but train; from a start fewer are scored, which takes longer than to train
        seen, made, chosen = (8, 2, 2) if start else (40, 20, 10)
        self.captures_split = _scenes(captures, task.scale, val=(0.1, 1, 10), test=(0.2, 2, seen))
        self.clean_split = _scenes(clean, 1, val=(0.05, 1, chosen), test=(0.1, 2, made), holdout=(0.15, 2, 30))

    def patch(self, wanted: int) -> int:
        """Of a training, in pixels of the network's input: it has to fit into captures, their patches and synthetic pairs."""
        return smaller(wanted, min(self.cut, self.size // self.task.scale), 4)


def _scenes(photos: Photos, scale: int, **wanted: tuple[float, int, int]) -> dict[str, int]:
    """{split: scenes} from {split: (share, least, most)}; few where images are large, as those of the tests stay whole."""
    each = sum(photos.megapixels) * scale**2 / photos.scenes
    return {split: max(least, min(round(share * photos.scenes), most, int(SCORED / each)))
            for split, (share, least, most) in wanted.items()}


def assumptions(plan: Plan) -> list[str]:
    """What was assumed, and what to change, a paragraph each."""
    task, scale = plan.task, plan.task.scale
    near, clean = plan.captures_split, sum(plan.clean_split.values())
    said = [f"{_of('captures', plan.captures)} Scenes kept from training: {near['val']} to choose a network by, "
            f"{near['test']} to test it (val, test in sets.photos-captures).",
            f"{_of('clean', plan.clean)} Scenes kept from training: {clean} (val, test, holdout in "
            "sets.photos-clean).",
            f"network: {f'{plan.start.name}, trained already' if plan.start else task.arch}; its outputs are "
            + (f"{scale} times " if scale > 1 else "") + "as large as the captures.",
            f"recipe: {task.words} `python -m pipeline likeness photos-captures photos` compares your captures with "
            "synthetic ones."]
    if plan.truth == "none":
        said.append("truth: none, so there are no scores that need it, such as PSNR. If you have the perfect versions of the "
                    "captures, give their folder by --truth. The files have the same names.")
    else:
        said.append(f"truth: {plan.truth}. It is used for scores, and for the oracle, a network that shows what training with "
                    "truth would gain.")
    if plan.captures_patches:
        said.append(f"patches: the captures' outputs are {sum(plan.captures.megapixels) * scale**2:,.0f} megapixels, so "
                    f"{plan.captures_patches} patches are cut for training (sets.photos-captures: patches, size). Test "
                    "images stay whole.")
    if plan.clean_patches:
        said.append(f"patches: the clean images are {sum(plan.clean.megapixels):,.0f} megapixels, so {PATCHES} patches are cut "
                    "for training (sets.photos-clean: patches, size).")
    for what, photos, times in (("captures", plan.captures, scale), ("clean", plan.clean, 1)):
        if (largest := photos.megapixels[-1] * times**2) > LARGEST:
            said.append(f"warning: the output of the largest of the {what} has {largest:,.0f} megapixels. Scoring it takes "
                        "many gigabytes of memory. Make large photos smaller, or cut them into several files first.")
    return said + [f"time: the trainings take about {plan.time} on a CPU. The first lines of params.yaml say what to change "
                   "for a GPU. The first setting to try afterwards is stage2.lambda: `dvc exp run -S stage2.lambda=0.008`."]


def _of(what: str, photos: Photos) -> str:
    sides = sorted((height * width, f"{width}x{height}") for _, height, width in photos.images.values())
    sizes = sides[0][1] if sides[0][1] == sides[-1][1] else f"{sides[0][1]} to {sides[-1][1]}"
    return f"{what}: {len(photos.images)} images of {photos.scenes} scenes, {sizes}."
