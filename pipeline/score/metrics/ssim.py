"""SSIM, on RGB and on luma."""
from functools import partial

from pipeline.score.metric import Metric


def _ssim(channel, scoring):
    from pipeline.score.ssim import ssim

    settings = scoring.settings
    if channel not in settings.channels:
        return None
    return partial(ssim, border=settings.border, channel=channel, round_luma=settings.round_luma)


SSIM = Metric("ssim", "SSIM", "up", 4, ("truth",), partial(_ssim, "rgb"))
SSIM_Y = Metric("ssim_y", "SSIM-Y", "up", 4, ("truth",), partial(_ssim, "y"), stands_for="ssim")
