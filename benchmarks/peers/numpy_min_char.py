"""The training in plain float64 NumPy, like a student's program: one-hot columns, dictionaries and a loop over time.

It is a peer in speed, since many people start from such a program, and the reference for the mean loss, since it
follows every rule of the training exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from peers.setting import CLIP, EPSILON, HIDDEN, RATE, TAU, Parameters, initial, updates_per_epoch

Array = NDArray[np.float64]


def loss_and_gradients(
    parameters: Parameters, inputs: NDArray[np.int64], targets: NDArray[np.int64], h_before: Array
) -> tuple[float, Parameters, Array]:
    """Return the loss of one sequence, its gradients and the last hidden state.

    a_t = W h_{t-1} + U x_t + b, h_t = tanh(a_t), p_t = softmax(V h_t + c), L = -sum_t log p_t[y_t] in nats.
    `inputs` and `targets` hold the ids of a sequence; `h_before` and the state returned are columns (m, 1).
    """
    U, W, V = parameters["U"], parameters["W"], parameters["V"]
    b, c = parameters["b"][:, None], parameters["c"][:, None]
    x: dict[int, Array] = {}
    h: dict[int, Array] = {-1: h_before}
    p: dict[int, Array] = {}
    loss = 0.0
    for t in range(len(inputs)):
        x[t] = np.zeros((U.shape[1], 1))
        x[t][inputs[t]] = 1.0
        h[t] = np.tanh(np.dot(W, h[t - 1]) + np.dot(U, x[t]) + b)
        o = np.dot(V, h[t]) + c
        e = np.exp(o - np.max(o))
        p[t] = e / np.sum(e)
        loss -= float(np.log(p[t][targets[t], 0]))

    dU, dW, dV = np.zeros_like(U), np.zeros_like(W), np.zeros_like(V)
    db, dc, dh_next = np.zeros_like(b), np.zeros_like(c), np.zeros_like(h_before)
    for t in reversed(range(len(inputs))):
        g = np.copy(p[t])
        g[targets[t]] -= 1.0
        dV += np.dot(g, h[t].T)
        dc += g
        da = (np.dot(V.T, g) + dh_next) * (1.0 - h[t] * h[t])
        dW += np.dot(da, h[t - 1].T)
        dU += np.dot(da, x[t].T)
        db += da
        dh_next = np.dot(W.T, da)
    return loss, {"U": dU, "W": dW, "b": db[:, 0], "V": dV, "c": dc[:, 0]}, h[len(inputs) - 1]


class Peer:
    """A training that `train` continues: its weights, its sums of squares and its position in the text."""

    def __init__(self, symbols: int, *, seed: int = 0, parameters: Parameters | None = None) -> None:
        first = initial(symbols, seed) if parameters is None else parameters
        self.parameters = {name: np.array(value, np.float64) for name, value in first.items()}
        self.squares = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        self.h = np.zeros((HIDDEN, 1))
        self.done = 0

    def train(self, ids: NDArray[np.int64], updates: int) -> Array:
        """Train for `updates` more updates on the text `ids`; return the loss of each, in nats per sequence."""
        losses = np.empty(updates)
        epoch = updates_per_epoch(len(ids))
        for n in range(updates):
            place = (self.done % epoch) * TAU
            if place == 0:
                self.h = np.zeros((HIDDEN, 1))
            inputs, targets = ids[place : place + TAU], ids[place + 1 : place + TAU + 1]
            losses[n], gradients, self.h = loss_and_gradients(self.parameters, inputs, targets, self.h)
            for name, gradient in gradients.items():
                gradient = np.clip(gradient, -CLIP, CLIP)
                self.squares[name] += gradient * gradient
                self.parameters[name] -= RATE * gradient / np.sqrt(self.squares[name] + EPSILON)
            self.done += 1
        return losses
