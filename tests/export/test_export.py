"""`python -m pipeline export`: rows as graphs and as files for restore; model cards."""
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import ROOT, change, smooth_image
from networks import seasoned
from PIL import Image
from safetensors.torch import save_file
from test_graphs import LARGER, MAP, onnx
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.compare.scores import Scores, write_csv
from pipeline.core.files import write_json
from pipeline.export import write as module
from pipeline.export.onnx_graph import OPSET, graph_of
from pipeline.images.encode import write_png
from pipeline.restore.manifest import read_manifest, save_absent
from pipeline.restore.model import model_of
from pipeline.restore.named import read_row
from pipeline.restore.network import load_network, save_network
from pipeline.restore.pixels import to_tensor
from pipeline.stages import combine

SETTINGS = {"steps": 500, "lr": 0.5}


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The default params, and small networks of some of their rows: a chain with one of them twice, and a stage 2."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text((ROOT / "params.yaml").read_text())
    made = {"settings": SETTINGS, "seed": 7, "threads": 2, "inputs": "1" * 64}
    for name, arch, options in (("blindsr-map", "edsr", MAP), ("blindsr-x2", "msrresnet", LARGER),
                                ("sr-edsr-stage2", "edsr", LARGER)):
        save_network(Path("models", name), seasoned(arch, options), arch, options, made)
    for chain in ("blindsr-unmapped-x2x2", "blindsr-map-x2x2"):
        combine.main("chains", chain)
    save_absent("models/sr-edsr-oracle", "no truth to train with")
    write_png(Path("photo.png"), smooth_image(np.random.default_rng(2), 37, 53))
    return tmp_path


def test_a_graph_that_computes_something_else_is_not_written(project, monkeypatch):
    other = graph_of(model_of(seasoned("edsr", LARGER, seed=1)), {})
    monkeypatch.setattr(module, "graph_of", lambda model, about: other)
    done = run("export", "sr-edsr-stage2", "--to", "onnx", "-o", "out/c.onnx")
    assert done.exit_code == 1 and "onnxruntime's answers differ by up to " in done.output and not Path("out").exists()
    done = run("export", "blindsr-map-x2x2", "--to", "onnx", "-o", "out/c.onnx")
    assert "24 x 24 pixels become 48 x 48 in onnxruntime, wanted 96 x 96" in done.output and not Path("out").exists()


@pytest.mark.parametrize("arguments, message", [
    (("sr-zssr", "--to", "onnx", "-o", "a.onnx"), "ZSSR, which learns a network from each photo anew"),
    (("sr-edsr-stage2", "--to", "onnx", "-o", "a.pt"), "a.pt: wanted a file that ends in .onnx"),
    (("sr-edsr-stage2", "--to", "safetensors", "-o", "a.pth"), "a.pth: wanted a file that ends in .safetensors"),
    (("sr-input", "--to", "onnx", "-o", "a.onnx"), "this row is the input itself"),
    (("sr-edsr-oracle", "--to", "onnx", "-o", "a.onnx"), "no truth to train with"),
    (("nope", "--to", "onnx", "-o", "a.onnx"), "models/nope: no manifest.json"),
    (("blindsr-map-x2x2", "--to", "basicsr", "-o", "a.pth"), "it is 3 networks (blindsr-map, blindsr-x2, "),
    (("--to", "onnx", "-o", "a.onnx"), "name a row, or a system with --system"),
    (("sr-edsr-stage2", "--to", "onnx", "-o", "a.onnx"), "onnxscript is missing: pip install onnx onnxscript onnxruntime"),
])
def test_what_cannot_be_exported_is_refused_in_one_line(project, monkeypatch, arguments, message):
    write_json(Path("models/sr-zssr/manifest.json"), {"arch": "zssr", "options": {}, "made": {}})
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    done = run("export", *arguments)
    assert done.exit_code == 1 and message in done.output and len(done.output.strip().splitlines()) == 1, done.output
    assert not list(Path(".").glob("a.*"))


def test_a_row_in_a_file_restores_without_its_project(project, tmp_path_factory, monkeypatch):
    done = run("export", "blindsr-map-x2x2", "--to", "safetensors", "-o", "c.safetensors")
    assert done.exit_code == 0 and "for `restore --model c.safetensors`" in done.output, done.output
    assert run("restore", "photo.png", "-o", "wanted.png", "--model", "blindsr-map-x2x2").exit_code == 0
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    restored = "restore", project / "photo.png", "-o", "got.png", "--model", project / "c.safetensors"
    assert run(*restored).exit_code == 0 and len(read_row(project / "c.safetensors").networks) == 3
    with Image.open(project / "wanted.png") as wanted, Image.open("got.png") as got:
        assert wanted.tobytes() == got.tobytes() and "Restage c.safetensors " in got.getexif()[305]
    assert "0 restored, 1 there already" in run(*restored).output


