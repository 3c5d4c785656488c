"""The interface of every registered optimizer, and its formula against values computed by hand."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from problems import problem
from recurra import config as settings
from recurra.network import network
from recurra.network.cells import CELLS
from recurra.network.optimizers import (
    PURE_OPTIMIZERS,
    adagrad_init,
    adagrad_update,
    adam_init,
    adam_update,
    adamw_update,
    clip_by_value,
    momentum_update,
    nesterov_update,
    optimizer_of,
    rmsprop_update,
    sgd_update,
)

Array = npt.NDArray[Any]

of_all = pytest.mark.parametrize("name", PURE_OPTIMIZERS)
of_both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def test_every_optimizer_of_the_settings_is_registered() -> None:
    assert tuple(PURE_OPTIMIZERS) == settings.OPTIMIZERS


@of_all
def test_hyperparameters_are_keywords_with_equal_defaults(name: str) -> None:
    keywords = inspect.signature(PURE_OPTIMIZERS[name].update).parameters.values()
    defaults = {
        option.name: option.default
        for option in keywords
        if option.kind is option.KEYWORD_ONLY and option.name != "sqrt"
    }
    assert defaults == settings.HYPERPARAMETERS[name]


@of_all
def test_optimizer_of_passes_the_hyperparameters(name: str) -> None:
    parameters, gradients = {"c": np.array([1.0, -2.0])}, {"c": np.array([0.3, 4.0])}
    start = {key: np.full_like(array, 0.5) for key, array in PURE_OPTIMIZERS[name].init(parameters).items()}
    for option, usual in settings.HYPERPARAMETERS[name].items():
        training = settings.TrainingConfig(optimizer=name, **{option: usual / 2})  # type: ignore[arg-type]
        actual = optimizer_of(training).update(parameters, gradients, start, 0.1)
        expected = PURE_OPTIMIZERS[name].update(parameters, gradients, start, 0.1, **{option: usual / 2})
        other = PURE_OPTIMIZERS[name].update(parameters, gradients, start, 0.1)
        assert actual[0]["c"].tolist() == expected[0]["c"].tolist() != other[0]["c"].tolist(), option


def test_sgd_by_hand() -> None:
    assert sgd_update({"c": np.array([1.0])}, {"c": np.array([2.0])}, {}, 0.25)[0]["c"].tolist() == [0.5]


def test_momentum_by_hand() -> None:
    """v = 0.5 * 4 + 2 = 4; the step is 0.25 * 4, and Nesterov's step 0.25 * (2 + 0.5 * 4) is equal."""
    arguments: Any = ({"c": np.array([3.0])}, {"c": np.array([2.0])}, {"velocity.c": np.array([4.0])}, 0.25)
    for update in (momentum_update, nesterov_update):
        new, state = update(*arguments, momentum=0.5)
        assert new["c"].tolist() == [2]
        assert state["velocity.c"].tolist() == [4]
    new, _ = nesterov_update(*arguments, momentum=0.75)  # v = 5, step 0.25 * (2 + 0.75 * 5)
    assert new["c"].tolist() == [3 - 0.25 * 5.75]


def test_adagrad_by_hand() -> None:
    """s = 16 + 3^2 = 25, and the step is 0.1 * 3 / 5 = 0.06. The first step of a zero state is the rate."""
    parameters = {"V": np.array([1.0, 1.0])}
    state = {"squares.V": np.array([16.0, 0.0])}
    new, new_state = adagrad_update(parameters, {"V": np.array([3.0, -2.0])}, state, 0.1)
    np.testing.assert_allclose(new["V"], [0.94, 1.1], rtol=1e-9)
    assert new_state["squares.V"].tolist() == [25.0, 4.0]


def test_adagrad_has_epsilon_under_the_root() -> None:
    """g = 1e-4 and s = 0: g / sqrt(1e-8 + 1e-8) = sqrt(1/2)."""
    parameters = {"c": np.zeros(1)}
    new, _ = adagrad_update(parameters, {"c": np.array([1e-4])}, adagrad_init(parameters), 1.0)
    assert new["c"][0] == pytest.approx(-math.sqrt(0.5), rel=1e-12)


def test_rmsprop_by_hand() -> None:
    """s = 0.75 * 0 + 0.25 * 4^2 = 4, and the step is 0.5 * 4 / (2 + 2)."""
    state = {"squares.c": np.zeros(1)}
    new, new_state = rmsprop_update({"c": np.ones(1)}, {"c": np.array([4.0])}, state, 0.5, beta2=0.75, epsilon=2.0)
    assert new["c"].tolist() == [0.5]
    assert new_state["squares.c"].tolist() == [4]


