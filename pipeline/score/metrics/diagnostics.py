"""What becomes of a capture, told without its truth: drift, residual and sharpness, which are no contest."""
from functools import partial

from pipeline.score.metric import Metric


def _drift(scoring):
    from pipeline.score.diagnostics import drift

    return drift


def _residual(scoring):
    from pipeline.score.diagnostics import residual

    return residual


def _sharpness(scoring):
    from pipeline.score.diagnostics import mean_energy, sharpness

    return partial(sharpness, pristine=mean_energy(scoring.reference))


DRIFT = Metric("drift", "drift", "", 3, ("input", "captures"), _drift)
RESIDUAL = Metric("residual", "residual", "", 3, ("input", "captures"), _residual)
SHARPNESS = Metric("sharpness", "sharpness", "", 3, ("reference", "captures"), _sharpness)
