"""What an output shows where its truth is flat: residual moire, and noise."""
from functools import partial

from pipeline.score.metric import Metric


def _moire(scoring):
    from pipeline.score.moire_energy import moire_energy

    return partial(moire_energy, border=scoring.settings.border)


def _noise(scoring):
    from pipeline.score.flat_noise import flat_area_noise

    return partial(flat_area_noise, border=scoring.settings.border)


MOIRE_ENERGY = Metric(
    "moire_energy", "Moire", "down", 2, ("truth", "asked"), _moire,
    "Moire: what outputs differ by from the truth, in wavelengths of 4 to 40 pixels, rms in 8-bit levels; over the areas in "
    "which the truth is flat.")
FLAT_NOISE = Metric(
    "flat_noise", "Flat noise", "down", 2, ("truth", "asked"), _noise,
    "Flat noise: the same below 4 pixels, as the standard deviation of white noise.")
