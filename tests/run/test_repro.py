"""`python -m pipeline repro` on a small project of shell commands, beside `dvc repro` on the same."""
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from conftest import ROOT
from dvc.repo import Repo
from filelock import FileLock, Timeout
from typer.testing import CliRunner

from pipeline.check import lockfile
from pipeline.cli.app import app
from pipeline.run import times
from pipeline.run.stage import HELD, RUNNING, only_command

# `wait` waits for the file go, which nothing depends on, and says who waits
STAGES = """
stages:
  first: {cmd: cp source first, deps: [source], params: [n], outs: [first]}
  part:
    foreach: [x, y, z]
    do:
      cmd: bash wait ${item} && cat first > part-${item} && echo $CUDA_VISIBLE_DEVICES > gpu-${item}
      deps: [first]
      outs: ["part-${item}"]
  never: {cmd: cat first > never, deps: [first], outs: [never], frozen: true}
  always: {cmd: echo 1 > always, outs: [always], always_changed: true}
  join: {cmd: cat part-x part-y part-z always data > join, deps: [part-x, part-y, part-z, always, data],
         metrics: [join: {cache: false}]}
  last: {cmd: cp join last, deps: [join], params: [m], outs: [last]}
"""
WAIT = """
trap 'exit 130' INT
echo $$ > shell-$1.new; mv shell-$1.new shell-$1
[ ! -e fail-$1 ] || { echo "cannot make $1"; exit 3; }
while [ ! -e go ]; do sleep 0.05; done
"""
ALL = ["first", "part@x", "part@y", "part@z", "always", "join", "last"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, bytes]:
    """A project in which nothing has run yet, and the dvc.lock that `dvc repro` writes in it."""
    folder = tmp_path_factory.mktemp("repro")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.chdir(folder)
        Path("project").mkdir()
        patch.chdir("project")
        Repo.init(no_scm=True).close()
        texts = {"params.yaml": "n: 1\nm: 2\n", "source": "source", "wait": WAIT, "data": "data\n", "never": "never", "go": "",
                 "first": "what the frozen stage was made of", "dvc.yaml": STAGES.replace(", frozen: true", "")}
        for name, text in texts.items():
            Path(name).write_text(text)
        with Repo(".") as repo:
            repo.add("data")
            repo.commit("never", force=True)
        Path("first").unlink()
        Path("dvc.yaml").write_text(STAGES)
        shutil.copytree(folder / "project", folder / "plain")
        patch.chdir(folder / "plain")
        with Repo(".") as repo:
            repo.reproduce()
        return folder / "project", Path("dvc.lock").read_bytes()


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """A copy of it, and the command at work in it."""
    monkeypatch.chdir(shutil.copytree(made[0], tmp_path / "project"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("GPUS", "1")


@pytest.fixture
def expected(made) -> bytes:
    return made[1]


def repro(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["repro", "-j", "2", *arguments])
    assert result.exit_code == code, f"{result.output}\n{result.exception}"
    return result.output


def ran(output: str) -> set[str]:
    return set(re.findall(r"^\d+/\d+  (\S+): done", output, re.MULTILINE))


def lock() -> bytes:
    return Path("dvc.lock").read_bytes()


def test_the_same_as_dvc_from_nothing_and_after_changes(project, expected):
    assert ran(repro("--gpus", "3,4")) == set(ALL)
    assert lock() == expected
    assert {Path(f"gpu-{key}").read_text() for key in "xyz"} <= {"3\n", "4\n"}
    with Repo(".") as repo:
        assert set(repo.status()) == {"always"}  # as ever
    assert ran(repro()) == {"always"}
    Path("params.yaml").write_text("n: 1\nm: 3\n")
    assert ran(repro()) == {"always", "last"}
    Path("params.yaml").write_text("n: 2\nm: 2\n")  # first comes out as it was, and last was made with m: 2 before
    output = repro()
    assert ran(output) == {"always", "first"} and "last: taken from DVC's cache" in output
    Path("source").write_text("other")
    assert ran(repro("part@x")) == {"first", "part@x"}
    assert ran(repro()) == {"always", "part@y", "part@z", "join", "last"}
    before = lock()
    assert ran(repro("--force", "join")) == set(ALL) - {"last"}
    assert lock() == before


def test_targets_that_are_none_are_refused(project):
    assert "Stage 'nope' not found" in repro("nope", code=1)
    Path("dvc.yaml").write_text(STAGES.replace("[x, y, z]", "[]"))
    assert "error: part: there is no stage of this group" in repro("part", code=1)
    assert not Path("first").exists()


def test_the_others_go_on_where_one_fails_and_the_next_call_resumes(project, expected):
    Path("fail-x").touch()
    output = repro(code=1)
    assert ran(output) == {"first", "part@y", "part@z", "always"}
    assert "cannot make x" in output and "failed: part@x\nnot run: join, last" in output
    Path("fail-x").unlink()
    Path(".dvc/tmp/rwlock").write_text("")  # as if dvc was killed when it wrote it: then it cannot read it
    assert ran(repro()) == {"part@x", "always", "join", "last"}
    assert lock() == expected
    records = times.recorded()
    assert set(records) == set(ALL)
    assert all(record["end"] > record["start"] and record["peak"] > 2**20 and record["cpu"] > 0 for record in records.values())
    output = repro("--report")
    assert re.search(r"^part +3 ", output, re.MULTILINE) and "longest chain" in output and "8 at a time" in output


@pytest.mark.parametrize("killed", ["interrupted", "command", "stage and dvc"])
def test_killed_it_leaves_nothing_behind_and_the_next_call_resumes(project, expected, killed):
    Path("go").unlink()
    command = subprocess.Popen([sys.executable, "-m", "pipeline", "repro", "-j", "2"], text=True, start_new_session=True,
                               env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 60
    while len(running := [*Path().glob("shell-?")]) < 2:
        assert command.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    shells = [psutil.Process(int(path.read_text())) for path in running]
    for path in [HELD, *(RUNNING / path.name.replace("shell-", "part@") for path in running)]:
        with pytest.raises(Timeout):  # so another command waits
            FileLock(path.with_suffix(".lock")).acquire(blocking=False)
    if killed == "interrupted":
        command.send_signal(signal.SIGINT)
    elif killed == "command":
        command.kill()
    else:
        Path("dvc.lock").write_bytes((whole := lock())[:-9])  # as if dvc was killed when it wrote
        shells[1].parent().parent().kill()
        psutil.wait_procs(shells[1:], 30)
        while lock() != whole:
            assert time.monotonic() < deadline
        shells[0].kill()
    _, alive = psutil.wait_procs(shells, 30)
    assert not alive
    Path("go").touch()
    output, _ = command.communicate(timeout=60)
    if killed == "stage and dvc":
        stage, dvc = (path.name.replace("shell-", "part@") for path in running)
        assert command.returncode == 1 and "not run: join, last" in output and "dvc.lock was cut off" in output
        assert f"{stage}: failed after" in output and f"{dvc}: killed after" in output and "part@z: done" in output
    else:
        assert command.returncode == (-signal.SIGKILL if killed == "command" else 128 + signal.SIGINT)
        assert not {"part@x", "part@y", "part@z"} & ran(output)
    again = ran(repro())
    assert "first" not in again and "join" in again
    assert lock() == expected


def test_a_command_waits_for_the_one_before_and_for_stages_that_it_left(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    RUNNING.mkdir(parents=True)
    for path, holder in ((HELD, "another `python -m pipeline repro`"), (RUNNING / "part@x.lock", "part@x")):
        with ThreadPoolExecutor() as executor:
            with FileLock(path):
                entered = executor.submit(lambda: only_command().__enter__() or time.monotonic())
                while f"waiting for {holder}" not in capsys.readouterr().out:
                    assert not entered.done()
                    time.sleep(0.01)
                released = time.monotonic()
            assert entered.result(30) >= released


def test_a_dvc_lock_that_was_cut_off_is_mended(project):
    repro()
    text = lock().decode()
    middle = text.index("  part@y:")
    for cut in (text[: middle + 70], text[: middle + 70].rpartition("\n")[0] + "\n", text[:middle], ""):
        Path("dvc.lock").write_text(cut)
        assert lockfile.damage(ALL)
        output = repro()
        assert ran(output) == {"always"} and "dvc.lock was cut off" in output
        assert lock().decode() == text and lockfile.damage(ALL) is None
        assert lockfile.DAMAGED.read_text() == cut
    Path("dvc.lock").write_text(text[: middle + 70])
    shutil.rmtree(".work")  # without a kept one what is whole stays, and DVC's run cache has the others
    output = repro()
    assert "part@y: taken from DVC's cache" in output and "part@x" not in output
    assert ran(output) == {"always"} and lock().decode() == text


def test_what_ran_since_is_newer_than_what_is_kept(project):
    repro()
    old = lock().decode()
    Path("params.yaml").write_text("n: 2\nm: 2\n")
    repro()
    new = lock().decode()
    lockfile.KEPT.write_text(old)
    Path("dvc.lock").write_text(new[: new.index("  part@z:") + 30])
    assert "middle of a line" in lockfile.mend()
    assert lock().decode() == new
    conflict = new.replace("  first:", "<<<<<<< HEAD\n  first:")
    Path("dvc.lock").write_text(conflict)  # is for DVC to tell of
    assert lockfile.damage() is None and "dvc.lock" in repro(code=1)
    assert lock().decode() == conflict


def test_two_stages_at_once_get_two_gpus(project):
    repro("--gpus", "3,4", "part@x", "part@y")  # which begin together, once the stage first is done
    assert {Path(f"gpu-{key}").read_text() for key in "xy"} == {"3\n", "4\n"}
