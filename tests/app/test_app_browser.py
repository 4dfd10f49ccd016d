"""The page in a headless Chromium (`apt install chromium`, or RESTAGE_CHROMIUM); skipped where there is none."""
import time
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, program
from PIL import Image
from served import RGB, project, restored, served

if program() is None:
    pytest.skip("no chromium here, and RESTAGE_CHROMIUM names none", allow_module_level=True)

SECONDS = 60  # until what is waited for has to be there
BUSY = "document.getElementById('go').textContent === 'Stop'"
SHOWN = f"!document.getElementById('result').hidden && !({BUSY})"


@pytest.fixture
def server(tmp_path, monkeypatch):
    project(tmp_path, monkeypatch)
    with served() as found:
        yield found


@pytest.fixture
def browser(server, chromium):
    with Browser(chromium) as found:
        found.open(server.address)
        wait(found, "document.getElementById('row').options.length === 2")
        yield found
        assert found.complaints() == []
        addresses = {address.removeprefix("blob:") for address in found.requests()}
        assert addresses and all(address.startswith(server.address) for address in addresses)


def wait(browser: Browser, condition: str) -> None:
    end = time.monotonic() + SECONDS
    while not browser.ask(condition):
        assert time.monotonic() < end, f"{condition}: {browser.ask('document.body.innerText')}"
        time.sleep(0.05)


def drop(browser: Browser, *photos: Path) -> None:
    place = "(({left, top, width, height}) => [left + width / 2, top + height / 2])"
    x, y = browser.ask(f"{place}(document.getElementById('drop').getBoundingClientRect())")
    files = {"items": [], "files": [str(photo.resolve()) for photo in photos], "dragOperationsMask": 1}
    for what in ("dragEnter", "dragOver", "drop"):
        browser.call("Input.dispatchDragEvent", type=what, x=x, y=y, data=files)
    wait(browser, "!document.getElementById('go').disabled")


def photo(name: str, image: np.ndarray = RGB) -> Path:
    Image.fromarray(image).save(name)
    return Path(name)


def download(browser: Browser, folder: Path) -> Path:
    """The file that the link on the page gives."""
    folder.mkdir()
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder.resolve()))
    browser.ask("document.getElementById('download').click()")
    end = time.monotonic() + SECONDS
    while not (found := [path for path in folder.iterdir() if path.suffix != ".crdownload"]):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found[0]


def text(browser: Browser, name: str) -> str:
    return browser.ask(f"document.getElementById('{name}').innerText")


def set_strength(browser: Browser, value: str) -> None:
    browser.ask(f"(slider => {{ slider.value = '{value}'; for (const name of ['input', 'change']) "
                "slider.dispatchEvent(new Event(name)); })(document.getElementById('strength'))")


def test_a_photo_is_dropped_restored_compared_and_downloaded(browser, server):
    file = photo("a.png")
    drop(browser, file)
    wait(browser, "!document.getElementById('thumbnail').hidden")
    browser.ask("document.getElementById('go').click()")
    wait(browser, SHOWN)
    assert browser.ask("[before, after].map(image => image.naturalWidth)") == [RGB.shape[1], 2 * RGB.shape[1]]
    assert browser.ask("before.getBoundingClientRect().width === after.getBoundingClientRect().width")
    assert "53×37 → 106×74" in text(browser, "sizes") and "double" in text(browser, "after-name")
    set_strength(browser, "0.6")
    wait(browser, f"{SHOWN} && document.getElementById('after-name').innerText.includes('0.6')")
    got = download(browser, Path("downloads"))
    assert got.name == "a-restored.png" and got.read_bytes() == restored(server, file.read_bytes(), "a.png", strength=0.6)[1]


def test_keys_alone_restore_and_compare(browser):
    drop(browser, photo("a.png"))
    browser.ask("document.getElementById('file').focus()")
    order = []
    for _ in range(3):
        browser.press("Tab")
        order.append(browser.ask("document.activeElement.id"))
    assert order == ["row", "strength", "go"]
    browser.press("Enter")
    wait(browser, SHOWN)
    for _ in range(5):
        browser.press("Tab")
        order.append(browser.ask("document.activeElement.id || document.activeElement.textContent"))
    assert order[3:] == ["Fit", "1:1", "download", "pane", "cut"]
    browser.press("ArrowRight")
    assert browser.ask("getComputedStyle(before).clipPath") == "inset(0px calc(100% - 53.53px) 0px 0px)"  # 50.5 % of 106


