"""The state of a network: the NamedTuple of each cell, h and what else it carries from step to step.

A field is (B, H) in a cell and (L, B, H) in a network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.network.cells import cell_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from recurra.config import ModelConfig

    Array = npt.NDArray[Any]


def zero_state(config: ModelConfig, batch: int) -> Any:
    """The state before the first character: zeros (L, B, H) in every field."""
    cell_state = cell_of(config).state
    shape = (config.layers, batch, config.hidden_size)
    return cell_state._make(np.zeros(shape) for _ in cell_state._fields)


def map_state(function: Callable[[Array], Array], state: Any) -> Any:
    """The state of the same cell with `function` applied to every field."""
    return type(state)._make(map(function, state))


def join_states(parts: Sequence[Any]) -> Any:
    """The states (L, B, m) of some streams each as one of all, in their order."""
    return type(parts[0])._make(np.concatenate(fields, axis=1) for fields in zip(*parts, strict=True))


def named_state(state: Any) -> dict[str, Array]:
    """The fields by the names that gradients and files have: "state.h", and "state.c" of an LSTM."""
    return {f"state.{name}": field for name, field in state._asdict().items()}


def state_of(config: ModelConfig, arrays: Mapping[str, Array]) -> Any:
    """The state whose fields are in `arrays` by the names of `named_state`; other names are ignored."""
    cell_state = cell_of(config).state
    return cell_state._make(arrays[f"state.{name}"] for name in cell_state._fields)
