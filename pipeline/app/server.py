"""The page's server, on this machine alone.

Other web pages that are open in the same browser can send requests to 127.0.0.1 too. So a request counts only if its Host is
this machine by name or number (a foreign name that was made to lead here is refused), and, if it comes from a page, from this
one. What the browser may load is limited to this server as well, by the header Content-Security-Policy.
"""
import errno
import json
import os
import select
import shutil
import socket
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

from pipeline.app.photos import Gone, Photos
from pipeline.core.files import need_space
from pipeline.restore.batch import in_words
from pipeline.restore.plan import READ
from pipeline.restore.save import FORMATS

ADDRESS = "127.0.0.1"
NAMES = (ADDRESS, "localhost")
PART = 2**20  # bytes that are read at a time
WEB, REPORT = Path(__file__).with_name("web"), Path(__file__).parents[1] / "report/web"
FILES = {"/": (WEB / "index.html", "text/html; charset=utf-8"), "/app.js": (WEB / "app.js", "text/javascript"),
         "/app.css": (WEB / "app.css", "text/css"), "/page.css": (REPORT / "page.css", "text/css")}
HEADERS = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob: data:; "
                                      "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
           "Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
           "Referrer-Policy": "same-origin", "Cache-Control": "no-store"}


class Server(ThreadingHTTPServer):
    """`rows`: gives the networks to choose from, a list of objects as JSON has them. With port 0 any free one is taken."""
    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # there it would let two servers have one port
    timeout = 0.5  # seconds that `handle_request` waits

    def __init__(self, port: int, photos: Photos, rows: Callable[[], list[dict]]):
        self.photos, self.rows, self.ended = photos, rows, False
        self.folder = TemporaryDirectory(prefix="restage-", ignore_cleanup_errors=True)
        super().__init__((ADDRESS, port), Handler)

    @property
    def address(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"

    def server_close(self) -> None:
        """Waits for the tile of a photo that is being restored: left alone in its thread, it would crash the end of Python."""
        self.ended = True
        super().server_close()
        with self.photos.turn:
            self.folder.cleanup()

    def handle_error(self, request, client_address) -> None:
        """Nothing is printed when a page has closed its connection, or this server its folder."""
        if not self.ended and not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def open_server(port: int, photos: Photos, rows: Callable[[], list[dict]]) -> Server:
    """A server at the port, or at any free one where it is taken."""
    try:
        return Server(port, photos, rows)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return Server(0, photos, rows)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds without a byte, after which a connection is closed

    def do_GET(self):
        if not self._is_ours(needs_origin=False):
            return
        url = urlsplit(self.path)
        if url.path in FILES:
            file, kind = FILES[url.path]
            self._send(200, file.read_bytes(), kind)
        elif url.path == "/rows":
            self._send_json({"rows": self.server.rows(), "reads": sorted(READ)})
        elif url.path == "/progress":
            self._send_json({"share": self.server.photos.share(self._asked().get("job", ""))})
        else:
            self._refuse(404, "there is no such page")

    def do_POST(self):
        if not self._is_ours(needs_origin=True):
            return
        answer = {"/restore": self._restore, "/shown": self._shown}.get(urlsplit(self.path).path)
        if answer is None:
            return self._refuse(404, "there is no such page")
        with TemporaryDirectory(dir=self.server.folder.name) as folder:
            try:
                answer(self._received(Path(folder)))
            except (Gone, ConnectionError):
                self.close_connection = True
            except Exception as error:
                self._refuse(422, in_words(error))

    def _restore(self, photo: Path) -> None:
        asked = self._asked()
        if asked.get("row") not in [row["name"] for row in self.server.rows()]:
            raise ValueError(f"no network {asked.get('row')!r} here")
        target, remarks = self.server.photos.restore(photo, asked["row"], float(asked.get("strength", 1)), asked.get("job", ""),
                                                     self._is_gone)
        kind = f"image/{FORMATS[target.suffix.lower()].lower()}"
        with target.open("rb") as handle:
            self._head(200, target.stat().st_size, kind, {"X-Restage": json.dumps({"suffix": target.suffix, "notes": remarks})})
            shutil.copyfileobj(handle, self.wfile, PART)

    def _shown(self, photo: Path) -> None:
        self._send(200, self.server.photos.shown(photo, self._asked().get("what") == "restored"), "image/png")

    def _is_ours(self, needs_origin: bool) -> bool:
        """Whether the request comes from this page; one that does not is refused."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        try:
            known = urlsplit(f"//{host}").hostname in NAMES and len(self.headers.get_all("Host")) == 1
        except ValueError:
            known = False
        if known and (origin == f"http://{host}" or origin is None and not needs_origin):
            return True
        self._refuse(403, "this page is for the browser on this machine alone, and only for what it has opened itself")
        return False

    def _asked(self) -> dict[str, str]:
        return {key: values[-1] for key, values in parse_qs(urlsplit(self.path).query).items()}

    def _received(self, folder: Path) -> Path:
        """The body as a file in a folder. Its name ends as that of the photo, which says in which format it is restored."""
        left = int(self.headers.get("Content-Length", ""))
        suffix = Path(self._asked().get("name", "")).suffix
        photo = folder / f"photo{suffix if suffix.lower() in READ else ''}"
        need_space(folder, left, "the photo")
        with photo.open("wb") as handle:
            while left > 0:
                part = self.rfile.read(min(left, PART))
                if not part:
                    raise Gone
                left -= handle.write(part)
        return photo

    def _is_gone(self) -> bool:
        """Whether the page has closed the connection, or this server ends."""
        if self.server.ended:
            return True
        try:
            return bool(select.select([self.connection], [], [], 0)[0]) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _head(self, status: int, length: int, kind: str, more: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(length), **HEADERS, **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: int, body: bytes, kind: str, **more: str) -> None:
        self._head(status, len(body), kind, more)
        self.wfile.write(body)

    def _send_json(self, value) -> None:
        self._send(200, json.dumps(value).encode(), "application/json")

    def _refuse(self, status: int, why: str) -> None:
        """An error in words. The connection is closed, as what is left of the request may not have been read."""
        self.close_connection = True
        self._send(status, why.encode(), "text/plain; charset=utf-8", Connection="close")

    def version_string(self) -> str:
        return "Restage"

    def log_message(self, format, *arguments):
        pass
