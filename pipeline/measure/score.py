"""Score outputs on a test set: numbers for what can be computed, reasons for what cannot.

PSNR, SSIM and LPIPS compare each output with its truth. NIQE scores each output by itself and SWD all of a test set
together, both against the reference: clean images that no training has seen. On captures a critic tells the outputs
from the reference, and the diagnostics compare each output with its input.
"""
import csv
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.core.files import replacing
from pipeline.core.progress import track
from pipeline.core.settings import Bench
from pipeline.images.shards import Shard
from pipeline.measure import critic, diagnostics, niqe, psnr, ssim, swd
from pipeline.measure.lpips import Lpips, MissingTrunk
from pipeline.measure.names import CONTROL_SETS, DIAGNOSTICS

DIGITS = 4
PER_IMAGE = ("psnr", "ssim", "lpips_alex", "niqe", *DIAGNOSTICS)
WITH_TRUTH = ("psnr", "ssim", "lpips_alex")
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
        with replacing(path, "w") as handle:
            writer = csv.DictWriter(handle, ["row", "test_set", "image", "scene", *PER_IMAGE], lineterminator="\n")
            writer.writeheader()
            for line in self.images:
                writer.writerow(line | {name: f"{line[name]:.{DIGITS}f}" for name in PER_IMAGE if name in line})


class Scorer:
    """The metrics, made ready once for all rows."""

    def __init__(self, settings: Bench, reference: Shard, trunks: Path | str, seed: int):
        self.settings, self.seed = settings, seed
        self.reasons: dict[str, str] = {}
        try:
            self.lpips = Lpips(trunks, net="alex")
        except MissingTrunk as reason:
            self.reasons["lpips_alex"] = str(reason)
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
            reasons |= dict.fromkeys(WITH_TRUTH, f"no truth: {targets.absent}")
        if test_set not in CONTROL_SETS:
            reasons = {metric: reason for metric, reason in reasons.items() if metric not in ON_CAPTURES}
        wanted = [metric for metric in PER_IMAGE
                  if metric not in reasons and (test_set in CONTROL_SETS or metric not in ON_CAPTURES)]
        found: dict[str, list[float]] = {metric: [] for metric in wanted}
        for i, image in enumerate(track(outputs.images, f"{row}: {test_set}, scoring", len(outputs))):
            line = {"row": row, "test_set": test_set, "image": image["name"], "scene": image["scene"]}
            for metric in wanted:
                try:
                    line[metric] = self._one(metric, outputs[i], None if targets.absent else targets[i], inputs[i])
                    found[metric].append(line[metric])
                except ValueError as error:
                    reasons.setdefault(metric, str(error))
            result.images.append(line)
        scores = {metric: float(np.mean(values)) for metric, values in found.items() if values}
        if "swd" not in reasons:
            try:
                sample = swd.sample(outputs, self.settings.swd_patches, self.seed)
                scores["swd"] = swd.distances(sample, self.reference, self.settings.swd_projections, self.seed)[1]
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

    def _one(self, metric: str, output: np.ndarray, target: np.ndarray | None, source: np.ndarray) -> float:
        if metric == "psnr":
            value = psnr.psnr(output, target, self.settings.border, self.settings.channel)
        elif metric == "ssim":
            value = ssim.ssim(output, target, self.settings.border, self.settings.channel)
        elif metric == "lpips_alex":
            value = self.lpips(output, target)
        elif metric == "drift":
            value = diagnostics.drift(output, source)
        elif metric == "residual":
            value = diagnostics.residual(output, source)
        elif metric == "sharpness":
            value = diagnostics.sharpness(output, self.pristine)
        else:
            value = niqe.score(output, self.niqe_model)
        if not math.isfinite(value):
            raise ValueError(f"{metric} is not finite (the output equals the truth)")
        return value

    def _sample(self, reference: Shard) -> None:
        self.reference = swd.sample(reference, self.settings.swd_patches, self.seed)

    def _fit(self, reference: Shard) -> None:
        self.niqe_model = niqe.fit(reference, self.settings.niqe_patch)

    def _cut(self, reference: Shard) -> None:
        self.critic_reference = critic.sample(reference, self.settings.critic_patch, self.seed)

    def _energy(self, reference: Shard) -> None:
        self.pristine = diagnostics.mean_energy(reference)
