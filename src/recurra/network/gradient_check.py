"""Check every element of every gradient against central differences and the complex step.

    central:    dL/dtheta ~ (L(theta + d) - L(theta - d)) / 2d    d = 1e-4: error d^2/6 L''' and rounding / d
    complex:    dL/dtheta ~ Im L(theta + i d) / d                 d = 1e-30: no subtraction, nothing lost

The complex step (W. Squire, G. Trapp, "Using complex variables to estimate derivatives of real functions",
SIAM Review 40 (1998) 110-112) is as exact as the analytic gradient and decides; central differences are the
classical check; where a network has kinks (relu) they may step across one, and only the complex step counts.
An element costs three forward passes, so P elements are perturbed at once: copy p of the
network sits at place p of the batch axis, and the cells of any network run unchanged (see `perturbation`).

P elements and passes of P multiplications a step make the work grow with the square of the network and of the
sequence. If all of it would be more than `MAX_MULTIPLICATIONS`, a random sample of each tensor is checked, and the
figures have the number of elements. The work is counted, not timed, so that a check gives the same figures everywhere.
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

MAX_MULTIPLICATIONS: Final = (
    20_000_000_000  # multiplications of a forward pass, over all elements: the report's network needs 90 %
)
SAMPLED: Final = 4  # a sample takes this part of `MAX_MULTIPLICATIONS`: it finds a wrong formula by a few elements
_COPIES_AT_ONCE = 128  # a step's (copies, m) array stays in the cache: 100 kB at m = 100
_NUMBERS_AT_ONCE = 1 << 22  # that the copies of a task keep of a long sequence: 64 MB where they are complex


FIRST_INPUT_MATRIX = "layers.0.U"
Progress = Callable[[int, int], None]  # of the elements that are done, and all that will be


def ignore_progress(done: int, total: int) -> None:
    """Progress that nobody sees."""


class Figures(NamedTuple):
    """How far one parameter's gradient lies from the numerical ones.

    The largest absolute difference over the elements that were `checked`, of all its `elements`; relative ones are
    divided by its largest |gradient|.
    """

    max_abs_central: float
    max_rel_central: float
    max_rel_complex: float
    checked: int = 0
    elements: int = 0

    def worst_of(self, other: Figures) -> Figures:
        """The figures of two parameters together."""
        central, relative, exact = np.maximum(self[:3], other[:3]).tolist()
        return Figures(central, relative, exact, self.checked + other.checked, self.elements + other.elements)


class JudgedFigures(NamedTuple):
    """The figures under preset classic: central at the initial weights, the complex step's worse of both."""

    max_abs_central: float
    max_rel_central: float
    max_rel_complex: float
    seed_tolerance: float | None
    passed: bool
    checked: int = 0
    elements: int = 0


