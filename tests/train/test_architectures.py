"""Stage 1 and the command speed with the architectures that have a size of their own in training."""
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import smooth_image, write_shard
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.restore.manifest import read_manifest
from pipeline.restore.model import model_of
from pipeline.restore.network import load_network
from pipeline.restore.tiles import restore
from pipeline.stages import stage1
from pipeline.train import speed

SMALL = {
    "compact": {"scale": 1, "layers": 1, "features": 6, "start": "nearest"},
    "nafnet": {"features": 4, "encoder": [1, 1], "middle": 1, "decoder": [1, 1], "window": 18, "start": "identity"},
    "esdnet": {"features": 12, "inner": 2, "decoder_features": 12, "decoder_inner": 2, "start": "identity"}}

STEPS = {"loss": "charbonnier", "steps": 60, "validate_every": 20, "lr": 0.005}
FEWER = {"esdnet": {"steps": 24, "validate_every": 8}}  # it learns in fewer, which take it longer


@pytest.mark.parametrize("arch", SMALL)
def test_stage_1_trains_it_and_speed_measures_it(tiny_project, monkeypatch, arch):
    draw = np.random.default_rng(5)
    for split, count in (("train", 3), ("val", 1)):
        images = {f"{split}{i}": smooth_image(draw, 21 + i, 33) for i in range(count)}
        write_shard(Path("data/pairs/sr/inputs", split), images)
        write_shard(Path("data/pairs/sr/targets", split), {name: 255 - image for name, image in images.items()})
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["networks"]["sr-edsr"] |= {"arch": arch, "options": SMALL[arch], "stage1": STEPS | FEWER.get(arch, {})}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    stage1.main("sr-edsr")
    assert read_manifest("models/sr-edsr")["arch"] == arch
    header, *rows = (line.split(",") for line in Path("metrics/curves/sr-edsr.csv").read_text().splitlines())
    losses = [float(row[header.index("fidelity")]) for row in rows]
    assert losses[-1] < 0.9 * losses[0]
    image = smooth_image(draw, 37, 45)
    assert restore(model_of(load_network("models/sr-edsr")), image).shape == image.shape
    monkeypatch.setattr(speed, "WARM_UP", 0)
    done = CliRunner().invoke(app, ["speed", "sr-edsr", "--rounds", "1"])
    assert done.exit_code == 0 and "The fastest on" in done.output, done.output
