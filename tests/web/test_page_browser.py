"""The live page in headless Chromium during a training: every panel, no active content, a lost connection."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from browsing import chromium, complaints, requests, size, wait
from processes import started

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J\u202e A fine day.\n"
SIZES = [(1366, 768), (1920, 1080), (390, 844)]
PANELS = ["learning", "writes", "next", "surprise", "neuron", "memory", "math", "health"]
AXE = find_spec("axe_core_python")


def begin(folder: Path, text: str, *settings: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """Return a training that runs until the end of the block."""
    book = folder / "book.txt"
    book.write_text(text, encoding="utf-8")
    line = [sys.executable, "-m", "recurra", "train", str(book), "--run", str(folder / "run"), "--preset", "classic"]
    frequent = ["--updates", "100_000_000", "--log-every", "50", "--sample-every", "200000", "--checkpoint-every", "1s"]
    return started([*line, *frequent, *settings], stderr=subprocess.DEVNULL)


class Server:
    """The server of the page; a test can kill it and start it again at the same port."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        line = [sys.executable, "-m", "recurra.web.live_process", str(folder), str(port)]
        self._stack = ExitStack()
        self.process = self._stack.enter_context(started(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The run directory of a training in progress, on a text of markup and control characters."""
    directory = tmp_path_factory.mktemp("live")
    settings = ["--hidden-size", "24", "--validation", "0.1", "--evaluate-every", "5000"]
    with begin(directory, HOSTILE * 400, *settings):
        wait((directory / "run" / "checkpoints" / "latest.json").exists, "the first checkpoint")
        yield directory / "run"


@pytest.fixture(scope="module")
def server(training: Path) -> Iterator[Server]:
    made = Server(training)
    yield made
    made.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as driver:
        yield driver


def panel(browser: Any, name: str) -> Any:
    return browser.find_element("css selector", f".panel-{name}")


def words(browser: Any, name: str) -> str:
    """Return the text of a panel."""
    script = "return document.querySelector(arguments[0])?.textContent ?? ''"
    return str(browser.execute_script(script, f".panel-{name}"))


def has_words(browser: Any, name: str, part: str) -> bool:
    """Return True if the text of a panel contains `part`."""
    return part in words(browser, name)


def each(browser: Any, selector: str, name: str = "textContent") -> list[str]:
    """Return the text, or another property, of all elements of `selector`, in one call since the page changes."""
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one[arguments[1]])"
    return list(browser.execute_script(script, selector, name))


def places(browser: Any, selector: str) -> list[str]:
    """Return the positions of the elements in the text."""
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.dataset.at)"
    return list(browser.execute_script(script, selector))


ANSWERS = {
    "learning": "bits per character",
    "writes": "of the words",
    "next": "Most probable",
    "surprise": "bits per character",
    "neuron": "correlates most with",
    "memory": "Half of the influence",
    "math": "✓ This page agrees with Python",
    "health": "Training: update",
}


def opened(browser: Any, url: str) -> None:
    """Open the page and wait for the answer of every panel."""
    browser.get(url)
    for name, answer in ANSWERS.items():
        wait(partial(has_words, browser, name, answer), f"{name}: {answer}")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_page_fits_the_screen(
    browser: Any, server: Server, tmp_path: Path, width: int, height: int, dark: bool
) -> None:
    size(browser, width, height, dark=dark)
    opened(browser, server.url)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    if width > 1300:
        for name in PANELS[:3]:
            bottom = browser.execute_script("return arguments[0].getBoundingClientRect().bottom", panel(browser, name))
            assert bottom <= height, f"{name} ends below the fold"
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 300) is dark
    screenshot = Path(os.environ.get("SCREENSHOTS", tmp_path)) / f"page-{width}-{'dark' if dark else 'light'}.png"
    assert browser.save_screenshot(str(screenshot))


def test_page_has_no_active_content_and_no_external_request(browser: Any, server: Server) -> None:
    size(browser, 1366, 768)
    complaints(browser)
    requests(browser)
    opened(browser, server.url)
    for text in ("<img src=x onerror=alert(1)>", "<script>alert(1)</script>"):
        box = browser.find_element("css selector", ".panel-next textarea")
        box.clear()
        box.send_keys(text)
        browser.find_element("css selector", ".panel-next .main").click()
        wait(lambda: len(words(browser, "next")) > 500, "the generated text")
    active = "return document.querySelectorAll('img, iframe, main script, [onerror], [onclick]').length"
    assert browser.execute_script(active) == 0
    assert "<" in words(browser, "writes")
    assert "\x1b" not in browser.find_element("css selector", "body").get_attribute("textContent")
    assert browser.find_elements("css selector", ".control")
    assert complaints(browser) == []
    external = [address for address in requests(browser) if not address.startswith((server.url, "data:"))]
    assert external == []


def test_violation_of_the_policy_reaches_the_console(browser: Any, server: Server) -> None:
    """Show that the test above can fail."""
    opened(browser, server.url)
    browser.execute_script(
        "document.body.append(Object.assign(document.createElement('style'), {textContent: 'b {}'}))"
    )
    wait(lambda: any("Content Security Policy" in line for line in complaints(browser)), "a complaint")


def test_reader_can_use_every_panel(browser: Any, server: Server) -> None:
    size(browser, 1366, 768)
    opened(browser, server.url)

    def first_shares() -> list[str]:
        return each(browser, ".bars .share", "innerText")

    before = first_shares()
    slider = browser.find_element("css selector", ".panel-next input[type=range]")
    slider.send_keys("\ue011")  # Home: temperature 0
    wait(lambda: first_shares()[:2] == ["100 %", "0 %"] != before[:2], "the most probable character alone")
    slider.send_keys("\ue010")  # End: the highest temperature
    box = browser.find_element("css selector", ".panel-next textarea")
    typed = len(box.get_property("value"))
    browser.find_elements("css selector", ".bars .choice")[0].click()
    assert len(box.get_property("value")) == typed + 1

    page = browser.find_element("css selector", ".panel-surprise .page")
    readout = each(browser, ".panel-surprise .readout")
    page.send_keys("\ue014")  # choose the next character, in all three panels
    wait(lambda: each(browser, ".panel-surprise .readout") != readout, "the next character")
    wait(lambda: len(places(browser, ".page .chosen")) == 3, "a character chosen in three panels")
    assert len(set(places(browser, ".page .chosen"))) == 1

    units = browser.find_element("css selector", ".panel-neuron select")
    unit = each(browser, ".panel-neuron .answer b")
    units.send_keys("\ue015")  # the next unit
    wait(lambda: each(browser, ".panel-neuron .answer b") != unit, "another unit")

    source = browser.find_element("css selector", ".panel-writes select")
    source.send_keys("\ue015")
    wait(lambda: "After" in words(browser, "writes"), "a text that the page generated")
    browser.find_element("css selector", ".panel-surprise summary").click()
    browser.find_element("css selector", ".panel-surprise details textarea").send_keys("A fine day. A day.")
    browser.find_element("css selector", ".panel-surprise details button").click()
    wait(lambda: page.get_attribute("textContent") == "A fine day. A day.", "the text of the reader")

    browser.find_element("css selector", ".panel-math button").click()
    wait(lambda: "✓ agrees" in words(browser, "math"), "the check of the gradients")
    assert "✗" not in words(browser, "math")


def test_zoom_loads_more_points_of_the_loss(browser: Any, server: Server) -> None:
    size(browser, 1366, 768)
    opened(browser, server.url)
    plot = browser.find_element("css selector", ".panel-learning .plot")
    requests(browser)
    plot.send_keys("+")
    wait(lambda: any("/points?" in address for address in requests(browser)), "the points of the zoomed range")
    assert browser.find_element("css selector", ".panel-learning .tools button").is_displayed()
    plot.send_keys("0")
    box = browser.find_element("css selector", ".panel-learning .check input")
    box.click()
    wait(lambda: plot.find_elements("css selector", ".line.first"), "a line over logarithmic updates")
    assert complaints(browser) == []


def test_page_recovers_from_a_killed_server(browser: Any, training: Path) -> None:
    size(browser, 1366, 768)
    first = Server(training)
    opened(browser, first.url)
    banner = browser.find_element("css selector", "#banner")
    assert not banner.is_displayed()
    first.kill()
    wait(banner.is_displayed, "the banner")
    assert "The connection to the server is lost." in banner.text
    browser.find_element("css selector", ".panel-next .main").click()  # the page contains the network
    wait(lambda: len(words(browser, "next")) > 400, "the text generated without a server")
    health = panel(browser, "health").text
    again = Server(training, first.port)
    try:
        wait(lambda: not banner.is_displayed(), "the connection")
        wait(lambda: panel(browser, "health").text != health, "new data")
    finally:
        again.kill()


def test_end_of_a_training_is_not_an_error(browser: Any, tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text(HOSTILE * 40, encoding="utf-8")
    command = [sys.executable, "-m", "recurra", "train", str(book), "--run", str(tmp_path / "run")]
    settings = ["--preset", "classic", "--hidden-size", "8", "--updates", "100_000_000", "--no-proof"]
    with started([*command, *settings, "--live", "--port", "0"], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        browser.get(next(line.split()[1] for line in process.stderr if line.startswith("live")))
        wait(lambda: "Training: update" in words(browser, "health"), "the training")
        process.send_signal(signal.SIGINT)
        banner = browser.find_element("css selector", "#banner")
        wait(banner.is_displayed, "the banner")
    assert banner.text.startswith("The training stopped and was saved at update ")
    assert "recurra train --resume --run" in banner.text
    assert banner.get_attribute("class") == "calm"


@pytest.mark.skipif(AXE is None, reason="axe is not installed: pip install axe-core-python")
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(browser: Any, server: Server, dark: bool) -> None:
    size(browser, 1366, 768, dark=dark)
    opened(browser, server.url)
    assert AXE is not None
    assert AXE.origin is not None
    code = (Path(AXE.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    browser.execute_script(code)
    result = browser.execute_async_script("const done = arguments[0]; axe.run().then(done)")
    violations = [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in result["violations"]]
    assert violations == [], json.dumps(violations, indent=1)
