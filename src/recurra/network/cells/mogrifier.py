"""The Mogrifier LSTM: before each LSTM step, the input and the hidden state scale each other in r rounds.

    x^{-1} = x_t,  h^0 = h_{t-1}
    x^i = 2 sigmoid(Q^i h^{i-1}) * x^{i-2}         odd i <= r      Q^i (D, H)
    h^i = 2 sigmoid(R^i x^{i-1}) * h^{i-2}         even i <= r     R^i (H, D)
    a_t = W h^ + U x^ + b                          h^ and x^ are the results of the last rounds; U, W, b as in `lstm`
    c_t, h_t from a_t and c_{t-1} as in `lstm`

With rank k > 0 each matrix is a product of two factors: Q^i = Q^i_left Q^i_right, of shapes (D, k) and (k, H), and
R^i = R^i_left R^i_right, of shapes (H, k) and (k, D). With r = 0 the cell is the LSTM.

In layer 0, x is one-hot and only its nonzero element is ever scaled: x^i is a number s times x, Q^i h needs one row of
Q^i, and R^i x is s times one column of R^i. The equations here do not use this and compute dense products.

Source: G. Melis, T. Kocisky, P. Blunsom, "Mogrifier LSTM", ICLR 2020, arXiv:1909.01792, section 2. The rounds have no
biases. The factor 2 makes every round nearly the identity while Q and R are small.

Differences: the paper scales an embedding of the character. Here x is one-hot, and U includes the embedding.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.network.cells import lstm
from recurra.network.cells.cell_spec import CellSpec, Equations
from recurra.network.cells.lstm import State
from recurra.network.cells.sigmoid import sigmoid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recurra.config import ModelConfig

Array = npt.NDArray[Any]


class Round(NamedTuple):
    """The values of one round in one time step. The round computes v^i = scale * v^{i-2}, scale = 2 sigmoid(A w).

    In odd rounds, v is x, w is h and A is Q^i. In even rounds, v is h, w is x and A is R^i.

    scale, before   (B, n) each; before = v^{i-2}
    sources         the vectors that the factors of A multiply, from the right: w, then A_right w if A has two factors
    """

    scale: Array
    before: Array
    sources: list[Array]


class Step(NamedTuple):
    """The values of one time step that `backward` needs: the rounds, and the cache of one LSTM step."""

    rounds: list[Round]
    lstm: lstm.Cache


def factor_names(number: int, rank: int) -> list[str]:
    """Return the parameter names of the factors of Q^i or R^i, from the right: the order in which they multiply.

    Args:
        number: i, the number of the round, from 1: Q^i if it is odd, R^i if it is even.
        rank: k; 0 if the matrix is one parameter.

    Returns: one name, or the two names of the right and the left factor.
    """
    name = f"{'Q' if number % 2 else 'R'}{number}"
    return [f"{name}_right", f"{name}_left"] if rank else [name]


def shapes(inputs: int, hidden: int, *, rounds: int = 5, rank: int = 0) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the parameters of one layer by name.

    Args:
        inputs: D, the number of inputs.
        hidden: H, the number of hidden units.
        rounds: r, the number of rounds.
        rank: k, the rank of Q^i and R^i; 0: they are not factored.

    Returns: the shape of each parameter.
    """
    result = lstm.shapes(inputs, hidden)
    for number in range(1, rounds + 1):
        rows, columns = (inputs, hidden) if number % 2 else (hidden, inputs)
        factors = [(rank, columns), (rows, rank)] if rank else [(rows, columns)]
        result |= dict(zip(factor_names(number, rank), factors, strict=True))
    return result


def round_names(parameters: Mapping[str, Any]) -> list[list[str]]:
    """Return the names of the factors of each round.

    Args:
        parameters: the parameters of one layer by name.

    Returns: `factor_names` of round 1, 2, …
    """
    rank = int("Q1_left" in parameters)
    names: list[list[str]] = []
    while (factors := factor_names(len(names) + 1, rank))[0] in parameters:
        names.append(factors)
    return names


def _mogrify(parameters: Mapping[str, Array], names: list[list[str]], x: Array, h: Array) -> tuple[Array, Array, Any]:
    """Return x (B, D) and h (B, H) after all rounds, and the `Round`s for the backward pass."""
    rounds = []
    for number, factors in enumerate(names, 1):
        before, product = (x, h) if number % 2 else (h, x)
        sources = []
        for name in factors:
            sources.append(product)
            product = product @ parameters[name].T
        scale = 2 * sigmoid(product)
        rounds.append(Round(scale, before, sources))
        x, h = (scale * x, h) if number % 2 else (x, scale * h)
    return x, h, rounds


