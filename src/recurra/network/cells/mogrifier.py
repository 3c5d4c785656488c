"""The Mogrifier LSTM: before an LSTM step, input and hidden units scale each other in r rounds.

x^{-1} = x_t,  h^0 = h_{t-1}
x^i = 2 sigmoid(Q^i h^{i-1}) * x^{i-2}         odd i <= r      Q^i (D, H)
h^i = 2 sigmoid(R^i x^{i-1}) * h^{i-2}         even i <= r     R^i (H, D)
a_t = W h^ + U x^ + b                          h^, x^ those of the last rounds; U, W, b as in `lstm`
c_t, h_t from a_t and c_{t-1} as in `lstm`

With rank k > 0 each matrix is a product: Q^i = Q^i_left Q^i_right of (D, k) and (k, H), R^i = R^i_left R^i_right of
(H, k) and (k, D). r = 0 is the LSTM. In layer 0, x is one-hot and stays 0 at every other character: x^i is one number
times x, Q^i h one row of Q^i times h, and R^i x one column of R^i times that number. The equations here are dense.

Source: G. Melis, T. Kocisky, P. Blunsom, "Mogrifier LSTM", ICLR 2020, arXiv:1909.01792, section 2: no biases in the
rounds, and the factor 2, which makes every round nearly the identity while Q and R are small. Others differ: the paper
scales an embedding of the character, of which U here is the product with the embedding.
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
    """One round of one step: v^i = scale * v^{i-2}, with scale = 2 sigmoid(A w) of the other vector w.

    scale, before   (B, n), before = v^{i-2}
    sources         (B, .) for each factor of A from the right: w, and Q^i_right w if A is a product
    """

    scale: Array
    before: Array
    sources: list[Array]


class Step(NamedTuple):
    """The values of one time step that backward needs: its rounds, and the cache of an LSTM of one step."""

    rounds: list[Round]
    lstm: lstm.Cache


def factor_names(number: int, rank: int) -> list[str]:
    """Return the names of the factors of Q^i or R^i, i = `number`, from the right: the order in which they multiply."""
    name = f"{'Q' if number % 2 else 'R'}{number}"
    return [f"{name}_right", f"{name}_left"] if rank else [name]


def shapes(inputs: int, hidden: int, *, rounds: int = 5, rank: int = 0) -> dict[str, tuple[int, ...]]:
    """Return the cell's parameters by name and shape, for D = `inputs` and H = `hidden`; `rank` 0: whole matrices."""
    found = lstm.shapes(inputs, hidden)
    for number in range(1, rounds + 1):
        rows, columns = (inputs, hidden) if number % 2 else (hidden, inputs)
        sides = [(rank, columns), (rows, rank)] if rank else [(rows, columns)]
        found |= dict(zip(factor_names(number, rank), sides, strict=True))
    return found


def round_names(parameters: Mapping[str, Any]) -> list[list[str]]:
    """Return the names of the factors of each round, from the first round on."""
    rank = int("Q1_left" in parameters)
    names: list[list[str]] = []
    while (factors := factor_names(len(names) + 1, rank))[0] in parameters:
        names.append(factors)
    return names


def _mogrify(parameters: Mapping[str, Array], names: list[list[str]], x: Array, h: Array) -> tuple[Array, Array, Any]:
    """Return x (B, D) and h (B, H) after all rounds, and the rounds."""
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
    """Return h_1 .. h_T (T, B, H), the final state and the steps, from x (T, B, D) and h_0, c_0 of `state` (B, H)."""
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
    """Return the gradients of all parameters, of x (T, B, D) and of h_0 and c_0 (B, H).

    `dh` (T, B, H) is the gradient that reaches each h_t from above, `dstate` (B, H) the one that reaches h_T and c_T
    from later time. A step first goes back through the LSTM to dL/da_t, as in `lstm.backward`, then

        dL/dh^ = W^T dL/da_t        dL/dW = sum_t dL/da_t h^^T
        dL/dx^ = U^T dL/da_t        dL/dU = sum_t dL/da_t x^^T        dL/db = sum_t dL/da_t

    and through the rounds from the last to the first. In round i the scale is s = 2 sigmoid(q), whose slope is
    s (1 - s/2). For odd i, with q = Q^i h^{i-1}:

        dL/dq       = dL/dx^i * x^{i-2} * s (1 - s/2)              dL/dQ^i = sum_t dL/dq (h^{i-1})^T
        dL/dx^{i-2} = dL/dx^i * s
        dL/dh^{i-1} = (the gradient that h^{i-1} has already) + (Q^i)^T dL/dq

    and for even i the same with x and h exchanged and R^i in place of Q^i. A product of two factors passes dL/dq
    through its left factor, then through its right one.
    """
    steps, names = cache, round_names(parameters)
    gradients: dict[str, list[Array]] = {name: [] for name in parameters}
    dx: list[Array] = []
    later = dstate
    for t in reversed(range(len(steps))):
        of_lstm, (dx_t,), (dh_later, dc_later) = lstm.backward(parameters, steps[t].lstm, dh[t : t + 1], later)
        for name, gradient in of_lstm.items():
            gradients[name].append(gradient)
        for number, factors in reversed(list(enumerate(names, 1))):
            own, other = (dx_t, dh_later) if number % 2 else (dh_later, dx_t)
            scale, before, sources = steps[t].rounds[number - 1]
            dq = own * before * scale * (1 - scale / 2)
            for name, source in zip(reversed(factors), reversed(sources), strict=True):
                gradients[name].append(dq.T @ source)
                dq = dq @ parameters[name]
            own, other = own * scale, other + dq
            dx_t, dh_later = (own, other) if number % 2 else (other, own)
        dx.append(dx_t)
        later = State(h=dh_later, c=dc_later)
    totals = {name: np.sum(parts, axis=0) for name, parts in gradients.items()}
    return totals, np.stack(dx[::-1]), later


def equations(config: ModelConfig) -> Equations:
    """Return the equations with the rounds and the rank of `config`."""
    own = partial(shapes, rounds=config.mogrifier_rounds, rank=config.mogrifier_rank)
    return Equations(own, forward, backward)


SPEC = CellSpec(
    name="mogrifier",
    display_name="Mogrifier LSTM",
    state=State,
    gates=lstm.GATES,
    equations=equations,
    gate_biases=lstm.SPEC.gate_biases,
)
