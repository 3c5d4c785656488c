"""The page's JavaScript and Python read Unicode alike: the same examples by both, in Node.js or in Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from browsing import chromium, wait
from recurra.report.assets import script
from unicode_examples import EQUIVALENTS

Ask = Callable[[str, Any], Any]
MODULES = script("vocabulary.js")


@pytest.fixture(params=["node", pytest.param("chromium", marks=pytest.mark.browser)], scope="module")
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Return the result of the body of a JavaScript function, which has `modules` and the argument `rows`."""
    if request.param == "node":
        node = shutil.which("node")
        if node is None:
            pytest.skip("Node.js is not installed; `make test-browser` runs these tests in Chromium")
        yield lambda body, rows: _by_node(node, body, rows)
        return
    page = tmp_path_factory.mktemp("unicode") / "page.html"
    code = f"{MODULES}\nwindow.modules = modules;"
    page.write_text(f'<!DOCTYPE html><meta charset="utf-8"><script type="module">{code}</script>', encoding="utf-8")
    with chromium() as driver:
        driver.get(page.as_uri())
        wait(lambda: driver.execute_script("return typeof modules === 'object'"), "the modules")
        yield lambda body, rows: driver.execute_script(f"const [rows] = arguments; {body}", rows)


def _by_node(node: str, body: str, rows: Any) -> Any:
    code = f"{MODULES}\nconst rows = {json.dumps(rows)};\nconsole.log(JSON.stringify((() => {{ {body} }})()));"
    done = subprocess.run([node, "--input-type=module"], input=code, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_canonical_equivalents(ask: Ask) -> None:
    body = """return rows.map(([symbols, text]) => {
        const points = [...new Set(symbols)].map((symbol) => symbol.codePointAt(0)).sort((a, b) => a - b);
        return new modules.vocabulary.Vocabulary(points, false).spell(text).join("");
    });"""
    assert ask(body, EQUIVALENTS) == [expected for _, _, expected in EQUIVALENTS]
