"""The network: gradients against numerical derivatives, identities over time and batch, and errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problems import CELLS, Array, Problem, config_of, masks_of, problem
from recurra.errors import UsageError
from recurra.network import network, output
from recurra.network.cells import lstm
from recurra.network.network import State
from recurra.network.parameters import initialize
from recurra.network.state import map_state, named_state, state_of

SIZES = [
    {"T": 6, "B": 2, "H": 3, "K": 5},
    {"T": 4, "B": 3, "H": 5, "K": 2},
    {"T": 1, "B": 2, "H": 3, "K": 4},
    {"T": 5, "B": 1, "H": 2, "K": 3},
    {"T": 1, "B": 1, "H": 1, "K": 2},
]
of_all_cells = pytest.mark.parametrize("cell", CELLS)
of_all_depths = pytest.mark.parametrize("layers", [1, 2], ids=["one layer", "two layers"])
of_all_sizes = pytest.mark.parametrize("sizes", SIZES, ids=str)


def tensors(p: Problem) -> dict[str, Array]:
    return p.parameters | named_state(p.state) | {"inputs": network.one_hot(p.inputs, len(p.parameters["c"]))}


def loss_of(p: Problem, values: dict[str, Array], masks: Array | None = None) -> complex:
    parameters = {name: values[name] for name in p.parameters}
    passed = network.forward(p.config, parameters, values["inputs"], state_of(p.config, values), masks)
    return complex(output.losses(passed.log_probabilities, p.targets).sum())


def numerical(
    p: Problem, name: str, slope: Callable[[Callable[[complex], complex]], float], masks: Array | None = None
) -> Array:
    """Return numerical derivatives by a plain loop over the elements, independent of `gradient_check`."""
    values = tensors(p)
    result = np.zeros(values[name].shape)
    for index in np.ndindex(result.shape):

        def moved(step: complex, index: tuple[int, ...] = index) -> complex:
            changed = values[name].astype(np.result_type(values[name], step))
            changed[index] += step
            return loss_of(p, values | {name: changed}, masks)

        result[index] = slope(moved)
    return result


def central(loss: Callable[[complex], complex]) -> float:
    return (loss(1e-4) - loss(-1e-4)).real / 2e-4


def complex_step(loss: Callable[[complex], complex]) -> float:
    return loss(1e-30j).imag / 1e-30


def analytic(p: Problem, masks: Array | None = None) -> dict[str, Array]:
    passed = network.forward(p.config, p.parameters, p.inputs, p.state, masks)
    gradients = network.backward(p.config, p.parameters, passed, p.targets)
    return gradients.parameters | named_state(gradients.state) | {"inputs": gradients.inputs}


@of_all_cells
@of_all_depths
@of_all_sizes
def test_gradients_equal_numerical_derivatives(sizes: dict[str, int], layers: int, cell: str) -> None:
    p = problem(cell, **sizes, layers=layers)
    masks = masks_of(p) if sizes["B"] > 1 else None
    for name, gradient in analytic(p, masks).items():
        exact = numerical(p, name, complex_step, masks)
        np.testing.assert_allclose(gradient, exact, rtol=1e-12, atol=1e-13, err_msg=name)
        if cell != "elman_relu":  # a step of 1e-4 may cross a kink of relu
            classical = numerical(p, name, central, masks)
            np.testing.assert_allclose(gradient, classical, rtol=1e-6, atol=1e-6, err_msg=name)


@of_all_cells
@of_all_depths
def test_no_gradient_is_identically_zero(layers: int, cell: str) -> None:
    for name, gradient in analytic(problem(cell, layers=layers)).items():
        assert np.abs(gradient).max() > 1e-3, name


@of_all_cells
@of_all_depths
def test_loss_and_gradients_equal_forward_and_backward(layers: int, cell: str) -> None:
    p = problem(cell, layers=layers)
    masks = masks_of(p)
    loss, gradients, final = network.loss_and_gradients(*p, masks=masks)
    assert loss == pytest.approx(loss_of(p, tensors(p), masks).real, rel=1e-14)
    assert list(gradients) == [*p.parameters, *named_state(p.state)]
    assert all(np.array_equal(gradients[name], analytic(p, masks)[name]) for name in gradients)
    passed = network.forward(p.config, p.parameters, p.inputs, p.state, masks)
    assert type(final) is type(p.state)
    assert all(map(np.array_equal, final, passed.state))
    assert all(field.shape == p.state.h.shape for field in final)


@of_all_cells
@of_all_depths
def test_backward_accepts_a_complex_step(layers: int, cell: str) -> None:
    """A complex step in the direction of U through the gradients gives the Hessian times this direction."""
    p = problem(cell, layers=layers)

    def gradients(step: complex) -> dict[str, Array]:
        U = p.parameters["layers.0.U"]
        return analytic(p._replace(parameters=p.parameters | {"layers.0.U": U + step * np.ones_like(U)}))

    above, below, imaginary = gradients(1e-5), gradients(-1e-5), gradients(1e-30j)
    for name, gradient in imaginary.items():
        slope = (above[name] - below[name]) / 2e-5
        np.testing.assert_allclose(gradient.imag / 1e-30, slope, rtol=1e-5, atol=1e-5, err_msg=name)


@given(st.sampled_from(CELLS), st.integers(1, 5), st.integers(1, 2), st.integers(0, 10**6))
@settings(max_examples=50)
def test_2t_steps_equal_two_calls_of_t_steps(cell: str, T: int, layers: int, seed: int) -> None:
    p = problem(cell, T=2 * T, layers=layers, seed=seed)
    masks = masks_of(p)
    whole = network.forward(p.config, p.parameters, p.inputs, p.state, masks)
    first = network.forward(p.config, p.parameters, p.inputs[:T], p.state, masks)
    second = network.forward(p.config, p.parameters, p.inputs[T:], first.state, masks)
    parts = np.concatenate([first.log_probabilities, second.log_probabilities])
    np.testing.assert_allclose(parts, whole.log_probabilities, rtol=1e-11)
    np.testing.assert_allclose(second.state, whole.state, rtol=1e-11)


@of_all_cells
@of_all_depths
def test_backward_in_two_calls_equals_one_call(layers: int, cell: str) -> None:
    """The gradient of the second call's initial state is `dstate` of the first call: the chain rule through time."""
    p = problem(cell, T=6, layers=layers)
    first = network.forward(p.config, p.parameters, p.inputs[:2], p.state)
    second = network.forward(p.config, p.parameters, p.inputs[2:], first.state)
    late = network.backward(p.config, p.parameters, second, p.targets[2:])
    early = network.backward(p.config, p.parameters, first, p.targets[:2], dstate=late.state)
    whole = analytic(p)
    for name in p.parameters:
        np.testing.assert_allclose(early.parameters[name] + late.parameters[name], whole[name], rtol=1e-11, atol=1e-13)
    for name, field in named_state(early.state).items():
        np.testing.assert_allclose(field, whole[name], rtol=1e-11, atol=1e-13)


