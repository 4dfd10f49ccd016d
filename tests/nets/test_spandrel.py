"""Beside the real package spandrel, where it is installed: what it makes of weights, and what it alone can read."""
import shutil
import sys

import pytest
import torch
from conftest import ROOT
from foreign import weights_of
from published import PUBLISHED
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.vision import mend_torchvision
from pipeline.nets.layouts.convert import converted_network
from pipeline.nets.layouts.names import recognise
from pipeline.nets.spandrel import spandrel_network
from pipeline.restore.network import load_network


@pytest.fixture(scope="module")
def spandrel():
    mend_torchvision()
    return pytest.importorskip("spandrel")


@pytest.mark.parametrize("which", ["compact x1", "compact x4", "nafnet"])
def test_ours_compute_what_spandrels_do(spandrel, which):
    state = weights_of(PUBLISHED[which][0])
    x = torch.rand(2, 3, 44, 36)
    with torch.no_grad():
        theirs = spandrel_network(state)(x)
        torch.testing.assert_close(converted_network(state, *recognise(state))(x), theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("arch, options", [
    ("SPAN", {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 8, "upscale": 2}),
    ("Compact", {"num_feat": 6, "num_conv": 2, "upscale": 2}),
    ("NAFNet", {"width": 4, "middle_blk_num": 1, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]})])
def test_the_command_imports_its_networks(spandrel, arch, options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    torch.manual_seed(0)
    theirs = getattr(sys.modules[f"spandrel.architectures.{arch}"], arch)(**options).eval()
    torch.save(theirs.state_dict(), "w.pth")
    done = CliRunner().invoke(app, ["import", "w.pth", "--as", "theirs"])
    assert done.exit_code == 0, done.output
    assert ("as spandrel has it" in done.output) == (arch == "SPAN")
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(load_network("models/theirs")(x), theirs(x), atol=1e-5, rtol=1e-5)
