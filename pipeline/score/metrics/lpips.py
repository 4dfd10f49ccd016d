"""LPIPS, one metric for each backbone."""
from functools import partial

from pipeline.score.metric import Metric


def _lpips(net, scoring):
    from pipeline.score.lpips import Lpips

    return Lpips(scoring.trunks, net, scoring.device) if net in scoring.settings.lpips else None


LPIPS_ALEX = Metric("lpips_alex", "LPIPS-Alex", "down", 4, ("truth",), partial(_lpips, "alex"), family="perceptual")
LPIPS_VGG = Metric("lpips_vgg", "LPIPS-VGG", "down", 4, ("truth",), partial(_lpips, "vgg"), family="perceptual")
LPIPS_SQUEEZE = Metric("lpips_squeeze", "LPIPS-Squeeze", "down", 4, ("truth",), partial(_lpips, "squeeze"),
                       family="perceptual", stands_for="lpips_alex")