class _Problem(NamedTuple):
    """A loss to differentiate; B = 1 within one, since the batch axis holds the copies."""

    config: ModelConfig
    parameters: dict[str, Any]
    state: Any
    inputs: Array
    targets: Array
    masks: Array | None

    @property
    def work(self) -> int:
        """The multiplications of a forward pass, about."""
        return int(self.targets.size * sum(array.size for array in self.parameters.values()))

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
        return self.put(name, perturb_elements(self.tensor(name), elements, delta)).losses()


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
    """How far every element of every gradient lies from the numerical ones, by the names of `gradients`.

    `inputs` and `targets` are ids (T, B), `state` (L, B, H), `masks` (L - 1, B, H) what dropout drops. `gradients`
    may hold parameters, "state.h" ("state.c") and "inputs" (the one-hot inputs (T, B, K) taken as numbers); None
    means the network's own, all of them.
    Where all elements would take more than `work` multiplications (None: no limit), a sample drawn from `seed` is
    checked, which takes a part of them. `progress` is called with the elements done and all that will be.
    The figures do not depend on how many CPUs there are.
    """
    problem = _problem(config, parameters, inputs, targets, state, masks)
    if gradients is None:
        gradients = _own_gradients(problem)
    sample = _sample(problem, list(gradients), work, seed)
    numerical = _numerical_gradients(problem, sample, progress)
    found = {}
    for name, elements in sample.items():
        checked = len(elements) * (1 if name in problem.parameters else targets.shape[1])
        figures = _figures(gradients[name], *numerical[name], _compared(problem, name, elements))
        found[name] = figures._replace(checked=checked, elements=gradients[name].size)
    return found


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
    """The check under preset classic: at initial weights and a zero state, and at trained ones and their state.

    Named by the letters U, W, b, V, c, h0 and x, with a GRU's b_n and an LSTM's c0 (of several layers, the
    worst). A letter passes when central differences lie within the report's figure at the initial weights and the
    complex step within 1e-12 at both; h0 and x, for which the report prints no figure, and every letter of a cell
    that is not the report's, by the complex step alone. `work`, `seed` and `progress` as in `check`, for each state.
    """
    zeros = network.zero_state(config, inputs.shape[1])

    def checked(parameters: Parameters, state: AnyState, half: int) -> dict[str, Figures]:
        def so_far(done: int, total: int) -> None:
            progress(half * total + done, 2 * total)

        found = check(config, parameters, inputs, targets, state, work=work, seed=seed, progress=so_far)
        return group_by_letter(found)

    first, second = checked(initial, zeros, 0), checked(trained, trained_state, 1)
    tolerances = REPORT_TOLERANCES if (config.cell, config.activation) == (elman.SPEC.name, "tanh") else {}
    return {letter: _verdict(figures, second[letter], tolerances.get(letter)) for letter, figures in first.items()}


