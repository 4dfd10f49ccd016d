"""`bench.moire` finds every step of the simulator where the simulator calls it."""
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
