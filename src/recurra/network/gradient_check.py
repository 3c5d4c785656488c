"""The proof of the gradients: every element against central differences and the complex step.

    central:    dL/dtheta ~ (L(theta + d) - L(theta - d)) / 2d    d = 1e-4: error d^2/6 L''' and rounding / d
    complex:    dL/dtheta ~ Im L(theta + i d) / d                 d = 1e-30: no subtraction, nothing lost

The complex step (W. Squire, G. Trapp, "Using complex variables to estimate derivatives of real functions",
SIAM Review 40 (1998) 110-112) is as exact as the analytic gradient and decides; central differences are the
classical check; where a network has kinks (relu) they may step across one, and only the complex step counts.
An element costs three forward passes, so P elements are perturbed at once: copy p of the
network sits at place p of the batch axis, and the cells of any network run unchanged (see `perturbation`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from recurra.machine import usable_cpus
from recurra.network import network, output
from recurra.network.perturbation import perturbed
from recurra.network.state import map_state, named_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recurra.config import ModelConfig
    from recurra.network.network import AnyState
    from recurra.network.parameters import Array, Parameters

CENTRAL_STEP: Final = 1e-4
COMPLEX_STEP: Final = 1e-30
COMPLEX_TOLERANCE: Final = 1e-12
SEED_TOLERANCES: Final = {"U": 1e-7, "W": 1e-9, "b": 1e-6, "V": 1e-7, "c": 1e-5}
"""The largest absolute differences from central differences (step 1e-4) that the mission's report prints."""

_COPIES_AT_ONCE = 128  # a step's (copies, m) array stays in the cache: 100 kB at m = 100


class Figures(NamedTuple):
    """How far one parameter's gradient lies from the numerical ones.

    The largest absolute difference over its elements; relative ones are divided by its largest |gradient|.
    """

    max_abs_central: float
    max_rel_central: float
    max_rel_complex: float


class SeedFigures(NamedTuple):
    """The figures under preset seed: central at the initial weights, the complex step's worse of both."""

    max_abs_central: float
    max_rel_central: float
    max_rel_complex: float
    seed_tolerance: float | None
    passed: bool


class _Problem(NamedTuple):
    """A loss to differentiate; B = 1 within one, since the batch axis holds the copies."""

    config: ModelConfig
    parameters: dict[str, Any]
    state: Any
    inputs: Array
    targets: Array
    masks: Array | None

    def losses(self) -> Array:
        """-log p of each target: (T, copies)."""
        passed = network.forward(self.config, self.parameters, self.inputs, self.state, self.masks)
        return output.losses(passed.log_probabilities, self.targets)

    def tensor(self, name: str) -> Array:
        if name == "inputs":
            return self.inputs
        if name.startswith("state."):
            field: Array = getattr(self.state, name.removeprefix("state."))
            return field
        array: Array = self.parameters[name]
        return array

    def put(self, name: str, copies: Any) -> _Problem:
        if name == "inputs":
            return self._replace(inputs=copies)
        if name.startswith("state."):
            return self._replace(state=self.state._replace(**{name.removeprefix("state."): copies}))
        return self._replace(parameters=self.parameters | {name: copies})

    def perturb(self, name: str, elements: Array, delta: complex) -> Array:
        """The losses (T, P) when copy p has element elements[p] (a flat index) of `name` increased."""
        return self.put(name, perturbed(self.tensor(name), elements, delta)).losses()


def check(
    config: ModelConfig,
    parameters: Parameters,
    inputs: Array,
    targets: Array,
    state: AnyState,
    gradients: Parameters | None = None,
    *,
    masks: Array | None = None,
) -> dict[str, Figures]:
    """How far every element of every gradient lies from the numerical ones, by the names of `gradients`.

    `inputs` and `targets` are ids (T, B), `state` (L, B, H), `masks` (L - 1, B, H) what dropout drops. `gradients`
    may hold parameters, "state.h" ("state.c") and "inputs" (the one-hot inputs (T, B, K) taken as numbers); None
    means the network's own, all of them.
    The figures do not depend on how many CPUs there are.
    """
    problem = _problem(config, parameters, inputs, targets, state, masks)
    if gradients is None:
        gradients = _own_gradients(problem)
    numerical = _numerical_gradients(problem, list(gradients))
    return {name: _figures(gradients[name], *numerical[name]) for name in gradients}


def check_seed(
    config: ModelConfig,
    initial: Parameters,
    trained: Parameters,
    inputs: Array,
    targets: Array,
    trained_state: AnyState,
) -> dict[str, SeedFigures]:
    """The check under preset seed: at initial weights and a zero state, and at trained ones and their state.

    Named by the letters U, W, b, V, c, h0 and x, with a GRU's b_n and an LSTM's c0 (of several layers, the
    worst). A letter passes when central differences lie within the report's figure at the initial weights and the
    complex step within 1e-12 at both; h0 and x, for which the report prints no figure, and every letter of a cell
    that is not the report's, by the complex step alone.
    """
    zeros = network.zero_state(config, inputs.shape[1])
    first = by_letter(check(config, initial, inputs, targets, zeros))
    second = by_letter(check(config, trained, inputs, targets, trained_state))
    tolerances = SEED_TOLERANCES if (config.cell, config.activation) == ("elman", "tanh") else {}
    return {letter: _verdict(figures, second[letter], tolerances.get(letter)) for letter, figures in first.items()}