def test_adam_by_hand() -> None:
    """Two updates with g = 4 and g = 0: m = 2, 1; w1 = 1/2, 3/4; s = 4, 3; w2 = 1/4, 7/16."""
    parameters = {"c": np.zeros(1)}
    hyper: dict[str, Any] = {"beta1": 0.5, "beta2": 0.75, "epsilon": 0.0}
    first, state = adam_update(parameters, {"c": np.array([4.0])}, adam_init(parameters), 0.5, **hyper)
    assert first["c"].tolist() == [-0.5]
    assert {name: array.tolist() for name, array in state.items()} == {
        "mean.c": [2], "squares.c": [4], "mean_weight": [0.5], "squares_weight": [0.25],
    }  # fmt: skip
    second, state = adam_update(first, {"c": np.zeros(1)}, state, 0.5, **hyper)
    assert [state[name][0] for name in state] == [1, 3, 0.75, 0.4375]
    assert second["c"][0] == pytest.approx(-0.5 - 0.5 * (4 / 3) / math.sqrt(48 / 7), rel=1e-15)


def test_adam_weights_equal_the_bias_correction() -> None:
    """The weights equal 1 - beta^t; in float32 they are more accurate than this formula."""
    parameters = {"c": np.zeros(1, np.float32)}
    state = adam_init(parameters)
    for t in range(1, 2001):
        _, state = adam_update(parameters, parameters, state, 0.1)
        if t in (1, 10, 2000):
            assert state["mean_weight"][0] == pytest.approx(1 - 0.9**t, rel=1e-6)
            assert state["squares_weight"][0] == pytest.approx(1 - 0.999**t, rel=1e-4 if t > 1 else 1e-7)


def test_adamw_decay_is_decoupled_from_the_gradient() -> None:
    parameters = {"c": np.array([2.0, -8.0])}
    new, _ = adamw_update(parameters, {"c": np.zeros(2)}, adam_init(parameters), 0.5, weight_decay=0.25)
    assert new["c"].tolist() == [1.75, -7]
    gradients = {"c": np.array([3.0, 1e-3])}
    plain, _ = adam_update(parameters, gradients, adam_init(parameters), 0.5)
    decayed, _ = adamw_update(parameters, gradients, adam_init(parameters), 0.5, weight_decay=0.25)
    np.testing.assert_allclose(decayed["c"] - plain["c"], -0.125 * parameters["c"], rtol=1e-14)


@of_all
@of_both_dtypes
def test_optimizers_are_pure_and_keep_the_dtype(name: str, dtype: type[np.floating[Any]]) -> None:
    optimizer = PURE_OPTIMIZERS[name]
    parameters = {"V": np.ones((2, 3), dtype), "c": np.ones(2, dtype)}
    gradients = {"V": np.full((2, 3), 2, dtype), "c": np.full(2, -1, dtype), "state.h": np.ones((1, 1, 1))}
    state = optimizer.init(parameters)
    new, new_state = optimizer.update(parameters, gradients, state, 0.1)
    assert list(new) == ["V", "c"]
    assert list(new_state) == list(state)
    assert all(new[key].shape == parameters[key].shape for key in new)
    assert all(new_state[key].shape == state[key].shape for key in state)
    assert all(array.dtype == dtype for array in [*new.values(), *new_state.values(), *state.values()])
    assert all((array == 1).all() for array in parameters.values())
    assert all(map(np.array_equal, state.values(), optimizer.init(parameters).values()))
    assert (new["V"] < 1).all()
    assert (new["c"] > 1).all()


@of_all
def test_state_is_flat_named_arrays_of_zeros(name: str) -> None:
    parameters = {"layers.0.W": np.ones((3, 3)), "c": np.ones(2)}
    for key, array in PURE_OPTIMIZERS[name].init(parameters).items():
        kind, _, of = key.partition(".")
        assert array.shape == (parameters[of].shape if of else (1,)), key
        assert kind in {"velocity", "squares", "mean", "mean_weight", "squares_weight"}
        assert array.flags.c_contiguous
        assert not array.any()


