"""A trained network a step at a time, S streams side by side: it reads what is given, or writes.

A block of steps is one call. Every stream's sums are those that it would have alone: `row_multiply` and `multiply` go
through them in the same order.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from recurra.engines.kernels import elman_layer, gru_layer, lstm_layer
from recurra.engines.kernels.choice import ZERO, Rules, choose
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.gemm import multiply, step_product
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, load, store
from recurra.engines.kernels.products import set_rows
from recurra.engines.kernels.softmax import log_softmax

GROUP = (0,)


Perhaps: TypeAlias = Any  # a Vector or None: which cell it is, Numba tells by that


class Weights(NamedTuple):
    """Of L layers of H units with G gates each; H and K are multiples of 16 here.

    table (K, G H): U^T of the first layer; U, W (L, ., .): U^T and W^T of every layer as `step_product` takes them
    second: None; or, where the recurrent sum is that over the first `middle` units plus that over the others, the
            rows of W^T from `middle` on, and W has those before, both with rows of zeros to a multiple of 8
    b (L, 1, G H); b_n (L, 1, H) of a GRU, else None; V^T in panels; c (1, K); relu: of an elman cell
    """

    table: Vector
    U: Vector
    W: Vector
    second: Perhaps
    middle: int
    b: Vector
    b_n: Perhaps
    V: Vector
    c: Vector
    relu: bool


class Room(NamedTuple):
    """What a step of S streams writes besides the state.

    gates and table (S, G H), q (S, H) of a GRU, logits and logs (S, K), x (1, K), parts (K,) float64, sums (1, S in
    multiples of 16), packed (256, 8); rows (S,) counts from 0. Where the recurrent sum has two halves: left and right,
    those of h, as wide as the weights of each have rows, and halves, a sum (S, H); else None.
    """

    gates: Vector
    table: Vector
    q: Perhaps
    left: Perhaps
    right: Perhaps
    halves: Perhaps
    logits: Vector
    logs: Vector
    x: Vector
    parts: Vector
    sums: Vector
    packed: Vector
    rows: Vector


@strict
def copy(source: Vector, column: int, target: Vector) -> None:
    """target (S, n) = source[:, column : column + n], n a multiple of 8."""
    for s in range(target.shape[0]):
        for k in range(0, target.shape[1], WIDTH):
            store(target, s, k, load(source, s, column + k, GROUP))


@strict
def recurrent_product(number: int, weights: Weights, second: Perhaps, h: Vector, room: Room) -> None:
    """gates = h W^T of layer `number`; where there is a `second` half, a sum of two sums like `products.product`."""
    W, gates = weights.W[number], room.gates
    if second is None:
        step_product(h, W, gates, room.packed)
    else:
        copy(h, 0, room.left)
        copy(h, weights.middle, room.right)
        step_product(room.left, W, gates, room.packed)
        step_product(room.right, second[number], room.halves, room.packed)
        for s in range(gates.shape[0]):
            for k in range(0, gates.shape[1], WIDTH):
                store(gates, s, k, load(gates, s, k, GROUP) + load(room.halves, s, k, GROUP))


@strict
def cell_step(
    number: int,
    weights: Weights,
    table: Vector,
    rows: Vector,
    h: Vector,
    c: Perhaps,
    q: Perhaps,
    room: Room,
    tile: Tile,
) -> None:
    """h (S, H) and c[number] of layer `number` become those after the step; what is None says which cell it is."""
    b, gates = weights.b[number], room.gates
    if c is not None:
        lstm_layer.step_forward(gates, table, rows, b, c[number], c[number], h, tile)
    elif q is not None:
        gru_layer.step_forward(gates, table, rows, b, weights.b_n[number], h, q, h, tile)
    else:
        elman_layer.step_forward(gates, table, rows, b, h, weights.relu, tile)


@strict
def advance(ids: Vector, weights: Weights, h: Vector, c: Perhaps, room: Room, tile: Tile) -> None:
    """h and c (L, S, H) become those after reading `ids` (S,)."""
    for number in range(h.shape[0]):
        table, rows = weights.table, ids
        if number > 0:
            step_product(h[number - 1], weights.U[number], room.table, room.packed)
            table, rows = room.table, room.rows
        recurrent_product(number, weights, weights.second, h[number], room)
        cell_step(number, weights, table, rows, h[number], c, room.q, room, tile)


@strict
def clear(field: Vector, s: int) -> None:
    """field[:, s] = 0: field (L, S, H) of the state."""
    for number in range(field.shape[0]):
        for k in range(field.shape[2]):
            field[number, s, k] = ZERO


@strict
def project(h: Vector, weights: Weights, logits: Vector, packed: Vector, symbol_tile: Tile) -> None:
    """logits (S, K) = c + V h of the last layer; h (L, S, H)."""
    last = h[h.shape[0] - 1]
    set_rows(logits, weights.c, 0, symbol_tile)
    multiply(last, False, weights.V, last.shape[1], logits, packed, True)


@strict
def read(
    ids: Vector,
    weights: Weights,
    h: Vector,
    c: Perhaps,
    room: Room,
    logs: Vector,
    sums: Vector,
    tile: Tile,
    symbol_tile: Tile,
) -> None:
    """log p over the character after each of `ids` (T, S): logs (T S, K), with sums (1, T S) as room."""
    S = ids.shape[1]
    for t in range(ids.shape[0]):
        advance(ids[t], weights, h, c, room, tile)
        project(h, weights, logs[t * S : t * S + S], room.packed, symbol_tile)
    log_softmax(logs, sums, symbol_tile)


@strict
def write(
    given: Vector,
    uniforms: Vector,
    current: Vector,
    rules: Rules,
    document_end: int,
    weights: Weights,
    h: Vector,
    c: Perhaps,
    room: Room,
    written: Vector,
    found: Vector,
    tile: Tile,
    symbol_tile: Tile,
) -> None:
    """n steps: each stream reads a character and, where it is asked to, chooses the next, which it then reads.

    given (n, S): the ids to be read, -1 where that is what the stream chose last, which is in current (S,)
    uniforms (n, S): the number that decides the choice, below 0 where there is none (a prompt is being read)
    document_end: the state of a stream becomes zero before the stream reads this id; -1: no id does that
    written (n, S): what was chosen; found (n, S): its log p by the model itself, before any rule
    """
    steps, S = given.shape
    for t in range(steps):
        choosing = False
        for s in range(S):
            if given[t, s] >= 0:
                current[s] = given[t, s]
            choosing = choosing or uniforms[t, s] >= 0
            if current[s] == document_end:
                clear(h, s)
                if c is not None:
                    clear(c, s)
        advance(current, weights, h, c, room, tile)
        if not choosing:
            continue
        project(h, weights, room.logits, room.packed, symbol_tile)
        copy(room.logits, 0, room.logs)
        log_softmax(room.logs, room.sums, symbol_tile)
        for s in range(S):
            if uniforms[t, s] >= 0:
                k = choose(room.x, room.parts, room.logits, room.logs, rules, s, uniforms[t, s])
                current[s] = written[t, s] = k
                found[t, s] = room.logs[s, k]
                rules.seen[s, k] = True