def to_table(cells: dict[str, dict[str, SeedFigures]]) -> dict[str, Any]:
    """The figures by cell and letter as JSON: {"cells": {cell: {letter: figures}}, "passed": all of them}."""
    rows = {cell: {letter: row._asdict() for letter, row in figures.items()} for cell, figures in cells.items()}
    return {"cells": rows, "passed": all(row.passed for figures in cells.values() for row in figures.values())}


def _problem(
    config: ModelConfig,
    parameters: Parameters,
    inputs: Array,
    targets: Array,
    state: AnyState,
    masks: Array | None,
) -> _Problem:
    precise = {name: array.astype(np.float64) for name, array in parameters.items()}
    dense = network.one_hot(inputs, precise["c"].shape[0])
    state = map_state(lambda field: field.astype(np.float64), state)
    return _Problem(config, precise, state, dense, targets, masks)


def _own_gradients(problem: _Problem) -> dict[str, Array]:
    passed = network.forward(problem.config, problem.parameters, problem.inputs, problem.state, problem.masks)
    gradients = network.backward(problem.config, problem.parameters, passed, problem.targets)
    return gradients.parameters | named_state(gradients.state) | {"inputs": gradients.inputs}


class _Task(NamedTuple):
    """A few elements (flat indices) of the tensor `name`, differentiated in the stream `b` of the batch."""

    name: str
    b: int
    elements: Array


def _numerical_gradients(problem: _Problem, names: list[str]) -> dict[str, tuple[Array, Array]]:
    """The central and the complex-step gradient of each tensor.

    The streams of a batch share parameters but nothing else: the gradient of the loss, a sum over streams, is
    the sum of the gradients of the streams alone.
    """
    streams = [_stream_alone(problem, b) for b in range(problem.targets.shape[1])]
    results = {name: (np.zeros(problem.tensor(name).shape), np.zeros(problem.tensor(name).shape)) for name in names}
    tasks = list(_tasks(streams, names))
    # Each thread works on arrays that stay in its own core's cache; BLAS's threads would only get in the way.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(usable_cpus()) as pool:
        for task, slopes in zip(tasks, pool.map(lambda task: _slopes(streams[task.b], task), tasks), strict=True):
            for result, slope in zip(results[task.name], slopes, strict=True):
                whole = result if task.name in problem.parameters else result[:, task.b : task.b + 1]
                whole[np.unravel_index(task.elements, whole.shape)] += slope
    return results


def _stream_alone(problem: _Problem, b: int) -> _Problem:
    only = slice(b, b + 1)
    return problem._replace(
        state=map_state(lambda field: field[:, only], problem.state),
        inputs=problem.inputs[:, only],
        targets=problem.targets[:, only],
        masks=None if problem.masks is None else problem.masks[:, only],
    )


def _tasks(streams: list[_Problem], names: list[str]) -> Iterator[_Task]:
    for name in names:
        for b, problem in enumerate(streams):
            size = problem.tensor(name).size
            for start in range(0, size, _COPIES_AT_ONCE):
                yield _Task(name, b, np.arange(start, min(start + _COPIES_AT_ONCE, size)))


def _slopes(problem: _Problem, task: _Task) -> tuple[Array, Array]:
    """Central and complex-step derivatives (P,); subtracted before they are summed, to round less."""
    above = problem.perturb(task.name, task.elements, CENTRAL_STEP)
    below = problem.perturb(task.name, task.elements, -CENTRAL_STEP)
    beside = problem.perturb(task.name, task.elements, 1j * COMPLEX_STEP)
    return (above - below).sum(axis=0) / (2 * CENTRAL_STEP), beside.imag.sum(axis=0) / COMPLEX_STEP


def _figures(gradient: Array, central: Array, complex_step: Array) -> Figures:
    """The scale is the larger of the two largest gradients, lest a gradient of zero escape by division."""
    scale = max(float(np.max(np.abs(gradient))), float(np.max(np.abs(complex_step)))) or 1.0
    from_central = float(np.max(np.abs(gradient - central)))
    from_complex = float(np.max(np.abs(gradient - complex_step)))
    return Figures(from_central, from_central / scale, from_complex / scale)


def _letter(name: str) -> str:
    return {"state.h": "h0", "state.c": "c0", "inputs": "x"}.get(name, name.rpartition(".")[2])


def by_letter(figures: dict[str, Figures]) -> dict[str, Figures]:
    """By the mission's letter, of several layers the worst."""
    worst: dict[str, Figures] = {}
    for name, figure in figures.items():
        letter = _letter(name)
        worst[letter] = Figures(*np.maximum(worst.get(letter, figure), figure).tolist())
    return worst


def _verdict(initial: Figures, trained: Figures, tolerance: float | None) -> SeedFigures:
    exact = float(np.maximum(initial.max_rel_complex, trained.max_rel_complex))
    passed = exact <= COMPLEX_TOLERANCE and (tolerance is None or initial.max_abs_central <= tolerance)
    return SeedFigures(initial.max_abs_central, initial.max_rel_central, exact, tolerance, passed)
