"""PSNR, on RGB and on luma, and after tone and colour are aligned to the truth."""
from functools import partial

from pipeline.score.metric import Metric


def _psnr(channel, scoring):
    from pipeline.score.psnr import psnr

    settings = scoring.settings
    if channel not in settings.channels:
        return None
    return partial(psnr, border=settings.border, channel=channel, round_luma=settings.round_luma)


def _aligned(scoring):
    from pipeline.score.aligned_psnr import aligned_psnr

    return partial(aligned_psnr, border=scoring.settings.border)


PSNR = Metric("psnr", "PSNR", "up", 2, ("truth",), partial(_psnr, "rgb"), family="fidelity")
PSNR_Y = Metric("psnr_y", "PSNR-Y", "up", 2, ("truth",), partial(_psnr, "y"), family="fidelity", stands_for="psnr")
PSNR_ALIGNED = Metric(
    "psnr_aligned", "PSNR-aligned", "up", 2, ("truth", "asked"), _aligned,
    "PSNR-aligned: a diagnostic that no method can be run with: PSNR after brightness and contrast of each channel of an "
    "output are fitted to its truth.")
