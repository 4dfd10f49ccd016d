"""Training curves for TensorBoard."""
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.report.board import Board


@pytest.fixture
def curves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "metrics/curves"
    folder.mkdir(parents=True)
    (folder / "absent.csv").write_text("step\n")
    (folder / "a.csv").write_text("step,lr,val_psnr\n100,0.1,19\n200,0.1,\n")
    return folder


def test_without_tensorboard_it_says_how_to_install_it(curves, monkeypatch):
    before = {path.name: path.read_bytes() for path in curves.iterdir()}
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    result = CliRunner().invoke(app, ["tensorboard", "--once"])
    assert result.exit_code == 1 and "pip install tensorboard" in result.output and "Traceback" not in result.output
    assert {path.name: path.read_bytes() for path in curves.iterdir()} == before


def read(folder) -> dict[str, list[tuple[int, float]]]:
    """Tag -> steps and values of a run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder)).Reload()
    return {tag: [(event.step, pytest.approx(event.value)) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_rows_are_added_as_a_curve_grows_and_a_new_training_begins_anew(curves, tmp_path):
    pytest.importorskip("tensorboard")
    board = Board(curves, tmp_path / "events")
    assert board.update() == 1 and {path.name for path in (tmp_path / "events").iterdir()} == {"a"}
    assert read(tmp_path / "events/a") == {"lr": [(100, 0.1), (200, 0.1)], "val_psnr": [(100, 19)]}
    with open(curves / "a.csv", "a") as handle:
        handle.write("300,0.05,20\n")
    board.update()
    board.update()
    assert read(tmp_path / "events/a") == {"lr": [(100, 0.1), (200, 0.1), (300, 0.05)], "val_psnr": [(100, 19), (300, 20)]}
    (curves / "a.csv").write_text("step,lr,val_psnr\n100,0.2,18\n")
    board.update()
    assert read(tmp_path / "events/a") == {"lr": [(100, 0.2)], "val_psnr": [(100, 18)]}
    assert len(pd.read_csv(curves / "a.csv")) == 1
