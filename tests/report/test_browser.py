"""The report's page in a headless Chromium (`apt install chromium`, or RESTAGE_CHROMIUM); skipped where there is none."""
import pytest
from browser import Browser, program
from tiny import PSNR, ROWS, made, project  # noqa: F401

from pipeline.report.verdict import LEVELS
from pipeline.stages import page

if program() is None:
    pytest.skip("no chromium here, and RESTAGE_CHROMIUM names none", allow_module_level=True)

PHONES = (360, 390)


@pytest.fixture
def browser(project, chromium):  # noqa: F811
    made()
    with Browser(chromium) as found:
        found.address = (project / page.PAGE).as_uri()
        found.open(found.address)
        yield found


def rows_of_first_table(browser: Browser) -> list[str]:
    return browser.ask("[...document.querySelectorAll('table.scores')[0].tBodies[0].rows].map(line => line.dataset.row)")


def test_it_loads_without_a_complaint_or_a_request(browser):
    assert browser.complaints() == [] and browser.requests() == [browser.address]
    scenes = browser.ask("document.querySelectorAll('.scene').length")
    assert scenes in (6, 7)  # places; of the first one all rows, the capture and the truth to choose from
    assert browser.ask("document.querySelectorAll('option').length") == scenes + 2 * (len(ROWS) + 2)
    assert browser.ask("[...document.images].every(image => image.naturalWidth > 0)")
    browser.ask("console.log('heard')")
    browser.ask("fetch('https://example.invalid/').catch(() => 0) && 0")
    assert browser.complaints() and browser.requests()[-1] == "https://example.invalid/"  # both would have been seen


def test_the_slider_follows_keys_and_the_mouse_and_swaps_pictures(browser):
    cut = "document.querySelector('.slider').style.getPropertyValue('--cut')"
    browser.ask("document.querySelector('.cut input').focus()")
    browser.press("ArrowRight")
    assert browser.ask(cut) == "51%"
    browser.ask("document.querySelector('.stack').scrollIntoView({block: 'center'})")
    left, top, width, height = (browser.ask(f"document.querySelector('.stack').getBoundingClientRect().{side}")
                                for side in ("left", "top", "width", "height"))
    assert width == height == 4 * 12
    browser.mouse("Pressed", left + width / 4, top + height / 2)
    assert browser.ask(cut) == "25%"
    browser.mouse("Moved", left + 3 * width / 4, top + height / 2)
    browser.mouse("Released", left + 3 * width / 4, top + height / 2)
    assert browser.ask(cut) == "75%"
    assert browser.ask("getComputedStyle(document.querySelector('.over')).clipPath") == "inset(0px 25% 0px 0px)"
    source = "[document.querySelector('.over').src, document.querySelector('.stack img').src]"
    before = browser.ask(source)
    browser.ask("document.querySelector('select.left').selectedIndex = 0;"
                "document.querySelector('select.left').dispatchEvent(new Event('change'))")
    after = browser.ask(source)
    first = browser.ask("document.querySelector('.scene figure img').src")
    assert before[0] == first != before[1] and after == before
    browser.ask("document.querySelector('select.left').selectedIndex = 3;"
                "document.querySelector('select.left').dispatchEvent(new Event('change'))")
    assert browser.ask(source) == [browser.ask("document.querySelectorAll('.scene figure img')[3].src"), before[1]]


def test_another_place_keeps_what_is_compared(browser):
    chosen = "['select.left', 'select.right'].map(name => document.querySelector(name).value)"
    assert browser.ask(chosen) == ["input", "sr-edsr-stage2"]
    browser.ask("document.querySelector('select.left').value = 'truth';"
                "document.querySelector('select.left').dispatchEvent(new Event('change'))")
    browser.ask("document.querySelector('.which').selectedIndex = 1;"
                "document.querySelector('.which').dispatchEvent(new Event('change'))")
    assert browser.ask(chosen) == ["truth", "sr-edsr-stage2"]
    assert browser.ask("[...document.querySelectorAll('.stack .name')].map(name => name.textContent)") == browser.ask(chosen)
    shown = browser.ask("[document.querySelector('.over').src, document.querySelector('.stack img').src]")
    scene = "[...document.querySelectorAll('.scene')[1].querySelectorAll('figure img')]"
    assert shown == browser.ask(f"['truth', 'sr-edsr-stage2'].map(row => {scene}.find(image => image.dataset.row === row).src)")


def test_tables_sort_by_mouse_and_by_keyboard(browser):
    shown = rows_of_first_table(browser)
    assert sorted(shown) == sorted(ROWS)
    heading = "[...document.querySelectorAll('table.scores thead th')].find(cell => cell.innerText.includes('PSNR'))"
    browser.ask(f"{heading}.querySelector('button').click()")
    best_first = sorted(ROWS, key=lambda row: -PSNR[row])
    assert rows_of_first_table(browser) == best_first and browser.ask(f"{heading}.ariaSort") == "descending"
    browser.ask(f"{heading}.querySelector('button').focus()")
    browser.press("Enter")
    assert rows_of_first_table(browser) == best_first[::-1] and browser.ask(f"{heading}.ariaSort") == "ascending"
    browser.press("Tab")
    assert browser.ask(f"document.activeElement.closest('th') === {heading}.nextElementSibling")


def test_controls_and_pixels_are_shown_when_asked_for(browser):
    visible = "[...document.querySelectorAll('.control')].some(element => element.checkVisibility())"
    assert not browser.ask(visible)
    browser.ask("document.querySelector('.fold').click()")
    assert browser.ask(visible)
    width = "document.querySelector('.scene img').getBoundingClientRect().width"
    assert browser.ask(width) == 2 * 12
    browser.ask("document.querySelector('[data-zoom=\"4\"]').click()")
    assert browser.ask(width) == 4 * 12


@pytest.mark.parametrize("width", PHONES)
def test_a_phone_scrolls_down_only_and_the_dark_is_dark(browser, width):
    colour = "getComputedStyle(document.body).backgroundColor"
    light = browser.ask(colour)
    browser.open(browser.address, width=width, height=640, dark=True)
    assert browser.ask(colour) != light == "rgb(255, 255, 255)"
    browser.ask("document.querySelectorAll('details').forEach(element => element.open = true)")
    browser.ask("document.documentElement.style.setProperty('--zoom', 40)")  # as wide as 480 pixels
    longest = max(LEVELS.values(), key=len)
    browser.ask(f"document.querySelectorAll('.badge').forEach(element => element.textContent = '{longest}')")
    assert browser.ask("innerWidth") == browser.ask("document.documentElement.scrollWidth") == width
    inside = ("[...document.querySelectorAll('.short, .verdict, .stack, .lines, .scene > .figures img')].every(element => "
              "(({left, right}) => 0 <= left && right <= innerWidth && left < right)(element.getBoundingClientRect()))")
    assert browser.ask(inside)
    assert browser.complaints() == []


def test_two_pictures_stand_beside_each_other_on_a_phone(browser):
    browser.open(browser.address, width=390, height=844)
    tops = browser.ask("[...document.querySelector('.scene .figures').children].map(item => item.getBoundingClientRect().top)")
    assert len(tops) == 4 and tops[0] == tops[1] < tops[2] == tops[3]
