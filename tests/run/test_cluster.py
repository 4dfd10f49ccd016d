"""`python -m pipeline repro --dask`, with a scheduler and workers of this machine, started as a user starts them."""
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import warm
from conftest import ROOT
from dvc.repo import Repo
from typer.testing import CliRunner

from pipeline.cli.app import app

pytest.importorskip("distributed")
from distributed import Client  # noqa: E402

from pipeline.run.cluster import Cluster  # noqa: E402
from pipeline.run.stage import Job  # noqa: E402

PATIENCE = 300  # seconds, on a busy machine
STAGES = """
stages:
  first: {cmd: cp source first, deps: [source], outs: [first]}
  part:
    foreach: [x, y]
    do:
      cmd: cat first > part-${item}; echo $KIND > kind-${item}
      deps: [first]
      outs: ["part-${item}"]
  net: {cmd: echo $KIND > kind-net; python count.py && cp first net, deps: [first], params: [threads], outs: [net]}
  last: {cmd: cat part-x part-y net > last, deps: [part-x, part-y, net], outs: [last]}
"""
# As a training, it goes on at the number in `state`. After its first number it waits for the file go. Told to stop,
# it waits for the file end.
COUNT = """
import os, signal, time
from pathlib import Path
state, told = Path("state"), []
signal.signal(signal.SIGINT, lambda *_: told.append(True))
while (number := int(state.read_text()) if state.exists() else 0) < 10:
    state.write_text(str(number + 1))
    with open("journal", "a") as journal:
        journal.write(f"{os.getpid()} {number}\\n")
    while not Path("go").exists() or told:
        if told and Path("end").exists():
            raise SystemExit(130)
        time.sleep(0.05)
"""


class Machines:
    """A scheduler and workers, in processes of their own."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address, self.started = f"tcp://127.0.0.1:{self.port}", []
        self.scheduler = self.start_scheduler()

    def run(self, python: str, *words: str, **env: str) -> subprocess.Popen:
        process = subprocess.Popen([python, "-m", *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   env=os.environ | warm.environment() | {"PYTHONPATH": str(ROOT)} | env)
        self.started.append(process)
        return process

    def start_scheduler(self) -> subprocess.Popen:
        return self.run("python", "dask", "scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--dashboard-address",
                        ":0")

    def start_worker(self, *options: str, **env: str) -> subprocess.Popen:
        """A process of its own, as its children are looked for."""
        return self.run(sys.executable, "dask", "worker", self.address, "--nthreads", "1", *options, **env)

    def repro(self, *targets: str) -> subprocess.Popen:
        return self.run("python", "pipeline", "repro", "--dask", self.address, *targets)


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """In a project in which nothing has run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    Repo.init(no_scm=True).close()
    for name, text in {"dvc.yaml": STAGES, "params.yaml": "threads: 1\n", "source": "source\n", "count.py": COUNT}.items():
        Path(name).write_text(text)
    found = Machines()
    yield found
    for process in reversed(found.started):
        for child in psutil.Process(process.pid).children() if process.poll() is None else []:
            child.kill()
        process.kill()
        process.communicate()


def counting(command: subprocess.Popen, number: int) -> psutil.Process:
    """The process that has counted to `number`, and waits."""
    deadline = time.monotonic() + PATIENCE
    while not Path("journal").exists() or not Path("journal").read_text().endswith(f" {number}\n"):
        assert command.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    return psutil.Process(int(Path("journal").read_text().split()[-2]))


def counted() -> list[int]:
    """The processes that counted to 9, one after the other; each number was counted once."""
    rows = [row.split() for row in Path("journal").read_text().splitlines()]
    assert [int(number) for _, number in rows] == [*range(10)]
    return [*dict.fromkeys(int(process) for process, _ in rows)]


