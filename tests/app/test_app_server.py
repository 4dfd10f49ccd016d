"""The page's server: the bytes of `restore`, its refusals, and what other web pages may not do."""
import http.client
import io
import json
import struct
import threading
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from served import RGB, ask, project, restored, served
from typer.testing import CliRunner

from pipeline.app import photos
from pipeline.app.photos import Gone, Photos
from pipeline.app.server import open_server
from pipeline.cli.app import app
from pipeline.images.png import SIGNATURE, chunk
from pipeline.restore.named import write_row


@pytest.fixture
def server(tmp_path, monkeypatch):
    project(tmp_path, monkeypatch)
    with served() as found:
        yield found


def encoded(kind: str, image: np.ndarray = RGB, **options) -> bytes:
    handle = io.BytesIO()
    Image.fromarray(image).save(handle, kind, **options)
    return handle.getvalue()


def sixteen_bits(suffix: str) -> bytes:
    return cv2.imencode(suffix, np.random.default_rng(0).integers(0, 2**16, (19, 23, 3), np.uint16))[1].tobytes()


def turned() -> bytes:
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Maker"
    return encoded("JPEG", exif=exif, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())


PHOTOS = {"a.png": encoded("PNG"), "turned.jpg": turned(), "deep.png": sixteen_bits(".png"), "deep.tif": sixteen_bits(".tif"),
          "alpha.png": encoded("PNG", np.dstack((RGB, RGB[..., 0]))), "grey.webp": encoded("WEBP", RGB[..., 0]),
          "b.bmp": encoded("BMP"), "Upper.JPEG": encoded("JPEG"), "wrong.png": encoded("JPEG")}


def by_command(photo: bytes, name: str, *options: str) -> tuple[str, bytes]:
    """What `restore` prints, and the file that it writes."""
    Path("photos").mkdir(exist_ok=True)
    Path("photos", name).write_bytes(photo)
    done = CliRunner().invoke(app, ["restore", f"photos/{name}", "-o", "out", "--max-megapixels", "1", *options])
    file = next(Path("out").glob(f"{Path(name).stem}.*"), None)
    return done.output, file.read_bytes() if file else b""


@pytest.mark.parametrize("name", PHOTOS)
def test_the_download_is_what_restore_writes(server, name):
    for row, strength in (("double", 1), ("double", 0), ("same", 1.5)) if name == "a.png" else (("double", 0.6),):
        wanted = by_command(PHOTOS[name], name, "--model", row, "--strength", str(strength))[1]
        status, body, headers = restored(server, PHOTOS[name], name, row, strength=strength)
        assert status == 200 and wanted and body == wanted
        target = json.loads(headers["X-Restage"])["suffix"]
        assert Path("out", Path(name).with_suffix(target)).is_file() and headers["Content-Type"].startswith("image/")


def test_a_starter_restores_too(server):
    write_row("starters/little.safetensors", "double", "double")
    wanted = by_command(PHOTOS["a.png"], "a.png", "--model", "little", "--strength", "0.6")[1]
    assert restored(server, PHOTOS["a.png"], "a.png", "little", strength=0.6)[1] == wanted != b""


def test_another_strength_does_not_run_the_network_again(server):
    runs = []
    assert restored(server, PHOTOS["a.png"], "a.png")[0] == 200
    server.photos.restorer.whole.parts[0].register_forward_hook(lambda *_: runs.append(1))
    for strength in (0.3, 1, 1.5):
        assert restored(server, PHOTOS["a.png"], "a.png", strength=strength)[0] == 200
    assert runs == []
    restored(server, encoded("PNG", 255 - RGB), "a.png")
    assert runs == [1]


def test_a_network_that_was_trained_anew_is_loaded_anew(server):
    first = restored(server, PHOTOS["a.png"], "a.png")[1]
    for file in Path("models/same").iterdir():
        Path("models/double", file.name).write_bytes(file.read_bytes())
    wanted = by_command(PHOTOS["a.png"], "a.png", "--model", "double")[1]
    assert restored(server, PHOTOS["a.png"], "a.png")[1] == wanted != first


def test_a_network_that_cannot_be_loaded_is_not_in_the_way_of_others(server):
    assert restored(server, PHOTOS["a.png"], "a.png")[0] == 200
    Path("models/same/network.safetensors").write_bytes(b"damaged")
    status, body, _ = restored(server, PHOTOS["a.png"], "a.png", "same")
    assert status == 422 and body
    assert restored(server, PHOTOS["a.png"], "a.png")[0] == 200