@pytest.fixture
def nested(project):
    """Rows of which the networks are an ensemble, an ensemble of it and another, and a chain that ends with a chain and has one
    network twice."""
    save_network(Path("models/sr-edsr-bicubic"), seasoned("edsr", LARGER, 1), "edsr", LARGER, {})
    values = yaml.safe_load(Path("params.yaml").read_text())
    ensembles = {"two": {"first": "blindsr-x2", "second": "sr-edsr-bicubic"},
                 "three": {"first": "sr-edsr-stage2", "second": "two"}}
    chains = {"behind": {"first": "two", "then": "blindsr-x2"}, "longer": {"first": "blindsr-map", "then": "behind"}}
    rows = {f"row-{name}": values["rows"]["sr-edsr-round2"] | {"network": name} for name in (*ensembles, *chains)}
    change(ensembles=ensembles, chains=chains, rows=rows)
    for section, entries in (("ensembles", ensembles), ("chains", chains)):
        for name in entries:
            combine.main(section, name)
    return project


def of_members(row: str, image: np.ndarray) -> np.ndarray:
    """What a row of `nested` makes of an image: each network once, and means of their answers by NumPy."""
    def once(name, x):
        network, (height, width) = load_network(Path("models", name)), x.shape[:2]
        multiple = getattr(network, "multiple", 1)
        x = np.pad(x, ((0, -height % multiple), (0, -width % multiple), (0, 0)), "edge").transpose(2, 0, 1)[None]
        with torch.no_grad():
            y = network(torch.from_numpy(np.ascontiguousarray(x)))[0].permute(1, 2, 0).numpy()
        return y[: height * network.scale, : width * network.scale]

    x = image.astype(np.float32) / 255
    if row in ("row-two", "row-three"):
        names = ["blindsr-x2", "sr-edsr-bicubic", *(["sr-edsr-stage2"] if row == "row-three" else [])]
        return np.mean([once(name, x) for name in names], axis=0)
    x = once("blindsr-map", x) if row == "row-longer" else x
    return once("blindsr-x2", np.mean([once(name, x) for name in ("blindsr-x2", "sr-edsr-bicubic")], axis=0))


NESTED = {"row-two": "mean of (blindsr-x2, sr-edsr-bicubic)",
          "row-three": "mean of (sr-edsr-stage2, blindsr-x2, sr-edsr-bicubic)",
          "row-behind": "mean of (blindsr-x2, sr-edsr-bicubic) -> blindsr-x2",
          "row-longer": "blindsr-map -> mean of (blindsr-x2, sr-edsr-bicubic) -> blindsr-x2"}


@pytest.mark.parametrize("row", NESTED)
def test_ensembles_and_chains_of_them_restore_alike_from_a_row_and_from_its_file(nested, row, tmp_path_factory, monkeypatch):
    image = smooth_image(np.random.default_rng(2), 37, 54)
    write_png(Path("photo.png"), image)
    assert run("restore", "photo.png", "-o", "wanted.png", "--model", row).exit_code == 0
    done = run("export", row, "--to", "safetensors", "-o", "e.safetensors")
    assert done.exit_code == 0 and f"e.safetensors: {NESTED[row]}, for `restore" in done.output, done.output
    with Image.open("wanted.png") as wanted:
        assert np.abs(np.asarray(wanted) - 255 * of_members(row, image).clip(0, 1)).max() < 0.51
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    done = run("restore", nested / "photo.png", "-o", "got.png", "--model", nested / "e.safetensors")
    assert done.exit_code == 0, done.output
    with Image.open(nested / "wanted.png") as wanted, Image.open("got.png") as got:
        assert wanted.tobytes() == got.tobytes()


def test_a_chain_that_holds_an_ensemble_is_one_graph_whose_card_tells_its_parts(nested):
    done = run("export", "row-longer", "--to", "onnx", "-o", "out/e.onnx")
    assert done.exit_code == 0, done.output
    assert f"{NESTED['row-longer']} as one graph" in done.output and "differ by " in done.output
    session = onnx(Path("out/e.onnx"))
    assert session.get_inputs()[0].shape == ["batch", 3, "height", "width"]
    assert session.get_outputs()[0].shape == ["batch", 3, "4*height", "4*width"]
    about = session.get_modelmeta().custom_metadata_map
    assert about["scale"] == "4" and about["weights of blindsr-x2"] == read_manifest("models/blindsr-x2")["weights"]
    for height, width in ((22, 34), (21, 34)):
        image = smooth_image(np.random.default_rng(3), height, width)
        got = session.run(None, {"image": to_tensor(image).numpy()})[0][0].transpose(1, 2, 0)
        np.testing.assert_allclose(got, of_members("row-longer", image), atol=1e-5)
    text = Path("out/e.onnx.md").read_text()
    words = " ".join(text.split())
    assert f"opset {OPSET}" in words and f"made of several networks: {NESTED['row-longer']}." in words
    for name in ("blindsr-map", "sr-edsr-bicubic", "blindsr-x2"):
        assert words.count(f"- `{name}`: ") == 2  # what it is, and what made it
        assert read_manifest(Path("models", name))["weights"] in words
    done = run("export", "row-two", "--to", "basicsr", "-o", "a.pth")
    assert done.exit_code == 1 and "it is 2 networks (blindsr-x2, sr-edsr-bicubic)" in done.output


