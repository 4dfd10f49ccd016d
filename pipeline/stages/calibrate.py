"""Estimate the camera behind a set of captures: `python -m pipeline.stages.calibrate KEY`, an entry of `calibrations`.

Beside data/calibrations/KEY/estimate.json, which recipes of kind calibrated draw around, and transfer.json, the luma transfer
with intervals, it writes what to look at: metrics/calibrations/KEY.json, KEY.csv and KEY.png.
"""
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import replacing, write_json
from pipeline.degrade.bicubic import downscale
from pipeline.degrade.calibrate import Estimate, calibrate
from pipeline.degrade.spectra import CHANNELS, radial_power
from pipeline.degrade.transfer_estimate import Transfer, estimate_transfer
from pipeline.images.shards import Shard
from pipeline.report.calibration import draw_calibration


def main(key: str) -> None:
    entry = params.load().entry("calibrations", key)
    captures, clean = (Shard(Path("data/sets", name, "train")) for name in (entry.captures, entry.clean))
    for name, shard in ((entry.captures, captures), (entry.clean, clean)):
        if not len(shard):
            raise ValueError(f"the set {name} has no train images to estimate a camera from ({shard.absent or 'empty'})")
    reduced = clean if entry.scale == 1 else [
        downscale(image[: image.shape[0] // entry.scale * entry.scale, : image.shape[1] // entry.scale * entry.scale],
                  entry.scale) for image in clean]
    powers, clean_powers = radial_power(captures, entry.block), radial_power(reduced, entry.block)
    estimate = calibrate(captures, reduced, powers, clean_powers, entry)
    transfer = estimate_transfer(powers, clean_powers)
    write_json(Path("data/calibrations", key, "estimate.json"), asdict(estimate))
    write_json(Path("data/calibrations", key, "transfer.json"), asdict(transfer))
    write_json(Path("metrics/calibrations", f"{key}.json"), numbers(transfer))
    with replacing(Path("metrics/calibrations", f"{key}.csv"), "w") as handle:
        curves(estimate, transfer).to_csv(handle, index=False, float_format="%.6g", lineterminator="\n")
    draw_calibration(estimate, transfer, Path("metrics/calibrations", f"{key}.png"), key)
    qualities = f"JPEG quality {estimate.quality[0]} to {estimate.quality[-1]} in {len(estimate.quality)} of them" \
        if estimate.quality else "no JPEG grid found"
    print(f"calibrate@{key}: {len(captures)} captures, {len(clean)} clean images; white noise {estimate.white:.2f} levels; "
          f"{qualities}")
    print(f"calibrate@{key}: luma: {transfer.in_words()}")


def numbers(transfer: Transfer) -> dict:
    """The parameters and their intervals, as `dvc metrics` shows and compares them."""
    others = {"residual": transfer.residual, "gain_at_peak": max(transfer.gain), "sharpens": transfer.sharpens,
              "aliased": transfer.aliased, "refused": transfer.refused}
    return transfer.parameters | others


def curves(estimate: Estimate, transfer: Transfer) -> pd.DataFrame:
    """A line per channel and frequency; what is known of luma alone is empty in the others."""
    tables = [pd.DataFrame({
        "channel": name, "frequency": estimate.frequency, "measured": estimate.measured[i],
        "transfer": np.multiply(estimate.bump[i], estimate.tail[i]), "noise": np.sqrt(estimate.noise[i])})
        for i, name in enumerate(CHANNELS)]
    for name in ("gain", "low", "high", "sharpening", "softness", "stray"):
        tables[0][name] = getattr(transfer, name)
    return pd.concat(tables)


if __name__ == "__main__":
    run_stage(main)
