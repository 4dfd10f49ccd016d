"""Entries of dvc.lock that are written alone, beside the file that DVC writes."""
import shutil
from pathlib import Path

import pytest
import yaml
from dvc.dvcfile import Lockfile
from dvc.repo import Repo

from pipeline.run import entry

NAMES = ["plain", "yes", "12", "0x1f", "key@1", "null", "on@off", "a.b", "last"]
ODD = [1, 1e-05, 1e20, -0.5, 3.0, True, None, "yes", "1_000", "", " a ", "a: b", "# c", "two\n\nlines\n", "ä" * 90,
       "word " * 40, [], {}, [[1, 2], {"k": "- v"}], "2026-01-31", "0o7", ".5", "~", "'quoted' \"twice\""]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two folders, `dvc` and `ours`, with the same stages, which have names and params that YAML writes in its own ways."""
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.chdir(tmp_path)
    Path("dvc").mkdir()
    stages = {name: {"cmd": f"echo {'long ' * 30}> out{i}", "params": [f"{name.replace('.', '_')}_of"], "outs": [f"out{i}"]}
              for i, name in enumerate(NAMES) if "@" not in name}
    stages |= {"key": {"foreach": {"1": ODD[3]}, "do": {"cmd": "echo ${item} > key${key}", "outs": ["key${key}"]}},
               "on": {"foreach": {"off": 1}, "do": {"cmd": "echo 'one: 1'\necho two > on${key}", "outs": ["on${key}"]}}}
    Path("dvc/dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    monkeypatch.chdir("dvc")
    params(0)
    Repo.init(no_scm=True).close()
    monkeypatch.chdir(tmp_path)
    shutil.copytree("dvc", "ours")


def params(turn: int) -> None:
    values = {f"{name.replace('.', '_')}_of": {"a": ODD[turn:][i::len(NAMES)], "b": {"c": ODD[(turn + i) % len(ODD)]}}
              for i, name in enumerate(NAMES)}
    Path("params.yaml").write_text(yaml.safe_dump(values, allow_unicode=True))


def lock_after(folder: str, monkeypatch, turn: int, *targets: str) -> bytes:
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        params(turn)
        if folder == "ours":
            patch.setattr(Lockfile, "dump_stages", entry.write_entries)
            patch.setattr(entry, "by_dvc", None)
        with Repo(".") as repo:
            repo.reproduce(list(targets) or None)
        return Path("dvc.lock").read_bytes()


def test_the_file_has_the_bytes_that_dvc_writes(project, monkeypatch):
    wanted = [lock_after("dvc", monkeypatch, *call) for call in ((0, "null"), (0,), (3, "12", "plain"), (7,), (1, "last"))]
    got = [lock_after("ours", monkeypatch, *call) for call in ((0, "null"), (0,), (3, "12", "plain"), (7,), (1, "last"))]
    assert got == wanted and len(set(wanted)) == 5


@pytest.mark.parametrize("stage, change", [
    ("plain", lambda text: text + "datasets: []\n"), ("plain", lambda text: text.replace("'2.0'", '"2.0"')),
    ("plain", lambda text: text.removesuffix("\n")), ("plain", lambda text: "# a comment\n" + text),
    ("long" * 40, lambda text: text)])
def test_a_file_of_another_form_is_left_to_dvc(project, monkeypatch, stage, change):
    lock_after("ours", monkeypatch, 0, "plain", "last")
    monkeypatch.chdir("ours")
    values = yaml.safe_load(Path("dvc.yaml").read_text())
    values["stages"]["long" * 40] = {"cmd": "echo > long", "outs": ["long"]}
    Path("dvc.yaml").write_text(yaml.safe_dump(values))
    text, asked = change(Path("dvc.lock").read_text()), []
    Path("dvc.lock").write_text(text)
    monkeypatch.setattr(entry, "by_dvc", lambda file, stages, **options: asked.append(file.relpath))
    with Repo(".") as repo:
        found, = repo.stage.collect(stage)
        entry.write_entries(found.dvcfile._lockfile, [found])
    assert asked == ["dvc.lock"] and Path("dvc.lock").read_text() == text


def test_an_entry_ends_where_the_next_one_begins():
    text = "stages:\n  a:\n    cmd: |\n      x\n\n      y\n  ab:\n    cmd: 1\n  c.d:\n    cmd: 2\n"
    assert entry.replaced(text, "  a:\n    cmd: z\n") == text.replace("|\n      x\n\n      y", "z")
    assert entry.replaced(text, "  c.d:\n    cmd: z\n") == text.replace("cmd: 2", "cmd: z")
    assert entry.replaced(text, "  c-d:\n    cmd: z\n") == text + "  c-d:\n    cmd: z\n"
