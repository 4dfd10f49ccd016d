"""Score outputs on a test set: numbers for what can be computed, reasons for what cannot.

PSNR, SSIM and LPIPS compare each output with its truth. NIQE scores each output by itself and SWD all of a test set
together, both against the reference: clean images that no training has seen. `niqe_published` scores against the authors'
own model instead. On captures a critic tells the outputs from the reference, and the diagnostics compare each output with
its input. Some metrics are computed for test sets that ask for them alone.
"""
import csv
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.core.files import replacing
from pipeline.core.progress import track
from pipeline.core.settings import Bench
from pipeline.images.shards import Shard
from pipeline.measure import critic, diagnostics, niqe, psnr, ssim, swd
from pipeline.measure.aligned_psnr import aligned_psnr
from pipeline.measure.flat_noise import flat_area_noise
from pipeline.measure.lpips import Lpips, MissingTrunk
from pipeline.measure.moire_energy import moire_energy
from pipeline.measure.names import CONTROL_SETS, DIAGNOSTICS, WHEN_ASKED

DIGITS = 4
PER_IMAGE = (
    "psnr",
    "ssim",
    "psnr_y",
    "ssim_y",
    "lpips_alex",
    "lpips_vgg",
    "lpips_squeeze",
    "niqe",
    "niqe_published",
    *WHEN_ASKED,
    *DIAGNOSTICS,
)
"""The columns of metrics/images, those of WHEN_ASKED only where there are any."""
SUFFIX = {"rgb": "", "y": "_y"}
WITH_TRUTH = ("psnr", "ssim", "psnr_y", "ssim_y", "lpips_alex", "lpips_vgg", "lpips_squeeze", *WHEN_ASKED)
ASKED = {"psnr_aligned": aligned_psnr, "moire_energy": moire_energy, "flat_noise": flat_area_noise}
ON_CAPTURES = ("critic_auc", *DIAGNOSTICS)
"""What is computed on CONTROL_SETS alone."""


@dataclass
class Result:
    """Scores of some rows, what is missing and why, and a line per row, test set and image."""
    rows: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    absent: list[dict[str, str]] = field(default_factory=list)
    images: list[dict] = field(default_factory=list)

    def miss(self, row: str, test_set: str, metric: str, reason: str) -> None:
        """Note that something was not computed; `*` stands for all."""
        self.absent.append({"row": row, "test_set": test_set, "metric": metric, "reason": reason})

    def without_truth(self, rows: list[str], test_set: str) -> dict:
        """What is known of `rows` on a test set without its truth: `rows`, row -> metric -> value, and what is `absent`."""
        scores = {row: self.rows[row][test_set] for row in rows if test_set in self.rows.get(row, {})}
        return {"rows": {row: {metric: value for metric, value in values.items() if metric not in WITH_TRUTH}
                         for row, values in scores.items()},
                "absent": [item for item in self.absent if item["row"] in rows and item["test_set"] in (test_set, "*")
                           and item["metric"] not in WITH_TRUTH]}

    def write_images(self, path: Path | str) -> None:
        """The line per image as CSV; what was not computed is an empty field."""
        columns = [name for name in PER_IMAGE if name not in WHEN_ASKED or any(name in line for line in self.images)]
        with replacing(path, "w") as handle:
            writer = csv.DictWriter(handle, ["row", "test_set", "image", "scene", *columns], lineterminator="\n")
            writer.writeheader()
            for line in self.images:
                writer.writerow(line | {name: f"{line[name]:.{DIGITS}f}" for name in columns if name in line})


