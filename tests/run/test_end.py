"""What `python -m pipeline repro` ends with."""
from pathlib import Path

import pytest
from dvc.repo import Repo
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.files import write_json
from pipeline.report.verdict import LEVELS
from pipeline.stages.report import PAGE, REPORT, SUMMARY


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("GPUS", "1")
    Repo.init(no_scm=True).close()
    Path("dvc.yaml").write_text("stages:\n  first: {cmd: cp source first, deps: [source], outs: [first]}\n"
                                "  report: {cmd: cp first tables, deps: [first], outs: [tables]}\n")
    Path("source").write_text("source")
    entry = {"title": "Task", "use": "use `a-row`", "level": "clear", "gains": "PSNR +1 over the input", "row": "a-row"}
    write_json(SUMMARY, {"groups": [entry], "missing": ["LPIPS-Alex: no trunk"]})


def repro(*arguments: str, code: int = 0) -> list[str]:
    result = CliRunner().invoke(app, ["repro", "-j", "1", *arguments])
    assert result.exit_code == code, result.output
    return result.output.splitlines()


def test_it_ends_with_what_to_use_also_when_nothing_ran(project):
    end = ["", f"Task: use a-row ({LEVELS['clear']})", "  PSNR +1 over the input", "", "Not computed:",
           "  LPIPS-Alex: no trunk", ""]
    for _ in range(2):
        shown = repro()
        assert shown[-len(end) - 2 : -2] == end and PAGE in shown[-2] and str(REPORT) in shown[-1]
    assert "Data and pipelines are up to date." in shown


def test_a_part_and_a_failure_end_without_it(project):
    assert not any("a-row" in line for line in repro("first"))
    Path("source").unlink()
    Path("dvc.yaml").write_text(Path("dvc.yaml").read_text().replace("cp first tables", "cp first tables && false"))
    Path("source").write_text("other")
    assert not any("a-row" in line for line in repro(code=1))
