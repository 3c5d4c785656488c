"""The network: several layers of a cell, forward and backward through time.

Layer 0 reads one-hot characters, every other layer reads the hidden states of the layer below, and the output layer
reads the hidden states of the top layer. The first axis of every sequence is time. The functions compute in the dtype
of their arguments: float64, or complex128 in a complex-step gradient check. A state is the NamedTuple of the cell:
`State` with h, or the LSTM's with h and c. The state before the first character is zero (`zero_state`).
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

    AnyState = tuple[Array, ...]  # the state of any cell, a NamedTuple

__all__ = [
    "BackwardPass", "ForwardPass", "State", "backward", "forward", "loss_and_gradients", "one_hot", "zero_state",
]  # fmt: skip


class ForwardPass(NamedTuple):
    """The results of `forward`: log p (T, B, K) and the final state; the other fields serve `backward`.

    These are the cache of each layer, the hidden states h (T, B, H) of the top layer, and the dropout masks.
    """

    log_probabilities: Array
    state: Any
    caches: tuple[Any, ...]
    h: Array
    masks: Array | None


class BackwardPass(NamedTuple):
    """The gradients of the parameters by name, of the initial state, and of the one-hot inputs (T, B, K)."""

    parameters: dict[str, Array]
    state: Any
    inputs: Array


def one_hot(ids: Array, symbols: int) -> Array:
    """Return float64 zeros (T, B, K) with a one at each of the ids (T, B), K = `symbols`."""
    rows: Array = ids[..., np.newaxis] == np.arange(symbols)
    return rows.astype(np.float64)


def forward(
    config: ModelConfig,
    parameters: Parameters,
    inputs: Array,
    state: AnyState,
    masks: Array | None = None,
) -> ForwardPass:
    """Return log p of the next character at every time step, and the values for `backward`.

    `inputs` are ids (T, B) or one-hot vectors (T, B, K). `state` is the state before the first input. `masks` (L - 1,
    B, H), from `dropout.dropout_masks`, multiply the hidden states of every layer but the top one, with the same mask
    at every time step; None: no dropout.
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
    """Return the gradients of L = - sum log p_t[y_t] + dstate · (final state), after the forward pass `passed`.

    `dstate` is the gradient that reaches the final state from later time steps; None: zero.
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
    """Return the loss in nats (a sum over T and B), its gradients by name, and the final state, in float64.

    `inputs` and `targets` are ids (T, B); a target of -1 is padding, without loss and gradient. `state` is the initial
    state; None: zeros. `masks` (L - 1, B, H) are the dropout masks. The gradients have the names of the parameters; the
    gradients of the initial state have the names "state.h", and "state.c" for an LSTM. Raises UsageError if an array
    has a wrong shape or id.
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
    """Stack the states (B, H) of all layers to (L, B, H). B is broadcast to the largest B of all layers.

    Layers below a perturbed tensor have B = 1; the layers above it have one stream for each perturbed copy.
    """
    fields = zip(*states, strict=True)
    return type(states[0])._make(np.stack(np.broadcast_arrays(*layers)) for layers in fields)


def _require_fields(state: Any, zeros: Any) -> None:
    if state._fields != zeros._fields:
        expected, got = ", ".join(zeros._fields), ", ".join(map(str, state._fields))
        raise UsageError(f"`state` must have the fields {expected}; got {got}.")
    for field in state:
        _require_shape("state", field, zeros.h.shape)


def _require_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise UsageError(f"`{name}` must have shape {shape}; got {array.shape}.")


def _require_ids(name: str, ids: Array, lowest: int, symbols: int) -> None:
    good = ids.ndim == 2 and ids.size > 0 and np.issubdtype(ids.dtype, np.integer)
    if not good:
        raise UsageError(f"`{name}` must be integers of shape (T, B); got {ids.dtype.name} {ids.shape}.")
    low, high = int(ids.min()), int(ids.max())
    if low < lowest or high >= symbols:
        raise UsageError(f"`{name}` must be ids from {lowest} to {symbols - 1}; got {low if low < lowest else high}.")
