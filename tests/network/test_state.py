"""The state: a cell's own NamedTuple, by name and by field."""

from __future__ import annotations

import numpy as np
import pytest

from problems import Array
from recurra.config import ModelConfig
from recurra.network.cells import elman, lstm
from recurra.network.state import join_states, map_state, named_state, state_of, zero_state


@pytest.mark.parametrize(("cell", "kind"), [("elman", elman.State), ("gru", elman.State), ("lstm", lstm.State)])
def test_zero_state(cell: str, kind: type[tuple[Array, ...]]) -> None:
    zeros = zero_state(ModelConfig(cell=cell, hidden_size=3, layers=2), 5)
    assert type(zeros) is kind
    for field in zeros:
        assert field.shape == (2, 5, 3)
        assert field.dtype == np.float64
        assert not field.any()


def test_names() -> None:
    state = lstm.State(h=np.ones((1, 1, 2)), c=np.zeros((1, 1, 2)))
    assert list(named_state(state)) == ["state.h", "state.c"]
    again = state_of(ModelConfig(cell="lstm"), named_state(state) | {"V": np.ones(3)})
    assert again.h is state.h
    assert again.c is state.c


def test_a_function_of_every_field() -> None:
    doubled = map_state(lambda field: 2 * field, lstm.State(h=np.ones(1), c=np.full(1, 3)))
    assert doubled == lstm.State(h=np.array([2.0]), c=np.array([6]))


def test_the_states_of_some_streams_become_one() -> None:
    parts = [lstm.State(h=np.full((2, n, 3), n), c=np.full((2, n, 3), -n)) for n in (1, 4)]
    joined = join_states(parts)
    assert type(joined) is lstm.State
    assert joined.h[0, :, 0].tolist() == [1, 4, 4, 4, 4]
    assert np.array_equal(joined.c, -joined.h)
    assert joined.h.shape == (2, 5, 3)
