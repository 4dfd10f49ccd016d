"""One picture that compares, crop by crop: the input, stage 1, stage 2 and the truth of test captures."""
from pathlib import Path

import numpy as np

from pipeline.images.test_sets import test_images
from pipeline.report.crops import most_detail
from pipeline.report.gallery import stack
from pipeline.restore.model import Model
from pipeline.restore.named import named
from pipeline.restore.tiles import restore

CROP = 96  # pixels of the output on a side


def comparison(task: str, start: str, stage2: str, scenes: list[str]) -> np.ndarray:
    """uint8 RGB picture: a line per scene (the first of the test captures by default), a panel per network.

    The crop of each scene is the one with most detail in the stage-1 output. Raises FileNotFoundError for sets or
    networks not made yet, ValueError for captures that are absent or a scene they do not hold.
    """
    inputs, targets = (test_images(Path("data/tests", task), side, "captures") for side in ("inputs", "targets"))
    if inputs.absent:
        raise ValueError(f"{inputs.folder}: no captures: {inputs.absent}")
    rows = {"stage 1": named(start), "stage 2": named(stage2)}
    for scene in scenes:
        if scene not in inputs.scenes:
            raise ValueError(f"scene {scene!r} is not among the test captures: {', '.join(sorted(set(inputs.scenes)))}")
    places = [inputs.scenes.index(scene) for scene in scenes or inputs.scenes[:1]]
    return stack([panels(inputs[i], rows, None if targets.absent else targets[i]) for i in places])


def panels(capture: np.ndarray, models: dict[str, Model], truth: np.ndarray | None) -> dict[str, np.ndarray]:
    """Title -> crop of the input, of each network's output and of the truth, all of the same place and size."""
    outputs = {title: restore(model, capture) for title, model in models.items()}
    first = next(iter(outputs.values()))
    scale = first.shape[0] // capture.shape[0]
    side = min(CROP, *first.shape[:2]) // scale * scale
    top, left = (offset // scale * scale for offset in most_detail(first, side))
    enlarged = capture.repeat(scale, axis=0).repeat(scale, axis=1)
    images = {"input": enlarged} | outputs | ({} if truth is None else {"truth": truth})
    return {title: image[top : top + side, left : left + side] for title, image in images.items()}
