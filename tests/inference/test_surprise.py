"""The loss of each character: the division of the text into pieces changes no bit."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.config import ModelConfig
from recurra.errors import TextError
from recurra.inference.surprise import NO_GUESS, characters, escapes, tally, utf8_lengths
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary

SYMBOLS = "\n abcd"
TEXT = "abacada dabcab\ncad bad dad\nabba " * 12


def make_model(vocabulary: Vocabulary, config: ModelConfig) -> LanguageModel:
    return LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1, scale=0.6))


MODELS = [
    make_model(Vocabulary.of(SYMBOLS), ModelConfig(cell=cell, hidden_size=8, layers=layers))
    for cell, layers in (("elman", 1), ("lstm", 2))
]


def cut(text: str, places: list[int]) -> list[str]:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:stop] for start, stop in itertools.pairwise(bounds)]


@pytest.mark.parametrize("model", MODELS, ids=["elman", "lstm"])
@pytest.mark.parametrize("dynamic", [None, "sgd"])
def test_pieces_give_the_bits_of_the_whole_text(model: LanguageModel, dynamic: str | None) -> None:
    @given(st.text(SYMBOLS + "é😀", min_size=1, max_size=200), st.lists(st.integers(0, 300), max_size=5))
    def check(text: str, places: list[int]) -> None:
        from recurra.inference.dynamic_evaluation import DynamicConfig

        settings = None if dynamic is None else DynamicConfig(method=dynamic, segment=7)
        whole = tally(model.surprises([text], settings), keep=True)
        pieces = tally(model.surprises(cut(text, places), settings), keep=True)
        assert pieces == whole
        assert whole.losses is not None
        assert pieces.losses is not None
        assert pieces.losses.tobytes() == whole.losses.tobytes()

    check()


@pytest.mark.parametrize("model", MODELS, ids=["elman", "lstm"])
def test_ranks_and_most_likely_ids_match_the_distribution(model: LanguageModel) -> None:
    (piece,) = model.surprises([TEXT[:40]])
    assert (piece.ranks[0], piece.likeliest[0], piece.nats[0]) == (0, NO_GUESS, math.log(6))
    for place in range(1, 40):
        before = model.score(TEXT[:place]).nats
        costs = [model.score(TEXT[:place] + symbol).nats - before for symbol in SYMBOLS]
        correct = SYMBOLS.index(TEXT[place])
        assert piece.nats[place] == pytest.approx(costs[correct], abs=1e-9)
        assert piece.likeliest[place] == int(np.argmin(costs))
        assert piece.ranks[place] == 1 + sum(cost < costs[correct] for cost in costs)


def test_score_has_one_loss_per_character() -> None:
    score = MODELS[0].score("aé" + TEXT)
    assert score.losses is not None
    assert len(score.losses) == score.characters == len(TEXT) + 2
    assert math.fsum(score.losses.tolist()) == score.nats
    assert score.losses[1] == pytest.approx(40 * math.log(2))
    assert score.bytes == len(TEXT) + 3
    assert score.bits_per_byte == pytest.approx(score.nats / math.log(2) / score.bytes)


def test_unknown_character_has_no_rank_and_is_skipped() -> None:
    (piece,) = MODELS[0].surprises(["éa😀b"])
    assert piece.ranks.tolist()[::2] == [0, 0]
    assert piece.likeliest.tolist()[0] == NO_GUESS
    assert piece.nats[1] == math.log(6)  # the first known character
    assert piece.nats[3] == MODELS[0].score("ab").losses[1]  # type: ignore[index]
    assert piece.unknown == 2


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_utf8_lengths_and_escapes(text: str) -> None:
    assert utf8_lengths(text).tolist() == [len(character.encode()) for character in text]
    assert escapes(text).tolist() == pytest.approx([(24 + 8 * len(c.encode())) * math.log(2) for c in text])


def test_error_has_position_of_a_lone_surrogate_in_whole_text() -> None:
    with pytest.raises(TextError, match=r"the text has a lone surrogate, U\+DC80, at character 4"):
        list(MODELS[0].surprises(["ab", "cd\udc80"]))


def test_loss_of_a_character_is_the_sum_over_its_bytes() -> None:
    symbols = "aé😀".encode().decode("latin-1")
    halves = [(symbols[:2], np.array([1.0, 2.0])), (symbols[2:], np.array([3.0, 4.0, 5.0, 6.0, 7.0]))]
    assert list(characters(halves, is_bytes=True)) == [("a", 1.0), ("é", 5.0), ("😀", 22.0)]
    assert list(characters([("a\xc3", np.array([1.0, 2.0]))], is_bytes=True)) == [("a", 1.0), ("\ufffd", 2.0)]
    assert list(characters([("é", np.array([1.5]))], is_bytes=False)) == [("é", 1.5)]


def test_pieces_of_a_text_of_bytes() -> None:
    model = make_model(Vocabulary.bytes(), ModelConfig(hidden_size=8))
    text = "é😀abc" * 20
    symbols = model.vocabulary.spell(text)
    pieces = tally(model.surprises([symbols[:31], symbols[31:]]), is_bytes=True)
    assert pieces == model.score(text)
    assert pieces.bytes == pieces.characters == len(text.encode())
    assert pieces.bits_per_byte == pytest.approx(pieces.bits_per_character, rel=1e-15)
