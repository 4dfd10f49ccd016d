"""Windows has not all that Linux and macOS have; the package is imported there all the same."""
import importlib
import multiprocessing.context
import os
import pkgutil
import signal
import sys

import pytest
from typer.testing import CliRunner

import pipeline
from pipeline.cli.app import app
from pipeline.run import stage

HIDDEN = ("fcntl", "grp", "pwd", "resource", "termios")
ABSENT = {os: ("fork", "geteuid", "getpgid", "getuid", "killpg", "nice", "setsid", "statvfs", "sysconf", "uname"),
          signal: ("SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "setitimer")}


def modules() -> list[str]:
    """All but __main__, which runs a command."""
    return [name for _, name, _ in pkgutil.walk_packages(pipeline.__path__, "pipeline.") if name != "pipeline.__main__"]


def test_every_module_is_imported_where_there_is_no_posix(monkeypatch):
    for name in modules():  # so that the packages of others are there, which have their own ways on each system
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "pipeline"]:
        monkeypatch.delitem(sys.modules, name)
    for name in HIDDEN:
        monkeypatch.setitem(sys.modules, name, None)
    for module, names in ABSENT.items():
        for name in names:
            monkeypatch.delattr(module, name)
    spawn = multiprocessing.get_context("spawn")
    monkeypatch.setattr(multiprocessing.context, "_concrete_contexts", {"spawn": spawn})
    with pytest.raises(ImportError):
        import fcntl  # noqa: F401
    for name in modules():
        assert importlib.import_module(name) is not None
    assert "pipeline.run.stage" in sys.modules and sys.modules["pipeline.run.stage"] is not stage


def test_where_nothing_forks_repro_names_the_command_that_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "FORKABLE", False)
    result = CliRunner().invoke(app, ["repro"])
    assert result.exit_code == 1 and "`dvc repro`" in result.output
    assert not list(tmp_path.iterdir())
