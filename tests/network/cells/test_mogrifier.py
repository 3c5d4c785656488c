"""The Mogrifier LSTM: values computed by hand, equality with the LSTM, and gradients for several numbers of rounds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from recurra.network.cells import lstm, mogrifier
from recurra.network.cells.lstm import State

LN3 = math.log(3)
T, B, D, H = 4, 2, 5, 3


def random_parameters(rounds: int, rank: int) -> tuple[dict[str, Any], Any, State]:
    random = np.random.default_rng(rounds)
    shapes = mogrifier.shapes(D, H, rounds=rounds, rank=rank)
    parameters = {name: random.normal(size=shape) for name, shape in shapes.items()}
    state = State(h=random.normal(size=(B, H)), c=random.normal(size=(B, H)))
    return parameters, random.normal(size=(T, B, D)), state


def test_two_rounds_by_hand() -> None:
    """Sizes 1, x = 2, h_0 = 1: x^1 = 2 sigmoid(ln 3) 2 = 3, h^2 = 2 sigmoid(-ln 3 / 3 * 3) 1 = 1/2.

    a = U 3 + W 1/2 + b = 3 - 3 + b, so that the LSTM step depends only on the bias.
    """
    bias = np.array([LN3, -LN3, LN3 / 2, 0.0])  # i = 3/4, f = 1/4, g = 1/2, o = 1/2
    parameters = {
        "U": np.ones((4, 1)), "W": np.full((4, 1), -6.0), "b": bias,
        "Q1": np.array([[LN3]]), "R2": np.array([[-LN3 / 3]]),
    }  # fmt: skip
    state = State(h=np.ones((1, 1)), c=np.full((1, 1), 4.0))
    h, final, (step,) = mogrifier.forward(parameters, np.full((1, 1, 1), 2.0), state)
    np.testing.assert_allclose([step.lstm.x[0, 0, 0], step.lstm.state.h[0, 0]], [3.0, 0.5], rtol=1e-14)
    np.testing.assert_allclose(final.c, [[1.375]], rtol=1e-14)
    np.testing.assert_allclose(h, [[[math.tanh(1.375) / 2]]], rtol=1e-14)


def test_shapes() -> None:
    assert mogrifier.shapes(5, 3, rounds=3) == {
        "U": (12, 5), "W": (12, 3), "b": (12,), "Q1": (5, 3), "R2": (3, 5), "Q3": (5, 3),
    }  # fmt: skip
    assert mogrifier.shapes(5, 3, rounds=2, rank=2) == {
        "U": (12, 5), "W": (12, 3), "b": (12,),
        "Q1_right": (2, 3), "Q1_left": (5, 2), "R2_right": (2, 5), "R2_left": (3, 2),
    }  # fmt: skip
    assert list(mogrifier.shapes(5, 3))[3:] == ["Q1", "R2", "Q3", "R4", "Q5"]


def test_zero_rounds_equal_the_lstm() -> None:
    parameters, x, state = random_parameters(0, 0)
    h, _, cache = mogrifier.forward(parameters, x, state)
    expected, _, lstm_cache = lstm.forward(parameters, x, state)
    np.testing.assert_allclose(h, expected, rtol=1e-13)
    actual = mogrifier.backward(parameters, cache, np.ones_like(h), state)
    for name, gradient in lstm.backward(parameters, lstm_cache, np.ones_like(h), state)[0].items():
        np.testing.assert_allclose(actual[0][name], gradient, rtol=1e-12)


def test_zero_matrices_equal_the_lstm() -> None:
    parameters, x, state = random_parameters(5, 0)
    still = {name: array * (name[0] not in "QR") for name, array in parameters.items()}
    h, _, _ = mogrifier.forward(still, x, state)
    np.testing.assert_allclose(h, lstm.forward(parameters, x, state)[0], rtol=1e-13)
    assert np.abs(h - mogrifier.forward(parameters, x, state)[0]).max() > 0.01


def test_factored_matrices_equal_their_product() -> None:
    factors, x, state = random_parameters(5, 2)
    whole = {name: array for name, array in factors.items() if name in "UWb"}
    whole |= {name: factors[f"{name}_left"] @ factors[f"{name}_right"] for name in ("Q1", "R2", "Q3", "R4", "Q5")}
    h = mogrifier.forward(factors, x, state)[0]
    np.testing.assert_allclose(h, mogrifier.forward(whole, x, state)[0], rtol=1e-12)


def test_rounds_keep_the_zeros_of_a_one_hot_input() -> None:
    parameters, _, state = random_parameters(5, 0)
    ids = np.random.default_rng(0).integers(0, D, (T, B))
    _, _, steps = mogrifier.forward(parameters, np.eye(D)[ids], state)
    for t, step in enumerate(steps):
        assert (step.lstm.x[0] > 0).tolist() == np.eye(D)[ids[t]].astype(bool).tolist()
        assert not np.isin(step.lstm.x, [0, 1]).all()


@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("rounds", range(7))
def test_gradients_equal_the_complex_step(rounds: int, rank: int) -> None:
    parameters, x, state = random_parameters(rounds, rank)
    random = np.random.default_rng(1)
    dh, dstate = random.normal(size=(T, B, H)), State(*random.normal(size=(2, B, H)))
    values = {**parameters, "x": x, "h": state.h, "c": state.c}

    def loss(moved: dict[str, Any]) -> complex:
        start = State(h=moved["h"], c=moved["c"])
        h, final, _ = mogrifier.forward({name: moved[name] for name in parameters}, moved["x"], start)
        return complex((dh * h).sum() + sum((d * field).sum() for d, field in zip(dstate, final, strict=True)))

    gradients, dx, dstart = mogrifier.backward(parameters, mogrifier.forward(parameters, x, state)[2], dh, dstate)
    for name, gradient in {**gradients, "x": dx, "h": dstart.h, "c": dstart.c}.items():
        for place in np.ndindex(gradient.shape):
            moved = values[name].astype(complex)
            moved[place] += 1e-30j
            slope = loss(values | {name: moved}).imag / 1e-30
            assert abs(slope - gradient[place]) < 1e-13 * np.abs(gradient).max(), (name, place)


def test_arguments_are_not_changed() -> None:
    parameters, x, state = random_parameters(5, 2)
    before = [array.copy() for array in (x, *state, *parameters.values())]
    h, _, cache = mogrifier.forward(parameters, x, state)
    mogrifier.backward(parameters, cache, np.ones_like(h), state)
    assert all(map(np.array_equal, before, (x, *state, *parameters.values())))
