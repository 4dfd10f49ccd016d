"""All metrics, in reading order: what is scored, shown in tables and on the page, compared between seeds, and chosen by."""
from pipeline.core.params import ParamsError
from pipeline.score.metric import Metric
from pipeline.score.metrics.critic import CRITIC_AUC
from pipeline.score.metrics.diagnostics import DRIFT, RESIDUAL, SHARPNESS
from pipeline.score.metrics.flat import FLAT_NOISE, MOIRE_ENERGY
from pipeline.score.metrics.lpips import LPIPS_ALEX, LPIPS_SQUEEZE, LPIPS_VGG
from pipeline.score.metrics.niqe import NIQE, NIQE_PUBLISHED
from pipeline.score.metrics.psnr import PSNR, PSNR_ALIGNED, PSNR_Y
from pipeline.score.metrics.ssim import SSIM, SSIM_Y
from pipeline.score.metrics.swd import SWD

METRICS: dict[str, Metric] = {metric.name: metric for metric in (
    PSNR,
    PSNR_ALIGNED,
    SSIM,
    PSNR_Y,
    SSIM_Y,
    LPIPS_ALEX,
    LPIPS_VGG,
    LPIPS_SQUEEZE,
    SWD,
    NIQE,
    NIQE_PUBLISHED,
    MOIRE_ENERGY,
    FLAT_NOISE,
    CRITIC_AUC,
    DRIFT,
    RESIDUAL,
    SHARPNESS,
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
