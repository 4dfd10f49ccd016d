"""The commands import and export, the files they read and write, and what goes on from an imported network."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import foreign
import pytest
import torch
import warm
import yaml
from conftest import ROOT, change
from foreign import EDSR, weights_of
from torch import nn
from torch.nn import functional as F
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.compare.scores import Scores
from pipeline.core.graph import graph
from pipeline.core.params import load
from pipeline.nets.layouts.files import read_weights, write_weights
from pipeline.report.costs import section
from pipeline.restore.manifest import read_manifest
from pipeline.restore.model import model_of
from pipeline.restore.named import read_row
from pipeline.restore.network import load_network
from pipeline.score.cost import training_flop
from pipeline.stages import convert, label, stage2


@pytest.mark.parametrize("state, message", [
    ({"params": {"a": torch.ones(1)}, "params_ema": {"a": torch.zeros(1)}}, None),
    ({"module.a": torch.zeros(1)}, None),
    ({"state_dict": {"a": torch.zeros(1)}, "epoch": 3}, None),
    ({"params_ema": {}, "params": {"a": torch.zeros(1)}}, None),
    ({"params-ema": {"a": torch.zeros(1)}, "params": {"a": torch.ones(1)}}, None),
    ({"model": {"a": torch.zeros(1)}, "optimizer": {"state": {}}, "epoch": 3}, None),
    ({"model_state_dict": {"module.a": torch.zeros(1)}, "loss": 0.1}, None),
    ({"model": {"state_dict": {"a": torch.zeros(1)}}}, None),
    ({"net_g": {"a": torch.zeros(1)}, "net_d": {"b": torch.zeros(1)}}, None),
    ({"_orig_mod.a": torch.zeros(1)}, None),
    ({"net_g.a": torch.zeros(1)}, None),
    ({"n_averaged": torch.tensor(7), "module.a": torch.zeros(1)}, None),
    ({"module._orig_mod.a": torch.zeros(1)}, None),
    ({"_orig_mod.module.a": torch.zeros(1)}, None),
    ({"state_dict": {"net_g._orig_mod.a": torch.zeros(1)}}, None),
    ({"params_ema": {}}, "w.pth: key params_ema holds a dict, wanted a tensor"),
    ({"a": torch.zeros(1), "epoch": 3}, "w.pth: key epoch holds a int, wanted a tensor"),
    ([torch.zeros(1)], "w.pth: holds a list, wanted a dict of tensors"),
    ({}, "w.pth: holds no tensors"),
])
def test_what_a_file_may_hold(tmp_path, state, message):
    torch.save(state, tmp_path / "w.pth")
    if message:
        with pytest.raises(ValueError, match=message):
            read_weights(tmp_path / "w.pth")
    else:
        assert read_weights(tmp_path / "w.pth") == {"a": torch.zeros(1)}


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.safetensors"])
@pytest.mark.parametrize("content, message", [
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 6229733\n", "a pointer of Git LFS"),
    (b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title>", "a web page"),
    (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a web page"),
])
def test_what_a_failed_download_leaves_is_named_as_what_it_is(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name}: {message}"):
        read_weights(tmp_path / name)
    if name.endswith(".safetensors"):
        with pytest.raises(ValueError, match=f"{name}: {message}"):
            read_row(tmp_path / name)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


def test_a_pickle_with_code_is_refused_by_name_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.zeros(1), "b": Trap()}, "trap.pth")
    torch.save(nn.Conv2d(1, 1, 1), "whole.pth")
    torch.jit.script(nn.Conv2d(1, 1, 1)).save("script.pt")
    with pytest.raises(ValueError, match=f"trap.pth: refused: this pickle wants to call {os.mkdir.__module__}.mkdir"):
        read_weights("trap.pth")
    with pytest.raises(ValueError, match="whole.pth: refused: .* call torch.nn.modules.conv.Conv2d, .*state_dict"):
        read_weights("whole.pth")
    with pytest.raises(ValueError, match="script.pt: refused: a TorchScript archive"):
        read_weights("script.pt")
    assert not Path("sprung").exists()


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_damaged_files_are_named(tmp_path, name):
    write_weights(tmp_path / name, {"a": torch.rand(50)})
    whole = (tmp_path / name).read_bytes()
    for damaged in (b"", b"\x80\x02garbage", whole[: len(whole) // 2]):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{name}: n"):
            read_weights(tmp_path / name)
    with pytest.raises(ValueError, match="b.pth: no such file of weights"):
        read_weights(tmp_path / "b.pth")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    torch.save(weights_of(EDSR), "edsr.pt")
    return tmp_path


def test_the_command_makes_the_network_and_its_entry(project):
    before = Path("params.yaml").read_text()
    result = run("import", "edsr.pt", "--as", "edsr-official")
    assert result.exit_code == 0, result.output
    assert "res_scale" in result.output
    assert "`start: edsr-official` and `teacher: edsr-official`" in result.output and "sr-edsr" in result.output
    after = Path("params.yaml").read_text()
    entry = ("imports:\n  edsr-official:\n    file: edsr.pt\n    layout: edsr-pytorch\n    arch: edsr\n    options:\n"
             "      scale: 4\n      blocks: 2\n      features: 6\n      res_scale: 1.0\n")
    assert after == before.replace("imports: {}\n", entry)
    made = {file: (project / "models/edsr-official" / file).read_bytes() for file in ("network.safetensors", "manifest.json")}
    assert str(project).encode() not in made["manifest.json"]
    shutil.rmtree("models")
    convert.main("edsr-official")  # as `dvc repro` does
    assert made == {file: (project / "models/edsr-official" / file).read_bytes() for file in made}
    x = torch.rand(1, 3, 6, 5)
    with torch.no_grad():
        wanted = EDSR.forward(weights_of(EDSR), x)
        torch.testing.assert_close(load_network("models/edsr-official")(x), wanted, atol=1e-5, rtol=0)

    again = run("import", "edsr.pt", "--as", "edsr-official")
    assert again.exit_code == 1 and "edsr-official: there is a network of this name" in again.output
    assert run("import", "edsr.pt", "--as", "second").exit_code == 0
    assert list(load().imports) == ["edsr-official", "second"]
    back = run("export", "edsr-official", "--to", "basicsr", "-o", "out/b.pth")
    assert back.exit_code == 0 and "out/b.pth: basicsr's edsr, blocks 2, features 6, res_scale 1.0, scale 4" in back.output
    assert set(torch.load("out/b.pth")["params"]) == set(foreign.BasicSREDSR(4, 2, 6).make())


def test_dvc_makes_it_again_and_only_once(project):
    shutil.copytree(ROOT / "pipeline", "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / ".dvc", ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copy(ROOT / "dvc.yaml", "dvc.yaml")
    shutil.copy(ROOT / ".gitignore", ".gitignore")
    subprocess.run(["git", "init", "-q"], check=True)
    assert run("import", "edsr.pt", "--as", "edsr-official").exit_code == 0
    made = Path("models/edsr-official/network.safetensors").read_bytes()
    env = os.environ | {"DVC_NO_ANALYTICS": "1"} | warm.environment()
    for said in ("Running stage 'convert@edsr-official'", "didn't change, skipping"):
        done = subprocess.run(["dvc", "repro", "convert@edsr-official"], env=env, capture_output=True, text=True)
        assert done.returncode == 0 and said in done.stdout, done.stdout + done.stderr
        assert Path("models/edsr-official/network.safetensors").read_bytes() == made


@pytest.mark.parametrize("arguments, message", [
    (("edsr.pt", "--as", "sr-edsr-gan"), "sr-edsr-gan: there is a network of this name"),
    (("edsr.pt", "--as", "a/b"), "imports.a/b"),
    (("none.pt", "--as", "x"), "error: none.pt: no such file of weights"),
    (("bad.pt", "--as", "x"), "error: bad.pt: key tail.1.bias is missing"),
    (("nan.pt", "--as", "x"), "weight head.0.bias is not finite"),
    (("other.pt", "--as", "x"), "other.pt: none of the layouts that can be read without .* spandrel.*pip install spandrel"),
])
def test_a_refused_import_leaves_everything_as_it_was(project, monkeypatch, arguments, message):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    state = weights_of(EDSR)
    torch.save({"conv.weight": torch.ones(1)}, "other.pt")
    torch.save(state | {"head.0.bias": torch.full((6,), float("nan"))}, "nan.pt")
    del state["tail.1.bias"]
    torch.save(state, "bad.pt")
    before = Path("params.yaml").read_text()
    result = run("import", *arguments)
    assert result.exit_code == 1 and len(result.output.strip().splitlines()) == 1, result.output
    assert re.search(message, result.output)
    assert Path("params.yaml").read_text() == before and not list(Path(".").glob("models/*/*"))


def test_labelling_and_stage_2_go_on_from_an_imported_network(tiny_project):
    torch.save(weights_of(foreign.RCAN(2, 1, 1, 6, 2)), "rcan.pth")
    assert run("import", "rcan.pth", "--as", "rcan-official").exit_code == 0
    values = yaml.safe_load(Path("params.yaml").read_text())
    change(systems={"sr-edsr": values["systems"]["sr-edsr"] | {"start": "rcan-official", "teacher": "rcan-official"}})
    label.main("systems", "sr-edsr")
    stage2.main("stage2", "sr-edsr")
    manifest = read_manifest("models/sr-edsr-stage2")
    assert manifest["arch"] == "rcan" and manifest["made"]["start_weights"] == read_manifest("models/rcan-official")["weights"]
    start, end = (load_network(f"models/{name}").state_dict() for name in ("rcan-official", "sr-edsr-stage2"))
    assert torch.equal(start["sub_mean.bias"], end["sub_mean.bias"])
    assert not torch.equal(start["head.0.bias"], end["head.0.bias"])
    p = load()
    assert list(graph(p).trainings("sr-edsr-stage2")) == ["sr-edsr-stage2"] and graph(p).trainings("rcan-official") == {}
    scores = Scores(rows={}, parameters={"sr-edsr-stage2": 10}, networks={"sr-edsr-stage2": ["sr-edsr-stage2"]},
                    flop={"sr-edsr-stage2": 1})
    assert "imported networks are not known" in "\n".join(section(graph(p), {"sr": scores}))


class Shuffling(nn.Module):
    """A network that is in none of our layouts: x2, in cells of four pixels."""

    def __init__(self, width):
        super().__init__()
        self.inner, self.step = nn.Conv2d(48, width, 1), nn.Conv2d(width, 192, 1)
        self.register_buffer("gain", torch.zeros(1))

    def forward(self, x):
        return self.gain * F.pixel_shuffle(self.step(self.inner(F.pixel_unshuffle(x, 4))), 8)


class Loader:
    """Stands for spandrel.ModelLoader: tells the width from a shape, and wants one value."""
    changes: dict = {}

    def __init__(self, device):
        assert device == "cpu"

    def load_from_state_dict(self, state):
        assert state["gain"].item() == 0.5
        model = Shuffling(state["inner.weight"].shape[0])
        model.load_state_dict(state)

        class Descriptor(SimpleNamespace):
            def __call__(self, x):
                return self.model(x).clamp(0, 1)

        return Descriptor(**{
            "model": model, "scale": 2, "input_channels": 3, "output_channels": 3, "purpose": "SR",
            "architecture": SimpleNamespace(name="Shuffling"),
            "size_requirements": SimpleNamespace(minimum=8, multiple_of=4, square=False)} | self.changes)


def test_spandrels_networks_are_made_again_from_what_the_manifest_holds(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "spandrel", SimpleNamespace(ModelLoader=Loader))
    torch.manual_seed(0)
    original = Shuffling(20)
    original.gain.fill_(0.5)
    torch.save(original.state_dict(), "s.pth")
    result = run("import", "s.pth", "--as", "shuffling")
    assert result.exit_code == 0, result.output
    network = load_network("models/shuffling")
    assert (network.scale, network.multiple, network.radius % 4) == (2, 4, 0)
    x = torch.rand(2, 3, 5, 13)
    padded = F.pad(x, (0, 3, 0, 3), mode="replicate")
    with torch.no_grad():
        assert torch.equal(network(x), original(padded)[:, :, :10, :26])
    manifest = read_manifest("models/shuffling")
    assert training_flop("spandrel", manifest["options"]) > 0
    assert load_network("models/shuffling", trainable=True).model.inner.weight.requires_grad
    assert load().imports["shuffling"].options == {}
    assert model_of(network).sees_all == ["Shuffling"]  # nobody tells how far it sees

    for changes, message in (({"input_channels": 1}, "takes 1 channels to 3"), ({"purpose": "Inpainting"}, "Inpainting"),
                             ({"scale": 4}, "does more than call")):
        monkeypatch.setattr(Loader, "changes", changes)
        refused = run("import", "s.pth", "--as", "other")
        assert refused.exit_code == 1 and message in refused.output and "Shuffling: " in refused.output