HUGE = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 50000, 8, 2, 0, 0, 0))  # without pixels: they are not read
HUGE += chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("name, photo", [
    ("cut.jpg", PHOTOS["turned.jpg"][:-200]), ("cut.png", PHOTOS["a.png"][:-30]), ("huge.png", HUGE), ("empty.png", b""),
    ("a.gif", encoded("GIF")), ("notes.txt", b"no photo"), ("alpha.jpg", PHOTOS["alpha.png"])])
def test_what_restore_refuses_is_refused_in_its_words(server, name, photo):
    said = by_command(photo, name, "--model", "double")[0]
    reason = said.partition(f"photos/{name}: ")[2].partition("\nerror: 1 of 1")[0]
    status, body, _ = restored(server, photo, name)
    assert status == 422 and reason and body.decode() == reason
    assert restored(server, PHOTOS["a.png"], "a.png")[0] == 200  # the next one is not in the way of it


@pytest.mark.parametrize("row, strength", [("gone", "1"), ("../models/double", "1"), ("double", "1.6"), ("double", "nan"),
                                           ("double", "much")])
def test_what_the_page_does_not_offer_is_refused(server, row, strength):
    status, body, _ = restored(server, PHOTOS["a.png"], "a.png", row, strength=strength)
    assert status == 422 and (row if row != "double" else strength) in body.decode()


@pytest.mark.parametrize("name", ["../../a.png", "/etc/a.png", "a\0.png", "x" * 5000 + ".png", "..", "", "\N{SNOWMAN}.png"])
def test_no_name_leads_elsewhere(server, name):
    assert restored(server, PHOTOS["a.png"], name)[1] == restored(server, PHOTOS["a.png"], "a.png")[1]
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["models"]


HERE = "127.0.0.1:{port}"


@pytest.mark.parametrize("host, origin", [
    ("evil.example", "http://evil.example"), ("evil.example", f"http://{HERE}"), (HERE, "http://evil.example"), (HERE, "null"),
    (HERE, None), (HERE, "http://127.0.0.1:1"), (HERE, f"https://{HERE}"), (HERE, "http://localhost:{port}"), ("", f"http://{HERE}"),
    ("127.0.0.1.evil.example", "http://127.0.0.1.evil.example"), (None, f"http://{HERE}"), ("[", "http://["),
    ("evil@127.0.0.1.example", None)])
def test_other_web_pages_are_refused(server, monkeypatch, host, origin):
    monkeypatch.setattr(server.photos, "restore", lambda *_: pytest.fail("it was restored"))
    filled = {name: value and value.format(port=server.server_port) for name, value in (("Host", host), ("Origin", origin))}
    for path in ("/restore?name=a.png&row=double", "/shown"):
        assert ask(server, "POST", path, PHOTOS["a.png"], **filled)[0] == 403
    if host != HERE:
        assert ask(server, "GET", "/", **filled)[0] == 403 and ask(server, "GET", "/rows", **filled)[0] == 403


def test_the_page_itself_is_let_in_by_each_name(server):
    for host in (f"127.0.0.1:{server.server_port}", f"localhost:{server.server_port}", "localhost:8000"):  # the last: forwarded
        assert ask(server, "GET", "/", Host=host, Origin=None)[0] == 200
        status, _, _ = ask(server, "POST", "/shown", PHOTOS["a.png"], Host=host, Origin=f"http://{host}")
        assert status == 200
    assert server.server_address[0] == "127.0.0.1"


def test_every_answer_forbids_the_browser_to_load_from_elsewhere(server):
    for path in ("/", "/app.js", "/app.css", "/page.css", "/rows", "/progress?job=1", "/gone"):
        status, body, headers = ask(server, "GET", path)
        assert status == (404 if path == "/gone" else 200) and body
        rules = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
        assert rules["default-src"] == "'none'"
        assert set(" ".join(rules.values()).split()) == {"'none'", "'self'", "blob:", "data:"}
        assert "Access-Control-Allow-Origin" not in headers
    assert ask(server, "GET", "/../server.py")[0] == ask(server, "POST", "/gone", b"x")[0] == 404


