"""Words by the rules of Unicode, in scripts with and without spaces between words."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from recurra.runs.findings.sample_marks import mark
from recurra.runs.logs import SampleText
from recurra.text.reading import from_string, read
from recurra.text.words import UNSPACED, has_words, is_unspaced, pattern
from unicode_examples import WORDS

HINDI = "हिन्दी में लिखा है, बहुत अच्छा।\n"
CHINESE = "人之初,性本善。性相近,習相遠。1984\n"


@pytest.mark.parametrize(("text", "words"), WORDS, ids=ascii)
def test_pattern_finds_words(text: str, words: list[str]) -> None:
    assert pattern().findall(text) == words


def test_unspaced_blocks_contain_only_scripts_without_spaces() -> None:
    names = ("THAI", "LAO", "KHMER", "MYANMAR", "CJK", "HIRAGANA", "KATAKANA", "TIBETAN", "BOPOMOFO")
    assert sorted(UNSPACED) == list(UNSPACED)
    for point in range(0x20000):
        name = unicodedata.name(chr(point), "")
        if chr(point).isalpha() and name.split(" ")[0] in names:
            assert is_unspaced(point), name
        if chr(point).isalpha() and name.startswith(
            ("LATIN", "HANGUL", "DEVANAGARI", "ARABIC", "HEBREW", "CYRILLIC", "GREEK", "TAMIL", "GEORGIAN")
        ):
            assert not is_unspaced(point), name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a few words", True),
        (HINDI, True),
        (CHINESE, False),
        ("ภาษาไทย 2026", False),
        ("日本語 a", False),
        ("", True),
        ("12 34", True),
    ],
)
def test_has_words_for_scripts_with_spaces_only(text: str, expected: bool) -> None:
    assert has_words(text) is expected


def test_hindi_words_keep_their_marks() -> None:
    (found,) = mark([SampleText(1, "लिखा हिन् है अच्छी")], from_string(HINDI * 3))
    assert found["words"] == [[0, 4], [10, 2]]
    assert found["total"] == 4


def test_text_name_keeps_marks_of_file_name(tmp_path: Path) -> None:
    (tmp_path / "हिन्दी में — 1.txt").write_text(HINDI, encoding="utf-8")
    assert read(tmp_path / "हिन्दी में — 1.txt").name == "हिन्दी-में-1"


def test_no_word_share_for_scripts_without_spaces() -> None:
    (found,) = mark([SampleText(1, "性本善。1984 abc")], from_string(CHINESE * 3))
    assert (found["words"], found["total"]) == ([], 0)
    assert "copied" in found
