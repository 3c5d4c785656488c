"""The interface of a pure optimizer, and the format of the optimizer state."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from recurra.network.parameters import Array, Parameters

OptimizerState = dict[str, Array]  # `KIND.NAME`: an array for parameter NAME; `KIND`: one number, (1,)


class PureOptimizer(NamedTuple):
    """An optimizer whose functions write to none of their arguments.

    init(parameters)                             the state before the first update
    update(parameters, gradients, state, rate)   the new parameters and the new state after one update at the learning
                                                 rate `rate`; hyper-parameters are keyword arguments
    """

    init: Callable[[Parameters], OptimizerState]
    update: Callable[..., tuple[dict[str, Array], OptimizerState]]


def is_scalar(name: str) -> bool:
    """Return True if the entry `name` of an optimizer state is one number for all parameters."""
    return "." not in name
