"""Copied passages and their positions, compared with a naive search."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import recurra
from recurra.errors import TextError
from recurra.inference import novelty as module
from recurra.inference.novelty import Novelty, novelties, novelty, to_table
from recurra.text.reading import from_string

TEXTS = st.text("ab\nc", max_size=40)


def naive_matches(sample: str, text: str) -> list[tuple[int, int]]:
    """Return the longest match at each end, and its first end in the text, or -1."""
    matches = []
    for stop in range(1, len(sample) + 1):
        length = next(length for length in range(stop, -1, -1) if sample[stop - length : stop] in text)
        matches.append((length, text.find(sample[stop - length : stop]) + length if length else -1))
    return matches


@given(st.text("ab\ncd", min_size=1, max_size=20), TEXTS, st.integers(1, 9))
def test_matches_equal_a_naive_search(sample: str, text: str, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TEXT_BLOCK_CHARACTERS", block)
        lengths, places = module._longest_matches([sample], text)
    assert list(zip(lengths.tolist(), places.tolist(), strict=True)) == [*naive_matches(sample, text), (0, -1)]


@given(st.text("ab\ncd", min_size=1, max_size=30), TEXTS, st.integers(1, 9))
def test_shares_and_passages_equal_a_naive_search(sample: str, text: str, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TEXT_BLOCK_CHARACTERS", block)
        result = novelty(sample, text)
    for n, share in enumerate(result.novel, 1):
        grams = [sample[i : i + n] for i in range(len(sample) - n + 1)]
        assert share == pytest.approx(sum(gram not in text for gram in grams) / len(grams))
    assert len(result.novel) == min(20, len(sample))
    assert result.longest == max(length for length, _ in naive_matches(sample, text))
    for passage in result.passages:
        assert sample[passage.start : passage.start + passage.length] == passage.text
        assert text.find(passage.text) == passage.offset
        assert text.count("\n", 0, passage.offset) + 1 == passage.line
        wider = sample[max(passage.start - 1, 0) : passage.start + passage.length + 1]
        assert wider == passage.text or wider not in text
    assert [p.length for p in result.passages] == sorted((p.length for p in result.passages), reverse=True)


@given(st.lists(st.text("ab\ncd", min_size=1, max_size=20), min_size=1, max_size=5), TEXTS)
def test_several_samples_equal_each_alone(samples: list[str], text: str) -> None:
    assert novelties(samples, text) == [novelty(sample, text) for sample in samples]


def test_quotation_is_found_with_its_position() -> None:
    book = "\n".join(f"line {n} of a long book" for n in range(1, 500))
    result = recurra.novelty("zz" + book[1000:1100] + "?!" + book[40:55], book)
    first, second = result.passages[:2]
    assert (first.start, first.length, first.offset) == (2, 100, 1000)
    assert first.line == book.count("\n", 0, 1000) + 1
    assert (second.start, second.text, second.offset) == (104, book[40:55], 40)
    assert result.longest == 100
    assert 0 < result.novel[0] < result.novel[1] < result.novel[19] < 1


def test_passages_mostly_inside_longer_ones_are_dropped() -> None:
    result = novelty("abcdefghij", "abcdefgh fghij")
    assert [passage.text for passage in result.passages] == ["abcdefgh"]
    result = novelty("abcdefghijklm", "abcdefgh fghijklm", passages=1)
    assert [passage.text for passage in result.passages] == ["abcdefgh"]
    result = novelty("abcdefghijklm", "abcdefgh fghijklm")
    assert [passage.text for passage in result.passages] == ["abcdefgh", "fghijklm"]


def test_all_new_and_all_copied() -> None:
    assert novelty("xyz", "abc") == Novelty((), (1.0, 1.0, 1.0))
    assert novelty("xyz", "") == Novelty((), (1.0, 1.0, 1.0))
    assert novelty("abc", "xabcx").novel == (0.0, 0.0, 0.0)
    assert novelty("abc", "xabcx").longest == 3
    assert novelty("xyz", "abc").longest == 0


def test_text_object_and_bytes() -> None:
    text = from_string("one fish 😀\ntwo fish\n")
    assert novelty("😀\ntwo", text) == novelty("😀\ntwo", text.text)
    raw = from_string("é\n", encoding="bytes")
    assert novelty("\xa9\n", raw).longest == 2


def test_empty_sample_raises() -> None:
    with pytest.raises(TextError, match="an empty sample has copied nothing"):
        novelty("", "abc")


def test_to_table_has_json_types() -> None:
    table = to_table(novelty("abx", "cab"))
    assert table == {
        "longest": 2,
        "passages": [{"length": 2, "start": 0, "offset": 1, "line": 1, "text": "ab"}],
        "novel_ngrams": {"1": pytest.approx(1 / 3), "2": 0.5, "3": 1.0},
    }
