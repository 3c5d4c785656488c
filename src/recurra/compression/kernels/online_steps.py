"""An LSTM of one layer and n-gram contexts read one stream, a symbol at a time: what is expected, and what has come."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recurra.compression.kernels.contexts import Contexts, add, observe
from recurra.compression.kernels.range_coder import advance, find, point, to_frequencies
from recurra.engines.kernels import lstm_layer
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.gemm import multiply, step_product
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, load, store
from recurra.engines.kernels.products import set_rows
from recurra.engines.kernels.softmax import log_softmax

ROWS = (0, 0)


class OnlineWeights(NamedTuple):
    """U^T (K, 4 H), W^T (H, 4 H) as it stands, b (1, 4 H), V^T (H, K) in panels, c (1, K); K and H padded."""

    U: Vector
    W: Vector
    b: Vector
    V: Vector
    c: Vector


class OnlineWorkspace(NamedTuple):
    """Of T steps: h, c (T + 1, H) with what came before in the first row, gates (T, 4 H), o (T, K) logits; and of one
    step: logs (1, K), sums (1, a multiple of 16), frequencies (K,), exponentials (1, K), packed (256, 8).
    """

    h: Vector
    c: Vector
    gates: Vector
    o: Vector
    logs: Vector
    sums: Vector
    frequencies: Vector
    exponentials: Vector
    packed: Vector


@strict
def expect(
    weights: OnlineWeights,
    workspace: OnlineWorkspace,
    contexts: Contexts,
    ids: Vector,
    t: int,
    tile: Tile,
    symbol_tile: Tile,
) -> None:
    """Read ids[t]; o[t] becomes the logits of what follows, logs their log p."""
    now, after = slice(t, t + 1), slice(t + 1, t + 2)
    step_product(workspace.h[now], weights.W, workspace.gates[now], workspace.packed)
    lstm_layer.step_forward(
        workspace.gates[now],
        table=weights.U,
        rows=ids[now],
        b=weights.b,
        before=workspace.c[now],
        after=workspace.c[after],
        h=workspace.h[after],
        tile=tile,
    )
    o = workspace.o[now]
    set_rows(o, weights.c, 0, symbol_tile)
    multiply(workspace.h[after], False, weights.V, workspace.h.shape[1], o, workspace.packed, True)
    add(contexts, o)
    for column in range(0, o.shape[1], WIDTH * len(ROWS)):
        store(workspace.logs, 0, column, load(o, 0, column, ROWS))
    log_softmax(workspace.logs, workspace.sums, symbol_tile)


@strict
def encode(
    weights: OnlineWeights,
    workspace: OnlineWorkspace,
    contexts: Contexts,
    ids: Vector,
    start: int,
    symbols: int,
    total: int,
    before: Vector,
    widths: Vector,
    tile: Tile,
    symbol_tile: Tile,
) -> None:
    """The intervals, before and widths (n,), of the n ids from ids[start] on, each read after it; ids[T] is not read.

    Of the K symbols the first `symbols` are known; their frequencies add up to `total`.
    """
    for i in range(before.shape[0]):
        t = start + i
        to_frequencies(workspace.logs, symbols, total, workspace.frequencies, workspace.exponentials)
        before[i] = np.sum(workspace.frequencies[: ids[t]])
        widths[i] = workspace.frequencies[ids[t]]
        observe(contexts, workspace.exponentials, ids[t])
        if t < workspace.o.shape[0]:
            expect(weights, workspace, contexts, ids, t, tile, symbol_tile)


@strict
def decode(
    weights: OnlineWeights,
    workspace: OnlineWorkspace,
    contexts: Contexts,
    ids: Vector,
    start: int,
    most: int,
    symbols: int,
    total: int,
    words: Vector,
    state: Vector,
    tile: Tile,
    symbol_tile: Tile,
) -> int:
    """Decode ids[start] from what `workspace.logs` expects, read it, and so on, `most` of them; ids[T] is not read.

    Of the K symbols the first `symbols` are known; their frequencies add up to `total`. Returns the place after the
    last that was decoded: if neither `most` nor T is the reason, the decoder stands before an escape.
    """
    steps = workspace.o.shape[0]
    stop: int = min(start + most, steps + 1)
    for t in range(start, stop):
        to_frequencies(workspace.logs, symbols, total, workspace.frequencies, workspace.exponentials)
        symbol, before = find(workspace.frequencies, symbols, point(state))
        if symbol == symbols:
            return t
        advance(words, state, before, workspace.frequencies[symbol])
        ids[t] = symbol
        observe(contexts, workspace.exponentials, symbol)
        if t < steps:
            expect(weights, workspace, contexts, ids, t, tile, symbol_tile)
    return stop
