"""Estimate the camera behind a set of captures: `python -m pipeline.stages.calibrate KEY`, an entry of `calibrations`.

Beside data/calibrations it writes what to look at, metrics/calibrations/KEY.csv and KEY.png.
"""
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import replacing, write_json
from pipeline.degrade.bicubic import downscale
from pipeline.degrade.calibrate import calibrate
from pipeline.degrade.spectra import CHANNELS
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
    estimate = calibrate(captures, reduced, entry)
    write_json(Path("data/calibrations", key, "estimate.json"), asdict(estimate))
    with replacing(Path("metrics/calibrations", f"{key}.csv"), "w") as handle:
        pd.concat(pd.DataFrame({
            "channel": name, "frequency": estimate.frequency, "measured": estimate.measured[i],
            "transfer": np.multiply(estimate.bump[i], estimate.tail[i]), "noise": np.sqrt(estimate.noise[i])})
            for i, name in enumerate(CHANNELS)).to_csv(handle, index=False, float_format="%.6g", lineterminator="\n")
    draw_calibration(estimate, Path("metrics/calibrations", f"{key}.png"), key)
    qualities = f"JPEG quality {estimate.quality[0]} to {estimate.quality[-1]} in {len(estimate.quality)} of them" \
        if estimate.quality else "no JPEG grid found"
    print(f"calibrate@{key}: {len(captures)} captures, {len(clean)} clean images; white noise {estimate.white:.2f} levels; "
          f"{qualities}")


if __name__ == "__main__":
    run_stage(main)