@of_all_cells
@of_all_depths
def test_streams_of_a_batch_are_independent(layers: int, cell: str) -> None:
    p = problem(cell, B=3, layers=layers)
    masks = masks_of(p)
    whole = network.forward(p.config, p.parameters, p.inputs, p.state, masks)
    for b in range(3):
        only = slice(b, b + 1)
        state = map_state(lambda field, only=only: field[:, only], p.state)  # type: ignore[misc]
        alone = network.forward(p.config, p.parameters, p.inputs[:, only], state, masks[:, only])
        np.testing.assert_allclose(alone.log_probabilities, whole.log_probabilities[:, only], rtol=1e-12)
        for field, all_streams in zip(alone.state, whole.state, strict=True):
            np.testing.assert_allclose(field, all_streams[:, only], rtol=1e-12)


@of_all_cells
@of_all_depths
def test_tiny_weights_give_the_uniform_loss(layers: int, cell: str) -> None:
    """The initial loss is T B ln K."""
    config = config_of(cell, hidden_size=20, layers=layers)
    parameters = initialize(config, 7, seed=0, scale=1e-3)
    ids = np.arange(30).reshape(10, 3) % 7
    loss, _, _ = network.loss_and_gradients(config, parameters, ids, ids)
    assert loss == pytest.approx(30 * math.log(7), rel=1e-4)


