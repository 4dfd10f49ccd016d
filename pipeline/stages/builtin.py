"""Make the built-in data: clean scenes, and captures of other scenes through two proxy cameras, with their truth.

Reads params builtin. Writes PNGs below data/builtin:
  clean/natural, clean/screens   scenes as they are
  sr-captures, sr-truth          captures through builtin.camera, and the scenes: same names, scale times as large
  sr-far, sr-far-truth           the same through builtin.far_camera, worse in ways that no synthesizer models

A file is named SCENE-viewN.png; N counts crops of a photograph, times shots. Every scene is on one of the three sides only:
photographs are dealt out whole, rendered scenes come from a stream of their own per side (no letter, c or f in their
names).
"""
import shutil
from pathlib import Path

import cv2
import joblib
import numpy as np

from pipeline.core.files import need_space
from pipeline.core.params import ParamsError, load
from pipeline.core.progress import track
from pipeline.core.seeds import rng
from pipeline.core.sources import Builtin
from pipeline.degrade.camera import capture
from pipeline.images import natural, screens
from pipeline.images.encode import write_png

FOLDER = Path("data/builtin")
OUTS = ("clean", "sr-captures", "sr-truth", "sr-far", "sr-far-truth")
PHOTOS = {
    "clean": ("chelsea.png", "coffee.png", "hubble_deep_field.jpg", "ihc.png"),
    "captures": ("astronaut.png", "motorcycle_left.png", "retina.jpg"),
    "far": ("rocket.jpg",),
}
LETTER = {"clean": "", "captures": "c", "far": "f"}
CROPS = 6  # of one photograph at most


def main() -> None:
    try:
        params = load()
        make(params.builtin, params.builtin.seed, FOLDER)
    except (ParamsError, OSError) as error:
        raise SystemExit(f"builtin: {error}") from None


def make(builtin: Builtin, seed: int, folder: Path, workers: int = -1) -> None:
    """Write everything below `folder`, replacing what is there, with `workers` processes (-1: one per core)."""
    for out in OUTS:
        shutil.rmtree(folder / out, ignore_errors=True)
    jobs = plan(builtin)
    images = len(jobs) * 2 * builtin.shots + CROPS * sum(map(len, PHOTOS.values())) * 2 * builtin.shots
    need_space(folder, images * builtin.size**2 * 3, "builtin")
    pool = joblib.Parallel(workers, return_as="generator_unordered")
    done = pool(joblib.delayed(run)(*job, builtin, seed, folder) for job in jobs)
    for _ in track(done, "builtin: scenes", len(jobs)):
        pass


def plan(builtin: Builtin) -> list[tuple[str, str, int]]:
    """(side, what, index) of all scenes: `what` is a kind of natural scene, "screen", or the file of a photograph."""
    jobs = [(side, file, 0) for side, files in PHOTOS.items() for file in files]
    jobs += [("clean", natural.kind_of(k), k) for k in range(builtin.natural_scenes)]
    jobs += [("clean", "screen", k) for k in range(builtin.screen_scenes)]
    for side, count in (("captures", builtin.capture_scenes), ("far", builtin.far_scenes)):
        jobs += [(side, "screen" if k % 2 else natural.kind_of(k // 2), k) for k in range(count)]
    return jobs


def run(side: str, what: str, index: int, builtin: Builtin, seed: int, folder: Path) -> None:
    """Make one scene and write it, or its captures and their truth."""
    cv2.setNumThreads(1)
    scene, images = scene_images(side, what, index, seed, builtin.size)
    if side == "clean":
        for k, image in enumerate(images):
            write_png(folder / "clean" / ("screens" if what == "screen" else "natural") / f"{scene}-view{k}.png", image)
        return
    if side == "captures":
        captures, truths, camera = "sr-captures", "sr-truth", builtin.camera
    else:
        captures, truths, camera = "sr-far", "sr-far-truth", builtin.far_camera
    for k, image in enumerate(images):
        height, width = (length // builtin.scale * builtin.scale for length in image.shape[:2])
        truth = image[:height, :width]
        for shot in range(k * builtin.shots, (k + 1) * builtin.shots):
            seen = capture(truth, builtin.scale, camera, rng(seed, f"builtin/{side}/{scene}/camera", shot))
            write_png(folder / captures / f"{scene}-view{shot}.png", seen)
            write_png(folder / truths / f"{scene}-view{shot}.png", truth)


def scene_images(side: str, what: str, index: int, seed: int, size: int) -> tuple[str, list[np.ndarray]]:
    """The scene's name and its pictures: one where it is rendered, several crops of a photograph."""
    if what in natural.PHOTOS:
        return Path(what).stem, natural.crops(natural.photo(what), size, CROPS)
    scene = f"{what}-{LETTER[side]}{index:03d}"
    stream = rng(seed, f"builtin/{side}/{what}", index)
    return scene, [screens.render(size, stream) if what == "screen" else natural.render(what, size, stream)]


if __name__ == "__main__":
    main()
