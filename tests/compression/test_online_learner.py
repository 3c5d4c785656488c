"""The learner of one stream: it expects and learns what the reference does, however its symbols are fed to it."""

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
    own = OnlineLearner(CONFIG, training, most, contexts)
    for _ in range(symbols):
        own.admit()
    return own


def fed(own: OnlineLearner, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The intervals of `ids`, fed in pieces as large as they can be."""
    found, start = [], 0
    while start < len(ids):
        n = min(own.left, len(ids) - start)
        found.append(own.encode(ids[start : start + n], TOTAL))
        start += n
    return np.concatenate(found, axis=1)


def expected(ids: NDArray[np.int64], limit: float | None) -> NDArray[np.float64]:
    """log p in float64 of what follows the last of `ids`, learned from as the learner does, without contexts."""
    parameters = {name: array.astype(float) for name, array in initialize(CONFIG, 300, seed=0, scale=None).items()}
    parameters |= {"layers.0.U": parameters["layers.0.U"][:, :3], "V": parameters["V"][:3], "c": np.zeros(3)}
    memory, state = PURE_OPTIMIZERS["adam"].init(parameters), network.zero_state(CONFIG, 1)
    start = 0
    for start in range(T, len(ids), T):
        x, y = ids[start - T : start, None], ids[start - T + 1 : start + 1, None]
        _, gradients, state = network.loss_and_gradients(CONFIG, parameters, x, y, state)
        gradients = {name: gradients[name] for name in parameters}
        clipped = gradients if limit is None else clip_by_norm(gradients, limit)
        parameters, memory = PURE_OPTIMIZERS["adam"].update(parameters, clipped, memory, 0.01)
    return network.forward(CONFIG, parameters, ids[start:, None], state).log_probabilities[-1, 0]


@pytest.mark.parametrize("limit", [None, 0.3, 1.5])
def test_it_learns_as_the_reference_does(limit: float | None) -> None:
    own = learner(contexts=NO_CONTEXTS, clip_norm=limit)
    for n in range(1, 4 * T + 3):
        fed(own, IDS[n - 1 : n])
        np.testing.assert_allclose(own.logs[0, :3], expected(IDS[:n], limit), atol=1e-5)


def test_the_contexts_are_added_to_what_the_network_expects() -> None:
    own, alone = learner(sequence_length=20), learner(sequence_length=20, contexts=NO_CONTEXTS)
    for symbol in IDS[:20]:
        for one in (own, alone):
            one.encode(np.array([symbol]), TOTAL)
        rows = own._contexts.rows[own._contexts.at, :3].sum(axis=0)
        both = alone.logs[0, :3] + rows
        np.testing.assert_allclose(own.logs[0, :3], both - np.log(np.exp(both).sum()), atol=1e-5)
    assert np.abs(rows).max() > 0.5


@given(cuts=st.lists(st.integers(1, 5), min_size=1, max_size=12))
@settings(max_examples=10)
def test_symbols_fed_one_by_one_or_together_are_expected_alike(cuts: list[int]) -> None:
    together, alone = learner(), learner()
    start = 0
    for cut in cuts:
        n = min(cut, together.left)
        found = together.encode(IDS[start : start + n], TOTAL)
        single = [alone.encode(IDS[i : i + 1], TOTAL) for i in range(start, start + n)]
        assert np.array_equal(found, np.concatenate(single, axis=1))
        assert np.array_equal(together.logs, alone.logs)
        start += n


@pytest.mark.parametrize("most", [1, 4, 100])
def test_what_was_encoded_is_decoded_up_to_an_escape(most: int) -> None:
    before, widths = fed(learner(), IDS[:17])
    words, state = np.zeros(19, np.uint32), np.zeros(3, np.uint64)
    range_coder.start_encoding(state)
    range_coder.encode_all(words, state, np.append(before, TOTAL), np.append(widths, 1))
    range_coder.finish(words, state)
    own, found, pieces = learner(), [], []
    range_coder.start_decoding(state, words)
    escaped = False
    while not escaped:
        left = own.left
        ids, escaped = own.decode(words, state, TOTAL, most)
        assert escaped == (len(ids) < min(most, left))
        found += ids.tolist()
        pieces.append(len(ids))
    assert found == IDS[:17].tolist()
    assert max(pieces) == min(most, T + 1)
    assert learner(symbols=0).decode(words, state, TOTAL, most)[1]  # without symbols all are escaped


def test_room_for_more_symbols_changes_nothing_that_was_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    small = learner(96)
    with monkeypatch.context() as patched:
        patched.setattr(online_learner, "GROWTH", 64)
        large = learner(96)
    assert (small.is_full, large.is_full) == (True, False)
    for start in range(0, 96, 4):
        for one in (small, large):
            fed(one, np.arange(start, start + 4))
        np.testing.assert_allclose(small.logs[0, :96], large.logs[0, :96], atol=2e-5)
        assert np.all(small.logs[0, 96:] < -1e20)
    assert not small.is_full
    assert (small.logs.shape[1], large.logs.shape[1]) == (128, 192)


def test_no_room_is_made_for_more_symbols_than_there_can_be() -> None:
    own = learner(96, most=96)
    fed(own, np.arange(T + 1))
    assert own.is_full
    assert own.logs.shape[1] == 96


def test_a_symbol_that_is_new_is_expected_like_the_others_on_average() -> None:
    own = learner()
    c = own._views["c"]
    assert not c[0, :3].any()
    fed(own, IDS[: T + 1])
    before = c[0, :3].copy()
    own.admit()
    assert np.array_equal(c[0, :4], [*before, before.mean()])
    assert before.any()
    assert own.symbols == 4


def test_what_is_not_finite_is_told() -> None:
    own = learner(learning_rate=1e38)
    with np.errstate(all="ignore"), pytest.raises(NumericalError, match="loss or a gradient is not finite") as caught:
        fed(own, IDS)
    assert caught.value.update == 2
