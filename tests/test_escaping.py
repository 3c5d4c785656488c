"""Unsafe characters become escapes before a terminal or a page displays them."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.formatting import is_unsafe, quote_text, sanitize
from recurra.web.assets import asset


@pytest.mark.parametrize(
    ("character", "shown"),
    [
        ("\x1b", r"\x1b"),
        ("\a", r"\x07"),
        ("\r", r"\r"),
        ("\b", r"\x08"),
        ("\x7f", r"\x7f"),
        ("\x9b", r"\x9b"),  # C1: a control sequence begins
        ("\x90", r"\x90"),
        ("\u202e", r"\u202e"),  # right-to-left override
        ("\u2066", r"\u2066"),  # an isolate
        ("\u202b", r"\u202b"),  # an embedding
        ("\u2028", r"\u2028"),
        ("\u206f", r"\u206f"),  # a deprecated format
        ("\ufff9", r"\ufff9"),  # an annotation
        ("\udc80", r"\udc80"),
        ("\U000e0001", r"\U000e0001"),  # a language tag
    ],
)
def test_unsafe_character_becomes_python_escape(character: str, shown: str) -> None:
    assert is_unsafe(character)
    assert sanitize(f"a{character}é") == f"a{shown}é"


HARMLESS = [
    "plain", "a\tb\nc", "é 日 \u200d", "e\u0301", "שלום", "😀", "\u00a0", "",
    "\u200e[12:01] Ann: \u200fhello\u061c", "a\u200bb\u2060c\u00add\ufeff", "مى\u200cخواهم", "\u0600\u06dd",
    "\U0001fae8", "\U0001fadf\U000323b0",  # newer than many an interpreter, and unassigned
    "\ue000\uf8ff", "\U0001f3f4\U000e0067\U000e0062\U000e007f",  # private use; the tags of a flag
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS, ids=ascii)
def test_letters_newlines_and_harmless_marks_are_unchanged(text: str) -> None:
    assert sanitize(text) == text


def test_quoted_text_is_one_line() -> None:
    assert quote_text("\\") == r"'\'"
    assert quote_text("it's\n\t\x1b\U0001fae8") == '"it\'s\\n\\t\\x1b\U0001fae8"'


def test_page_escapes_same_characters() -> None:
    (ranges,) = re.findall(r"const UNSAFE =\s*/(\[.*\])/u;", asset("dom.js"))
    in_the_page = re.compile(ranges.replace(r"\u{e0001}", r"\U000e0001"))
    for point in range(sys.maxunicode + 1):
        assert bool(in_the_page.match(chr(point))) is is_unsafe(chr(point)), hex(point)


@given(st.text(st.characters(exclude_categories=())))
def test_sanitize_is_complete_and_idempotent(text: str) -> None:
    assert not any(map(is_unsafe, sanitize(text)))
    assert sanitize(sanitize(text)) == sanitize(text)


def test_every_control_character_and_surrogate_is_unsafe() -> None:
    kept = {chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) in ("Cc", "Cs")}
    assert {character for character in kept if not is_unsafe(character)} == {"\n", "\t"}
