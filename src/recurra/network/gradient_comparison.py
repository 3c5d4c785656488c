"""Compare gradients that another program computed with ours, and recognize the usual mistakes.

The network is one elman layer with tanh and one stream. With T time steps, m units and K symbols, the reference
implementation computes

    da_t = (V^T g_t + W^T da_{t+1}) * (1 - h_t^2)      g_t = p_t - y_t
    dW = sum_t da_t h_{t-1}^T    dU = sum_t da_t x_t^T    db = sum_t da_t    dh_0 = W^T da_1
    dV = sum_t g_t h_t^T         dc = sum_t g_t

A mistake is one of these formulas with a term changed. If the changed formula gives the other program's gradient, the
comparison names the mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from recurra.config import ModelConfig
from recurra.errors import ModelError
from recurra.network import network
from recurra.network.cells.elman import State
from recurra.network.parameters import Array

LIMITS: Final = {"float64": 1e-6, "float32": 1e-4, "float16": 0.05}
"""The largest relative difference of a gradient that is right, by the precision in which it was stored."""
NAMES: Final = {"U": "layers.0.U", "W": "layers.0.W", "b": "layers.0.b", "V": "V", "c": "c", "h0": "state.h"}
SMALLER: Final = "use smaller parameters; `recurra check --write example.npz` writes an example."
CLIP: Final = 5.0  # of DD2424 assignment 4 and min-char-rnn


class Problem(NamedTuple):
    """A network and a sequence, all float64.

    arrays     U (m, K), W (m, m), b (m,), V (K, m), c (K,) and h0 (m,) by letter
    inputs     (T,) ids of the characters
    targets    (T,) ids of the characters after them
    """

    arrays: Mapping[str, Array]
    inputs: Array
    targets: Array


class Difference(NamedTuple):
    """The difference between one gradient and ours.

    Fields:

    max_abs            largest absolute difference of an element
    max_rel            the same, divided by the largest absolute value of our gradient
    limit              the largest `max_rel` that passes
    passed             True if the gradient is right
    likely_mistake     a sentence about the mistake that gives exactly this gradient; None if none is recognized
    """

    max_abs: float
    max_rel: float
    limit: float
    passed: bool
    likely_mistake: str | None = None


class Comparison(NamedTuple):
    """Our loss in nats, a sum over the time steps, and the differences by letter."""

    loss: float
    differences: dict[str, Difference]


def compare(problem: Problem, theirs: Mapping[str, Array]) -> Comparison:
    """Compare gradients by letter, each in the shape of its array, with ours, element by element.

    Args:
        problem: the network and the sequence at which the gradients were computed.
        theirs: gradients of some or all of U, W, b, V, c and h0; their dtype decides the limit.
    Raises: ModelError if the loss is not finite at these parameters.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # not finite: an error here, or WRONG
        loss, gradients = loss_and_gradients(problem)
        if not np.isfinite(loss):
            raise ModelError("the loss is not finite at the parameters in the file.", hint=SMALLER)
        return Comparison(loss, {name: _difference(problem, name, gradients[name], theirs[name]) for name in theirs})


def loss_and_gradients(problem: Problem) -> tuple[float, dict[str, Array]]:
    """Return the loss and the gradients that the reference implementation computes, by letter."""
    config, parameters, state = _for_reference(problem)
    inputs, targets = problem.inputs[:, np.newaxis], problem.targets[:, np.newaxis]
    loss, gradients, _ = network.loss_and_gradients(config, parameters, inputs, targets, state)
    return loss, {letter: gradients[name].reshape(problem.arrays[letter].shape) for letter, name in NAMES.items()}


def _for_reference(problem: Problem) -> tuple[ModelConfig, dict[str, Array], State]:
    """Return the settings, the parameters and the state as the functions of `network` take them."""
    config = ModelConfig(hidden_size=len(problem.arrays["b"]))
    parameters = {name: problem.arrays[letter] for letter, name in NAMES.items() if letter != "h0"}
    return config, parameters, State(problem.arrays["h0"][np.newaxis, np.newaxis])


def _difference(problem: Problem, letter: str, ours: Array, theirs: Array) -> Difference:
    """Compare one gradient; `theirs` has the shape of `ours`. A number that is not finite is a difference."""
    limit = LIMITS.get(theirs.dtype.name, LIMITS["float64"])
    theirs = theirs.astype(np.float64)
    largest = float(np.abs(theirs - ours).max())
    relative = largest / (float(np.abs(ours).max()) or 1.0)
    if relative <= limit:
        return Difference(largest, relative, limit, True)
    return Difference(largest, relative, limit, False, _recognized(problem, letter, ours, theirs, limit))


