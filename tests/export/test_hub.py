"""`export --to hub`: what a repository of the Hugging Face hub holds, and that it restores as the row does."""
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from test_export import project, run  # noqa: F401

from pipeline.compare.scores import Scores, write_csv
from pipeline.core.files import sha256
from pipeline.restore.manifest import read_manifest
from pipeline.restore.restorer import Restorer

# ruff: noqa: F811


def exported(row="blindsr-map-x2x2", folder="out/blind", *options) -> Path:
    done = run("export", row, "--to", "hub", "-o", folder, *options)
    assert done.exit_code == 0 and f"{folder}/README.md: its model card" in done.output, done.output
    return Path(folder)


def head_of(folder: Path) -> dict:
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


def test_it_holds_what_the_hub_asks_for(project):
    scores = Scores(counts={"captures": {"images": 4, "scenes": 2}}, parameters={"input": 0, "sr-edsr-stage2": 9})
    scores.rows = {"input": {"captures": {"psnr": 20.6, "niqe": 7.6}}, "sr-edsr-stage2": {"captures": {"psnr": 20.8}}}
    Path("metrics/tables").mkdir(parents=True)
    write_csv("metrics/tables/sr.csv", {"sr": scores})
    folder = exported("sr-edsr-stage2", "out/edsr", "--license", "cc-by-nc-4.0")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert head_of(folder) == {
        "license": "cc-by-nc-4.0", "library_name": "restage", "metrics": ["psnr"], "pipeline_tag": "image-to-image",
        "tags": ["image-restoration", "restage", "hub", "edsr"]}
    text = (folder / "README.md").read_text()
    assert "# sr-edsr-stage2" in text and "export sr-edsr-stage2 --to hub -o edsr" in text and str(project) not in text
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["edsr"] and config["scale"] == 2
    assert config["restage"]["networks"]["sr-edsr-stage2"] == read_manifest("models/sr-edsr-stage2")


def test_without_scores_and_licence_none_are_claimed(project):
    head = head_of(exported())
    assert head["license"] == "unknown" and "metrics" not in head
    assert head["tags"] == ["image-restoration", "restage", "hub", "edsr", "msrresnet"]


def test_the_hubs_own_package_reads_the_card(project):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    card = hub.ModelCard.load(exported() / "README.md", ignore_metadata_errors=False)
    assert (card.data.license, card.data.library_name, card.data.pipeline_tag) == ("unknown", "restage", "image-to-image")
    assert "restage" in card.data.tags and card.text.strip().startswith("# blindsr-map-x2x2")


@pytest.mark.parametrize("row", ["blindsr-map-x2x2", "sr-edsr-stage2"])
def test_it_restores_as_the_row_does_in_any_folder(project, row, monkeypatch):
    folder = exported(row, "out/clone")
    assert run("restore", "photo.png", "-o", "row.png", "--model", row).exit_code == 0
    wanted = Restorer(row)(np.arange(3 * 20 * 24, dtype=np.uint8).reshape(20, 24, 3))
    Path("elsewhere").mkdir()
    shutil.move(folder, "elsewhere/clone")
    shutil.copy("photo.png", "elsewhere")
    monkeypatch.chdir("elsewhere")
    assert np.array_equal(Restorer("clone")(np.arange(3 * 20 * 24, dtype=np.uint8).reshape(20, 24, 3)), wanted)
    for name in ("clone", "clone/", "./clone"):
        done = run("restore", "photo.png", "-o", f"{len(name)}.png", "--model", name)
        assert done.exit_code == 0, done.output
    assert sha256("5.png") == sha256("6.png") == sha256("7.png")
    assert [chunk for chunk in parts("5.png") if chunk[0] == b"IDAT"] == [chunk for chunk in parts("../row.png")
                                                                         if chunk[0] == b"IDAT"]


def parts(png) -> list[tuple[bytes, bytes]]:
    """The chunks; that of EXIF tells the name of the network."""
    content, found = Path(png).read_bytes()[8:], []
    while content:
        size = int.from_bytes(content[:4])
        found.append((content[4:8], content[8 : 8 + size]))
        content = content[12 + size :]
    return found


def test_a_network_of_the_project_comes_before_a_folder_of_its_name(project):
    exported("sr-edsr-stage2", "blindsr-x2")
    assert Restorer("blindsr-x2").weights == [read_manifest("models/blindsr-x2")["weights"]]
    assert Restorer("./blindsr-x2").weights == [sha256("blindsr-x2/model.safetensors")]


def test_what_is_no_place_for_a_repository(project):
    Path("other").mkdir()
    Path("other/config.json").write_text('{"model_type": "bert"}')
    done = run("export", "sr-edsr-stage2", "--to", "hub", "-o", "other")
    assert done.exit_code == 1 and "other/config.json is of another model" in done.output
    assert [path.name for path in Path("other").iterdir()] == ["config.json"]
    done = run("export", "sr-edsr-stage2", "--to", "hub", "-o", "photo.png")
    assert done.exit_code == 1 and "photo.png: is a file, wanted a folder" in done.output
    done = run("export", "sr-edsr-stage2", "--to", "onnx", "-o", "a.onnx", "--license", "mit")
    assert done.exit_code == 1 and "--license is for --to hub" in done.output and not Path("a.onnx").exists()
