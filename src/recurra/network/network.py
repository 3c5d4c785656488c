"""The network: cells stacked, forward through time and backward through time.

Layer 0 reads one-hot characters, every other layer the hidden units of the one below, and the top one feeds
the softmax. Every array is time-first; everything is computed in the dtype of the arrays given: float64, or
complex128 where a gradient check steps in the imaginary direction. A state is the NamedTuple of its cell:
`State`, which holds h, or that of the LSTM, which holds h and c; all are zero to begin with (`zero_state`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recurra.errors import UsageError
from recurra.network import output
from recurra.network.cells import equations_of
from recurra.network.cells.elman import State
from recurra.network.parameters import layer_parameters
from recurra.network.state import map_state, named_state, zero_state

if TYPE_CHECKING:
    from recurra.config import ModelConfig
    from recurra.network.parameters import Array, Parameters

    AnyState = tuple[Array, ...]  # the NamedTuple of a cell

__all__ = [
    "BackwardPass", "ForwardPass", "State", "backward", "forward", "loss_and_gradients", "one_hot", "zero_state",
]  # fmt: skip


class ForwardPass(NamedTuple):
    """log p (T, B, K), the final state, and for backward each layer's cache, the top h (T, B, H) and the masks."""

    log_probabilities: Array
    state: Any
    caches: tuple[Any, ...]
    h: Array
    masks: Array | None


class BackwardPass(NamedTuple):
    """The gradients of the parameters by name, of the state at the start, and of dense inputs (T, B, K)."""

    parameters: dict[str, Array]
    state: Any
    inputs: Array


def one_hot(ids: Array, symbols: int) -> Array:
    """Rows of float64 zeros with a one at each id: ids (T, B) to (T, B, K)."""
    rows: Array = ids[..., np.newaxis] == np.arange(symbols)
    return rows.astype(np.float64)


def forward(
    config: ModelConfig,
    parameters: Parameters,
    inputs: Array,
    state: AnyState,
    masks: Array | None = None,
) -> ForwardPass:
    """log p of each next character, from inputs (ids (T, B) or dense (T, B, K)) and the state before them.

    `masks` (L - 1, B, H), of `dropout.dropout_masks`, multiply what each layer but the last hands up, the same
    at every step; None drops nothing.
    """
    equations = equations_of(config)
    x = inputs if inputs.ndim == 3 else one_hot(inputs, parameters["c"].shape[-1])
    caches, finals = [], []
    for layer in range(config.layers):
        if masks is not None and layer > 0:
            x = x * masks[layer - 1]
        x, final, cache = equations.forward(layer_parameters(parameters, layer), x, _layer_state(state, layer))
        caches.append(cache)
        finals.append(final)
    return ForwardPass(output.forward(parameters, x), _stack(finals), tuple(caches), x, masks)


def backward(
    config: ModelConfig, parameters: Parameters, passed: ForwardPass, targets: Array, dstate: AnyState | None = None
) -> BackwardPass:
    """The gradients of L = - sum log p_t[y_t] + dstate · (final state), from the forward pass `passed`.

    `dstate` is what reaches the final state from later time: none (zero) where the text ends here.
    """
    equations = equations_of(config)
    if dstate is None:
        dstate = map_state(np.zeros_like, passed.state)
    gradients, dx = output.backward(parameters, passed.h, passed.log_probabilities, targets)
    dstates: list[Any] = []
    for layer in reversed(range(config.layers)):
        cell_gradients, dx, dstate0 = equations.backward(
            layer_parameters(parameters, layer), passed.caches[layer], dx, _layer_state(dstate, layer)
        )
        if passed.masks is not None and layer > 0:
            dx = dx * passed.masks[layer - 1]
        gradients |= {f"layers.{layer}.{name}": gradient for name, gradient in cell_gradients.items()}
        dstates.insert(0, dstate0)
    return BackwardPass({name: gradients[name] for name in parameters}, _stack(dstates), dx)


def loss_and_gradients(
    config: ModelConfig,
    parameters: Parameters,
    inputs: Array,
    targets: Array,
    state: AnyState | None = None,
    *,
    masks: Array | None = None,
) -> tuple[float, dict[str, Array], Any]:
    """The loss in nats (a sum over T and B), its gradients, and the final state, in float64.

    `inputs` and `targets` are ids (T, B); `state` is what came before them (zeros if None), `masks`
    (L - 1, B, H) what dropout drops. A target of -1 is padding, without loss and gradient. The gradients have the
    names of the parameters, and "state.h" ("state.c") for the state.
    """
    _require_ids("inputs", inputs, 0, parameters["c"].shape[0])
    _require_ids("targets", targets, output.PADDING, parameters["c"].shape[0])
    if targets.shape != inputs.shape:
        raise UsageError(f"`targets` must have the shape of `inputs`, {inputs.shape}; got {targets.shape}.")
    zeros = zero_state(config, inputs.shape[1])
    state = zeros if state is None else map_state(lambda field: field.astype(np.float64), state)
    _require_fields(state, zeros)
    if masks is not None:
        _require_shape("masks", masks, (config.layers - 1, *zeros.h.shape[1:]))
    parameters = {name: array.astype(np.float64, copy=False) for name, array in parameters.items()}
    passed = forward(config, parameters, inputs, state, masks)
    gradients = backward(config, parameters, passed, targets)
    loss = float(output.losses(passed.log_probabilities, targets).sum())
    return loss, gradients.parameters | named_state(gradients.state), passed.state


def _layer_state(state: AnyState, layer: int) -> Any:
    return map_state(lambda field: field[layer], state)


def _stack(states: list[Any]) -> Any:
    """Each layer's state (B, H) to one (L, B, H); a gradient check may widen B in the upper layers alone."""
    fields = zip(*states, strict=True)
    return type(states[0])._make(np.stack(np.broadcast_arrays(*layers)) for layers in fields)


def _require_fields(state: Any, zeros: Any) -> None:
    if state._fields != zeros._fields:
        expected, got = ", ".join(zeros._fields), ", ".join(map(str, state._fields))
        raise UsageError(f"`state` must hold {expected}; got {got}.")
    for field in state:
        _require_shape("state", field, zeros.h.shape)


def _require_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise UsageError(f"`{name}` must have shape {shape}; got {array.shape}.")


def _require_ids(name: str, ids: Array, lowest: int, symbols: int) -> None:
    good = ids.ndim == 2 and ids.size > 0 and np.issubdtype(ids.dtype, np.integer)
    if not good:
        raise UsageError(f"`{name}` must be whole numbers of shape (T, B); got {ids.dtype.name} {ids.shape}.")
    low, high = int(ids.min()), int(ids.max())
    if low < lowest or high >= symbols:
        raise UsageError(f"`{name}` must be ids from {lowest} to {symbols - 1}; got {low if low < lowest else high}.")