class Scorer:
    """The metrics, made ready once for all rows. `threads` images are scored at a time, whose scores do not depend on it."""

    def __init__(self, settings: Bench, reference: Shard, trunks: Path | str, device="cpu", asked: tuple[str, ...] = (),
                 threads: int = 1):
        self.settings, self.seed, self.threads = settings, settings.seed, threads
        self.paired: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {}
        """Metric -> of an output and its truth."""
        self.single: dict[str, Callable[[np.ndarray], float]] = {}
        """Metric -> of an output."""
        self.captured = {"drift": diagnostics.drift, "residual": diagnostics.residual}
        """Metric -> of an output and its input, on captures."""
        self.reasons: dict[str, str] = {}
        for channel in settings.channels:
            how = {"border": settings.border, "channel": channel, "round_luma": settings.round_luma}
            self.paired["psnr" + SUFFIX[channel]] = partial(psnr.psnr, **how)
            self.paired["ssim" + SUFFIX[channel]] = partial(ssim.ssim, **how)
        for metric in asked:
            self.paired[metric] = partial(ASKED[metric], border=settings.border)
        for net in settings.lpips:
            try:
                self.paired[f"lpips_{net}"] = Lpips(trunks, net, device)
            except MissingTrunk as reason:
                self.reasons[f"lpips_{net}"] = str(reason)
        try:
            self.single["niqe_published"] = partial(niqe.score, model=niqe.published(trunks))
        except FileNotFoundError as reason:
            self.reasons["niqe_published"] = str(reason)
        if reference.absent:
            self.reasons |= dict.fromkeys(("swd", "niqe", "critic_auc", "sharpness"), f"no clean reference: {reference.absent}")
            return
        for metric, prepare in (("swd", self._sample), ("niqe", self._fit), ("critic_auc", self._cut),
                                ("sharpness", self._energy)):
            try:
                prepare(reference)
            except ValueError as error:
                self.reasons[metric] = f"the clean reference does not do: {error}"

    def score(self, result: Result, row: str, test_set: str, inputs: Shard, outputs: Shard, targets: Shard) -> None:
        """Add the scores of a row's outputs (uint8) on one test set to `result`.

        Images for which a metric does not exist (an infinite PSNR, too few patches for NIQE) are left out of its mean,
        and the result says so.
        """
        reasons = dict(self.reasons)
        if targets.absent:
            reasons |= dict.fromkeys(self.paired, f"no truth: {targets.absent}")
        if test_set not in CONTROL_SETS:
            reasons = {metric: reason for metric, reason in reasons.items() if metric not in ON_CAPTURES}
        found: dict[str, list[float]] = {}

        def scored(i: int) -> tuple[dict[str, float], dict[str, str]]:
            calls = {metric: partial(measure, outputs[i]) for metric, measure in self.single.items()}
            if test_set in CONTROL_SETS:
                calls |= {metric: partial(measure, outputs[i], inputs[i]) for metric, measure in self.captured.items()}
            if not targets.absent:
                calls |= {metric: partial(measure, outputs[i], targets[i]) for metric, measure in self.paired.items()}
            return _computed(calls)

        with ThreadPoolExecutor(self.threads) as pool:  # NumPy and SciPy let go of Python while they work
            lines = track(pool.map(scored, range(len(outputs))), f"{row}: {test_set}, scoring", len(outputs))
            for image, (values, failed) in zip(outputs.images, lines, strict=True):
                line = {"row": row, "test_set": test_set, "image": image["name"], "scene": image["scene"]}
                result.images.append(line | values)
                for metric, value in values.items():
                    found.setdefault(metric, []).append(value)
                for metric, reason in failed.items():
                    reasons.setdefault(metric, reason)
        scores = {metric: float(np.mean(values)) for metric, values in found.items()}
        if "swd" not in reasons:
            try:
                scores |= self._swd(outputs)
            except ValueError as error:
                reasons["swd"] = str(error)
        if test_set in CONTROL_SETS and "critic_auc" not in reasons:
            try:
                sample = critic.sample(outputs, self.settings.critic_patch, self.seed)
                scores["critic_auc"] = critic.critic_auc(sample, self.critic_reference, self.settings, self.seed)
            except ValueError as error:
                reasons["critic_auc"] = str(error)
        if scores:
            rounded = {metric: round(value, DIGITS) for metric, value in scores.items()}
            result.rows.setdefault(row, {})[test_set] = rounded
        for metric, reason in reasons.items():
            if values := found.get(metric):
                reason = f"{len(outputs) - len(values)} of {len(outputs)} images are left out of the mean: {reason}"
            result.miss(row, test_set, metric, reason)

    def _sample(self, reference: Shard) -> None:
        self.reference = swd.sample(reference, self.settings.swd_patches, self.seed)

    def _fit(self, reference: Shard) -> None:
        self.single["niqe"] = partial(niqe.score, model=niqe.fit(reference, self.settings.niqe_patch))

    def _cut(self, reference: Shard) -> None:
        self.critic_reference = critic.sample(reference, self.settings.critic_patch, self.seed)

    def _energy(self, reference: Shard) -> None:
        pristine = diagnostics.mean_energy(reference)
        self.captured["sharpness"] = lambda output, source: diagnostics.sharpness(output, pristine)

    def _swd(self, outputs: Shard) -> dict[str, float]:
        """The mean over the band-pass levels, and every level."""
        sample = swd.sample(outputs, self.settings.swd_patches, self.seed)
        levels, mean = swd.distances(sample, self.reference, self.settings.swd_projections, self.seed)
        return {"swd": mean} | {f"swd_{level}": distance for level, distance in levels.items()}


def _computed(calls: dict[str, Callable[[], float]]) -> tuple[dict[str, float], dict[str, str]]:
    """The metrics of an image, and why others do not exist for it."""
    values, failed = {}, {}
    for metric, measure in calls.items():
        try:
            values[metric] = _finite(measure(), metric)
        except ValueError as error:
            failed[metric] = str(error)
    return values, failed


def _finite(value: float, metric: str) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{metric} is not finite (the output equals the truth)")
    return value
