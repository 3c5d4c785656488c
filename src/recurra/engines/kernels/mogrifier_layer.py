"""One layer of the Mogrifier LSTM with B streams: `network/cells/mogrifier.py` with the step of `lstm_layer`.

Several rounds scale x and h before each step. U x therefore depends on h of the step before, and the loop over time
contains the product with U.

The first layer needs no matrix products with x. There x is one-hot, and the rounds change only its nonzero element, the
number v, which fills 16 lanes. The matrices that multiply x are tables with one row for each symbol: Q h is the dot
product of h and one row; R x and U x are v times one row.

S is the rank k of the factors padded to a multiple of 16, the width of the inner vectors; without factors S is H.
Padded units have zero weights: their scales are 1; their h, c and gradients are 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from recurra.config import ModelConfig
from recurra.engines.kernels import lstm_layer
from recurra.engines.kernels.arithmetic import sigmoid
from recurra.engines.kernels.cell_kernels import CellKernels, Inputs, InputWeights, OuterProduct, Pack
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.gemm import PANEL, step_product
from recurra.engines.kernels.lanes import (
    WIDTH,
    Tile,
    Vector,
    aligned_zeros,
    fill,
    lane_sum,
    load,
    multiply_add,
    store,
)
from recurra.engines.kernels.products import column_sums
from recurra.network.cells.lstm import State
from recurra.network.cells.mogrifier import factor_names, round_names

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
PAIR = (0, 0)


class Factors(NamedTuple):
    """The matrices of the rounds: one entry for each odd round (Q) and for each even round (R).

    An unused entry is an array of zeros, because a compiled tuple must not be empty.

    Q, R: (L, ., .), the last factor, in the form of `step_product`.
    Q_inner, R_inner: (L, ., .), the first factor if there are two.
    Q_tables, R_tables: (K, S), the first layer's factor that multiplies x.
    """

    Q: tuple[Vector, ...]
    R: tuple[Vector, ...]
    Q_inner: tuple[Vector, ...]
    R_inner: tuple[Vector, ...]
    Q_tables: tuple[Vector, ...]
    R_tables: tuple[Vector, ...]


class MogrifierWeights(NamedTuple):
    """The recurrent weights of one layer (L = 1), or of all layers for `step`.

    W: (L, ., .), in the form of `step_product`.
    b: (L, 1, 4 H).
    factors: the matrices of the rounds.
    rounds: number of rounds r.
    rank: S if each matrix is a product of two factors, else 0.
    """

    W: Vector
    b: Vector
    factors: Factors
    rounds: int
    rank: int


class LayerWeights(NamedTuple):
    """All weights of one layer.

    table: (K, 4 H), U^T of the first layer; unused in higher layers.
    U: (1, ., .), U in the form of `step_product`; unused in the first layer.
    cell: the recurrent weights.
    """

    table: Vector
    U: Vector
    cell: MogrifierWeights


class Saved(NamedTuple):
    """The values of all steps that `backward` needs, and the gradients that it writes; T B rows each.

    x has X lanes: 16 in the first layer, else H. A block holds the lanes of one round.

    ids: (T B,) integers, the symbols that the first layer reads; empty in higher layers.
    x: ((r + 1) // 2 + 1 blocks of X), x before the rounds and after each odd round.
    h: (r // 2 + 1 blocks of H), h before the rounds and after each even round.
    x_scales, h_scales: the factors of each round, one block for each.
    dx_q, dh_q: gradients of the sums in the sigmoids, one block for each round.
    inner, d_inner: (r blocks of S), the inner vector of each round and its gradient, if there are two factors.
    gates, da: (4 H), as in `lstm_layer`.
    dx: (H), gradient of x above the first layer.
    """

    ids: Vector
    x: Vector
    h: Vector
    x_scales: Vector
    h_scales: Vector
    dx_q: Vector
    dh_q: Vector
    inner: Vector
    d_inner: Vector
    gates: Vector
    da: Vector
    dx: Vector


class Carried(NamedTuple):
    """The gradients of h and c, both (B, H), from the next time step."""

    h: Vector
    c: Vector


class Buffers(NamedTuple):
    """The arrays of one time step.

    x, q_x: (B, H), x above the first layer and the sum in its sigmoid.
    x_first, q_first: (B, 16), x in the first layer and the sum in its sigmoid.
    h, q_h: (B, H), h and the sum in its sigmoid.
    inner: (B, S or 16), the inner vector.
    table: (B, 4 H), U x.
    rows: (B,) integers 0, 1, 2, …
    """

    x: Vector
    q_x: Vector
    x_first: Vector
    q_first: Vector
    h: Vector
    q_h: Vector
    inner: Vector
    table: Vector
    rows: Vector


class StepBuffers(NamedTuple):
    """The buffers of `step`.

    cell: the arrays of one time step.
    saved: `Saved` of one time step; its arrays are wide enough for every layer.
    """

    cell: Buffers
    saved: Saved


@strict
def put(source: Vector, target: Vector, block: int) -> None:
    """Copy `source` to a block of columns: target[:, block n : block n + n] = source.

    Args:
        source: (B, n).
        target: (B, .); written.
        block: index of the block.
    """
    n = source.shape[1]
    for s in range(source.shape[0]):
        for k in range(0, n, WIDTH * len(PAIR)):
            store(target, s, block * n + k, load(source, s, k, PAIR))


@strict
def add(target: Vector, source: Vector) -> None:
    """Compute target += source.

    Args:
        target: (B, n); written.
        source: (B, n).
    """
    for s in range(target.shape[0]):
        for k in range(0, target.shape[1], WIDTH * len(PAIR)):
            store(target, s, k, load(target, s, k, PAIR) + load(source, s, k, PAIR))


@strict
def dot_rows(source: Vector, table: Vector, ids: Vector, target: Vector) -> None:
    """Set all lanes of target[s] to the dot product of source[s] and row ids[s] of `table`.

    Args:
        source: (B, n).
        table: (K, n).
        ids: (B,) integers.
        target: (B, 16); written.
    """
    for s in range(source.shape[0]):
        total = fill(ZERO, PAIR)
        for k in range(0, source.shape[1], WIDTH * len(PAIR)):
            total = multiply_add(load(source, s, k, PAIR), load(table, ids[s], k, PAIR), total)
        store(target, s, 0, fill(lane_sum(total), PAIR))


@strict
def scale_rows(numbers: Vector, table: Vector, ids: Vector, target: Vector) -> None:
    """Compute target[s] = numbers[s, 0] table[ids[s]].

    Args:
        numbers: (B, .), one number in the first column.
        table: (K, n).
        ids: (B,) integers.
        target: (B, n); written.
    """
    for s in range(target.shape[0]):
        for k in range(0, target.shape[1], WIDTH * len(PAIR)):
            store(target, s, k, numbers[s, 0] * load(table, ids[s], k, PAIR))


@strict
def scale(q: Vector, now: Vector, scales: Vector, values: Vector, block: int, tile: Tile) -> None:
    """Scale x or h in one round: now *= 2 sigmoid(q).

    Args:
        q: (B, n), the sum in the sigmoid.
        now: (B, n), x or h; overwritten with the scaled vector.
        scales: (B, blocks of n), receives 2 sigmoid(q) in block `block`.
        values: (B, blocks of n), receives the scaled vector in block `block` + 1.
        block: index of the block.
        tile: width of the vectors.
    """
    n = now.shape[1]
    for s in range(now.shape[0]):
        for k in range(0, n, WIDTH * len(tile)):
            factor = TWO * sigmoid(load(q, s, k, tile))
            value = factor * load(now, s, k, tile)
            store(scales, s, block * n + k, factor)
            store(values, s, block * n + n + k, value)
            store(now, s, k, value)


@strict
def scale_backward(
    d: Vector, scales: Vector, values: Vector, block: int, dq: Vector, gradients: Vector, tile: Tile
) -> None:
    """Backpropagate through one round. With v the vector before `scale` and f = 2 sigmoid(q):

        dq = d v f (1 - f/2),  d *= f

    Args:
        d: (B, n), gradient of the scaled vector; overwritten with the gradient of v.
        scales: (B, blocks of n), f in block `block`.
        values: (B, blocks of n), v in block `block`.
        block: index of the block.
        dq: (B, n), gradient of q; written.
        gradients: (B, blocks of n), receives dq in block `block`.
        tile: width of the vectors.
    """
    n = d.shape[1]
    for s in range(d.shape[0]):
        for k in range(0, n, WIDTH * len(tile)):
            factor = load(scales, s, block * n + k, tile)
            gradient = load(d, s, k, tile)
            slope = gradient * load(values, s, block * n + k, tile) * factor * (ONE - HALF * factor)
            store(dq, s, k, slope)
            store(gradients, s, block * n + k, slope)
            store(d, s, k, gradient * factor)


@strict
def mogrify(
    layer: int,
    first: bool,
    ids: Vector,
    weights: MogrifierWeights,
    buffers: Buffers,
    saved: Saved,
    packed: Vector,
    tile: Tile,
) -> None:
    """Scale x and h in all rounds of one time step.

    Args:
        layer: index of the layer in `weights`.
        first: True for the first layer, whose x is `buffers.x_first`.
        ids: (B,) integers, the symbols that the first layer reads.
        weights: the recurrent weights.
        buffers: x and h are overwritten with the scaled vectors, the others are workspace.
        saved: the vectors and scales of each round; written.
        packed: (256, 8), workspace of `gemm`; overwritten.
        tile: width of the vectors.
    """
    factors, inner, h = weights.factors, buffers.inner, buffers.h
    if first:
        put(buffers.x_first, saved.x, 0)
    else:
        put(buffers.x, saved.x, 0)
    put(h, saved.h, 0)
    for number in range(weights.rounds):
        j = number // 2
        if number % 2 == 0:
            source = h
            if weights.rank > 0:
                step_product(h, factors.Q_inner[j][layer], inner, packed)
                source = inner
            if first:
                dot_rows(source, factors.Q_tables[j], ids, buffers.q_first)
                scale(buffers.q_first, buffers.x_first, saved.x_scales, saved.x, j, PAIR)
            else:
                step_product(source, factors.Q[j][layer], buffers.q_x, packed)
                scale(buffers.q_x, buffers.x, saved.x_scales, saved.x, j, tile)
        else:
            if first:
                scale_rows(buffers.x_first, factors.R_tables[j], ids, inner if weights.rank > 0 else buffers.q_h)
            elif weights.rank > 0:
                step_product(buffers.x, factors.R_inner[j][layer], inner, packed)
            else:
                step_product(buffers.x, factors.R[j][layer], buffers.q_h, packed)
            if weights.rank > 0:
                step_product(inner, factors.R[j][layer], buffers.q_h, packed)
            scale(buffers.q_h, h, saved.h_scales, saved.h, j, tile)
        if weights.rank > 0:
            put(inner, saved.inner, number)


@strict
def mogrify_backward(
    first: bool,
    ids: Vector,
    weights: MogrifierWeights,
    buffers: Buffers,
    dh: Vector,
    saved: Saved,
    packed: Vector,
    tile: Tile,
) -> None:
    """Backpropagate through all rounds of one time step.

    Args:
        first: True for the first layer, whose gradient of x is `buffers.x_first`.
        ids: (B,) integers, the symbols that the first layer read.
        weights: the recurrent weights, with matrices in the form for `backward`.
        buffers: x holds the gradient of the scaled x, and is overwritten with the gradient of x; the rest is workspace.
        dh: (B, H), gradient of the scaled h; overwritten with the gradient of h_-.
        saved: the values from `mogrify`; the gradients of each round are written.
        packed: (256, 8), workspace of `gemm`; overwritten.
        tile: width of the vectors.
    """
    factors, inner = weights.factors, buffers.inner
    for back in range(weights.rounds):
        number = weights.rounds - 1 - back
        j = number // 2
        if number % 2 == 0:
            if first:
                scale_backward(buffers.x_first, saved.x_scales, saved.x, j, buffers.q_first, saved.dx_q, PAIR)
                scale_rows(buffers.q_first, factors.Q_tables[j], ids, inner if weights.rank > 0 else buffers.h)
            else:
                scale_backward(buffers.x, saved.x_scales, saved.x, j, buffers.q_x, saved.dx_q, tile)
                step_product(buffers.q_x, factors.Q[j][0], inner if weights.rank > 0 else buffers.h, packed)
            if weights.rank > 0:
                step_product(inner, factors.Q_inner[j][0], buffers.h, packed)
            add(dh, buffers.h)
        else:
            scale_backward(dh, saved.h_scales, saved.h, j, buffers.q_h, saved.dh_q, tile)
            source = buffers.q_h
            if weights.rank > 0:
                step_product(buffers.q_h, factors.R[j][0], inner, packed)
                source = inner
            if first:
                dot_rows(source, factors.R_tables[j], ids, buffers.q_first)
                add(buffers.x_first, buffers.q_first)
            else:
                step_product(source, (factors.R_inner if weights.rank > 0 else factors.R)[j][0], buffers.q_x, packed)
                add(buffers.x, buffers.q_x)
        if weights.rank > 0:
            put(inner, saved.d_inner, number)


@strict
def part(saved: Saved, now: slice) -> Saved:
    """Return the rows of one time step.

    Args:
        saved: the values of all steps.
        now: the slice of the rows.
    Returns: views of the rows.
    """
    return Saved(
        saved.ids[now],
        saved.x[now],
        saved.h[now],
        saved.x_scales[now],
        saved.h_scales[now],
        saved.dx_q[now],
        saved.dh_q[now],
        saved.inner[now],
        saved.d_inner[now],
        saved.gates[now],
        saved.da[now],
        saved.dx[now],
    )


@strict
def make_buffers(streams: int, hidden: int, rank: int) -> Buffers:
    """Return new buffers for one time step.

    Args:
        streams: B.
        hidden: H.
        rank: S, or 0 without factors.
    Returns: buffers of zeros.
    """
    n = hidden
    return Buffers(
        x=np.zeros((streams, n), np.float32),
        q_x=np.zeros((streams, n), np.float32),
        x_first=np.zeros((streams, PANEL), np.float32),
        q_first=np.zeros((streams, PANEL), np.float32),
        h=np.zeros((streams, n), np.float32),
        q_h=np.zeros((streams, n), np.float32),
        inner=np.zeros((streams, max(rank, PANEL)), np.float32),
        table=np.zeros((streams, 4 * n), np.float32),
        rows=np.arange(streams),
    )


@strict
def lstm_step(
    layer: int,
    first: bool,
    ids: Vector,
    table: Vector,
    U: Vector,
    weights: MogrifierWeights,
    before: Vector,
    after: Vector,
    h: Vector,
    buffers: Buffers,
    saved: Saved,
    packed: Vector,
    tile: Tile,
) -> None:
    """Scale x and h, then compute the cell state and the hidden state of one time step.

    Args:
        layer: index of the layer in `weights`.
        first: True for the first layer.
        ids: (B,) integers, the symbols that the first layer reads.
        table: (K, 4 H), U^T of the first layer.
        U: (L, ., .), in the form of `step_product`.
        weights: the recurrent weights.
        before: (B, H), the cell state c_-.
        after: (B, H), the cell state c; written.
        h: (B, H), the hidden state; written.
        buffers: x (or x_first) and h_-; overwritten.
        saved: the values of this step; written.
        packed: (256, 8), workspace of `gemm`; overwritten.
        tile: width of the vectors.
    """
    mogrify(layer, first, ids, weights, buffers, saved, packed, tile)
    if first:
        scale_rows(buffers.x_first, table, ids, buffers.table)
    else:
        step_product(buffers.x, U[layer], buffers.table, packed)
    step_product(buffers.h, weights.W[layer], saved.gates, packed)
    lstm_layer.step_forward(
        saved.gates,
        table=buffers.table,
        rows=buffers.rows,
        b=weights.b[layer],
        before=before,
        after=after,
        h=h,
        tile=tile,
    )


@strict
def set_one(target: Vector) -> None:
    """Set every lane to 1: the nonzero element of a one-hot vector.

    Args:
        target: (B, 16); written.
    """
    for s in range(target.shape[0]):
        store(target, s, 0, fill(ONE, PAIR))


@strict
def forward(
    inputs: Inputs, weights: LayerWeights, states: State, saved: Saved, steps: int, packed: Vector, tile: Tile
) -> None:
    """Run the layer through all time steps. Above the first layer, the table of `inputs` is x (T B, H).

    Args:
        inputs, weights, states, saved, steps, packed, tile: as in `CellKernels.forward`.
    """
    first = saved.ids.shape[0] > 0
    B, H = states.h.shape[0] // (steps + 1), states.h.shape[1]
    buffers = make_buffers(B, H, weights.cell.rank)
    for t in range(steps):
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        put(states.h[now], buffers.h, 0)
        if first:
            saved.ids[now] = inputs.rows[now]
            set_one(buffers.x_first)
        else:
            put(inputs.table[now], buffers.x, 0)
        lstm_step(
            0,
            first,
            ids=inputs.rows[now],
            table=inputs.table,
            U=weights.U,
            weights=weights.cell,
            before=states.c[now],
            after=states.c[after],
            h=states.h[after],
            buffers=buffers,
            saved=part(saved, now),
            packed=packed,
            tile=tile,
        )


@strict
def backward(
    dh_out: Vector,
    weights: LayerWeights,
    states: State,
    saved: Saved,
    carried: Carried,
    steps: int,
    packed: Vector,
    tile: Tile,
) -> None:
    """Backpropagate through all time steps, from the last to the first.

    Args:
        dh_out, weights, states, saved, carried, steps, packed, tile: as in `CellKernels.backward`.
    """
    first, cell = saved.ids.shape[0] > 0, weights.cell
    B, H = carried.h.shape
    buffers = make_buffers(B, H, cell.rank)
    for back in range(steps):
        t = steps - 1 - back
        now, after = slice(t * B, t * B + B), slice(t * B + B, t * B + 2 * B)
        da, ids = saved.da[now], saved.ids[now]
        lstm_layer.step_backward(
            dh_out=dh_out[now],
            dh=carried.h,
            dc=carried.c,
            gates=saved.gates[now],
            before=states.c[now],
            after=states.c[after],
            da=da,
            tile=tile,
        )
        step_product(da, cell.W[0], carried.h, packed)
        if first:
            dot_rows(da, weights.table, ids, buffers.x_first)
        else:
            step_product(da, weights.U[0], buffers.x, packed)
        mogrify_backward(
            first,
            ids=ids,
            weights=cell,
            buffers=buffers,
            dh=carried.h,
            saved=part(saved, now),
            packed=packed,
            tile=tile,
        )
        if not first:
            put(buffers.x, saved.dx[now], 0)


@strict
def step(
    number: int,
    ids: Vector,
    inputs: InputWeights,
    weights: MogrifierWeights,
    states: State,
    buffers: StepBuffers,
    packed: Vector,
    tile: Tile,
) -> None:
    """Advance one layer by one time step.

    Args:
        number, ids, inputs, weights, states, buffers, packed, tile: as in `CellKernels.step`.
    """
    h, c, cell = states.h[number], states.c[number], buffers.cell
    put(h, cell.h, 0)
    if number == 0:
        set_one(cell.x_first)
    else:
        put(states.h[number - 1], cell.x, 0)
    lstm_step(
        number,
        number == 0,
        ids=ids,
        table=inputs.table,
        U=inputs.U,
        weights=weights,
        before=c,
        after=c,
        h=h,
        buffers=cell,
        saved=buffers.saved,
        packed=packed,
        tile=tile,
    )


@strict
def scatter_scaled(target: Vector, ids: Vector, numbers: Vector, vectors: Vector) -> None:
    """Write sums of scaled rows by index: target[ids[i]] += numbers[i, 0] vectors[i], in order of i, starting from 0.

    Args:
        target: (K, n), n a multiple of 16; written.
        ids: (m,) integers.
        numbers: (m, .), one number in the first column.
        vectors: (m, n).
    """
    for row in range(target.shape[0]):
        for k in range(0, target.shape[1], WIDTH * len(PAIR)):
            store(target, row, k, fill(ZERO, PAIR))
    for i in range(vectors.shape[0]):
        for k in range(0, target.shape[1], WIDTH * len(PAIR)):
            total = load(target, ids[i], k, PAIR) + numbers[i, 0] * load(vectors, i, k, PAIR)
            store(target, ids[i], k, total)


def _factors(config: ModelConfig, dense: Callable[[str], Vector | None], tables: Mapping[str, Vector]) -> Factors:
    """Return the factors.

    Args:
        config: the network's configuration.
        dense: a function that returns a matrix (L, ., .) by name, or None if there is none.
        tables: the tables of the first layer by name.
    """
    unused = np.zeros((1, 1, PANEL), np.float32)
    names = [factor_names(number, config.mogrifier_rank) for number in range(1, config.mogrifier_rounds + 1)]

    def each(rounds: list[list[str]], place: int) -> tuple[Vector, ...]:
        matrices = (dense(factors[place]) for factors in rounds)
        return tuple(unused if matrix is None else matrix for matrix in matrices) or (unused,)

    def tables_of(rounds: list[list[str]], place: int) -> tuple[Vector, ...]:
        return tuple(tables.get(factors[place], unused[0]) for factors in rounds) or (unused[0],)

    odd, even = names[::2], names[1::2]
    return Factors(
        Q=each(odd, -1),
        R=each(even, -1),
        Q_inner=each(odd, 0),
        R_inner=each(even, 0),
        Q_tables=tables_of(odd, -1),
        R_tables=tables_of(even, 0),
    )


def _rank(config: ModelConfig) -> int:
    """Return S, the rank padded to full panels, or 0 without factors."""
    return -(-config.mogrifier_rank // PANEL) * PANEL


def _layer_weights(config: ModelConfig, parameters: Mapping[str, Vector], tables: Mapping[str, Vector]) -> LayerWeights:
    def dense(name: str) -> Vector | None:
        return parameters[name][np.newaxis] if name in parameters else None

    unused = np.zeros((1, 1, PANEL), np.float32)
    U = dense("U")
    cell = MogrifierWeights(
        W=parameters["W"][np.newaxis],
        b=parameters["b"][np.newaxis],
        factors=_factors(config, dense, tables),
        rounds=config.mogrifier_rounds,
        rank=_rank(config),
    )
    return LayerWeights(tables.get("U", unused[0]), unused if U is None else U, cell)


def _saved(config: ModelConfig, number: int, rows: int, hidden: int) -> Saved:
    lanes = hidden if number else PANEL
    return _arrays(config.mogrifier_rounds, _rank(config), rows, lanes, hidden, first=number == 0)


def _arrays(rounds: int, rank: int, rows: int, lanes: int, hidden: int, *, first: bool) -> Saved:
    """Return zeros for `Saved` with X = `lanes`."""
    odd, even = (rounds + 1) // 2, rounds // 2
    return Saved(
        ids=np.zeros(rows if first else 0, np.int64),
        x=aligned_zeros(rows, (odd + 1) * lanes),
        h=aligned_zeros(rows, (even + 1) * hidden),
        x_scales=aligned_zeros(rows, odd * lanes),
        h_scales=aligned_zeros(rows, even * hidden),
        dx_q=aligned_zeros(rows, odd * lanes),
        dh_q=aligned_zeros(rows, even * hidden),
        inner=aligned_zeros(rows, rounds * rank),
        d_inner=aligned_zeros(rows, rounds * rank),
        gates=aligned_zeros(rows, 4 * hidden),
        da=aligned_zeros(rows, 4 * hidden),
        dx=aligned_zeros(0 if first else rows, hidden),
    )


def _carried(streams: int, hidden: int) -> Carried:
    return Carried(h=aligned_zeros(streams, hidden), c=aligned_zeros(streams, hidden))


def _gradients(_: State, saved: Saved, gradient: Mapping[str, Vector], outer: OuterProduct) -> None:
    """Write the gradients of all parameters, U and b included."""
    first, H = len(saved.ids) > 0, len(gradient["W"])
    X, names = PANEL if first else H, round_names(gradient)
    x, h = _block(saved.x, (len(names) + 1) // 2, X), _block(saved.h, len(names) // 2, H)
    outer(h, saved.da, gradient["W"])
    column_sums(gradient["b"], saved.da)
    if first:
        scatter_scaled(gradient["U"], saved.ids, x, saved.da)
    else:
        outer(x, saved.da, gradient["U"])
    for number, factors in enumerate(names):
        j, odd = number // 2, number % 2 == 0
        source = _block(saved.h, j, H) if odd else _block(saved.x, j + 1, X)
        vectors, slopes = [source], [_block(saved.dx_q, j, X) if odd else _block(saved.dh_q, j, H)]
        if len(factors) > 1:
            S = saved.inner.shape[1] // len(names)
            vectors.append(_block(saved.inner, number, S))
            slopes.insert(0, _block(saved.d_inner, number, S))
        table = (factors[-1] if odd else factors[0]) if first else None
        for name, vector, slope in zip(factors, vectors, slopes, strict=True):
            if name == table:
                scatter_scaled(gradient[name], saved.ids, *((slope, vector) if odd else (vector, slope)))
            else:
                outer(vector, slope, gradient[name])


def _block(array: Vector, number: int, width: int) -> Vector:
    return np.ascontiguousarray(array[:, number * width : number * width + width])


def _step_weights(config: ModelConfig, layers: Sequence[Mapping[str, Vector]], pack: Pack) -> MogrifierWeights:
    below, *above = layers
    tables = {factors[-1 if number % 2 == 0 else 0] for number, factors in enumerate(round_names(below))}

    def dense(name: str) -> Vector | None:
        """Return the matrices of all layers; a table of the first layer is replaced by zeros."""
        higher = [layer[name] for layer in above]
        if name not in tables:
            return pack([below[name], *higher])
        return pack([np.zeros_like(higher[0]), *higher]) if higher else None

    return MogrifierWeights(
        W=pack([layer["W"] for layer in layers]),
        b=np.stack([layer["b"] for layer in layers]),
        factors=_factors(config, dense, {name: below[name] for name in tables}),
        rounds=config.mogrifier_rounds,
        rank=_rank(config),
    )


def _step_buffers(weights: MogrifierWeights, streams: int, hidden: int) -> StepBuffers:
    saved = _arrays(weights.rounds, weights.rank, streams, hidden, hidden, first=False)
    return StepBuffers(cell=make_buffers(streams, hidden, weights.rank), saved=saved)


KERNELS = CellKernels(
    layer_weights=_layer_weights,
    saved=_saved,
    carried=_carried,
    forward=forward,
    backward=backward,
    gradients=_gradients,
    StepWeights=MogrifierWeights,
    step_weights=_step_weights,
    step_buffers=_step_buffers,
    step=step,
    scales_input=True,
)
