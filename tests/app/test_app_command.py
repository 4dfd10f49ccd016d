"""`python -m pipeline app` as a process of its own."""
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from conftest import ROOT
from served import networks
from typer.testing import CliRunner

from pipeline.cli.app import app


@pytest.mark.skipif(os.name == "nt", reason="Windows has another Ctrl-C")
def test_it_takes_a_free_port_serves_and_ends_quietly(tmp_path):
    networks(tmp_path)
    (tmp_path / "temporary").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = subprocess.Popen([sys.executable, "-m", "pipeline", "app", "--no-browser", "--port", str(port)], cwd=tmp_path,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")})
        first, second = process.stdout.readline(), process.stdout.readline()
    address = re.match(r"http://127\.0\.0\.1:\d+/", second)[0]
    assert str(port) in first and str(port) not in address
    with urllib.request.urlopen(address) as answer:
        assert b"Restore a photo" in answer.read()
    with urllib.request.urlopen(f"{address}rows") as answer:
        assert b'"double"' in answer.read()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[0].split() == ["ended"] and process.returncode == 0
    assert list((tmp_path / "temporary").iterdir()) == []


def test_without_a_network_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["app", "--no-browser"])
    assert done.exit_code == 1 and "models" in done.output