@of_all_cells
def test_dropped_units_do_not_reach_the_layer_above(cell: str) -> None:
    """A mask of zeros removes the input of layer 1; a mask of ones and None are equal."""
    p = problem(cell, layers=2)
    plain = network.forward(p.config, p.parameters, p.inputs, p.state)
    ones = network.forward(p.config, p.parameters, p.inputs, p.state, np.ones((1, 2, 3)))
    assert np.array_equal(ones.log_probabilities, plain.log_probabilities)
    others = {name: array + name.startswith("layers.0") for name, array in p.parameters.items()}
    deaf = [network.forward(p.config, some, p.inputs, p.state, np.zeros((1, 2, 3))) for some in (p.parameters, others)]
    assert np.array_equal(deaf[0].log_probabilities, deaf[1].log_probabilities)
    assert not np.array_equal(deaf[0].state.h, deaf[1].state.h)


@of_all_cells
def test_default_state_is_zero(cell: str) -> None:
    p = problem(cell, layers=2)
    zero = network.zero_state(p.config, 2)
    given_zero, without = network.loss_and_gradients(*p._replace(state=zero)), network.loss_and_gradients(*p[:4])
    assert given_zero[0] == without[0]


@of_all_cells
def test_float32_parameters_are_converted_to_float64(cell: str) -> None:
    p = problem(cell)
    single = {name: array.astype(np.float32) for name, array in p.parameters.items()}
    double = {name: array.astype(np.float64) for name, array in single.items()}
    state = map_state(lambda field: field.astype(np.float32), p.state)
    loss, gradients, final = network.loss_and_gradients(p.config, single, p.inputs, p.targets, state)
    assert loss == network.loss_and_gradients(p.config, double, p.inputs, p.targets, state)[0]
    assert {array.dtype for array in gradients.values()} == {np.dtype(np.float64)}
    assert {field.dtype for field in final} == {np.dtype(np.float64)}


@of_all_cells
@of_all_depths
def test_forward_keeps_the_dtype(layers: int, cell: str) -> None:
    p = problem(cell, layers=layers)
    single = {name: array.astype(np.float32) for name, array in p.parameters.items()}
    inputs = network.one_hot(p.inputs, 5).astype(np.float32)
    state = map_state(lambda field: field.astype(np.float32), p.state)
    passed = network.forward(p.config, single, inputs, state, masks_of(p).astype(np.float32))
    gradients = network.backward(p.config, single, passed, p.targets)
    arrays = [passed.log_probabilities, *passed.state, *gradients.parameters.values(), *gradients.state]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_ids_may_have_any_integer_type() -> None:
    p = problem()
    narrow = p._replace(inputs=p.inputs.astype(np.uint8), targets=p.targets.astype(np.uint16))
    assert network.loss_and_gradients(*narrow)[0] == network.loss_and_gradients(*p)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.array([[0], [5]])}, r"`inputs` must be ids from 0 to 4; got 5\."),
        ({"targets": np.array([[0], [-2]])}, r"`targets` must be ids from -1 to 4; got -2\."),
        ({"inputs": np.array([0, 1])}, r"`inputs` must be integers of shape \(T, B\); got int64 \(2,\)\."),
        ({"targets": np.zeros((2, 1))}, r"`targets` must be integers of shape \(T, B\); got float64 \(2, 1\)\."),
        ({"inputs": np.zeros((0, 1), int)}, r"`inputs` must be integers of shape \(T, B\); got int64 \(0, 1\)\."),
        ({"targets": np.array([[0]])}, r"`targets` must have the shape of `inputs`, \(2, 1\); got \(1, 1\)\."),
        ({"state": State(h=np.zeros((1, 2, 3)))}, r"`state` must have shape \(1, 1, 3\); got \(1, 2, 3\)\."),
        ({"state": lstm.State(*np.zeros((2, 1, 1, 3)))}, r"`state` must have the fields h; got h, c\."),
    ],
)
def test_wrong_ids_and_shapes_raise(change: dict[str, Any], message: str) -> None:
    p = problem(T=2, B=1)._replace(**change)
    with pytest.raises(UsageError, match=message):
        network.loss_and_gradients(*p)


def test_masks_of_a_wrong_shape_raise() -> None:
    p = problem(layers=3)
    with pytest.raises(UsageError, match=r"`masks` must have shape \(2, 2, 3\); got \(1, 2, 3\)\."):
        network.loss_and_gradients(*p, masks=np.ones((1, 2, 3)))


def test_state_of_another_cell_raises() -> None:
    p = problem("lstm")
    with pytest.raises(UsageError, match=r"`state` must have the fields h, c; got h\."):
        network.loss_and_gradients(*p._replace(state=State(h=p.state.h)))
