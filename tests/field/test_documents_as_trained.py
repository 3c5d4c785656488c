"""Sampling, scoring and export of a model of lines start each line from a zero state and a newline, as in training."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from recurra.compression import model_codec
from recurra.config import ModelConfig
from recurra.errors import ModelError, UsageError
from recurra.inference.dynamic_evaluation import DynamicConfig
from recurra.inference.scoring import Score
from recurra.inference.surprise import tally
from recurra.interop import model_card
from recurra.io import tensor_file
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.runs.saved_model import load
from recurra.text.vocabulary import Vocabulary

SYMBOLS = "\nabcd"
TEXT = "abba\ncad\n\nb\ndada\nab"
CELLS = {
    "elman": ModelConfig(hidden_size=7),
    "lstm": ModelConfig(cell="lstm", layers=2, hidden_size=5),
    "gru": ModelConfig(cell="gru", hidden_size=6),
}


def make(config: ModelConfig, documents: str | None = "lines") -> LanguageModel:
    vocabulary = Vocabulary.of(SYMBOLS)
    parameters = initialize(config, len(vocabulary), seed=1, scale=0.5)
    return LanguageModel(config, vocabulary, parameters, documents)


MODELS = [pytest.param(make(config), id=name) for name, config in CELLS.items()]


def names() -> LanguageModel:
    """A network of one unit; its state is 0 after a newline and 1 after the first letter of a line.

    At 0 a line begins with a in 7 of 10 cases, else with b; at 1 it ends in 1 of 4, and a and b are equally likely.
    """
    vocabulary = Vocabulary.of("\nab")
    first, later = np.log([1e-9, 0.7, 0.3]), np.log([0.25, 0.375, 0.375])
    parameters = {
        "layers.0.U": np.array([[0.0, 40.0, 40.0]]),
        "layers.0.W": np.array([[40.0]]),
        "layers.0.b": np.zeros(1),
        "V": (later - first)[:, np.newaxis],
        "c": first,
    }
    return LanguageModel(ModelConfig(hidden_size=1), vocabulary, parameters, "lines")


def test_lengths_and_first_letters_are_those_of_the_model() -> None:
    model = names()
    lines = model.sample(max_new_tokens=30_000, seed=1).split("\n")[:-1]
    one_by_one = [s.symbols for s in model.samples(stop="\n", num_return_sequences=4_000, max_new_tokens=200)]
    for found in (lines, one_by_one):
        n = len(found)
        assert n > 3_000
        shares = {length: 0.25 * 0.75 ** (length - 1) for length in range(1, 12)} | {0: 0.0}
        lengths, letters = Counter(map(len, found)), Counter(line[:1] for line in found)
        for counted, expected in [*((lengths[k], p) for k, p in shares.items()), (letters["a"], 0.7)]:
            assert abs(counted - n * expected) <= 5 * math.sqrt(n * expected * (1 - expected))

    carried = LanguageModel(model.config, model.vocabulary, model.parameters)  # what the lines would be otherwise
    assert Counter(map(len, carried.sample(max_new_tokens=3_000, seed=1).split("\n")))[0] > 100


@pytest.mark.parametrize("model", MODELS)
def test_text_has_same_bits_alone_and_in_batch(model: LanguageModel) -> None:
    prompts = ["", "ab", "cad\n", "a\nb"]
    beside = model.samples(prompts, max_new_tokens=150, seed=5)
    for prompt, sample in zip(prompts, beside, strict=True):
        (alone,) = model.samples(prompt, max_new_tokens=150, seed=5)
        assert alone.symbols == sample.symbols == model.sample(prompt, max_new_tokens=150, seed=5)
        assert np.array_equal(alone.log_probabilities, sample.log_probabilities)
        assert "\n" in alone.symbols


@pytest.mark.parametrize("model", MODELS)
def test_state_is_reset_after_newline(model: LanguageModel) -> None:
    after = {model.sample(prompt, max_new_tokens=60, seed=2) for prompt in ("", "abba\n", "d\n", "ca\nbd\n")}
    assert len(after) == 1


def losses_of(score: Score) -> np.ndarray:
    """Return the nats of each character; a score without them fails."""
    assert score.losses is not None
    return score.losses


@pytest.mark.parametrize("model", MODELS)
def test_score_equals_log_probabilities_of_sample(model: LanguageModel) -> None:
    (sample,) = model.samples(max_new_tokens=300, seed=3)
    score = model.score(sample.symbols)
    np.testing.assert_allclose(losses_of(score), -sample.log_probabilities, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_score_is_the_sum_of_the_lines(model: LanguageModel) -> None:
    text = "abba\ncad\nb\ndada\n"
    lines = list(model.score_lines(text))
    whole = model.score(text)
    assert whole.nats == math.fsum(cost for line in lines for cost in line.nats.tolist())
    assert whole.characters == len(text)
    assert model.evaluate(model.vocabulary.encode(text)) == pytest.approx(whole.nats_per_character, rel=1e-12)

    plain = LanguageModel(model.config, model.vocabulary, model.parameters)
    assert model.score(TEXT, documents="none").nats == plain.score(TEXT).nats != model.score(TEXT).nats
    assert plain.score(TEXT, documents="lines").nats == model.score(TEXT).nats
    with pytest.raises(UsageError, match="`documents` must be one of none, lines; got 'words'"):
        model.score(TEXT, documents="words")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("how", [None, DynamicConfig(segment=3), DynamicConfig(segment=64, rate=0.5)])
def test_chunk_size_does_not_change_score(model: LanguageModel, how: DynamicConfig | None) -> None:
    whole = losses_of(tally(model.surprises([TEXT], how), keep=True))
    for size in (1, 4, 5):
        pieces = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]
        assert np.array_equal(losses_of(tally(model.surprises(pieces, how), keep=True)), whole)


def test_dynamic_evaluation_at_rate_zero_equals_static() -> None:
    for name, config in CELLS.items():
        model, still = make(config), DynamicConfig(rate=0.0)
        assert np.array_equal(losses_of(model.score(TEXT, dynamic=still)), losses_of(model.score(TEXT))), name


def test_model_file_records_documents(tmp_path: Path) -> None:
    model, path = make(CELLS["gru"]), tmp_path / "model.safetensors"
    model.save(path)
    assert load(path).documents == "lines"
    assert load(path).extended(Vocabulary.of("\nabcdxyz")).documents == "lines"

    plain = make(CELLS["gru"], None)
    assert "documents" not in plain.metadata()
    older = plain.metadata() | {"training": {"documents": "lines"}}  # a checkpoint before models recorded it
    tensor_file.write(path, plain.tensors(), older)
    assert load(path).documents == "lines"
    tensor_file.write(path, plain.tensors(), older | {"training": {"documents": "none"}})
    assert load(path).documents is None
    tensor_file.write(path, plain.tensors(), plain.metadata() | {"documents": "chapters"})
    with pytest.raises(ModelError, match="documents of the kind 'chapters'; expected one of none, lines"):
        load(path)
    with pytest.raises(ModelError, match="a model of lines needs a newline among its characters"):
        LanguageModel(plain.config, Vocabulary.of("ab"), initialize(plain.config, 2, seed=1), "lines")


def test_compressed_files_are_unchanged() -> None:
    model, plain = make(CELLS["elman"]), make(CELLS["elman"], None)
    coded = [BytesIO(), BytesIO()]
    for own, target in zip((model, plain), coded, strict=True):
        model_codec.compress(own, BytesIO(TEXT.encode() * 20), target)
    assert coded[0].getvalue() == coded[1].getvalue()
    back = BytesIO()
    model_codec.decompress(model, BytesIO(coded[1].getvalue()), back)
    assert back.getvalue() == TEXT.encode() * 20


@pytest.mark.parametrize("format", ["folder", "torch", "matlab"])
def test_export_records_documents(format: str, tmp_path: Path) -> None:
    for documents in ("lines", None):
        model = make(CELLS["elman"], documents)
        suffix = {"folder": "", "torch": ".safetensors", "matlab": ".mat"}[format]
        path = recurra.export(model, tmp_path / f"{documents}{suffix}", format=format)
        assert recurra.import_model(path).documents == documents


def test_exported_code_resets_state_at_each_line(tmp_path: Path) -> None:
    model, plain = make(CELLS["elman"]), make(CELLS["elman"], None)
    assert "    state = None if ids == 0 else state\n" in model_card.code(model)
    assert "else state" not in model_card.code(plain)
    path = recurra.export(model, tmp_path / "lines")
    assert json.loads((path / "config.json").read_text())["documents"] == "lines"
    assert "Reset the state to zero before each newline." in (path / "README.md").read_text()
    recurra.export(model, tmp_path / "lines.mat", format="matlab")
    assert "points(ids(t)) == 10, h(:) = 0" in (tmp_path / "sample_lines.m").read_text()


def test_training_writes_documents_into_every_model(tmp_path: Path) -> None:
    text = "abba\ncad\nb\ndada\n" * 20
    settings: dict[str, Any] = {"hidden_size": 6, "batch_size": 4, "sequence_length": 8, "updates": 4}
    settings |= {"preset": "small", "documents": "lines", "sample_every": 2}
    run = recurra.train(text=text, run=tmp_path / "r", proof=False, report=False, **settings)
    assert run.model.documents == load(run.folder).documents == "lines"
    sampled = [json.loads(line) for line in (run.folder / "samples.jsonl").read_text().splitlines()][-1]
    seed = {"seed": sampled["seed"], "max_new_tokens": len(sampled["text"])}
    last = sorted((run.folder / "checkpoints").glob("update-*"))[-1]
    assert load(last).sample(**seed) == sampled["text"]
    assert run.summary["best_sample"] == load(run.folder).sample(max_new_tokens=1000, seed=sampled["seed"])
    scored = replace(run.model.score(text), losses=None)
    assert scored == replace(load(run.folder).score(text), losses=None)