def test_what_browsers_cannot_show_is_drawn_as_png(server):
    for name in ("deep.tif", "alpha.png"):
        status, body, headers = ask(server, "POST", "/shown", PHOTOS[name])
        values = cv2.imdecode(np.frombuffer(PHOTOS[name], np.uint8), cv2.IMREAD_UNCHANGED).astype(np.float64)
        if name == "deep.tif":
            wanted = values[..., ::-1] / 257
        else:
            share = values[..., 3:] / 255
            wanted = share * values[..., 2::-1] + (1 - share) * 255
        got = np.asarray(Image.open(io.BytesIO(body)))
        assert status == 200 and headers["Content-Type"] == "image/png" and got.dtype == np.uint8
        assert np.abs(got - wanted).max() <= 1
    assert ask(server, "POST", "/shown", b"no photo")[0] == 422
    large = encoded("PNG", np.zeros((1001, 1000), np.uint8))
    assert ask(server, "POST", "/shown?what=restored", large)[0] == 200
    for photo in (large, HUGE):
        assert ask(server, "POST", "/shown?what=photo", photo)[1].endswith(b"allowed are 1 megapixels")


def test_photos_wait_for_each_other(server):
    answers = []
    with server.photos.turn:  # as if one were being restored
        thread = threading.Thread(target=lambda: answers.append(restored(server, PHOTOS["a.png"], "a.png", job="mine")[0]))
        thread.start()
        thread.join(0.3)
        assert answers == [] and json.loads(ask(server, "GET", "/progress?job=mine")[1]) == {"share": None}
    thread.join()
    assert answers == [200]


def test_a_restoration_tells_how_far_it_is_and_ends_when_nobody_waits(server, monkeypatch):
    Path("photo.png").write_bytes(PHOTOS["a.png"])
    found, shares = Photos(Path("models"), 1), []
    monkeypatch.setattr(photos.Restorer, "begin", lambda self, *rest, begin=photos.Restorer.begin, **more: (
        setattr(self, "tile", 16), begin(self, *rest, **more))[1])

    def gone() -> bool:
        shares.append(found.share("job") or 0)
        return len(shares) == stop_at

    stop_at = None
    found.restore(Path("photo.png"), "double", 1, "job", gone)
    assert shares == sorted(shares) and len(shares) > 4 and shares[:2] == [0, 0] and found.share("job") is None
    shares.clear()
    stop_at = 3
    with pytest.raises(Gone):
        found.restore(Path("photo.png"), "double", 1, "job", gone)
    assert not found.turn.locked() and found.share("job") is None
    with found.turn, pytest.raises(Gone):
        found.restore(Path("photo.png"), "double", 1, "job", lambda: True)


def test_a_page_that_has_gone_is_noticed(server, monkeypatch):
    seen = threading.Event()

    def restore(photo, name, strength, job, gone):
        while not gone():
            pass
        seen.set()
        raise Gone

    monkeypatch.setattr(server.photos, "restore", restore)
    with pytest.raises(TimeoutError):
        here = f"127.0.0.1:{server.server_port}"
        connection = http.client.HTTPConnection(here, timeout=0.2)
        connection.request("POST", "/restore?row=double", PHOTOS["a.png"], {"Origin": f"http://{here}"})
        connection.getresponse()
    assert not seen.is_set()
    connection.close()
    assert seen.wait(10)


@pytest.mark.parametrize("error, is_printed", [(BrokenPipeError, False), (ZeroDivisionError, True)])
def test_a_page_that_closes_early_prints_nothing_and_a_fault_of_ours_does(server, capsys, monkeypatch, error, is_printed):
    def rows():
        raise error("of the test")

    def closed(request, close=server.shutdown_request):
        close(request)
        ended.set()

    ended = threading.Event()
    monkeypatch.setattr(server, "rows", rows)
    monkeypatch.setattr(server, "shutdown_request", closed)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(server, "GET", "/rows")
    assert ended.wait(10) and ("of the test" in capsys.readouterr().err) == is_printed


def test_a_taken_port_is_passed_over(server):
    with open_server(server.server_port, server.photos, list) as other:
        assert other.server_port != server.server_port and other.address == f"http://127.0.0.1:{other.server_port}/"
        folder = Path(other.folder.name)
        assert folder.is_dir()
    assert not folder.exists()
