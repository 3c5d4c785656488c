"""Compare every element of every gradient with central differences and with the complex step.

    central:    dL/dtheta ~ (L(theta + d) - L(theta - d)) / 2d    d = 1e-4: error d^2/6 L''' and rounding / d
    complex:    dL/dtheta ~ Im L(theta + i d) / d                 d = 1e-30: no subtraction, so no cancellation

The complex step is as accurate as the analytic gradient, and decides if a gradient is correct. Central differences are
the classical check; they can be wrong at the kinks of relu.

Each element needs three forward passes. Therefore P elements are perturbed at once: the batch axis holds P copies of
the network, and the code of the cells runs unchanged (see `perturbation`).

The work grows with the square of the number of parameters. If it would exceed `MAX_MULTIPLICATIONS`, only a random
sample of each tensor is checked, and the results state the number of checked elements. The limit counts multiplications
instead of seconds, so that a check gives the same result on every machine.

Source: W. Squire, G. Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Review 40 (1998)
110-112.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from recurra.network import network, output
from recurra.network.cells import elman
from recurra.network.perturbation import perturb_elements
from recurra.network.state import map_state, named_state
from recurra.system.random_streams import stream
from recurra.system.system_info import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recurra.config import ModelConfig
    from recurra.network.network import AnyState
    from recurra.network.parameters import Array, Parameters
    from recurra.system.random_streams import Stream

CENTRAL_STEP: Final = 1e-4
COMPLEX_STEP: Final = 1e-30
COMPLEX_TOLERANCE: Final = 1e-12
REPORT_TOLERANCES: Final = {"U": 1e-7, "W": 1e-9, "b": 1e-6, "V": 1e-7, "c": 1e-5}
"""The largest differences from central differences (step 1e-4) in the report (KTH DD2424, assignment 4)."""

MAX_MULTIPLICATIONS: Final = 20_000_000_000  # in the forward passes of one check; the report's network needs 90 %
SAMPLE_DIVISOR: Final = 4  # a sample uses a quarter of `MAX_MULTIPLICATIONS`: few elements reveal a wrong formula
_MAX_COPIES = 128  # copies in one forward pass: an array (copies, H) stays in the cache, 100 kB at H = 100
_MAX_CACHED_NUMBERS = 1 << 22  # numbers that all copies store in one forward pass: 64 MB if complex


FIRST_INPUT_MATRIX = "layers.0.U"
Progress = Callable[[int, int], None]  # arguments: elements done, elements in all


def ignore_progress(done: int, total: int) -> None:
    """Do nothing: the default for `progress`."""


class Figures(NamedTuple):
    """The largest differences between one parameter's gradient and its numerical derivatives.

    max_abs_central: the largest absolute difference from central differences
    max_rel_central: `max_abs_central` divided by the largest absolute value in the gradient
    max_rel_complex: the largest difference from the complex step, divided in the same way
    checked: the number of compared elements, of all `elements`
    """

    max_abs_central: float
    max_rel_central: float
    max_rel_complex: float
    checked: int = 0
    elements: int = 0

    def worst_of(self, other: Figures) -> Figures:
        """Return the figures of two parameters together: the larger differences, and the sums of the counts."""
        central, relative, exact = np.maximum(self[:3], other[:3]).tolist()
        return Figures(central, relative, exact, self.checked + other.checked, self.elements + other.elements)


class JudgedFigures(NamedTuple):
    """The figures of a check, and the verdict `passed`.

    For preset classic, the central differences are those at the initial weights, and the complex-step difference is the
    larger one of the initial and the trained weights. `seed_tolerance` is the figure in the report, or None if the
    report has no figure for this parameter.
    """

    max_abs_central: float
    max_rel_central: float
    max_rel_complex: float
    seed_tolerance: float | None
    passed: bool
    checked: int = 0
    elements: int = 0


class _Problem(NamedTuple):
    """A loss to differentiate. For numerical derivatives it has one stream, because the batch axis holds the copies."""

    config: ModelConfig
    parameters: dict[str, Any]
    state: Any
    inputs: Array
    targets: Array
    masks: Array | None

    @property
    def work(self) -> int:
        """The approximate number of multiplications in one forward pass."""
        return int(self.targets.size * sum(array.size for array in self.parameters.values()))

    def losses(self) -> Array:
        """Return -log p of each target in nats: (T, copies)."""
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

    def with_copies(self, name: str, copies: Any) -> _Problem:
        if name == "inputs":
            return self._replace(inputs=copies)
        if name.startswith("state."):
            return self._replace(state=self.state._replace(**{name.removeprefix("state."): copies}))
        return self._replace(parameters=self.parameters | {name: copies})

    def perturb(self, name: str, elements: Array, delta: complex) -> Array:
        """Return the losses (T, P) of P copies; in copy p, the element elements[p] (a flat index) is increased."""
        return self.with_copies(name, perturb_elements(self.tensor(name), elements, delta)).losses()


def check(
    config: ModelConfig,
    parameters: Parameters,
    inputs: Array,
    targets: Array,
    state: AnyState,
    gradients: Parameters | None = None,
    *,
    masks: Array | None = None,
    work: int | None = MAX_MULTIPLICATIONS,
    seed: int = 0,
    progress: Progress = ignore_progress,
) -> dict[str, Figures]:
    """Compare gradients with numerical derivatives. Return the figures by the names of `gradients`.

    The result does not depend on the number of CPUs.

    Args:
        config, parameters: the network.
        inputs, targets: (T, B), ids.
        state: (L, B, H) in every field, the initial state.
        gradients: the gradients to check, by parameter name or "state.h", "state.c", "inputs" (the gradient of the
            one-hot inputs, (T, B, K)); None: all gradients that `network.backward` computes.
        masks: (L - 1, B, H), dropout masks; None: no dropout.
        work: the largest number of multiplications; above it, only a sample is checked. None: no limit.
        seed: the random seed of the sample.
        progress: called with the number of elements done and the number of all elements to check.
    """
    problem = _problem(config, parameters, inputs, targets, state, masks)
    if gradients is None:
        gradients = _analytic_gradients(problem)
    sample = _sample(problem, list(gradients), work, seed)
    numerical = _numerical_gradients(problem, sample, progress)
    results = {}
    for name, elements in sample.items():
        checked = len(elements) * (1 if name in problem.parameters else targets.shape[1])
        figures = _figures(gradients[name], *numerical[name], _compared(problem, name, elements))
        results[name] = figures._replace(checked=checked, elements=gradients[name].size)
    return results


def check_initial_and_trained(
    config: ModelConfig,
    initial: Parameters,
    trained: Parameters,
    inputs: Array,
    targets: Array,
    trained_state: AnyState,
    *,
    work: int | None = MAX_MULTIPLICATIONS,
    seed: int = 0,
    progress: Progress = ignore_progress,
) -> dict[str, JudgedFigures]:
    """Check the gradients at the initial weights with a zero state, and at the trained weights with `trained_state`.

    The result has an entry for each letter: U, W, b, V, c, h0 and x, b_n of a GRU and c0 of an LSTM. With several
    layers, an entry has the largest differences of all layers. A letter passes if its complex-step difference is at
    most 1e-12 at both points. In the report's network (elman with tanh), U, W, b, V and c must also stay within the
    figures that the report gives for central differences at the initial weights. `check` explains `work`, `seed` and
    `progress`; `work` limits each of the two checks.
    """
    zeros = network.zero_state(config, inputs.shape[1])

    def checked(parameters: Parameters, state: AnyState, half: int) -> dict[str, Figures]:
        def report(done: int, total: int) -> None:
            progress(half * total + done, 2 * total)

        return group_by_letter(check(config, parameters, inputs, targets, state, work=work, seed=seed, progress=report))

    first, second = checked(initial, zeros, 0), checked(trained, trained_state, 1)
    tolerances = REPORT_TOLERANCES if (config.cell, config.activation) == (elman.SPEC.name, "tanh") else {}
    return {letter: _verdict(figures, second[letter], tolerances.get(letter)) for letter, figures in first.items()}


def to_table(cells: dict[str, dict[str, JudgedFigures]]) -> dict[str, Any]:
    """Return the figures as data for JSON: {"cells": {cell: {letter: figures}}, "passed": …, …}.

    "passed" is True if every letter of every cell passed. "checked" is the number of compared elements of all
    "elements".
    """
    rows = {cell: {letter: row._asdict() for letter, row in figures.items()} for cell, figures in cells.items()}
    every = [row for figures in cells.values() for row in figures.values()]
    return {
        "cells": rows,
        "passed": all(row.passed for row in every),
        "checked": sum(row.checked for row in every),
        "elements": sum(row.elements for row in every),
    }


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


def _analytic_gradients(problem: _Problem) -> dict[str, Array]:
    passed = network.forward(problem.config, problem.parameters, problem.inputs, problem.state, problem.masks)
    gradients = network.backward(problem.config, problem.parameters, passed, problem.targets)
    return gradients.parameters | named_state(gradients.state) | {"inputs": gradients.inputs}


def _sample(problem: _Problem, names: list[str], work: int | None, seed: int) -> dict[str, Array]:
    """Return the elements (flat indices) of each tensor, in one stream, that are compared with numerical derivatives.

    If all elements need more than `work` multiplications, return a sample: all elements of small tensors, and an equal
    number from each larger tensor.
    """
    one_stream = _select_stream(problem, 0)
    sizes = {name: one_stream.tensor(name).size for name in names}
    budget = sum(sizes.values()) if work is None else work // problem.work
    if budget >= sum(sizes.values()):
        return {name: np.arange(sizes[name]) for name in names}
    budget //= SAMPLE_DIVISOR
    sample: dict[str, Array] = {}
    for name in sorted(names, key=sizes.__getitem__):
        share = max(1, budget // (len(names) - len(sample)))
        sample[name] = _draw(_candidates(problem, name, sizes[name]), share, stream(seed, f"gradient check {name}"))
        budget -= len(sample[name])
    return {name: sample[name] for name in names}


def _candidates(problem: _Problem, name: str, size: int) -> Array:
    """Return the elements (flat indices) from which a sample is drawn.

    In U of the first layer, only the columns of symbols in the text are candidates. The loss does not depend on the
    other columns of U: their gradient must be 0.
    """
    if name != FIRST_INPUT_MATRIX:
        return np.arange(size)
    read = np.flatnonzero(problem.inputs.any(axis=(0, 1)))
    rows, symbols = problem.tensor(name).shape
    candidates: Array = (np.arange(rows)[:, np.newaxis] * symbols + read).ravel()
    return candidates


def _draw(candidates: Array, count: int, numbers: Stream) -> Array:
    """Divide the candidates into `count` equal parts and draw one of each; return all if there are at most `count`."""
    if count >= len(candidates):
        return candidates
    bounds = np.arange(count + 1) * len(candidates) // count
    places = bounds[:-1] + (numbers.uniform(count) * np.diff(bounds)).astype(np.int64)
    drawn: Array = candidates[places]
    return drawn


def _compared(problem: _Problem, name: str, elements: Array) -> Array:
    """Return True for every element to compare: the perturbed `elements`, and the columns of U whose gradient is 0."""
    shape = problem.tensor(name).shape
    if name in problem.parameters:
        compared = np.zeros(shape, np.bool_)
        compared.ravel()[elements] = True
        if name == FIRST_INPUT_MATRIX:
            compared[:, ~problem.inputs.any(axis=(0, 1))] = True
        return compared
    one = np.zeros((shape[0], 1, shape[2]), np.bool_)
    one.ravel()[elements] = True
    return np.broadcast_to(one, shape)


class _Task(NamedTuple):
    """A few elements (flat indices) of the tensor `name`, differentiated in the stream `b` of the batch."""

    name: str
    b: int
    elements: Array


def _numerical_gradients(
    problem: _Problem, sample: dict[str, Array], progress: Progress
) -> dict[str, tuple[Array, Array]]:
    """Return the central and the complex-step derivatives of each tensor: 0 at elements outside the sample.

    The loss is a sum over streams, and the streams share only the parameters. Therefore the gradient of a parameter is
    the sum of its gradients in the single streams.
    """
    streams = [_select_stream(problem, b) for b in range(problem.targets.shape[1])]
    results = {name: (np.zeros(problem.tensor(name).shape), np.zeros(problem.tensor(name).shape)) for name in sample}
    tasks = list(_tasks(streams, sample))
    done, total = 0, sum(len(task.elements) for task in tasks)
    progress(done, total)
    # Each thread works on arrays that fit in the cache of its core; threads of BLAS would slow it down.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(usable_cpus()) as pool:
        for task, slopes in zip(tasks, pool.map(lambda task: _slopes(streams[task.b], task), tasks), strict=True):
            for result, slope in zip(results[task.name], slopes, strict=True):
                target = result if task.name in problem.parameters else result[:, task.b : task.b + 1]
                target[np.unravel_index(task.elements, target.shape)] += slope
            done += len(task.elements)
            progress(done, total)
    return results


def _select_stream(problem: _Problem, b: int) -> _Problem:
    part = slice(b, b + 1)
    return problem._replace(
        state=map_state(lambda field: field[:, part], problem.state),
        inputs=problem.inputs[:, part],
        targets=problem.targets[:, part],
        masks=None if problem.masks is None else problem.masks[:, part],
    )


def _tasks(streams: list[_Problem], sample: dict[str, Array]) -> Iterator[_Task]:
    problem = streams[0]
    numbers = problem.inputs.size + len(problem.inputs) * sum(
        array.size for name, array in problem.parameters.items() if name.endswith(".b")
    )  # that one copy stores: its inputs or log p, and its gates
    copies = max(1, min(_MAX_COPIES, _MAX_CACHED_NUMBERS // numbers))
    for name, elements in sample.items():
        for b in range(len(streams)):
            for start in range(0, len(elements), copies):
                yield _Task(name, b, elements[start : start + copies])


def _slopes(problem: _Problem, task: _Task) -> tuple[Array, Array]:
    """Return the central and the complex-step derivatives (P,).

    The losses are subtracted before they are summed over time, which makes the rounding error smaller.
    """
    above = problem.perturb(task.name, task.elements, CENTRAL_STEP)
    below = problem.perturb(task.name, task.elements, -CENTRAL_STEP)
    imaginary = problem.perturb(task.name, task.elements, 1j * COMPLEX_STEP)
    return (above - below).sum(axis=0) / (2 * CENTRAL_STEP), imaginary.imag.sum(axis=0) / COMPLEX_STEP


def _figures(gradient: Array, central: Array, complex_step: Array, compared: Array) -> Figures:
    """Return the figures of one gradient.

    Differences are divided by the largest absolute value in the analytic or the complex-step gradient. With the
    analytic gradient alone, a wrong gradient of zeros would have no scale.
    """
    scale = max(float(np.max(np.abs(gradient))), float(np.max(np.abs(complex_step)))) or 1.0
    from_central = float(np.max(np.abs(gradient - central)[compared]))
    from_complex = float(np.max(np.abs(gradient - complex_step)[compared]))
    return Figures(from_central, from_central / scale, from_complex / scale)


def _letter(name: str) -> str:
    return {"state.h": "h0", "state.c": "c0", "inputs": "x"}.get(name, name.rpartition(".")[2])


def group_by_letter(figures: dict[str, Figures]) -> dict[str, Figures]:
    """Return the figures by the report's letters; a letter has the largest differences of all layers."""
    worst: dict[str, Figures] = {}
    for name, figure in figures.items():
        letter = _letter(name)
        worst[letter] = worst[letter].worst_of(figure) if letter in worst else figure
    return worst


def _verdict(initial: Figures, trained: Figures, tolerance: float | None) -> JudgedFigures:
    exact = float(np.maximum(initial.max_rel_complex, trained.max_rel_complex))
    passed = exact <= COMPLEX_TOLERANCE and (tolerance is None or initial.max_abs_central <= tolerance)
    central = initial.max_abs_central, initial.max_rel_central
    return JudgedFigures(*central, exact, tolerance, passed, initial.checked, initial.elements)
