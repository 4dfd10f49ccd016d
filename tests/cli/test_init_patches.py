"""Patches that init asks for, by the sizes of the photos."""
# ruff: noqa: F811
import shutil

import pytest
from test_init import SCALES, begun, photos, project, written  # noqa: F401

from pipeline.core.params import load


@pytest.mark.parametrize("task, captures, clean, patches, size", [
    ("x4", (40, 90), (400, 320), (24, 24), 128), ("x4", (24, 90), (100, 320), (24, 24), 96),
    ("x2", (30, 90), (400, 320), (24, 24), 128), ("same-size", (53, 90), (400, 320), (48, 48), 96),
    ("same-size", (200, 300), (75, 90), (48, 64), 72), ("screens", (90, 70), (300, 150), (64, 64), 144)])
def test_patches_fit_the_smallest_image(project, task, captures, clean, patches, size):
    shutil.rmtree("captures")
    shutil.rmtree("clean")
    photos("captures", 9, 500, 500)
    photos("captures", 1, *captures, start=9)
    photos("clean", 9, 500, 500)
    photos("clean", 1, *clean, start=9)
    written(task)
    p = load()
    assert p.pairs["photos"].size == size <= min(clean)
    for patch, most in ((p.stage1.patch, patches[0]), (p.stage2.patch, patches[1]), (p.supervised.patch, patches[0])):
        assert patch <= most and patch <= min(captures) and patch * SCALES[task] <= size and patch % 4 == 0 and patch >= 24


@pytest.mark.parametrize("task", ["x4", "same-size"])
def test_many_large_photos_become_patches_and_few_of_them_are_tests(project, task):
    scale, count = SCALES[task], {"x4": 8, "same-size": 30}[task]
    height, width = {"x4": (1500, 2000), "same-size": (3000, 4000)}[task]
    shutil.rmtree("captures")
    photos("captures", 1, height, width)
    for k in range(1, count):
        shutil.copy("captures/000.png", f"captures/{k:03d}.png")
    photos("truths", 1, height * scale, width * scale) if task == "same-size" else None
    for k in range(1, count if task == "same-size" else 0):
        shutil.copy("truths/000.png", f"truths/{k:03d}.png")
    said = written(task, *(["--truth", "truths"] if task == "same-size" else []))
    p = load()
    captures = p.sets["photos-captures"]
    assert captures.patches == 2000 and "2000 patches are cut" in said
    assert captures.size % 8 == 0 and captures.size >= p.stage2.patch
    assert 2000 * (captures.size * scale) ** 2 < 250e6
    assert captures.test * count < 3.5  # of 12 megapixels each, or 48
    if task == "same-size":
        truth = p.sets["photos-truth"]
        assert (truth.patches, truth.size, truth.val, truth.test) == (2000, captures.size, captures.val, captures.test)
    assert p.sets["photos-clean"].patches == 0 and "warning" not in said


def test_outputs_that_are_very_large_are_warned_of(project):
    photos("captures", 1, 1500, 2200, start=3)
    assert "warning: the output of the largest of the captures has 53 megapixels" in " ".join(written("x4").split())
