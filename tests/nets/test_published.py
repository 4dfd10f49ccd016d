"""Weights of Compact, NAFNet and ESDNet by their authors' names: read into our networks, and written back."""
import shutil
import sys
from pathlib import Path

import onnxruntime
import pytest
import torch
from conftest import ROOT
from foreign import weights_of
from onnx_graphs import check_that_a_graph_computes_what_the_network_does
from published import PUBLISHED, Compact, ESDNet, NAFNet
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.nets.layouts.convert import converted_network, exported
from pipeline.nets.layouts.files import read_weights, write_weights
from pipeline.nets.layouts.names import recognise
from pipeline.restore.network import load_network


@pytest.mark.parametrize("which", PUBLISHED)
def test_an_imported_network_computes_what_the_original_does(which):
    theirs, found = PUBLISHED[which]
    state = weights_of(theirs)
    assert recognise(state) == found
    x = torch.rand(2, 3, 32, 64)
    ours = converted_network(state, *found)
    with torch.no_grad():
        wanted = theirs.forward(state, x)
        wanted = wanted[0] if isinstance(wanted, tuple) else wanted
        torch.testing.assert_close(ours(x), wanted, atol=1e-5, rtol=1e-5)
        assert wanted.std() > 0.03 and (wanted - wanted.mean()).abs().max() < 100


@pytest.mark.parametrize("which", PUBLISHED)
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_exported_and_imported_again_the_weights_are_the_same(which, ending, tmp_path):
    theirs, (project, arch, options) = PUBLISHED[which]
    state = weights_of(theirs)
    ours = converted_network(state, project, arch, options)
    write_weights(tmp_path / f"w{ending}", exported(ours, project, arch, options), None if arch == "esdnet" else "params")
    back = read_weights(tmp_path / f"w{ending}")
    assert set(back) == set(state) and all(torch.equal(back[key], value) for key, value in state.items())


def spoilt(theirs, **changes):
    state = weights_of(theirs)
    for key, value in changes.items():
        state[key.replace("__", ".")] = value
    return {key: value for key, value in state.items() if value is not None}


@pytest.mark.parametrize("state", [
    spoilt(Compact(2, 1, 4), body__1__weight=None),  # another activation than PReLU
    spoilt(Compact(2, 1, 4), body__0__weight=torch.zeros(4, 1, 3, 3)),  # grey
    spoilt(Compact(2, 1, 4), body__4__weight=torch.zeros(3 * 64, 4, 3, 3)),  # x8
    spoilt(Compact(2, 1, 4), body__1__weight=torch.zeros(4, 4, 3, 3)),  # convolutions alone
    spoilt(NAFNet(4, [1], 1, [1]), intro__weight=torch.zeros(4, 6, 3, 3)),  # two images
    spoilt(NAFNet(4, [1], 1, [1]), middle_blks__0__conv2__weight=None, middle_blks__0__w=torch.zeros(4)),  # KBNet
    spoilt(NAFNet(4, [1], 1, [1]), middle_blks__0__sca__1__weight=None),  # the authors' Baseline
])
def test_networks_with_similar_names_are_left_to_spandrel(state):
    assert recognise(state) is None


@pytest.mark.parametrize("theirs, changes, message", [
    (Compact(2, 2, 4), {"body__4__bias": None}, "key body.4.bias is missing"),
    (Compact(2, 2, 4), {"body__3__weight": torch.zeros(5)}, r"key body.3.weight has the shape \[5\], wanted \[4\]"),
    (NAFNet(4, [1, 1], 1, [1, 1]), {"encoders__1__0__beta": None}, "key encoders.1.0.beta is missing"),
    (NAFNet(4, [1], 1, [1]), {"middle_blks__0__conv4__weight": torch.zeros(12, 4, 1, 1)},
     r"conv4.weight has the shape \[12, 4, 1, 1\], wanted \[16, 8, 1, 1\]"),
    (ESDNet(4, 3, 4, 2, 1), {"encoder__encoder_1__rdb__conv_layers__0__conv__0__weight": None},
     "key encoder.encoder_1.rdb.conv_layers.0.conv.0.weight is missing"),
    (ESDNet(4, 3, 4, 2, 1), {"decoder__more__weight": torch.zeros(3)}, "key decoder.more.weight has no place"),
])
def test_wrong_keys_are_named(theirs, changes, message):
    state = spoilt(theirs, **changes)
    with pytest.raises(ValueError, match=message):
        converted_network(state, *recognise(state))


@pytest.mark.parametrize("which, layout, said", [
    ("compact x4", "realesrgan", ""), ("nafnet, small", "nafnet", "window is not in such files"), ("esdnet", "uhdm", "")])
def test_the_commands_import_and_export_them(which, layout, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "spandrel", None)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    theirs, (_, arch, options) = PUBLISHED[which]
    state = weights_of(theirs)
    torch.save({"params_ema": state}, "w.pth")

    def run(*arguments):
        done = CliRunner().invoke(app, list(arguments))
        assert done.exit_code == 0, done.output
        return done.output

    output = run("import", "w.pth", "--as", "theirs")
    assert f"models/theirs: {arch} as {layout} has it" in output and said in output
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        wanted = theirs.forward(state, x)
        wanted = wanted[0] if isinstance(wanted, tuple) else wanted
        torch.testing.assert_close(load_network("models/theirs")(x), wanted, atol=1e-5, rtol=1e-5)
    run("export", "theirs", "--to", layout, "-o", "back.pth")
    back = read_weights("back.pth")
    assert set(back) == set(state) and all(torch.equal(back[key], value) for key, value in state.items())
    run("export", "theirs", "--to", "onnx", "-o", "theirs.onnx")
    session = onnxruntime.InferenceSession("theirs.onnx", providers=["CPUExecutionProvider"])
    torch.testing.assert_close(torch.from_numpy(session.run(None, {"image": x.numpy()})[0]), wanted, atol=1e-5, rtol=1e-5)
    check_that_a_graph_computes_what_the_network_does(Path("theirs.onnx").read_bytes(), load_network("models/theirs"))
    text = Path("theirs.onnx.md").read_text()
    assert ("in tiles it comes out a little different" in " ".join(text.split())) == (arch != "compact")
