"""`bench.moire` finds every step of the simulator where the simulator calls it, and makes pairs as the stage does."""
import numpy as np

from bench import moire
from pipeline.degrade.moire import sensor, simulate


def test_each_step_is_timed_by_itself_and_left_as_it_was(capsys):
    before = simulate.jpeg, sensor.antialias
    seconds = moire.one_process(moire.recipe_of("moire"), np.full((64, 64, 3), 128, np.uint8), 16, 1)
    printed = capsys.readouterr().out
    assert seconds > 0 and (simulate.jpeg, sensor.antialias) == before
    for step in ("geometry", "3, 4 pose and lens", "5 anti-alias", "6 colour filters", "7 noise", "10 JPEG", "target", "other"):
        assert f"    {step} " in printed, f"{step} took no time: {printed}"


def test_pairs_are_made_as_the_stage_makes_them(capsys):
    moire.several_processes(moire.recipe_of("moire"), 1, 2, 1.0)
    assert capsys.readouterr().out.startswith("128x128 by 1 processes: ")