def test_another_worker_goes_on_where_one_was_killed_and_all_is_as_by_dvc(machines):
    machines.start_worker(KIND="cpu")
    worker = machines.start_worker("--no-nanny", "--resources", "GPU=1", KIND="gpu")
    with Client(machines.address) as client:
        client.wait_for_workers(2, timeout=PATIENCE)
    command = machines.repro()
    first = counting(command, 0)
    assert worker.pid in [parent.pid for parent in first.parents()]
    machines.start_worker("--no-nanny", "--resources", "GPU=1", KIND="other gpu")
    worker.kill()
    log = Path(".work/logs/net.log")
    while first.is_running() and "waiting for net to end" not in log.read_text():
        time.sleep(0.05)
    Path("end").touch()
    first.wait(PATIENCE)
    Path("go").touch()
    output, _ = command.communicate(timeout=PATIENCE)
    assert command.returncode == 0 and "5/5  last: done" in output
    assert len(counted()) == 2 and counted()[0] == first.pid  # one after the other
    assert [Path(f"kind-{name}").read_text() for name in ("x", "y", "net")] == ["cpu\n", "cpu\n", "other gpu\n"]
    made = Path("dvc.lock").read_bytes()
    Path("dvc.lock").unlink()
    with Repo(".") as repo:
        repo.reproduce(force=True, run_cache=False)
    assert Path("dvc.lock").read_bytes() == made


def test_what_was_stopped_goes_on(machines, tmp_path_factory, monkeypatch):
    Path("end").touch()
    machines.start_worker()
    found = []
    for number, how in enumerate(("interrupted", "interrupted twice", "killed", "without scheduler")):
        command = machines.repro("net")
        found.append(counting(command, number))
        if "interrupted" in how:
            if "twice" in how:
                Path("end").unlink()
            command.send_signal(signal.SIGINT)
            if "twice" in how:
                assert any("press Ctrl-C again" in line for line in iter(command.stdout.readline, ""))
                command.send_signal(signal.SIGINT)
                psutil.wait_procs([found[-1]], PATIENCE)
                Path("end").touch()
            output, _ = command.communicate(timeout=PATIENCE)
            assert command.returncode == 128 + signal.SIGINT
        elif how == "killed":
            command.kill()
        else:
            machines.scheduler.kill()
            output, _ = command.communicate(timeout=PATIENCE)
            assert command.returncode == 1
            assert f"error: the connection to the Dask scheduler {machines.address} was lost" in output
    machines.start_scheduler()
    machines.start_worker()
    Path("go").touch()
    output, _ = machines.repro("net").communicate(timeout=PATIENCE)
    assert "2/2  net: done" in output and "first: done" not in output
    assert counted()[:-1] == [process.pid for process in found] and not any(process.is_running() for process in found)
    monkeypatch.chdir(other := tmp_path_factory.mktemp("other"))
    Path("dvc.yaml").write_text("stages: {}")
    Repo.init(no_scm=True).close()
    assert f"start it in {other}" in machines.repro().communicate(timeout=PATIENCE)[0]


def test_a_missing_package_is_named(machines, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "pipeline.run.cluster")
    result = CliRunner().invoke(app, ["repro", "--dask", machines.address])
    assert result.exit_code == 1 and "pip install dask distributed" in result.output


def placed(workers: dict[str, dict], jobs: list[str], limit: int = 0) -> list[str]:
    """The jobs that find room, those on a worker with a GPU in capitals. Names of stages with networks begin with n."""
    client = SimpleNamespace(scheduler_info=lambda n_workers: {"workers": workers})
    cluster, running = Cluster(client, limit), []
    for name in jobs:
        running += filter(None, [cluster.place(Job(name, False, 0, name.startswith("n")), running)])
    return [job.stage.upper() if job.gpu else job.stage for job in running]


def test_stages_with_networks_take_the_workers_with_a_gpu_and_others_the_others():
    gpu, cpu = {"nthreads": 1, "resources": {"GPU": 1}}, {"nthreads": 2, "resources": {}}
    jobs = ["n1", "a", "n2", "b", "c"]
    assert placed({"0": gpu, "1": cpu}, jobs) == ["N1", "a", "b"]
    assert placed({"0": gpu, "1": gpu}, jobs) == ["N1", "A"]
    assert placed({"0": cpu, "1": cpu}, jobs) == ["n1", "a", "n2", "b"]
    assert placed({"0": cpu, "1": cpu}, jobs, limit=3) == ["n1", "a", "n2"]
    assert placed({}, jobs) == ["n1"]  # waits for a worker
