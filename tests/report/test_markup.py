"""Plain strings never become markup, and invisible characters become visible."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.formatting import sanitize
from recurra.report.markup import Html, duration, fixed, join, power, table, tag, visible, whole


def test_plain_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", "a < b", tag("b", "&")) == "<p>a &lt; b<b>&amp;</b></p>"
    assert tag("p", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;"></p>'
    assert join(["<", Html("<br>")], " ") == "&lt; <br>"


def test_attribute_names() -> None:
    assert tag("svg", class_="a", aria_label="b") == '<svg class="a" aria-label="b"></svg>'


def test_table_has_header_cells_for_columns_and_rows() -> None:
    made = table("Caption", ["Name", "Value"], [["a", "1"]])
    assert "<caption>Caption</caption>" in made
    assert '<th scope="col">Value</th>' in made
    assert '<tr><th scope="row">a</th><td>1</td></tr>' in made


@pytest.mark.parametrize(
    ("character", "sign"),
    [
        ("\a", "\\x07"),
        ("\r", "\\r"),
        ("\x7f", "\\x7f"),
        ("\x85", "\\x85"),
        ("\u202e", "\\u202e"),
        ("\udc80", "\\udc80"),
    ],
)
def test_unsafe_character_becomes_its_code(character: str, sign: str) -> None:
    assert visible(character) == f'<span class="control" title="U+{ord(character):04X}">{sign}</span>'


def test_white_space_and_letters_are_unchanged() -> None:
    text = "a\n\tb  c é 漢 \u05d0 \u200c"
    assert visible(text) == text


@given(st.text())
def test_visible_text_has_no_unsafe_character(text: str) -> None:
    content = visible(text)
    bare = re.sub(r'<span class="control" title="U\+[0-9A-F]{4,6}">(.*?)</span>', r"\1", content)
    assert "<" not in bare
    assert sanitize(bare) == bare
    content.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_visible_text_unescapes_to_the_original(text: str) -> None:
    assert html.unescape(visible(text)) == text


def test_format_of_numbers() -> None:
    assert whole(660000) == "660,000"
    assert whole(None) == fixed(None) == power(None) == duration(None) == "–"
    assert fixed(-1.25, 2) == "−1.25"
    assert power(3.14e-8) == "3.1\u00a0×\u00a010<sup>−8</sup>"
    assert power(1e-7, 0) == "1\u00a0×\u00a010<sup>−7</sup>"
    assert power(0.0) == "0"
    assert [duration(s) for s in (1.24, 44.2, 150, 7260)] == ["1.2 s", "44 s", "2 min 30 s", "2 h 1 min"]
