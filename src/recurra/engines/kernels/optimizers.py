"""Optimizer steps in float32: on a stretch of one row of a parameter, or on many numbers laid end to end."""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, clamp, fill, lane_sum, load, square_root, store

EPSILON = np.float32(1e-8)
ZERO = np.float32(0)
PAIR = (0, 0)


@strict
def adagrad(
    parameter: Vector,
    squares: Vector,
    row: int,
    column: int,
    gradient: Vector,
    rate: np.float32,
    clip: np.float32,
    tile: Tile,
) -> None:
    """AdaGrad after clipping by value: g = clamp(gradient), s += g², parameter -= rate · g / √(s + 1e-8).

    parameter, squares (rows, width): changed in place from `column` on. Source: Duchi, Hazan and Singer, JMLR 12
    (2011); DD2424 and this code add epsilon under the root, PyTorch adds it to the root.
    """
    g = clamp(gradient, -clip, clip)
    s = load(squares, row, column, tile) + g * g
    store(squares, row, column, s)
    store(parameter, row, column, load(parameter, row, column, tile) - rate * g / square_root(s + EPSILON))


@strict
def adagrad_outer(
    parameter: Vector,
    squares: Vector,
    left: Vector,
    right: Vector,
    rows: int,
    steps: int,
    first: int,
    rate: np.float32,
    clip: np.float32,
    tile: Tile,
) -> np.float32:
    """AdaGrad with the gradient d[i] = sum_t left[t, i] right[first + t], t ascending; returns the sum of d² unclipped.

    parameter, squares (>= rows, width), left (steps, >= rows), right (>= first + steps, width).
    """
    total = ZERO
    for column in range(0, parameter.shape[1], WIDTH * len(tile)):
        norm = fill(ZERO, tile)
        for i in range(rows):
            d = left[0, i] * load(right, first, column, tile)
            for t in range(1, steps):
                d = d + left[t, i] * load(right, first + t, column, tile)
            norm = norm + d * d
            adagrad(parameter, squares, i, column, d, rate, clip, tile)
        total = total + lane_sum(norm)
    return total


@strict
def adagrad_sum(
    parameter: Vector,
    squares: Vector,
    rows: Vector,
    steps: int,
    rate: np.float32,
    clip: np.float32,
    tile: Tile,
) -> np.float32:
    """AdaGrad on a bias with the gradient d = sum_t rows[t]; returns the sum of d² unclipped.

    parameter, squares (1, width), rows (>= steps, width).
    """
    total = ZERO
    for column in range(0, parameter.shape[1], WIDTH * len(tile)):
        d = load(rows, 0, column, tile)
        for t in range(1, steps):
            d = d + load(rows, t, column, tile)
        total = total + lane_sum(d * d)
        adagrad(parameter, squares, 0, column, d, rate, clip, tile)
    return total


@strict
def adagrad_lookup(
    parameter: Vector,
    squares: Vector,
    ids: Vector,
    rows: Vector,
    steps: int,
    following: Vector,
    latest: Vector,
    rate: np.float32,
    clip: np.float32,
    tile: Tile,
) -> np.float32:
    """AdaGrad on the looked-up rows alone: d[k] = sum of rows[t] over the t with ids[t] = k; returns the sum of d².

    A row that was not read has a zero gradient, and AdaGrad leaves it as it is. parameter, squares (K, width);
    ids (>= steps,) integers; rows (>= steps, width); following (>= steps,) and latest (K,) are room for integers,
    `latest` all -1 before and after: they chain the times at which the same row was read.
    """
    for back in range(steps):
        t = steps - 1 - back
        following[t] = latest[ids[t]]
        latest[ids[t]] = t
    total = ZERO
    for t in range(steps):
        row = ids[t]
        if latest[row] != t:  # this row's turn came at an earlier t
            continue
        for column in range(0, parameter.shape[1], WIDTH * len(tile)):
            d = load(rows, t, column, tile)
            later = following[t]
            while later >= 0:
                d = d + load(rows, later, column, tile)
                later = following[later]
            total = total + lane_sum(d * d)
            adagrad(parameter, squares, row, column, d, rate, clip, tile)
    for t in range(steps):
        latest[ids[t]] = -1
    return total


@strict
def adamw(
    theta: Vector,
    mean: Vector,
    squares: Vector,
    gradient: Vector,
    kept: np.float32,
    step: np.float32,
    scale: np.float32,
    betas: Vector,
    epsilon: np.float32,
) -> None:
    """Adam with decoupled weight decay, in place: the equations of `optimizers/adaptive_rates.py`, in their order.

        m = beta1 m + rest1 g,  s = beta2 s + rest2 g²,  theta = theta · kept - step m / (√s · scale + epsilon)

    theta, mean, squares, gradient (1, n), n a multiple of 16; kept = 1 - rate · decay; step = rate / w1;
    scale = 1 / √w2; betas (4,): beta1, rest1, beta2, rest2.
    """
    beta1, rest1, beta2, rest2 = betas[0], betas[1], betas[2], betas[3]
    for column in range(0, theta.shape[1], WIDTH * len(PAIR)):
        g = load(gradient, 0, column, PAIR)
        m = beta1 * load(mean, 0, column, PAIR) + rest1 * g
        s = beta2 * load(squares, 0, column, PAIR) + rest2 * (g * g)
        store(mean, 0, column, m)
        store(squares, 0, column, s)
        change = step * m / (square_root(s) * scale + epsilon)
        store(theta, 0, column, kept * load(theta, 0, column, PAIR) - change)


@strict
def adapt(theta: Vector, saved: Vector, pull: Vector, step: Vector, gradient: Vector) -> None:
    """Down the gradient and back to where it began, in place: theta += pull · (saved - theta) - step · g, by element.

    All (1, n), n a multiple of 16. Source: Krause et al., arXiv:1709.07432 (2018), their equation for RMS with decay.
    """
    for column in range(0, theta.shape[1], WIDTH * len(PAIR)):
        now = load(theta, 0, column, PAIR)
        back = load(pull, 0, column, PAIR) * (load(saved, 0, column, PAIR) - now)
        store(theta, 0, column, now + (back - load(step, 0, column, PAIR) * load(gradient, 0, column, PAIR)))
