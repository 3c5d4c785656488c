"""The state of a network: the arrays that it carries from one time step to the next.

A state is the NamedTuple of the cell: h, and c in an LSTM. Each field is (B, H) in a cell and (L, B, H) in a network.
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
    """Return the state before the first character: zeros (L, B, H) in every field, B = `batch`."""
    cell_state = cell_of(config).state
    shape = (config.layers, batch, config.hidden_size)
    return cell_state._make(np.zeros(shape) for _ in cell_state._fields)


def map_state(function: Callable[[Array], Array], state: Any) -> Any:
    """Return a state of the same kind, with `function` applied to every field."""
    return type(state)._make(map(function, state))


def join_states(parts: Sequence[Any]) -> Any:
    """Join the states (L, B, H) of several groups of streams into one state, along the axis of streams."""
    return type(parts[0])._make(np.concatenate(fields, axis=1) for fields in zip(*parts, strict=True))


def named_state(state: Any) -> dict[str, Array]:
    """Return the fields by their names in gradients and files: "state.h", and "state.c" for an LSTM."""
    return {f"state.{name}": field for name, field in state._asdict().items()}


def state_of(config: ModelConfig, arrays: Mapping[str, Array]) -> Any:
    """Return the state from the `arrays` that have the names of `named_state`; ignore other arrays."""
    cell_state = cell_of(config).state
    return cell_state._make(arrays[f"state.{name}"] for name in cell_state._fields)
