"""A project with small networks and the server of its page, for tests."""
import http.client
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import torch
from conftest import smooth_image

from pipeline.app.photos import Photos
from pipeline.app.server import Server
from pipeline.nets.build import build
from pipeline.restore import starters
from pipeline.restore.network import save_network
from pipeline.restore.rows import rows

NETWORKS = {"double": {"scale": 2, "blocks": 1, "features": 4},
            "same": {"scale": 1, "blocks": 1, "features": 12, "unshuffle": 2}}
RGB = smooth_image(np.random.default_rng(2), 37, 53)


def networks(folder: Path) -> None:
    """Two networks below models/."""
    for seed, (name, options) in enumerate(NETWORKS.items()):
        torch.manual_seed(seed)
        save_network(folder / "models" / name, build("edsr", options), "edsr", options, {})


def offered() -> list[dict]:
    return [{"name": name, "scale": manifest["scale"], "group": f"x{manifest['scale']}"}
            for name, manifest in rows("models").items()]


def project(folder: Path, monkeypatch) -> None:
    """The present folder, with two networks and without a starter."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(starters, "FOLDER", folder / "starters")
    networks(folder)


@contextmanager
def served(max_megapixels: float = 1):
    with Server(0, Photos(Path("models"), max_megapixels), offered) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server: Server, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes, dict]:
    """Status, body and headers of an answer. Host and Origin are the page's own unless given; None: it is not sent."""
    here = f"127.0.0.1:{server.server_port}"
    headers = {"Host": here, "Origin": f"http://{here}"} | headers
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    for name, value in (headers | {"Content-Length": str(len(body or b""))}).items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.headers)
    connection.close()
    return found


def restored(server: Server, photo: bytes, name: str, row: str = "double", **asked) -> tuple[int, bytes, dict]:
    return ask(server, "POST", f"/restore?{urlencode({'name': name, 'row': row} | asked)}", photo)