def test_the_cut_follows_the_mouse_and_the_picture_moves_at_its_own_size(browser):
    drop(browser, photo("a.png", np.tile(RGB, (12, 16, 1))))
    browser.ask("document.getElementById('go').click()")
    wait(browser, SHOWN)
    box = "(({left, top, width, height}) => [left, top, width, height])(stack.getBoundingClientRect())"
    browser.ask("view.scrollIntoView({block: 'center'})")
    left, top, width, height = browser.ask(box)
    assert width <= browser.ask("view.clientWidth") and height <= 0.79 * browser.ask("innerHeight")
    browser.mouse("Pressed", left + width / 4, top + height / 3)
    browser.mouse("Released", left + width / 4, top + height / 3)
    assert float(browser.ask("cut.value")) == pytest.approx(25, abs=0.5)
    browser.ask("document.querySelector('[data-size=pixels]').click()")
    assert browser.ask("stack.getBoundingClientRect().width") == 2 * 16 * 53
    handle = browser.ask("handle.getBoundingClientRect().left + 22")
    seen = browser.ask("pane.clientWidth")
    assert handle == pytest.approx(browser.ask("pane.getBoundingClientRect().left") + seen / 4, abs=seen / 150)
    before = browser.ask("[pane.scrollLeft, pane.scrollTop]")
    x, y = browser.ask("(({left, top}) => [left, top])(pane.getBoundingClientRect())")
    browser.mouse("Pressed", x + 500, y + 200)
    browser.mouse("Moved", x + 460, y + 180)
    browser.mouse("Released", x + 460, y + 180)
    wait(browser, f"pane.scrollLeft === {before[0] + 40} && pane.scrollTop === {before[1] + 20}")
    wait(browser, "stack.style.getPropertyValue('--cut') === `${pane.scrollLeft + pane.clientWidth * cut.value / 100}px`")
    browser.mouse("Pressed", handle, y + 300)
    browser.mouse("Moved", handle + 100, y + 300)
    browser.mouse("Released", handle + 100, y + 300)
    assert float(browser.ask("cut.value")) > 30 and browser.ask("pane.scrollLeft") == before[0] + 40


def test_what_the_browser_cannot_show_is_shown_all_the_same(browser):
    drop(browser, photo("a.tif"))
    browser.ask("document.getElementById('go').click()")
    wait(browser, SHOWN)
    assert browser.ask("[before, after, thumbnail].map(image => image.naturalWidth)") == [53, 106, 53]
    assert browser.ask("download.download") == "a-restored.tif"


def test_nothing_shines_through_where_a_photo_is_transparent(browser):
    alpha = np.zeros(RGB.shape[:2], np.uint8)
    drop(browser, photo("a.png", np.dstack((RGB, alpha))))
    browser.ask("document.getElementById('go').click()")
    wait(browser, SHOWN)
    assert browser.ask("[after, before].map(image => getComputedStyle(image).clipPath)") == [
        "inset(0px 0px 0px 53px)", "inset(0px calc(100% - 53px) 0px 0px)"]


def test_an_error_is_told_in_words_and_the_next_photo_takes_its_place(browser):
    Path("bad.png").write_bytes(photo("a.png").read_bytes()[:-100])
    drop(browser, Path("bad.png"))
    browser.ask("document.getElementById('go').click()")
    wait(browser, "!document.getElementById('error').hidden")
    assert "bad.png" in text(browser, "error") and "cut off" in text(browser, "error")
    assert browser.ask("document.getElementById('result').hidden")
    drop(browser, photo("a.jpg"), photo("b.jpg"))
    assert browser.ask("document.getElementById('error').hidden") and "first of 2" in text(browser, "state")
    browser.ask("document.getElementById('go').click()")
    wait(browser, SHOWN)
    noted = [event for event in browser.events if "status of 422" in str(event)]  # Chromium notes each answer that is an error
    assert len(noted) == 1
    browser.events.remove(noted[0])


def test_a_restoration_can_be_stopped(browser, server):
    drop(browser, photo("a.png"))
    with server.photos.turn:  # as if another were under way
        browser.ask("document.getElementById('go').click()")
        assert browser.ask(BUSY)
        browser.ask("document.getElementById('go').click()")
        wait(browser, f"!({BUSY})")
        assert text(browser, "state") == "Stopped" and browser.ask("document.getElementById('result').hidden")
    browser.ask("document.getElementById('go').click()")
    wait(browser, SHOWN)


@pytest.mark.parametrize("width", [360, 390])
def test_a_narrow_window_scrolls_down_only_and_the_dark_is_dark(browser, server, width):
    light = browser.ask("getComputedStyle(document.body).backgroundColor")
    browser.open(server.address, width=width, height=640, dark=True)
    wait(browser, "document.getElementById('row').options.length === 2")
    assert browser.ask("getComputedStyle(document.body).backgroundColor") != light == "rgb(255, 255, 255)"
    drop(browser, photo("a-long-name" * 9 + ".png", np.tile(RGB, (12, 16, 1))))
    browser.ask("document.getElementById('go').click()")
    wait(browser, SHOWN)
    for size in ("fit", "pixels"):
        browser.ask(f"document.querySelector('[data-size={size}]').click()")
        assert browser.ask("innerWidth") == browser.ask("document.documentElement.scrollWidth") == width
    inside = ("[...document.querySelectorAll('main *')].filter(element => !element.closest('.stack, option')).every(element => "
              "(({left, right}) => 0 <= left && right <= innerWidth)(element.getBoundingClientRect()))")
    assert browser.ask(inside)
