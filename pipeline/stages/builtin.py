"""Make the built-in data: `python -m pipeline.stages.builtin KEY`, the entry of `builtin` in params.yaml.

Clean scenes, and captures of other scenes through proxy cameras, with their truth. Writes PNGs below data/builtin:
  clean/natural, clean/screens   scenes as they are
  sr-captures, sr-truth          captures through `camera`, and the scenes: same names, scale times as large
  sr-far, sr-far-truth           the same through `far_camera`, worse in ways that no synthesizer models
  demoire-captures, demoire-truth, demoire-far, demoire-far-truth
                                 the same scenes on a screen, photographed (`screen`) from near, and with what
                                 `far_screen` changes from further away; a capture and its truth have one size

A file is named SCENE-viewN.png; N counts crops of a photograph, times shots. Every scene is on one of the three sides only:
photographs are dealt out whole, rendered scenes come from a stream of their own per side (no letter, c or f in their
names).
"""
import shutil
from pathlib import Path

import cv2
import joblib
import numpy as np

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import need_space
from pipeline.core.moire import Moire
from pipeline.core.progress import track
from pipeline.core.seeds import rng
from pipeline.core.sources import Builtin
from pipeline.degrade.camera import capture
from pipeline.degrade.moire.geometry import fitting
from pipeline.degrade.moire.light import metered
from pipeline.degrade.moire.simulate import draw, photograph
from pipeline.images import natural, screens
from pipeline.images.encode import write_png

FOLDER = Path("data/builtin")
SIDES = {"captures": ("captures", "truth"), "far": ("far", "far-truth")}
"""Side -> the endings of its folders: what was seen, and what is true."""
OUTS = ("clean", *(f"{task}-{ending}" for task in ("sr", "demoire") for endings in SIDES.values() for ending in endings))
PHOTOS = {
    "clean": ("chelsea.png", "coffee.png", "hubble_deep_field.jpg", "ihc.png"),
    "captures": ("astronaut.png", "motorcycle_left.png", "retina.jpg"),
    "far": ("rocket.jpg",),
}
LETTER = {"clean": "", "captures": "c", "far": "f"}
CROPS = 6  # of one photograph at most


def main(key: str) -> None:
    builtin = params.load().entry("builtin", key)
    make(builtin, builtin.seed, FOLDER)


def make(builtin: Builtin, seed: int, folder: Path, workers: int = -1) -> None:
    """Write everything below `folder`, replacing what is there, with `workers` processes (-1: one per core)."""
    for out in OUTS:
        shutil.rmtree(folder / out, ignore_errors=True)
    jobs = scenes_to_make(builtin)
    images = len(jobs) * 2 * builtin.shots + CROPS * sum(map(len, PHOTOS.values())) * 2 * builtin.shots
    need_space(folder, images * builtin.size**2 * 3, "builtin")
    pool = joblib.Parallel(workers, return_as="generator_unordered")
    done = pool(joblib.delayed(make_scene)(*job, builtin, seed, folder) for job in jobs)
    for _ in track(done, "builtin: scenes", len(jobs)):
        pass


def scenes_to_make(builtin: Builtin) -> list[tuple[str, str, int]]:
    """(side, what, index) of all scenes: `what` is a kind of natural scene, "screen", or the file of a photograph."""
    jobs = [(side, file, 0) for side, files in PHOTOS.items() for file in files]
    jobs += [("clean", natural.kind_of(k), k) for k in range(builtin.natural_scenes)]
    jobs += [("clean", "screen", k) for k in range(builtin.screen_scenes)]
    for side, count in (("captures", builtin.capture_scenes), ("far", builtin.far_scenes)):
        jobs += [(side, "screen" if k % 2 else natural.kind_of(k // 2), k) for k in range(count)]
    return jobs


def make_scene(side: str, what: str, index: int, builtin: Builtin, seed: int, folder: Path) -> None:
    """Make one scene and write it, or its captures and their truth."""
    cv2.setNumThreads(1)
    scene, images = scene_images(side, what, index, seed, builtin.size)
    if side == "clean":
        for k, image in enumerate(images):
            write_png(folder / "clean" / ("screens" if what == "screen" else "natural") / f"{scene}-view{k}.png", image)
        return
    seen_by = {"captures": (builtin.camera, builtin.screen), "far": (builtin.far_camera, builtin.from_further_away())}
    camera, screen = seen_by[side]
    captures, truths = SIDES[side]
    for k, image in enumerate(images):
        height, width = (length // builtin.scale * builtin.scale for length in image.shape[:2])
        truth = image[:height, :width]
        for shot in range(k * builtin.shots, (k + 1) * builtin.shots):
            stream = rng(seed, f"builtin/{side}/{scene}/camera", shot)
            pairs = {"sr": (capture(truth, builtin.scale, camera, stream), truth),
                     "demoire": photographed(image, screen, rng(seed, f"builtin/{side}/{scene}/screen", shot))}
            for task, (seen, true) in pairs.items():
                write_png(folder / f"{task}-{captures}" / f"{scene}-view{shot}.png", seen)
                write_png(folder / f"{task}-{truths}" / f"{scene}-view{shot}.png", true)


def photographed(image: np.ndarray, screen: Moire, stream: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(capture, truth) of a screen that shows the image; as much of it as the camera's distance lets in."""
    drawn = draw(screen, stream)
    drawn["exposure"] += metered(image, screen.metering)
    return photograph(image, fitting(image.shape[:2], screen, drawn), screen, drawn, stream)


def scene_images(side: str, what: str, index: int, seed: int, size: int) -> tuple[str, list[np.ndarray]]:
    """The scene's name and its pictures: one where it is rendered, several crops of a photograph."""
    if what in natural.PHOTOS:
        return Path(what).stem, natural.crops(natural.photo(what), size, CROPS)
    scene = f"{what}-{LETTER[side]}{index:03d}"
    stream = rng(seed, f"builtin/{side}/{what}", index)
    return scene, [screens.render_screen(size, stream) if what == "screen" else natural.render_natural(what, size, stream)]


if __name__ == "__main__":
    run_stage(main)
