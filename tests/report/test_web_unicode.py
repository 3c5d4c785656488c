"""JavaScript and Python agree on Unicode: both read the same examples, in Node.js or in Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from browsing import chromium, wait
from recurra.text.words import pattern
from recurra.web.assets import script
from unicode_examples import EQUIVALENTS, WORDS

UNASSIGNED = ("Cn", "Cs")  # no characters, or none in this version of Unicode
Ask = Callable[[str, Any], Any]
ENTRIES = ["probes.js", "vocabulary.js"]
MODULES = "\n".join(["globalThis.all = {};", *(f"{{\n{script(e)}\nObject.assign(all, modules);\n}}" for e in ENTRIES)])


@pytest.fixture(params=["node", pytest.param("chromium", marks=pytest.mark.browser)], scope="module")
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Return a function that runs a JavaScript function body, with the modules in `all` and the argument `rows`."""
    if request.param == "node":
        node = shutil.which("node")
        if node is None:
            pytest.skip("Node.js is not installed; `make test-browser` runs these tests in Chromium")
        yield lambda body, rows: _by_node(node, body, rows)
        return
    page = tmp_path_factory.mktemp("unicode") / "page.html"
    page.write_text(f'<!DOCTYPE html><meta charset="utf-8"><script type="module">{MODULES}</script>', encoding="utf-8")
    with chromium() as driver:
        driver.get(page.as_uri())
        wait(lambda: driver.execute_script("return 'vocabulary' in (globalThis.all ?? {})"), "the modules")
        yield lambda body, rows: driver.execute_script(f"const [rows] = arguments; {body}", rows)


def _by_node(node: str, body: str, rows: Any) -> Any:
    code = f"{MODULES}\nconst rows = {json.dumps(rows)};\nconsole.log(JSON.stringify((() => {{ {body} }})()));"
    done = subprocess.run([node, "--input-type=module"], input=code, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_canonical_equivalents(ask: Ask) -> None:
    body = """return rows.map(([symbols, text]) => {
        const points = [...new Set(symbols)].map((symbol) => symbol.codePointAt(0)).sort((a, b) => a - b);
        return new all.vocabulary.Vocabulary(points, false).spell(text).join("");
    });"""
    assert ask(body, EQUIVALENTS) == [expected for _, _, expected in EQUIVALENTS]


def test_words(ask: Ask) -> None:
    body = """return rows.map((text) => {
        const symbols = [...text];
        return all.unicode.wordsOf(text).map(([start, length]) => symbols.slice(start, start + length).join(""));
    });"""
    assert ask(body, [text for text, _ in WORDS]) == [words for _, words in WORDS]


def test_both_languages_put_the_same_characters_in_words(ask: Ask) -> None:
    """Compare each character that both versions of Unicode define, alone and after a letter."""
    texts = [
        f"{chr(point)} a{chr(point)}" for point in range(0x20000) if unicodedata.category(chr(point)) not in UNASSIGNED
    ]
    body = """const known = /^[^\\p{Cn}]+$/u;
        return rows.map((text) => (known.test(text) ? all.unicode.wordsOf(text) : null));"""
    spans = ask(body, texts)
    assert spans.count(None) < 100
    for text, words in zip(texts, spans, strict=True):
        expected = [[match.start(), len(match[0])] for match in pattern().finditer(text)]
        assert words is None or words == expected, ascii(text)


def test_beginning_ends_between_characters(ask: Ask) -> None:
    rows = [["abc", 2], ["abc", 9], ["ae\u0301x", 2], ["a😀b", 2], ["हिन्दी", 3], ["", 5], ["\u0301", 0]]
    beginnings = ask("return rows.map(([text, count]) => all.unicode.beginningOf(text, count));", rows)
    assert beginnings == ["ab", "abc", "a", "a😀", "हि", "", ""]


def test_position_in_the_word_works_for_scripts_with_marks(ask: Ask) -> None:
    body = """const probe = all.probes.probesOf([...rows]).find(({ name }) => name === "position in the word");
        return probe ? Array.from(probe.values) : null;"""
    values = ask(body, "हिन्दी में")
    assert sorted(values[:6]) == values[:6] != sorted(values)[:6]
    assert ask(body, "人之初,性本善。") is None, "a text without words has no position in a word"
