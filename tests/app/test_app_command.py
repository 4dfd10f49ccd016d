"""`python -m pipeline app` as a process of its own."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest
from conftest import ROOT
from PIL import Image
from served import networks
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.restore import starters

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has another Ctrl-C")


@contextmanager
def running(folder, *options: str):
    """The process, whose temporary files are in the folder `temporary`."""
    networks(folder)
    (folder / "temporary").mkdir()
    with subprocess.Popen([sys.executable, "-m", "pipeline", "app", "--no-browser", *options], cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "temporary")}) as process:
        yield process
        process.kill()


def test_it_takes_a_free_port_serves_and_ends_quietly(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(tmp_path, "--port", str(port)) as process:
            first, second = process.stdout.readline(), process.stdout.readline()
            address = re.match(r"http://127\.0\.0\.1:\d+/", second)[0]
            assert str(port) in first and str(port) not in address
            with urllib.request.urlopen(address) as answer:
                assert b"Restore a photo" in answer.read()
            with urllib.request.urlopen(f"{address}rows") as answer:
                assert [row["name"] for row in json.load(answer)["rows"]][:2] == ["double", "same"]
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=30)[0].split() == ["ended"] and process.returncode == 0
    assert list((tmp_path / "temporary").iterdir()) == []


def test_ctrl_c_while_a_photo_is_restored_is_quiet_too(tmp_path):
    Image.new("RGB", (2000, 2000)).save(tmp_path / "large.png")
    with running(tmp_path, "--port", "0") as process:
        address = process.stdout.readline().split()[0]
        place = address.removeprefix("http://").rstrip("/")
        connection = http.client.HTTPConnection(place)
        connection.request("POST", "/restore?row=double&name=large.png&job=mine", (tmp_path / "large.png").read_bytes(),
                           {"Origin": f"http://{place}"})
        share, end = 0, time.monotonic() + 120
        while not share:
            assert time.monotonic() < end
            time.sleep(0.02)
            with urllib.request.urlopen(f"{address}progress?job=mine") as answer:
                share = json.load(answer)["share"]
        process.send_signal(signal.SIGINT)
        assert share < 1 and process.communicate(timeout=60)[0].split() == ["ended"] and process.returncode == 0
        connection.close()
    assert not list((tmp_path / "temporary").glob("restage-*"))


def test_without_a_network_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(starters, "FOLDER", tmp_path / "starters")
    done = CliRunner().invoke(app, ["app", "--no-browser"])
    assert done.exit_code == 1 and "models" in done.output
