"""A headless Chromium, spoken to over a pipe (https://chromedevtools.github.io/devtools-protocol): it needs no package.

`RESTAGE_CHROMIUM` names the program; otherwise the usual names are looked for, Debian's `chromium` among them. First comes
the one without windows, which shows the same pages and takes a fifth of the time to open one.
"""
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """The path of a Chromium, None where there is none."""
    return os.environ.get("RESTAGE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """The program. It takes a second to begin, so the tests of a file share one, in which each has a page of its own."""

    def __init__(self, program: str, profile: Path):
        self.read_end, told = os.pipe()
        asked, self.write_end = os.pipe()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        self.process = subprocess.Popen(["bash", "-c", f'exec "$@" 3<&{asked} 4>&{told}', "-", program, *options],
                                        pass_fds=(asked, told), stderr=subprocess.DEVNULL)
        os.close(asked)
        os.close(told)
        self.rest, self.count = b"", 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()
        os.close(self.read_end)
        os.close(self.write_end)

    def next(self) -> dict:
        """The next answer or event."""
        while b"\0" not in self.rest:
            found = os.read(self.read_end, 1 << 16)
            if not found:
                raise EOFError("the browser is gone")
            self.rest += found
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def call(self, method: str, session: str | None = None, heard: Callable[[dict], None] = lambda event: None,
             **params) -> dict:
        """The answer to a command. `heard` gets what is told before it. Raises RuntimeError with what the browser says against
        the command."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        os.write(self.write_end, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while (answer := self.next()).get("id") != self.count:
            heard(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]


class Browser:
    """One page, which shares nothing with others: no cache, cookie or stored value. `events` are all that it told since it was
    opened: console messages, requests, exceptions."""

    def __init__(self, chromium: Chromium):
        self.chromium, self.session, self.events = chromium, None, []
        self.context = chromium.call("Target.createBrowserContext")["browserContextId"]
        target = chromium.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = chromium.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.chromium.call("Target.disposeBrowserContext", browserContextId=self.context)

    def _heard(self, event: dict) -> None:
        if event.get("sessionId") == self.session:
            self.events.append(event)

    def call(self, method: str, **params) -> dict:
        """The answer to a command. Raises RuntimeError with what the browser says against it."""
        return self.chromium.call(method, self.session, self._heard, **params)

    def open(self, address: str, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Show a page, and wait until it is loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=address)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._heard(self.chromium.next())

    def ask(self, expression: str):
        """What an expression of JavaScript gives."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"]["description"])
        return found["result"].get("value")

    def complaints(self) -> list[dict]:
        """Messages to the console, of the script or the browser, and exceptions."""
        return [event["params"] for event in self.events
                if event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")]

    def requests(self) -> list[str]:
        """The addresses that the page asked for, but for those that hold their own data."""
        asked = [event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [address for address in asked if not address.startswith("data:")]

    def mouse(self, what: str, x: float, y: float) -> None:
        """`what` is Pressed, Moved or Released, at a place of the window; the left button is down but when released."""
        self.call("Input.dispatchMouseEvent", type=f"mouse{what}", x=x, y=y, button="left",
                  buttons=int(what != "Released"), clickCount=int(what != "Moved"))

    def press(self, key: str) -> None:
        """A key by its name, such as Tab, Enter or ArrowRight."""
        codes = {"Tab": 9, "Enter": 13, "ArrowLeft": 37, "ArrowRight": 39}
        text = {"text": "\r"} if key == "Enter" else {}
        for what in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=what, key=key, code=key, windowsVirtualKeyCode=codes[key],
                      **(text if what == "keyDown" else {}))
