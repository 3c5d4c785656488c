"""What a reader is shown cannot act: on a terminal, in a page, whatever the characters are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.inert import HIDDEN_CATEGORIES, inert, is_hidden


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
        ("\u200b", r"\u200b"),  # zero width
        ("\ufeff", r"\ufeff"),
        ("\u2028", r"\u2028"),
        ("\ue000", r"\ue000"),
        ("\udc80", r"\udc80"),
        ("\U000e0001", r"\U000e0001"),  # a language tag
    ],
)
def test_a_hidden_character_is_shown_as_python_writes_it(character: str, shown: str) -> None:
    assert is_hidden(character)
    assert inert(f"a{character}é") == f"a{shown}é"


@pytest.mark.parametrize("text", ["plain", "a\tb\nc", "é 日 \u200d", "e\u0301", "שלום", "😀", "\u00a0", ""])
def test_layout_and_letters_stay(text: str) -> None:
    assert inert(text) == text


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_hidden_is_left_and_a_second_time_changes_nothing(text: str) -> None:
    assert not any(map(is_hidden, inert(text)))
    assert inert(inert(text)) == inert(text)
    assert {"Cc", "Cf"} < HIDDEN_CATEGORIES
