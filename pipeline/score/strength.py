"""What a row scores at other strengths than 1: nearer the input than its output is, or beyond it (`restore --strength`)."""
import numpy as np

from pipeline.images.shards import Shard
from pipeline.score.control import mix_with_input
from pipeline.score.names import STRENGTH_IMAGES, STRENGTHS
from pipeline.score.registry import of_family
from pipeline.score.score import DIGITS, Scorer


def strength_curves(scorer: Scorer, inputs: Shard, outputs: Shard, targets: Shard) -> dict[str, list[float]]:
    """Metric -> its mean over at most STRENGTH_IMAGES images, spread evenly over the set, at each of STRENGTHS: of the first
    metric of fidelity that is computed, and the first perceptual one.

    What is scored is input + strength * (output - input), of uint8 images, rounded; at scale > 1 the input is enlarged by
    bicubic. Images for which a score does not exist are left out; a metric without any other image is too.
    """
    chosen = np.linspace(0, len(outputs) - 1, min(len(outputs), STRENGTH_IMAGES)).round().astype(int)
    curves = {}
    for family in ("fidelity", "perceptual"):
        name = next((name for name in of_family(family) if name in scorer.measures), None)
        lines = [_scores(scorer.measures[name], inputs[i], outputs[i], targets[i]) for i in chosen] if name else []
        if lines := [line for line in lines if np.isfinite(line).all()]:
            curves[name] = np.mean(lines, axis=0).round(DIGITS).tolist()
    return curves


def _scores(measure, degraded: np.ndarray, output: np.ndarray, target: np.ndarray) -> list[float]:
    try:
        return [measure(mix_with_input(output, degraded, 1 - strength), target) for strength in STRENGTHS]
    except ValueError:  # an image too small for the metric
        return [np.nan]
