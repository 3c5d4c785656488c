"""An LSTM of one layer and n-gram contexts that read one stream of symbols: predict, encode and decode each symbol."""

from __future__ import annotations

from typing import NamedTuple

from recurra.compression.kernels.contexts import Contexts, add, observe
from recurra.compression.kernels.range_coder import advance, find, point, sum_before, to_frequencies
from recurra.engines.kernels import lstm_layer
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.gemm import multiply, step_product
from recurra.engines.kernels.lanes import WIDTH, Tile, Vector, load, store
from recurra.engines.kernels.products import set_rows
from recurra.engines.kernels.softmax import PAIR, log_softmax


class OnlineWeights(NamedTuple):
    """The parameters of the network. K and H are padded.

    U: (K, 4 H), U^T.
    W: (H, 4 H), W^T, not in panels.
    b: (1, 4 H).
    V: V^T (H, K) in panels.
    c: (1, K).
    """

    U: Vector
    W: Vector
    b: Vector
    V: Vector
    c: Vector


class OnlineWorkspace(NamedTuple):
    """The arrays that a training sequence of T steps overwrites.

    h: (T + 1, H), the hidden states; h[0] is the state before the first step.
    c: (T + 1, H), the cell states, likewise.
    gates: (T, 4 H).
    o: (T, K), logits.
    logs: (1, K), log p of the next symbol.
    sums: (1, 16), sums of exponentials.
    frequencies: (K,) int64.
    exponentials: (1, K), p of the next symbol.
    packed: (256, 8), packed rows of `gemm`.
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
) -> None:
    """Read ids[t] and predict the next symbol: write its logits to workspace.o[t] and its log p to workspace.logs.

    Args:
        weights: the parameters.
        workspace: h[t] and c[t] are read; row t + 1 of both and row t of `gates` are written too.
        contexts: the contexts of ids[t].
        ids: (T,) integers, the symbols.
        t: index of the step.
        tile: width of the vectors over hidden units.
    """
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
    set_rows(o, weights.c, 0, PAIR)
    multiply(workspace.h[after], False, weights.V, workspace.h.shape[1], o, workspace.packed, True)
    add(contexts, o)
    for column in range(0, o.shape[1], WIDTH * len(PAIR)):
        store(workspace.logs, 0, column, load(o, 0, column, PAIR))
    log_softmax(workspace.logs, workspace.sums)


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
) -> None:
    """Compute the coder's intervals of n symbols from ids[start] on, and read each symbol after its interval.

    A symbol ids[T] is encoded and not read, because the sequence has T steps.

    Args:
        weights: the parameters.
        workspace: overwritten; `logs` predicts ids[start].
        contexts: the contexts; updated.
        ids: integers, the symbols.
        start: index of the first symbol.
        symbols: number of symbols that occur; the others have no frequency.
        total: sum of the frequencies.
        before: (n,) int64, sum of the frequencies of the symbols before each symbol; written.
        widths: (n,) int64, frequency of each symbol; written.
        tile: width of the vectors over hidden units.
    """
    for i in range(before.shape[0]):
        t = start + i
        to_frequencies(workspace.logs, symbols, total, workspace.frequencies, workspace.exponentials)
        before[i] = sum_before(workspace.frequencies, ids[t])
        widths[i] = workspace.frequencies[ids[t]]
        observe(contexts, workspace.exponentials, ids[t])
        if t < workspace.o.shape[0]:
            expect(weights, workspace, contexts, ids, t, tile)


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
) -> int:
    """Decode symbols from ids[start] on, and read each symbol after it is decoded.

    A symbol ids[T] is decoded and not read, because the sequence has T steps.

    Args:
        weights: the parameters.
        workspace: overwritten; `logs` predicts ids[start].
        contexts: the contexts; updated.
        ids: integers, the symbols; written.
        start: index of the first symbol.
        most: the greatest number of symbols to decode.
        symbols: number of symbols that can occur.
        total: sum of the frequencies; the coder's rest up to 2^24 marks an escape.
        words: uint32, the coded words.
        state: (3,) uint64 of the decoder; updated.
        tile: width of the vectors over hidden units.
    Returns: the index after the last decoded symbol. If it is less than both start + most and T + 1, an escape follows.
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
            expect(weights, workspace, contexts, ids, t, tile)
    return stop
