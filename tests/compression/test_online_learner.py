"""The online learner: its predictions equal the reference, with symbols fed one by one or together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recurra.compression import online_learner
from recurra.compression.kernels import range_coder
from recurra.compression.online_learner import ContextConfig, OnlineLearner
from recurra.config import ModelConfig, TrainingConfig
from recurra.errors import NumericalError
from recurra.network import network
from recurra.network.optimizers import PURE_OPTIMIZERS, clip_by_norm
from recurra.network.parameters import initialize

CONFIG = ModelConfig(cell="lstm", hidden_size=8)
CONTEXTS = ContextConfig(longest=3, rows=64, rate=0.5, least_rate=0.1)
NO_CONTEXTS = ContextConfig(longest=1, rows=2, rate=0.0, least_rate=0.0)
TOTAL = 2**24 - 1
T = 5
IDS = np.random.default_rng(0).integers(0, 3, 60)


def learner(symbols: int = 3, contexts: ContextConfig = CONTEXTS, most: int = 300, **changes: Any) -> OnlineLearner:
    training = TrainingConfig(**{
        "sequence_length": T, "optimizer": "adam", "learning_rate": 0.01, "clip_value": None, "clip_norm": None,
        "initial_scale": None, **changes,
    })  # fmt: skip
    new = OnlineLearner(CONFIG, training, most, contexts)
    for _ in range(symbols):
        new.admit()
    return new


def feed(online: OnlineLearner, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Feed `ids` in pieces of the greatest length, and return the intervals."""
    intervals, start = [], 0
    while start < len(ids):
        n = min(online.left, len(ids) - start)
        intervals.append(online.encode(ids[start : start + n], TOTAL))
        start += n
    return np.concatenate(intervals, axis=1)


def expected(ids: NDArray[np.int64], limit: float | None) -> NDArray[np.float64]:
    """Return log p of the next symbol after learning from `ids` in float64, without contexts."""
    parameters = {name: array.astype(float) for name, array in initialize(CONFIG, 300, seed=0, scale=None).items()}
    parameters |= {"layers.0.U": parameters["layers.0.U"][:, :3], "V": parameters["V"][:3], "c": np.zeros(3)}
    moments, state = PURE_OPTIMIZERS["adam"].init(parameters), network.zero_state(CONFIG, 1)
    start = 0
    for start in range(T, len(ids), T):
        x, y = ids[start - T : start, None], ids[start - T + 1 : start + 1, None]
        _, gradients, state = network.loss_and_gradients(CONFIG, parameters, x, y, state)
        gradients = {name: gradients[name] for name in parameters}
        clipped = gradients if limit is None else clip_by_norm(gradients, limit)
        parameters, moments = PURE_OPTIMIZERS["adam"].update(parameters, clipped, moments, 0.01)
    return network.forward(CONFIG, parameters, ids[start:, None], state).log_probabilities[-1, 0]


@pytest.mark.parametrize("limit", [None, 0.3, 1.5])
def test_predictions_equal_the_reference(limit: float | None) -> None:
    online = learner(contexts=NO_CONTEXTS, clip_norm=limit)
    for n in range(1, 4 * T + 3):
        feed(online, IDS[n - 1 : n])
        np.testing.assert_allclose(online.logs[0, :3], expected(IDS[:n], limit), atol=1e-5)


def test_context_logits_are_added_to_network_logits() -> None:
    online, alone = learner(sequence_length=20), learner(sequence_length=20, contexts=NO_CONTEXTS)
    for symbol in IDS[:20]:
        for each in (online, alone):
            each.encode(np.array([symbol]), TOTAL)
        rows = online._contexts.rows[online._contexts.at, :3].sum(axis=0)
        both = alone.logs[0, :3] + rows
        np.testing.assert_allclose(online.logs[0, :3], both - np.log(np.exp(both).sum()), atol=1e-5)
    assert np.abs(rows).max() > 0.5


@given(cuts=st.lists(st.integers(1, 5), min_size=1, max_size=12))
@settings(max_examples=10)
def test_one_by_one_gives_the_bits_of_many_at_once(cuts: list[int]) -> None:
    together, alone = learner(), learner()
    start = 0
    for cut in cuts:
        n = min(cut, together.left)
        intervals = together.encode(IDS[start : start + n], TOTAL)
        single = [alone.encode(IDS[i : i + 1], TOTAL) for i in range(start, start + n)]
        assert np.array_equal(intervals, np.concatenate(single, axis=1))
        assert np.array_equal(together.logs, alone.logs)
        start += n


@pytest.mark.parametrize("most", [1, 4, 100])
def test_decoding_restores_symbols_up_to_an_escape(most: int) -> None:
    before, widths = feed(learner(), IDS[:17])
    words, state = np.zeros(19, np.uint32), np.zeros(3, np.uint64)
    range_coder.start_encoding(state)
    range_coder.encode_all(words, state, np.append(before, TOTAL), np.append(widths, 1))
    range_coder.finish(words, state)
    online, decoded, pieces = learner(), [], []
    range_coder.start_decoding(state, words)
    escaped = False
    while not escaped:
        left = online.left
        ids, escaped = online.decode(words, state, TOTAL, most)
        assert escaped == (len(ids) < min(most, left))
        decoded += ids.tolist()
        pieces.append(len(ids))
    assert decoded == IDS[:17].tolist()
    assert max(pieces) == min(most, T + 1)
    assert learner(symbols=0).decode(words, state, TOTAL, most)[1]  # without admitted symbols, everything is an escape


def test_larger_capacity_keeps_the_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    small = learner(96)
    with monkeypatch.context() as patched:
        patched.setattr(online_learner, "CAPACITY_STEP", 64)
        large = learner(96)
    assert (small.is_full, large.is_full) == (True, False)
    for start in range(0, 96, 4):
        for each in (small, large):
            feed(each, np.arange(start, start + 4))
        np.testing.assert_allclose(small.logs[0, :96], large.logs[0, :96], atol=2e-5)
        assert np.all(small.logs[0, 96:] < -1e20)
    assert not small.is_full
    assert (small.logs.shape[1], large.logs.shape[1]) == (128, 192)


def test_capacity_stops_at_the_alphabet() -> None:
    online = learner(96, most=96)
    feed(online, np.arange(T + 1))
    assert online.is_full
    assert online.logs.shape[1] == 96


def test_new_symbol_has_the_mean_bias() -> None:
    online = learner()
    c = online._views["c"]
    assert not c[0, :3].any()
    feed(online, IDS[: T + 1])
    before = c[0, :3].copy()
    online.admit()
    assert np.array_equal(c[0, :4], [*before, before.mean()])
    assert before.any()
    assert online.symbols == 4


def test_infinite_loss_raises_numerical_error() -> None:
    online = learner(learning_rate=1e38)
    with np.errstate(all="ignore"), pytest.raises(NumericalError, match="loss or a gradient is not finite") as caught:
        feed(online, IDS)
    assert caught.value.update == 2
