"""The inverse of a camera's own sharpening as a network: `python -m pipeline.stages.unsharpen KEY`, an entry of `unsharpens`.

Its response is 1 / max(A, 1) for the luma gain A of the calibration. Where A does not exceed 1 by more than its interval, the
network changes nothing, and says so. Where no camera could be estimated there is no network.
"""
from pathlib import Path

import torch

from pipeline.core import params
from pipeline.core.edge import run_stage
from pipeline.core.files import read_json
from pipeline.degrade.transfer_estimate import Transfer
from pipeline.nets.build import build
from pipeline.nets.unsharpen import inverse_filter, weights_of
from pipeline.restore.manifest import save_absent
from pipeline.restore.network import save_network

SIZE = 31  # pixels


def main(key: str) -> None:
    calibration = params.load().entry("unsharpens", key).calibration
    transfer = Transfer(**read_json(Path("data/calibrations", calibration, "transfer.json")))
    if transfer.refused:
        save_absent(Path("models", key), f"calibrations.{calibration}: {transfer.in_words()}")
        print(f"{key}: not made: {transfer.in_words()}", flush=True)
        return
    options = {"size": SIZE}
    network, error = build("unsharpen", options), 0.0
    if transfer.sharpens:
        kernel, error = inverse_filter(transfer.frequency, transfer.gain, SIZE)
        network.filter.weight.data = torch.tensor(weights_of(kernel), dtype=torch.float32)
        print(f"{key}: {transfer.in_words()}; taken back to within {error:.3f} of that", flush=True)
    else:
        print(f"{key}: changes nothing: {transfer.in_words()}", flush=True)
    save_network(Path("models", key), network.requires_grad_(False), "unsharpen", options, {
        "calibration": calibration, "identity": not transfer.sharpens, "gain": transfer.gain[transfer.peak],
        "gain_low": transfer.low[transfer.peak], "gain_high": transfer.high[transfer.peak], "largest_error": error})


if __name__ == "__main__":
    run_stage(main)
