"""A trained network reads one stream, each character being what a coder wrote where the network stood."""

from __future__ import annotations

from typing import Any

from recurra.compression.kernels import range_coder
from recurra.compression.kernels.range_coder import find, point, to_frequencies
from recurra.engines.kernels import stepping
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import Tile, Vector
from recurra.engines.kernels.softmax import log_softmax
from recurra.engines.kernels.stepping import NetworkWeights, StepWorkspace, project


@strict
def decode(
    weights: NetworkWeights,
    states: Any,
    workspace: StepWorkspace,
    logs: Vector,
    words: Vector,
    state: Vector,
    total: int,
    frequencies: Vector,
    lengths: Vector,
    length: int,
    ids: Vector,
    tile: Tile,
    symbol_tile: Tile,
) -> tuple[int, bool]:
    """Decode `ids` (n,) one by one and read each, until they are all there or are `length` bytes long.

    logs (1, width): log p of what comes next, before and after; the state (L, 1, H) and the coder's `state` go on too
    total, frequencies (K,): what the symbols' frequencies add up to, and room for them; lengths (K,): their bytes

    Returns how many were decoded, and whether the coder stands before an escape, which no symbol is.
    """
    count, found = 0, 0
    symbols = frequencies.shape[0]
    while count < ids.shape[0] and found < length:
        to_frequencies(logs, symbols, total, frequencies, workspace.x)
        symbol, before = find(frequencies, symbols, point(state))
        if symbol == symbols:
            return count, True
        range_coder.advance(words, state, before, frequencies[symbol])
        ids[count] = symbol
        count, found = count + 1, found + lengths[symbol]
        stepping.advance(ids[count - 1 : count], weights, states, workspace, tile)
        project(states.h, weights, logs, workspace.packed, symbol_tile)
        log_softmax(logs, workspace.sums, symbol_tile)
    return count, False