def forward(parameters: Mapping[str, Array], x: Array, state: State) -> tuple[Array, State, list[Step]]:
    """Run the cell over T time steps; the module's docstring has the equations.

    Args:
        parameters: U, W, b, and the factors of the rounds.
        x: (T, B, D), inputs.
        state: h_0 and c_0, (B, H) each.

    Returns: h_1 .. h_T (T, B, H), the final state h_T and c_T (B, H), and the steps, which `backward` needs.
    """
    names = round_names(parameters)
    h_t, c_t = state
    steps, outputs = [], []
    for x_t in x:
        x_t, h_t, rounds = _mogrify(parameters, names, x_t, h_t)
        h, (h_t, c_t), cache = lstm.forward(parameters, x_t[np.newaxis], State(h=h_t, c=c_t))
        steps.append(Step(rounds, cache))
        outputs.append(h)
    return np.concatenate(outputs), State(h=h_t, c=c_t), steps


def backward(
    parameters: Mapping[str, Array], cache: list[Step], dh: Array, dstate: State
) -> tuple[dict[str, Array], Array, State]:
    """Backpropagate through T time steps, from the last to the first.

    In each step `lstm.backward` computes dL/da_t, from which follow

        dL/dh^ = W^T dL/da_t        dL/dW = sum_t dL/da_t h^^T
        dL/dx^ = U^T dL/da_t        dL/dU = sum_t dL/da_t x^^T        dL/db = sum_t dL/da_t

    Then the rounds follow from the last to the first. The scale of round i is s = 2 sigmoid(q), with the derivative
    s (1 - s/2). For odd i, q = Q^i h^{i-1} and

        dL/dq       = dL/dx^i * x^{i-2} * s (1 - s/2)              dL/dQ^i = sum_t dL/dq (h^{i-1})^T
        dL/dx^{i-2} = dL/dx^i * s
        dL/dh^{i-1} = [dL/dh^{i-1} from the rounds after i] + (Q^i)^T dL/dq

    For even i exchange x and h, and read R^i for Q^i. With two factors, dL/dq passes through the left factor first.

    Args:
        parameters: U, W, b, and the factors of the rounds.
        cache: the third result of `forward`.
        dh: (T, B, H), the gradient that reaches each h_t from the layer above.
        dstate: (B, H) each, the gradients that reach h_T and c_T from later time steps.

    Returns: the gradients of all parameters by name, of x (T, B, D), and of h_0 and c_0 (B, H).
    """
    steps, names = cache, round_names(parameters)
    gradients: dict[str, list[Array]] = {name: [] for name in parameters}
    dx: list[Array] = []
    later = dstate
    for t in reversed(range(len(steps))):
        lstm_gradients, (dx_t,), (dh_later, dc_later) = lstm.backward(parameters, steps[t].lstm, dh[t : t + 1], later)
        for name, gradient in lstm_gradients.items():
            gradients[name].append(gradient)
        for number, factors in reversed(list(enumerate(names, 1))):
            scaled, other = (dx_t, dh_later) if number % 2 else (dh_later, dx_t)  # gradients of v^i and of w
            scale, before, sources = steps[t].rounds[number - 1]
            dq = scaled * before * scale * (1 - scale / 2)
            for name, source in zip(reversed(factors), reversed(sources), strict=True):
                gradients[name].append(dq.T @ source)
                dq = dq @ parameters[name]
            scaled, other = scaled * scale, other + dq
            dx_t, dh_later = (scaled, other) if number % 2 else (other, scaled)
        dx.append(dx_t)
        later = State(h=dh_later, c=dc_later)
    totals = {name: np.sum(parts, axis=0) for name, parts in gradients.items()}
    return totals, np.stack(dx[::-1]), later


def equations(config: ModelConfig) -> Equations:
    """Return the functions of the cell with the rounds and the rank of `config`.

    Args:
        config: the model settings, of which `mogrifier_rounds` and `mogrifier_rank` are read.

    Returns: `shapes`, `forward` and `backward`.
    """
    return Equations(partial(shapes, rounds=config.mogrifier_rounds, rank=config.mogrifier_rank), forward, backward)


SPEC = CellSpec(
    name="mogrifier",
    display_name="Mogrifier LSTM",
    state=State,
    gates=lstm.GATES,
    equations=equations,
    gate_biases=lstm.SPEC.gate_biases,
)
