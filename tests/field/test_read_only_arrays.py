"""Arrays that a model has copied, packed or cached are read-only; `with_parameters` replaces them."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from recurra import LanguageModel, ModelConfig, ModelError, Vocabulary
from recurra.network.parameters import initialize
from recurra.text.reading import from_string

CONFIG = ModelConfig(hidden_size=8)
VOCABULARY = Vocabulary.of("\n abcde")


def initial() -> dict[str, Any]:
    return dict(initialize(CONFIG, len(VOCABULARY), seed=1, scale=0.5))


@pytest.fixture
def model() -> LanguageModel:
    model = LanguageModel(CONFIG, VOCABULARY, initial())
    assert model.score("abc").nats > 0  # it has packed its weights
    return model


def test_parameters_are_read_only(model: LanguageModel) -> None:
    for array in model.parameters.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(TypeError, match="does not support item assignment"):
        model.parameters["V"] = model.parameters["V"]  # type: ignore[index]
    for name in ("parameters", "vocabulary", "config"):
        with pytest.raises(AttributeError, match=f"cannot assign to field '{name}'"):
            setattr(model, name, getattr(model, name))


def test_model_copies_its_arrays() -> None:
    given = initial()
    model = LanguageModel(CONFIG, VOCABULARY, given)
    before = model.sha256
    given["V"][...] = 0
    assert model.sha256 == before


def test_other_weights_make_another_model(model: LanguageModel, tmp_path: Path) -> None:
    V = model.parameters["V"].copy()
    V[2] += 5
    other = model.with_parameters({"V": V})
    assert other.score("abcab").nats != model.score("abcab").nats
    other.save(tmp_path / "other")
    loaded = recurra.load(tmp_path / "other")
    assert loaded.sha256 == other.sha256 != model.sha256
    assert loaded.score("abcab").nats == other.score("abcab").nats
    with pytest.raises(ModelError, match=r"unknown parameter `v`; expected layers\.0\.U"):
        model.with_parameters({"v": V})
    with pytest.raises(ModelError, match="parameter `V` must have shape 7x8; got 7x7"):
        model.with_parameters({"V": V[:, 1:]})


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301
def test_copy_is_read_only_and_has_same_bits(model: LanguageModel, how: Any) -> None:
    twin = how(model)
    assert (twin.sha256, twin.config, twin.vocabulary) == (model.sha256, model.config, model.vocabulary)
    assert twin.score("abc").nats == model.score("abc").nats
    assert how(Vocabulary.bytes()).is_bytes
    for array in (*twin.parameters.values(), twin.vocabulary.code_points, how(VOCABULARY).code_points):
        assert not array.flags.writeable


def test_arrays_with_cached_results_are_read_only(model: LanguageModel) -> None:
    losses = model.score("abc").losses
    assert losses is not None
    arrays: tuple[Any, ...] = (losses, model.vocabulary.code_points, from_string("abc").ids)
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError, match="cannot assign to field 'code_points'"):
        model.vocabulary.code_points = np.zeros(7, np.uint32)  # type: ignore[misc]


def test_results_are_the_callers_own(model: LanguageModel) -> None:
    ids = model.vocabulary.encode("abca").reshape(-1, 1)
    state = model.zero_state()
    state.h[...] = 0.5
    first = model.loss_and_gradients(ids[:-1], ids[1:], state)
    second = model.loss_and_gradients(ids[:-1], ids[1:], state)
    for array in (ids, state.h, *first[1].values()):
        array[...] = 0
    assert first[0] == second[0]
    assert any(array.any() for array in second[1].values())
    assert not model.zero_state().h.any()
