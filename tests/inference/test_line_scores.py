"""Line scores: each equals the score of the line alone, for batches of any size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.config import ModelConfig
from recurra.errors import TextError
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary

SYMBOLS = "\n abcd"
MODELS = [
    LanguageModel(config, Vocabulary.of(SYMBOLS), initialize(config, len(SYMBOLS), seed=1, scale=0.6))
    for config in (ModelConfig(hidden_size=8), ModelConfig(cell="gru", hidden_size=8, layers=2))
]
by_model = pytest.mark.parametrize("model", MODELS, ids=["elman", "gru"])


@by_model
def test_line_loss_equals_score_after_a_newline(model: LanguageModel) -> None:
    @given(st.text(SYMBOLS + "é", min_size=1, max_size=200).filter(lambda text: text.strip("\n")))
    def check(text: str) -> None:
        scored = list(model.score_lines(text))
        lines = text.split("\n")
        assert [line.number for line in scored] == [n for n, line in enumerate(lines, start=1) if line]
        assert [line.text for line in scored] == [line for line in lines if line]
        for line in scored:
            alone = model.score("\n" + line.text + "\n").losses
            assert alone is not None
            assert line.nats.tolist() == alone[1:].tolist()
            assert line.score.nats == math.fsum(line.nats.tolist())
            assert line.score.characters == len(line.text) + 1
            assert line.score.bytes == len(line.text.encode()) + 1
            assert line.score.unknown_characters == line.text.count("é")

    check()


@by_model
def test_mean_of_lines_equals_evaluation_of_documents(model: LanguageModel) -> None:
    rng = np.random.default_rng(0)
    text = "".join(SYMBOLS[i] for i in rng.choice(6, 3000, p=[0.05, 0.2, 0.3, 0.2, 0.15, 0.1]))
    ids = model.vocabulary.encode(text)
    lines = list(model.score_lines(text))
    assert len(lines) > 64
    mean = math.fsum(line.score.nats for line in lines) / sum(line.score.characters for line in lines)
    by_lines = LanguageModel(model.config, model.vocabulary, model.parameters, "lines")
    assert by_lines.evaluate(ids) == by_lines.estimate(ids) == pytest.approx(mean, rel=1e-14)


def test_text_without_lines_or_model_without_newline_raises() -> None:
    with pytest.raises(TextError, match=r"no line has a character: there is no document to score\."):
        list(MODELS[0].score_lines("\n\n"))
    config = ModelConfig(hidden_size=8)
    model = LanguageModel(config, Vocabulary.of("ab"), initialize(config, 2, seed=1))
    with pytest.raises(TextError, match="the model's vocabulary has no newline"):
        list(model.score_lines("ab"))


def test_lines_of_a_model_of_bytes() -> None:
    config = ModelConfig(hidden_size=8)
    model = LanguageModel(config, Vocabulary.bytes(), initialize(config, 256, seed=1))
    (line,) = model.score_lines(model.vocabulary.spell("é"))
    assert (line.text, line.score.characters, line.score.bytes) == ("é".encode().decode("latin-1"), 3, 3)
    assert line.nats.tolist() == model.score("\né\n").losses[1:].tolist()  # type: ignore[index]
