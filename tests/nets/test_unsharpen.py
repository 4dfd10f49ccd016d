"""The inverse of a camera's own sharpening: the filter, the network and the stage."""
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import change, smooth_image
from networks import check_that_the_radius_is_the_receptive_field, check_that_tiles_give_what_the_whole_image_gives

from pipeline.core.graph import graph
from pipeline.core.params import load
from pipeline.degrade.spectra import frequencies, to_ycc
from pipeline.degrade.transfer import Fit
from pipeline.degrade.transfer_estimate import Transfer
from pipeline.nets.build import build
from pipeline.nets.unsharpen import inverse_filter, weights_of
from pipeline.restore.manifest import AbsentNetwork, read_manifest
from pipeline.restore.named import named
from pipeline.restore.network import load_network
from pipeline.restore.tiles import restore
from pipeline.stages import unsharpen as stage

F = frequencies(128)
FIT = Fit(sharpening=0.35, onset=0.05, softness=3.3, incoherent=0.1, aliased=False, level=1.0, residual=0.01, end=0.2)
GAIN = FIT.gain(F)
TRANSFER = Transfer(
    parameters={"softness": {"value": 3.3, "low": 3.1, "high": 3.5}}, frequency=F.tolist(), measured=GAIN.tolist(),
    gain=GAIN.tolist(), low=(0.95 * GAIN).tolist(), high=(1.05 * GAIN).tolist(), sharpening=FIT.sharpened(F).tolist(),
    softness=(GAIN / FIT.sharpened(F)).tolist(), stray=FIT.stray(F).tolist(), aliased=False, residual=0.01, end=0.2,
    captures=9, clean=9, refused="")


def network(gain=GAIN):
    made = build("unsharpen", {"size": 31})
    kernel, _ = inverse_filter(F.tolist(), list(gain), 31)
    made.filter.weight.data = torch.tensor(weights_of(kernel), dtype=torch.float32)
    return made.requires_grad_(False).eval()


@pytest.mark.parametrize("f", [0.008, 0.03, 0.06, 0.1, 0.15, 0.4])
def test_waves_are_divided_by_the_cameras_gain_where_it_exceeds_one(f):
    wanted = 1 / max(np.interp(f, F, GAIN), 1)
    x = torch.arange(600) * torch.tensor([[0.6], [0.8]]) * 2 * torch.pi * f  # a wave that runs across rows and columns
    wave = 0.2 * torch.cos(x[0][:, None] + x[1][None])[None, None].expand(1, 3, -1, -1)
    middle = np.s_[:, :, 40:-40, 40:-40]
    answer = network()(0.5 + wave)[middle] - 0.5
    gain = (answer * wave[middle]).sum() / wave[middle].square().sum()
    assert float(gain) == pytest.approx(wanted, abs=0.02)


def test_the_filter_is_within_a_hundredth_where_the_gain_has_no_corner():
    mild = Fit(0.2, 0.08, 2.5, 0.1, False, 1.0, 0.01, 0.2).gain(F)
    kernel, error = inverse_filter(F.tolist(), mild.tolist(), 31)
    assert kernel.shape == (31, 31) and error < 0.01 and kernel.sum() == pytest.approx(1)
    assert inverse_filter(F.tolist(), GAIN.tolist(), 31)[1] < 0.02


def test_chroma_and_flat_places_stay():
    image = smooth_image(np.random.default_rng(0), 70, 81)
    x = torch.tensor(image / 255, dtype=torch.float32).permute(2, 0, 1)[None]
    before, after = (to_ycc(values[0].permute(1, 2, 0).numpy()) for values in (x, network()(x)))
    np.testing.assert_allclose(after[..., 1:], before[..., 1:], atol=1e-6)
    assert np.abs(after[..., 0] - before[..., 0]).max() > 0.01
    flat = torch.full((1, 3, 40, 50), 0.3)
    torch.testing.assert_close(network()(flat), flat)


def test_it_sees_fifteen_pixels_and_tiles_do_not_show():
    small = build("unsharpen", {"size": 15})
    torch.nn.init.normal_(small.filter.weight)
    check_that_the_radius_is_the_receptive_field(small)
    assert network().radius == 15
    check_that_tiles_give_what_the_whole_image_gives(network())
    with pytest.raises(ValueError, match="size is 30, wanted an odd number"):
        build("unsharpen", {"size": 30})


@pytest.fixture
def camera(tiny_project):
    change(unsharpens={"back": {"calibration": "sr"}})

    def write(transfer):
        folder = tiny_project / "data/calibrations/sr"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "transfer.json").write_text(json.dumps(asdict(transfer)))

    return write


def test_the_stage_makes_a_network_that_restores(camera, capsys):
    camera(TRANSFER)
    stage.main("back")
    manifest = read_manifest(Path("models/back"))
    assert manifest["arch"] == "unsharpen" and manifest["radius"] == 15 and manifest["made"]["identity"] is False
    assert manifest["made"]["largest_error"] < 0.02 and "taken back" in capsys.readouterr().out
    image = smooth_image(np.random.default_rng(0), 60, 53)
    assert np.abs(restore(named("back"), image, "float32") - image / 255).max() > 0.01
    weights = load_network(Path("models/back")).filter.weight
    assert torch.equal(weights, network().filter.weight)


def test_without_sharpening_beyond_its_interval_it_changes_nothing_and_says_so(camera, capsys):
    camera(replace(TRANSFER, low=(0.8 * GAIN).tolist()))
    stage.main("back")
    image = smooth_image(np.random.default_rng(0), 60, 53)
    assert (restore(named("back"), image, "uint8") == image).all()
    assert read_manifest(Path("models/back"))["made"]["identity"] is True and "changes nothing" in capsys.readouterr().out


def test_a_gain_that_no_camera_has_is_not_taken_back(camera, capsys):
    much = 1.7 / GAIN.max()
    camera(replace(TRANSFER, **{name: (much * np.array(getattr(TRANSFER, name))).tolist() for name in ("gain", "low", "high")}))
    stage.main("back")
    assert read_manifest(Path("models/back"))["made"]["identity"] is True
    said = capsys.readouterr().out
    assert "changes nothing" in said and "of another kind than the captures" in said


def test_without_a_camera_there_is_no_network_and_the_reason_is_kept(camera):
    camera(replace(TRANSFER, refused="photographs of screens are like that"))
    stage.main("back")
    with pytest.raises(AbsentNetwork, match="calibrations.sr: no camera .* photographs of screens"):
        read_manifest(Path("models/back"))


def test_truth_reaches_it_by_its_calibration_alone(tiny_project):
    change(unsharpens={"back": {"calibration": "sr"}, "told": {"calibration": "with-truth"}},
           calibrations={"with-truth": {"captures": "sr-captures", "clean": "sr-truth", "scale": 1}},
           chains={"both": {"first": "back", "then": "sr-edsr"}})
    lineage = graph(load())
    assert not lineage.truth("back") and not lineage.truth("both") and "sr-truth" in lineage.truth("told")
    assert lineage.nodes["back"].stage == "unsharpen@back" and lineage.links("both") == ("back", "sr-edsr")
