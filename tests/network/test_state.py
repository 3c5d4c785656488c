"""The state of a network: zero state, names, and functions of every field."""

from __future__ import annotations

import numpy as np
import pytest

from problems import Array
from recurra.config import ModelConfig
from recurra.network.cells import elman, lstm
from recurra.network.state import join_states, map_state, named_state, state_of, zero_state


@pytest.mark.parametrize(("cell", "kind"), [("elman", elman.State), ("gru", elman.State), ("lstm", lstm.State)])
def test_zero_state_has_the_fields_of_the_cell(cell: str, kind: type[tuple[Array, ...]]) -> None:
    zeros = zero_state(ModelConfig(cell=cell, hidden_size=3, layers=2), 5)
    assert type(zeros) is kind
    for field in zeros:
        assert field.shape == (2, 5, 3)
        assert field.dtype == np.float64
        assert not field.any()


def test_named_state_can_be_read_back() -> None:
    state = lstm.State(h=np.ones((1, 1, 2)), c=np.zeros((1, 1, 2)))
    assert list(named_state(state)) == ["state.h", "state.c"]
    again = state_of(ModelConfig(cell="lstm"), named_state(state) | {"V": np.ones(3)})
    assert again.h is state.h
    assert again.c is state.c


def test_map_state_applies_to_every_field() -> None:
    doubled = map_state(lambda field: 2 * field, lstm.State(h=np.ones(1), c=np.full(1, 3)))
    assert doubled == lstm.State(h=np.array([2.0]), c=np.array([6]))


def test_join_states_keeps_the_order_of_streams() -> None:
    parts = [lstm.State(h=np.full((2, n, 3), n), c=np.full((2, n, 3), -n)) for n in (1, 4)]
    joined = join_states(parts)
    assert type(joined) is lstm.State
    assert joined.h[0, :, 0].tolist() == [1, 4, 4, 4, 4]
    assert np.array_equal(joined.c, -joined.h)
    assert joined.h.shape == (2, 5, 3)