def to_table(cells: dict[str, dict[str, JudgedFigures]]) -> dict[str, Any]:
    """The figures by cell and letter as JSON: {"cells": {cell: {letter: figures}}, "passed": all of them, …}.

    `checked` is how many of all `elements` were compared with numerical gradients.
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


def _own_gradients(problem: _Problem) -> dict[str, Array]:
    passed = network.forward(problem.config, problem.parameters, problem.inputs, problem.state, problem.masks)
    gradients = network.backward(problem.config, problem.parameters, passed, problem.targets)
    return gradients.parameters | named_state(gradients.state) | {"inputs": gradients.inputs}


def _sample(problem: _Problem, names: list[str], work: int | None, seed: int) -> dict[str, Array]:
    """The elements (flat indices) of each tensor, in one stream, that are compared with numerical gradients.

    All, or where that takes more than `work` a sample for a part of it: small tensors whole, and as many of each other.
    """
    one = _stream_alone(problem, 0)
    sizes = {name: one.tensor(name).size for name in names}
    left = sum(sizes.values()) if work is None else work // problem.work
    if left >= sum(sizes.values()):
        return {name: np.arange(sizes[name]) for name in names}
    left //= SAMPLED
    chosen: dict[str, Array] = {}
    for name in sorted(names, key=sizes.__getitem__):
        share = max(1, left // (len(names) - len(chosen)))
        chosen[name] = _drawn(_candidates(problem, name, sizes[name]), share, stream(seed, f"gradient check {name}"))
        left -= len(chosen[name])
    return {name: chosen[name] for name in names}


def _candidates(problem: _Problem, name: str, size: int) -> Array:
    """The elements from which a sample is drawn: of the first U the columns of symbols that were read.

    The loss does not depend on the other columns: their gradient must be 0, and is compared with that.
    """
    if name != FIRST_INPUT_MATRIX:
        return np.arange(size)
    read = np.flatnonzero(problem.inputs.any(axis=(0, 1)))
    rows, symbols = problem.tensor(name).shape
    candidates: Array = (np.arange(rows)[:, np.newaxis] * symbols + read).ravel()
    return candidates


def _drawn(candidates: Array, count: int, numbers: Stream) -> Array:
    """One of each of `count` equal parts of the candidates, in order; all of them where they are no more."""
    if count >= len(candidates):
        return candidates
    bounds = np.arange(count + 1) * len(candidates) // count
    places = bounds[:-1] + (numbers.uniform(count) * np.diff(bounds)).astype(np.int64)
    drawn: Array = candidates[places]
    return drawn


def _compared(problem: _Problem, name: str, elements: Array) -> Array:
    """Which elements of a tensor, flat in its own shape, are compared: those that were perturbed, and zeros."""
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
    """The central and the complex-step gradient of each tensor at the elements of the sample, elsewhere 0.

    The streams of a batch share parameters but nothing else: the gradient of the loss, a sum over streams, is
    the sum of the gradients of the streams alone.
    """
    streams = [_stream_alone(problem, b) for b in range(problem.targets.shape[1])]
    results = {name: (np.zeros(problem.tensor(name).shape), np.zeros(problem.tensor(name).shape)) for name in sample}
    tasks = list(_tasks(streams, sample))
    done, total = 0, sum(len(task.elements) for task in tasks)
    progress(done, total)
    # Each thread works on arrays that stay in its own core's cache; BLAS's threads would only get in the way.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(usable_cpus()) as pool:
        for task, slopes in zip(tasks, pool.map(lambda task: _slopes(streams[task.b], task), tasks), strict=True):
            for result, slope in zip(results[task.name], slopes, strict=True):
                whole = result if task.name in problem.parameters else result[:, task.b : task.b + 1]
                whole[np.unravel_index(task.elements, whole.shape)] += slope
            done += len(task.elements)
            progress(done, total)
    return results


def _stream_alone(problem: _Problem, b: int) -> _Problem:
    only = slice(b, b + 1)
    return problem._replace(
        state=map_state(lambda field: field[:, only], problem.state),
        inputs=problem.inputs[:, only],
        targets=problem.targets[:, only],
        masks=None if problem.masks is None else problem.masks[:, only],
    )


def _tasks(streams: list[_Problem], sample: dict[str, Array]) -> Iterator[_Task]:
    problem = streams[0]
    kept = problem.inputs.size + len(problem.inputs) * sum(
        array.size for name, array in problem.parameters.items() if name.endswith(".b")
    )  # numbers of a copy: its inputs or log p, and its gates
    copies = max(1, min(_COPIES_AT_ONCE, _NUMBERS_AT_ONCE // kept))
    for name, elements in sample.items():
        for b in range(len(streams)):
            for start in range(0, len(elements), copies):
                yield _Task(name, b, elements[start : start + copies])


def _slopes(problem: _Problem, task: _Task) -> tuple[Array, Array]:
    """Central and complex-step derivatives (P,); subtracted before they are summed, to round less."""
    above = problem.perturb(task.name, task.elements, CENTRAL_STEP)
    below = problem.perturb(task.name, task.elements, -CENTRAL_STEP)
    beside = problem.perturb(task.name, task.elements, 1j * COMPLEX_STEP)
    return (above - below).sum(axis=0) / (2 * CENTRAL_STEP), beside.imag.sum(axis=0) / COMPLEX_STEP


def _figures(gradient: Array, central: Array, complex_step: Array, compared: Array) -> Figures:
    """The scale is the larger of the two largest gradients, lest a gradient of zero escape by division."""
    scale = max(float(np.max(np.abs(gradient))), float(np.max(np.abs(complex_step)))) or 1.0
    from_central = float(np.max(np.abs(gradient - central)[compared]))
    from_complex = float(np.max(np.abs(gradient - complex_step)[compared]))
    return Figures(from_central, from_central / scale, from_complex / scale)


def _letter(name: str) -> str:
    return {"state.h": "h0", "state.c": "c0", "inputs": "x"}.get(name, name.rpartition(".")[2])


def group_by_letter(figures: dict[str, Figures]) -> dict[str, Figures]:
    """By the report's letter, of several layers the worst."""
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
