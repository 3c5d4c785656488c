"""Headless Chromium for tests marked `browser`, started once for each file; without it the tests are skipped.

Install Chromium and its driver with `apt install chromium chromium-driver`. Selenium is in the group `dev`.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from processes import PATIENCE

PROGRAMS = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "chromedriver": ("chromedriver",)}
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking")


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser and yield its driver; close the browser at the end."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="Selenium is not installed: pip install selenium")
    paths = {name: next(filter(None, map(shutil.which, names)), None) for name, names in PROGRAMS.items()}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = paths["chromium"]
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(paths["chromedriver"]))
    try:
        yield driver
    finally:
        driver.quit()


def size(driver: Any, width: int, height: int, *, dark: bool = False) -> None:
    """Set the size and the color scheme of the window."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def wait(condition: Callable[[], Any], what: str) -> Any:
    """Wait until `condition` returns a true value, and return it; fail the test after a time limit."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    pytest.fail(f"waited {PATIENCE} s for {what}")


def complaints(driver: Any) -> list[str]:
    """Return the messages in the browser's console: errors of scripts and violations of the page's policy."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def requests(driver: Any) -> list[str]:
    """Return the addresses that the browser requested since the last call."""
    messages = (json.loads(entry["message"])["message"] for entry in driver.get_log("performance"))
    return [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]
