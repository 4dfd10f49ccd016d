"""Which scenes the report shows: the worst, the median and the best by what a row gains, not by how they look."""
import statistics
from typing import NamedTuple

from pipeline.score.registry import METRICS, of_family


class Pick(NamedTuple):
    what: str
    """worst, median or best; both or all where there are too few scenes."""
    scene: str
    gain: float
    """Positive where the row is better than the base, whichever way the metric runs."""


def gains(images: dict[tuple[str, str], dict[str, float]], base: dict[tuple[str, str], dict[str, float]] | None,
          scenes: list[str]) -> tuple[str, dict[str, float]] | None:
    """The first of LPIPS, PSNR and NIQE that both have, and what the row gains in it over the base: a mean over the images of
    each of the `scenes`.

    `images` and `base` are (scene, image) -> metric -> score; without a base, it is the score itself with the sign that makes
    more the better. None when no metric is there.
    """
    for metric in (*of_family("perceptual"), *of_family("fidelity"), *of_family("blind")):
        sign = 1 if METRICS[metric].better == "up" else -1
        found: dict[str, list[float]] = {}
        for (scene, image), scores in images.items():
            other = {metric: 0.0} if base is None else base.get((scene, image), {})
            if scene in scenes and metric in scores and metric in other:
                found.setdefault(scene, []).append(sign * (scores[metric] - other[metric]))
        if found:
            return metric, {scene: statistics.fmean(values) for scene, values in found.items()}
    return None


def picks(gain: dict[str, float]) -> list[Pick]:
    """The worst, the median (the lower one of an even number) and the best scene, each once; equal ones by name."""
    order = sorted(gain, key=lambda scene: (gain[scene], scene))
    places = {"worst": 0, "median": (len(order) - 1) // 2, "best": len(order) - 1}
    found: dict[int, list[str]] = {}
    for what, place in places.items():
        found.setdefault(place, []).append(what)
    return [Pick(" and ".join(names), order[place], gain[order[place]]) for place, names in found.items()] if order else []