def test_the_card_names_an_ensemble_that_labelled(nested):
    values = yaml.safe_load(Path("params.yaml").read_text())
    change(systems={"sr-edsr": values["systems"]["sr-edsr"] | {"teacher": "two"}})
    words = " ".join(exported_card().split())
    assert "`two`: mean or bands of several networks; of `blindsr-x2` and `sr-edsr-bicubic`." in words
    for name in ("two", "blindsr-x2", "sr-edsr-bicubic"):
        assert read_manifest(Path("models", name))["weights"] in words


@pytest.mark.parametrize("name, message", [
    ("none.safetensors", "none.safetensors: no such file"), ("a.onnx", "a.onnx: made for other programs"),
    ("models/blindsr-x2/network.safetensors", "weights alone, no row that"),
    ("half.safetensors", "not a whole safetensors file"),
    ("odd.safetensors", "its weights are not those of the row")])
def test_files_that_hold_no_row(project, name, message):
    Path("a.onnx").write_bytes(b"x")
    Path("half.safetensors").write_bytes(Path("models/blindsr-x2/network.safetensors").read_bytes()[:200])
    header = {"row": "x", "chain": ["x"], "networks": {"x": {"arch": "edsr", "options": LARGER}}}
    save_file({"a": torch.ones(1)}, "odd.safetensors", {"restage": json.dumps(header)})
    done = run("restore", "photo.png", "-o", "b.png", "--model", name)
    assert done.exit_code == 1 and message in done.output and not Path("b.png").exists(), done.output


def exported_card() -> str:
    done = run("export", "sr-edsr-stage2", "--to", "edsr-pytorch", "-o", "out/e.pt")
    assert done.exit_code == 0 and "out/e.pt.md: its model card" in done.output, done.output
    return Path("out/e.pt.md").read_text()


def test_the_card_says_what_the_row_is_and_what_made_it(project):
    values = yaml.safe_load(Path("params.yaml").read_text())
    change(sets={"sr-captures": values["sets"]["sr-captures"] | {"folder": "/home/somebody/captures"}})
    text = exported_card()
    front, body = text.split("---\n")[1:3]
    assert yaml.safe_load(front)["tags"] == ["image-restoration", "restage", "edsr-pytorch", "edsr"]
    words = " ".join(body.split())
    assert "# sr-edsr-stage2 Super-resolution x4: an RGB image becomes one 2 times as high and wide." in words
    manifest = read_manifest("models/sr-edsr-stage2")
    for fact in (manifest["weights"], manifest["code"], "1" * 64, "seed 7, 2 threads", '"lr": 0.5, "steps": 500',
                 "from `sr-edsr`", "targets `labels/sr-edsr`", "lr: 0.5 -> 0.0001",
                 f"steps: 500 -> {values['stage2']['steps']}",
                 "`pairs/sr`: `sets/clean` degraded by the recipe `random`, scale 4",
                 "`sr-edsr`: stage 1, from scratch", "It is not in models/", "fine detail may be invented",
                 "`sets/sr-captures`: the folder `captures`", "dvc repro evaluate@sr", "--to edsr-pytorch -o e.pt"):
        assert fact in words, fact
    assert "somebody" not in text and str(project) not in text


def test_the_card_has_the_scores_of_the_table_beside_those_of_the_input(project):
    assert "There are no scores of sr-edsr-stage2 in metrics/tables/sr.csv; `dvc repro evaluate@sr`" in exported_card()
    scores = Scores(counts={"captures": {"images": 46, "scenes": 18}}, parameters={"input": 0, "sr-edsr-stage2": 9})
    scores.rows = {"input": {"captures": {"psnr": 20.694, "niqe": 7.6}}, "sr-edsr-stage2": {"captures": {"psnr": 20.871}}}
    Path("metrics/tables").mkdir(parents=True)
    write_csv("metrics/tables/sr.csv", {"sr": scores})
    text = exported_card()
    assert "sr: captures (46 images of 18 scenes)" in text
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == ["row", "PSNR ↑", "NIQE ↓"]
    assert lines[2:] == [["input", "20.69", "7.60"], ["sr-edsr-stage2", "20.87", ""]]
    assert "data/bench/sr/sr-edsr.json is not there" in text

    weights = read_manifest("models/sr-edsr-stage2")["weights"]
    absent = [{"row": "sr-edsr-stage2", "test_set": "captures", "metric": "niqe", "reason": "too small"}]
    for scored, said in ((weights, "NIQE; sr-edsr-stage2; captures: too small"), ("0" * 64, "are of other weights than these")):
        write_json(Path("data/bench/sr/sr-edsr.json"), {"manifests": {"sr-edsr-stage2": {"weights": scored}}, "absent": absent})
        text = exported_card()
        assert said in text and ("20.87" in text) == (scored == weights) and "is not there, so whether" not in text
