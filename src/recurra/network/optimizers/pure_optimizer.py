"""The contract of a pure optimizer, and the form of the state that every optimizer keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from recurra.network.parameters import Array, Parameters

OptimizerState = dict[str, Array]  # `KIND.NAME`, an array of the shape of parameter NAME; `KIND`, one number, (1,)


class PureOptimizer(NamedTuple):
    """An optimizer that writes to none of its arguments: an update returns new parameters and a new state.

    init(parameters)                             the state before the first update
    update(parameters, gradients, state, rate)   the new parameters and the new state; hyper-parameters by name
    """

    init: Callable[[Parameters], OptimizerState]
    update: Callable[..., tuple[dict[str, Array], OptimizerState]]


def is_scalar(name: str) -> bool:
    """Return True if the entry `name` of a state is one number for all parameters."""
    return "." not in name
