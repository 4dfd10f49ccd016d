"""The sliced Wasserstein distance of all outputs from the reference, and its levels."""
from pipeline.score.metric import Metric


def _swd(scoring):
    from pipeline.score.swd import distances, sample_pyramids

    settings = scoring.settings
    reference = sample_pyramids(scoring.reference, settings.swd_patches, settings.seed)

    def measure(outputs):
        own = sample_pyramids(outputs, settings.swd_patches, settings.seed)
        levels, mean = distances(own, reference, settings.swd_projections, settings.seed)
        return {"swd": mean} | {f"swd_{level}": distance for level, distance in levels.items()}

    return measure


SWD = Metric("swd", "SWD", "down", 2, ("reference", "set"), _swd)