def _recognized(problem: Problem, letter: str, ours: Array, theirs: Array, limit: float) -> str | None:
    """Return the sentence of the first mistake that gives `theirs`, or None."""
    if not np.isfinite(theirs).all():
        return "it has numbers that are not finite."
    for gradient, sentence in _mistakes(problem, letter, ours):
        if np.abs(theirs - gradient).max() <= limit * (np.abs(gradient).max() or 1.0):
            return sentence
    return None


class _Trace(NamedTuple):
    """The values of a forward and backward pass: x_t and g_t (T, K); h_{t-1} (`before`), h_t and da_t (T, m)."""

    x: Array
    before: Array
    h: Array
    g: Array
    da: Array


def _mistakes(problem: Problem, letter: str, ours: Array) -> Iterator[tuple[Array, str]]:
    """Yield the gradient of `letter` under each mistake, with its sentence; the likeliest first."""
    T = len(problem.inputs)
    yield np.zeros_like(ours), "it is zero everywhere: check that the program writes the gradient to the array."
    yield -ours, "its sign is wrong: g_t is p_t - y_t."
    yield ours / T, f"it is the mean over the {T} time steps; it must be the sum."
    yield np.clip(ours, -CLIP, CLIP), f"it is clipped to [-{CLIP:g}, {CLIP:g}]: compare the gradient before clipping."
    if ours.ndim == 2 and ours.shape[0] == ours.shape[1]:
        yield ours.T, "it is transposed."
    trace = _trace(problem)
    for t, word in ((0, "first"), (T - 1, "last")):
        step = _Trace._make(array[t : t + 1] for array in trace)
        sentence = f"it is the gradient of the {word} time step alone: add the gradients of all time steps, with `+=`."
        yield _gradient(problem, letter, step), sentence
    W = problem.arrays["W"]
    yield (
        _gradient(problem, letter, _trace(problem, recurrent=np.zeros_like(W))),
        "no gradient comes from later time steps: dL/dh_t is V^T g_t + W^T dL/da_{t+1}.",
    )
    yield _gradient(problem, letter, _trace(problem, recurrent=W)), "dL/da_{t+1} was multiplied by W, not by W^T."
    flat = _trace(problem, derivative=lambda h: np.ones_like(h))
    yield _gradient(problem, letter, flat), "the factor 1 - h_t^2, the derivative of tanh, is missing."
    linear = _trace(problem, derivative=lambda h: 1 - h)
    yield _gradient(problem, letter, linear), "the derivative of tanh is 1 - h_t^2, not 1 - h_t."
    if letter == "W":
        yield trace.da.T @ trace.h, "it has h_t in place of h_{t-1}."
    if letter == "V":
        yield trace.g.T @ trace.before, "it has h_{t-1} in place of h_t."
    without = problem._replace(arrays={**problem.arrays, "h0": np.zeros_like(problem.arrays["h0"])})
    yield _gradient(without, letter, _trace(without)), "the forward pass began with zeros, not with h0."
    no_targets = _trace(problem, targets=False)
    yield _gradient(problem, letter, no_targets), "g_t is p_t - y_t; y_t was not subtracted."


def _trace(
    problem: Problem,
    *,
    recurrent: Array | None = None,
    derivative: Callable[[Array], Array] = lambda h: 1 - h * h,
    targets: bool = True,
) -> _Trace:
    """Run the network forward and backward. `recurrent` replaces W^T. If `targets` is False, g_t is p_t without y_t."""
    arrays = problem.arrays
    config, parameters, state = _for_reference(problem)
    passed = network.forward(config, parameters, problem.inputs[:, np.newaxis], state)
    h, g = passed.h[:, 0], np.exp(passed.log_probabilities[:, 0])
    symbols = len(arrays["c"])
    if targets:
        g = g - network.one_hot(problem.targets, symbols)
    transposed = arrays["W"].T if recurrent is None else recurrent
    da = np.zeros_like(h)
    dh_next = np.zeros_like(h[0])
    for t in reversed(range(len(h))):
        da[t] = (arrays["V"].T @ g[t] + dh_next) * derivative(h[t])
        dh_next = transposed @ da[t]
    before = np.concatenate([arrays["h0"][np.newaxis], h[:-1]])
    return _Trace(network.one_hot(problem.inputs, symbols), before, h, g, da)


def _gradient(problem: Problem, letter: str, trace: _Trace) -> Array:
    """Return the gradient of `letter` from the values of a backward pass."""
    match letter:
        case "U":
            found = trace.da.T @ trace.x
        case "W":
            found = trace.da.T @ trace.before
        case "b":
            found = trace.da.sum(axis=0)
        case "V":
            found = trace.g.T @ trace.h
        case "c":
            found = trace.g.sum(axis=0)
        case _:
            found = problem.arrays["W"].T @ trace.da[0]
    return found
