"""All metrics, in reading order: what is scored, shown in tables and on the page, compared between seeds, and chosen by.

What takes long to import (torch, SciPy) is imported in functions, as the stages that make tables read the registry too.
"""
from functools import partial

from pipeline.core.params import ParamsError
from pipeline.score.metric import Metric


def _pixels(name, channel, scoring):
    from pipeline.score import fidelity

    settings = scoring.settings
    if channel not in settings.channels:
        return None
    return partial(getattr(fidelity, name), border=settings.border, channel=channel, round_luma=settings.round_luma)


def _lpips(net, scoring):
    from pipeline.score.lpips import Lpips

    return Lpips(scoring.trunks, net, scoring.device) if net in scoring.settings.lpips else None


def _swd(scoring):
    from pipeline.score.swd import distances, sample_pyramids

    settings = scoring.settings
    reference = sample_pyramids(scoring.reference, settings.swd_patches, settings.seed)

    def measure(outputs):
        own = sample_pyramids(outputs, settings.swd_patches, settings.seed)
        levels, mean = distances(own, reference, settings.swd_projections, settings.seed)
        return {"swd": mean} | {f"swd_{level}": distance for level, distance in levels.items()}

    return measure


def _swd_to_truth(scoring):
    from pipeline.score.swd import distances, sample_pyramids

    settings = scoring.settings

    def measure(output, truth):
        of_both = (sample_pyramids([image], settings.swd_patches, settings.seed) for image in (output, truth))
        return distances(*of_both, settings.swd_projections, settings.seed)[1]

    return measure


def _niqe(authors, scoring):
    from pipeline.score.niqe import fit, published, score

    return partial(score, model=published(scoring.trunks) if authors else fit(scoring.reference, scoring.settings.niqe_patch))


def _asked(name, scoring):
    from pipeline.score import fidelity, flat

    return partial(getattr(fidelity if name == "aligned_psnr" else flat, name), border=scoring.settings.border)


def _registered(scoring):
    from pipeline.score.registered import Registered

    return Registered()


def _critic(scoring):
    from pipeline.score.critic import critic_auc, sample_patches

    settings = scoring.settings
    reference = sample_patches(scoring.reference, settings.critic_patch, settings.seed)

    def measure(outputs):
        return critic_auc(sample_patches(outputs, settings.critic_patch, settings.seed), reference, settings, settings.seed)

    return measure


def _diagnostic(name, scoring):
    from pipeline.score import diagnostics

    if name == "sharpness":
        return partial(diagnostics.sharpness, pristine=diagnostics.mean_energy(scoring.reference))
    return getattr(diagnostics, name)


METRICS: dict[str, Metric] = {metric.name: metric for metric in (
    Metric("psnr", "PSNR", "up", 2, ("truth",), partial(_pixels, "psnr", "rgb"), family="fidelity"),
    Metric("psnr_aligned", "PSNR-aligned", "up", 2, ("truth", "asked"), partial(_asked, "aligned_psnr"),
           "PSNR-aligned: a diagnostic that no method can be run with: PSNR after brightness and contrast of each channel of "
           "an output are fitted to its truth."),
    Metric("psnr_registered", "PSNR-registered", "up", 2, ("truth", "input", "asked"), _registered,
           "PSNR-registered: a diagnostic that no method can be run with: PSNR after outputs are moved by the displacements "
           "between capture and truth, the same for every row."),
    Metric("ssim", "SSIM", "up", 4, ("truth",), partial(_pixels, "ssim", "rgb")),
    Metric("psnr_y", "PSNR-Y", "up", 2, ("truth",), partial(_pixels, "psnr", "y"), family="fidelity", stands_for="psnr"),
    Metric("ssim_y", "SSIM-Y", "up", 4, ("truth",), partial(_pixels, "ssim", "y"), stands_for="ssim"),
    Metric("lpips_alex", "LPIPS-Alex", "down", 4, ("truth",), partial(_lpips, "alex"), family="perceptual"),
    Metric("lpips_vgg", "LPIPS-VGG", "down", 4, ("truth",), partial(_lpips, "vgg"), family="perceptual"),
    Metric("lpips_squeeze", "LPIPS-Squeeze", "down", 4, ("truth",), partial(_lpips, "squeeze"), family="perceptual",
           stands_for="lpips_alex"),
    Metric("swd", "SWD", "down", 2, ("reference", "set"), _swd),
    Metric("swd_truth", "SWD-truth", "down", 2, ("truth", "asked"), _swd_to_truth,
           "SWD-truth: SWD of each output to the truth of the same image, so that other scenes take no part."),
    Metric("niqe", "NIQE", "down", 2, ("reference",), partial(_niqe, False), family="blind"),
    Metric("niqe_published", "NIQE-published", "down", 2, (), partial(_niqe, True), family="blind", stands_for="niqe"),
    Metric("moire_energy", "Moire", "down", 2, ("truth", "asked"), partial(_asked, "moire_energy"),
           "Moire: what outputs differ by from the truth, in wavelengths of 4 to 40 pixels, rms in 8-bit levels; over the "
           "areas in which the truth is flat."),
    Metric("flat_noise", "Flat noise", "down", 2, ("truth", "asked"), partial(_asked, "flat_area_noise"),
           "Flat noise: the same below 4 pixels, as the standard deviation of white noise."),
    Metric("critic_auc", "Critic AUC", "down", 3, ("reference", "set", "captures"), _critic),
    Metric("drift", "drift", "", 3, ("input", "captures"), partial(_diagnostic, "drift")),
    Metric("residual", "residual", "", 3, ("input", "captures"), partial(_diagnostic, "residual")),
    Metric("sharpness", "sharpness", "", 3, ("reference", "captures"), partial(_diagnostic, "sharpness")),
)}


def known(name: str) -> Metric:
    """The metric of this name. A number of another name, such as a level of SWD, is a diagnostic with what its set needs."""
    whole = METRICS.get(name.rpartition("_")[0])
    return METRICS.get(name) or Metric(name, name, "", 4, whole.needs if whole else (), lambda scoring: None)


def is_level(name: str) -> bool:
    """Whether a score is a level of a metric, such as swd_0 of swd."""
    return name not in METRICS and name.rpartition("_")[0] in METRICS


def contests() -> list[str]:
    """The metrics in which rows can be better or worse, in reading order."""
    return [name for name, metric in METRICS.items() if metric.better]


def diagnostics() -> list[str]:
    """What is measured besides and is no contest."""
    return [name for name, metric in METRICS.items() if not metric.better]


def of_family(family: str) -> list[str]:
    """The metrics of a family, the one to prefer first."""
    return [name for name, metric in METRICS.items() if metric.family == family]


def asked_for() -> list[str]:
    """The metrics that are computed only for entries of `tests` that name them."""
    return [name for name, metric in METRICS.items() if "asked" in metric.needs]


def to_choose_by() -> list[str]:
    """The metrics that `select` can choose by: the lowest is the best, and no truth takes part."""
    return [name for name, metric in METRICS.items() if metric.better == "down" and "truth" not in metric.needs]


def check_metric(where: str, name: str, there: list[str]) -> None:
    """Raise ParamsError, which names `where` in params the name stands, unless it is one of the metrics `there`."""
    if name not in there:
        raise ParamsError(f"{where}: no such metric, there are {', '.join(there)}; got {name!r}")