@of_all
def test_copied_state_continues_with_the_same_bits(name: str) -> None:
    optimizer, g = PURE_OPTIMIZERS[name], {"c": np.array([0.3, -2.0])}
    parameters, state = {"c": np.array([1.0, -1.0])}, optimizer.init(g)
    for _ in range(3):
        parameters, state = optimizer.update(parameters, g, state, 0.1)
    copy = {key: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape) for key, array in state.items()}
    assert np.array_equal(
        optimizer.update(parameters, g, copy, 0.1)[0]["c"], optimizer.update(parameters, g, state, 0.1)[0]["c"]
    )


@of_all
@of_both_dtypes
def test_zero_gradients_change_no_parameter(name: str, dtype: type[np.floating[Any]]) -> None:
    """Only AdamW's decay changes a parameter, and 0 / 0 never occurs."""
    optimizer = PURE_OPTIMIZERS[name]
    parameters = {"c": np.array([1.0, -2.0], dtype)}
    state = optimizer.init(parameters)
    for _ in range(3):
        parameters, state = optimizer.update(parameters, {"c": np.zeros(2, dtype)}, state, 0.1)
    np.testing.assert_allclose(parameters["c"], np.array([1, -2]) * (0.999**3 if name == "adamw" else 1), rtol=1e-6)


@of_all
def test_zero_learning_rate_changes_no_parameter(name: str) -> None:
    parameters = {"c": np.array([1.0, -2.0])}
    optimizer = PURE_OPTIMIZERS[name]
    new, _ = optimizer.update(parameters, {"c": np.array([5.0, 0.1])}, optimizer.init(parameters), 0.0)
    assert new["c"].tolist() == [1, -2]


def parabola(x: Array) -> tuple[float, Array]:
    """Return 100 x_0^2 + x_1^2, with its minimum at (0, 0), and the gradient."""
    steep = np.array([100, 1], x.dtype)
    return float(np.sum(steep * x * x)), 2 * steep * x


def rosenbrock(x: Array) -> tuple[float, Array]:
    """Return (1 - x_0)^2 + 100 (x_1 - x_0^2)^2, with its minimum at (1, 1) in a curved valley, and the gradient."""
    u, v = x
    rise = v - u * u
    return float((1 - u) ** 2 + 100 * rise**2), np.array([-2 * (1 - u) - 400 * u * rise, 200 * rise], x.dtype)


DOWNHILL: dict[str, Any] = {
    "parabola": (parabola, [-1.0, 1.0], 1e-3, 400,
                 {"sgd": 6e-3, "momentum": 2e-3, "nesterov": 2e-3, "adagrad": 0.5, "rmsprop": 0.01, "adam": 0.05,
                  "adamw": 0.05}),
    "rosenbrock": (rosenbrock, [-1.0, 1.5], 0.3, 3000,
                   {"sgd": 1e-3, "momentum": 2e-4, "nesterov": 2e-4, "adagrad": 0.3, "rmsprop": 2e-3, "adam": 0.01,
                    "adamw": 0.01}),
}  # fmt: skip


@of_all
@of_both_dtypes
@pytest.mark.parametrize("valley", DOWNHILL)
def test_loss_decreases(valley: str, dtype: type[np.floating[Any]], name: str) -> None:
    function, start, goal, updates, rates = DOWNHILL[valley]
    parameters = {"x": np.array(start, dtype)}
    optimizer = PURE_OPTIMIZERS[name]
    state = optimizer.init(parameters)
    for _ in range(updates):
        parameters, state = optimizer.update(parameters, {"x": function(parameters["x"])[1]}, state, rates[name])
    assert function(parameters["x"])[0] < goal
    assert parameters["x"].dtype == dtype


BY_HEART = {"sgd": 0.1, "momentum": 0.02, "nesterov": 0.02, "adagrad": 0.1, "rmsprop": 0.01, "adam": 0.02,
            "adamw": 0.02}  # fmt: skip


@of_all
@pytest.mark.parametrize("cell", CELLS)
def test_one_batch_can_be_memorized(cell: str, name: str) -> None:
    p = problem(cell, T=10, B=1, H=12, K=5, scale=0.1)
    optimizer = PURE_OPTIMIZERS[name]
    parameters, state = p.parameters, optimizer.init(p.parameters)
    for _ in range(300):
        _, gradients, _ = network.loss_and_gradients(p.config, parameters, p.inputs, p.targets, p.state)
        parameters, state = optimizer.update(parameters, clip_by_value(gradients, 5), state, BY_HEART[name])
    loss, _, _ = network.loss_and_gradients(p.config, parameters, p.inputs, p.targets, p.state)
    assert loss < 0.1 * 10 * math.log(5)
