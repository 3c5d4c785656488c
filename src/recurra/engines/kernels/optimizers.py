"""Optimizer updates: for part of one row of a parameter, or for a flat array of many parameters."""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.arithmetic import inverse_root
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import (
    WIDTH,
    Tile,
    Vector,
    clamp,
    element,
    fill,
    lane_sum,
    load,
    multiply_add,
    square_root,
    store,
)

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
    """Update part of one row by AdaGrad, after clipping the gradient by value.

        g = clamp(gradient, -clip, clip),  s += g²,  parameter -= rate g / √(s + 1e-8)

    Args:
        parameter: (., n), updated from `column` on.
        squares: (., n), the sums s of squared gradients; updated from `column` on.
        row: index of the row.
        column: index of the first column.
        gradient: a vector.
        rate: learning rate.
        clip: largest absolute value of a gradient's element.
        tile: width of the vectors.
    Source: Duchi, Hazan and Singer, JMLR 12 (2011). Epsilon is below the root as in DD2424 assignment 4; PyTorch adds
        epsilon to the root.
    """
    g = clamp(gradient, -clip, clip)
    s = load(squares, row, column, tile) + g * g
    store(squares, row, column, s)
    store(parameter, row, column, load(parameter, row, column, tile) - rate * g * inverse_root(s + EPSILON))


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
    """Update a matrix by AdaGrad. The gradient of row i is d[i] = sum of left[t, i] right[first + t] over ascending t.

    Two rows are computed together, so that their sums overlap in time.

    Args:
        parameter: (>= rows, n); updated.
        squares: (>= rows, n), sums of squared gradients; updated.
        left: (>= steps, >= rows).
        right: (>= first + steps, n).
        rows: number of rows to update, an even number.
        steps: number of time steps.
        first: row of `right` that belongs to left[0].
        rate: learning rate.
        clip: largest absolute value of a gradient's element.
        tile: width of the vectors.
    Returns: the sum of d² before clipping, a float32.
    """
    total = ZERO
    for column in range(0, parameter.shape[1], WIDTH * len(tile)):
        norm = fill(ZERO, tile)
        for i in range(0, rows, 2):
            row = load(right, first, column, tile)
            d, d_next = element(left, 0, i) * row, element(left, 0, i + 1) * row
            for t in range(1, steps):
                row = load(right, first + t, column, tile)
                d = multiply_add(element(left, t, i), row, d)
                d_next = multiply_add(element(left, t, i + 1), row, d_next)
            norm = norm + d * d
            norm = norm + d_next * d_next
            adagrad(parameter, squares, i, column, d, rate, clip, tile)
            adagrad(parameter, squares, i + 1, column, d_next, rate, clip, tile)
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
    """Update a bias by AdaGrad. The gradient is d = sum over t of rows[t].

    Args:
        parameter: (1, n); updated.
        squares: (1, n), sums of squared gradients; updated.
        rows: (>= steps, n).
        steps: number of time steps.
        rate: learning rate.
        clip: largest absolute value of a gradient's element.
        tile: width of the vectors.
    Returns: the sum of d² before clipping, a float32.
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
    """Update by AdaGrad the rows of a table that were read. Row k has the gradient d = sum of rows[t] over ids[t] = k.

    A row that was not read has a zero gradient, and AdaGrad would not change it.

    Args:
        parameter: (K, n); updated.
        squares: (K, n), sums of squared gradients; updated.
        ids: (>= steps,) integers, the row that was read at each time step.
        rows: (>= steps, n), the gradient of each time step.
        steps: number of time steps.
        following: (>= steps,) integers, workspace for the next time step that read the same row; overwritten.
        latest: (K,) integers, workspace for the first time step that read each row; all -1 before and after the call.
        rate: learning rate.
        clip: largest absolute value of a gradient's element.
        tile: width of the vectors.
    Returns: the sum of d² before clipping, a float32.
    """
    for back in range(steps):
        t = steps - 1 - back
        following[t] = latest[ids[t]]
        latest[ids[t]] = t
    total = ZERO
    for t in range(steps):
        row = ids[t]
        if latest[row] != t:  # the row was updated at an earlier t
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
def clip_values(gradient: Vector, limit: np.float32) -> None:
    """Clip a gradient by value: g = clamp(g, -limit, limit).

    Args:
        gradient: (1, n), n a multiple of 16; overwritten.
        limit: largest absolute value of an element.
    """
    for column in range(0, gradient.shape[1], WIDTH * len(PAIR)):
        store(gradient, 0, column, clamp(load(gradient, 0, column, PAIR), -limit, limit))


@strict
def adagrad_flat(theta: Vector, squares: Vector, gradient: Vector, rate: np.float32, epsilon: np.float32) -> None:
    """Update parameters by AdaGrad, with the bits of `adagrad`.

        s += g²,  theta -= rate g / √(s + epsilon)

    Args:
        theta: (1, n) parameters, n a multiple of 16; updated.
        squares: (1, n), the sums s of squared gradients; updated.
        gradient: (1, n), the gradient g.
        rate: learning rate.
        epsilon: added to the sums.
    """
    for column in range(0, theta.shape[1], WIDTH * len(PAIR)):
        g = load(gradient, 0, column, PAIR)
        s = load(squares, 0, column, PAIR) + g * g
        store(squares, 0, column, s)
        store(theta, 0, column, load(theta, 0, column, PAIR) - rate * g * inverse_root(s + epsilon))


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
    """Update parameters by Adam with decoupled weight decay. `network/optimizers` has the same order of operations.

        m = beta1 m + rest1 g,  s = beta2 s + rest2 g²,  theta = theta · kept - step m / (√s · scale + epsilon)

    With decay λ and bias corrections w1 and w2: kept = 1 - rate λ, step = rate / w1, scale = 1 / √w2.

    Args:
        theta: (1, n) parameters, n a multiple of 16; updated.
        mean: (1, n), first moment estimates m; updated.
        squares: (1, n), second moment estimates s; updated.
        gradient: (1, n), the gradient g.
        kept: factor of the weight decay.
        step: learning rate divided by the first bias correction.
        scale: one divided by the root of the second bias correction.
        betas: (4,), beta1, rest1 = 1 - beta1, beta2, rest2 = 1 - beta2.
        epsilon: added to the root.
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
    """Update parameters by dynamic evaluation: a step along the gradient, and a step toward the trained values.

        theta += pull (saved - theta) - step g,  element by element

    Args:
        theta: (1, n) parameters, n a multiple of 16; updated.
        saved: (1, n), the trained parameters.
        pull: (1, n), share of the distance to the trained values.
        step: (1, n), learning rates.
        gradient: (1, n), the gradient g.
    Source: Krause et al., arXiv:1709.07432 (2018), the equation for RMS with decay.
    """
    for column in range(0, theta.shape[1], WIDTH * len(PAIR)):
        now = load(theta, 0, column, PAIR)
        back = load(pull, 0, column, PAIR) * (load(saved, 0, column, PAIR) - now)
        store(theta, 0, column, now + (back - load(step, 0, column, PAIR) * load(gradient, 0, column, PAIR)))
