"""The networks of starters/: found by name, restored with and imported."""
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import ROOT, with_presets
from networks import seasoned
from pydantic import TypeAdapter
from safetensors.torch import load_file
from skimage.data import astronaut
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.params import load
from pipeline.core.reading import parse_yaml
from pipeline.core.recipes import Recipe
from pipeline.core.seeds import rng
from pipeline.degrade.bicubic import resize
from pipeline.degrade.recipe import How, degrade
from pipeline.restore import starters
from pipeline.restore.named import alone_in, write_row
from pipeline.restore.network import save_network
from pipeline.restore.restorer import Restorer
from pipeline.score.fidelity import psnr

IMAGE = np.random.default_rng(0).integers(0, 256, (13, 22, 3), np.uint8)
OPTIONS = {"scale": 2, "layers": 1, "features": 8}


def save(folder: Path, name: str, seed: int) -> None:
    save_network(folder / name, seasoned("compact", OPTIONS, seed), "compact", OPTIONS, {})


SHIPPED = starters.starters()


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_restores_a_photo_that_it_never_saw(name):
    """Places of scikit-image's astronaut, made worse as the photographs were that it learnt from."""
    presets = ("demoire", "starter-screen") if name == "starter-screen" else ("starters",)
    values = parse_yaml(with_presets(*presets), "params.yaml")
    recipe, gains = TypeAdapter(Recipe).validate_python(values["recipes"][values["pairs"][name]["recipe"]]), []
    restorer = Restorer(name)
    for k in range(6):
        photo = astronaut()[64 * k : 64 * k + 128, 100:256]
        worse, target, _ = degrade(photo, rng(1, "test", k), How(recipe, restorer.scale))
        plain = np.clip(np.rint(resize(worse, *target.shape[:2])), 0, 255).astype(np.uint8)
        gains.append(psnr(restorer(worse), target, 4) - psnr(plain, target, 4))
    # where a place has hardly any moire, the loss of grain may outweigh it
    assert np.mean(gains) > 0.5 and min(gains) > (-1 if name == "starter-screen" else 0)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_what_its_card_tells(name):
    about = alone_in(SHIPPED[name])
    card = SHIPPED[name].with_name(f"{SHIPPED[name].name}.md").read_text(encoding="utf-8")
    assert about["weights"] in card and f"{about['parameters']:,} weights" in card
    assert f"| `{name}` |" in (ROOT / "docs/starters.md").read_text(encoding="utf-8")


def test_what_ships_is_small():
    assert {"starter-photo"} <= set(SHIPPED)
    assert sum(path.stat().st_size for path in starters.FOLDER.iterdir()) < 12e6


@pytest.fixture
def shipped(tmp_path, monkeypatch) -> Path:
    """A folder of starters with one, `starter-x2`, and an empty one of models that is the present one."""
    monkeypatch.setattr(starters, "FOLDER", tmp_path / "starters")
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "made", "starter-x2", 1)
    write_row(tmp_path / "starters/starter-x2.safetensors", "starter-x2", "starter-x2", tmp_path / "made")
    return tmp_path / "starters"


def test_a_name_restores_as_its_file_does(shipped):
    wanted = Restorer("starter-x2", models=shipped.parent / "made")(IMAGE)
    assert wanted.shape == (26, 44, 3) and wanted.std() > 0
    for name in ("starter-x2", shipped / "starter-x2.safetensors"):
        assert np.array_equal(Restorer(name)(IMAGE), wanted)
    assert np.array_equal(Restorer("starter-x2", blend=("starter-x2", 0.5))(IMAGE), wanted)


def test_a_network_of_the_project_goes_before_a_starter(shipped):
    save(Path("models"), "starter-x2", 2)
    assert not np.array_equal(Restorer("starter-x2")(IMAGE), Restorer(shipped / "starter-x2.safetensors")(IMAGE))


def test_a_row_of_the_project_goes_before_a_starter(shipped):
    save(Path("models"), "mine", 2)
    shutil.copy(ROOT / "params.yaml", ".")
    params = Path("params.yaml").read_text().replace("sr-edsr-round2: {task: sr, tests: sr, network: sr-edsr-round2}",
                                                     "starter-x2: {task: sr, tests: sr, network: sr-edsr-round2}")
    Path("params.yaml").write_text(params)
    with pytest.raises(FileNotFoundError, match="sr-edsr-round2"):  # it is not trained, and nothing takes its place
        Restorer("starter-x2")


def test_an_unknown_name_is_told_what_there_is(shipped):
    cv2.imwrite("photo.png", IMAGE)
    done = CliRunner().invoke(app, ["restore", "photo.png", "-o", "out.png", "--model", "starter-x8"])
    assert done.exit_code == 1 and "starters: starter-x2" in done.stderr


def test_a_starter_becomes_a_network_of_the_project(shipped):
    shutil.copy(ROOT / "params.yaml", ".")
    file = shipped / "starter-x2.safetensors"
    done = CliRunner().invoke(app, ["import", str(file), "--as", "mine"], catch_exceptions=False)
    assert done.exit_code == 0 and load().imports["mine"].layout == "restage", done.output
    ours, theirs = (load_file(f"{folder}/network.safetensors") for folder in ("models/mine", "made/starter-x2"))
    assert ours.keys() == theirs.keys() and all((ours[key] == theirs[key]).all() for key in ours)


def test_a_file_of_several_networks_is_not_imported(shipped):
    save(shipped.parent / "made", "second", 3)
    write_row("two.safetensors", "row", {"chain": ["starter-x2", "second"]}, shipped.parent / "made")
    with pytest.raises(ValueError, match="two.safetensors: holds 2 networks .second, starter-x2., wanted one"):
        alone_in("two.safetensors")
