"""Decode a text with a trained network: the network reads each decoded symbol and predicts the next one."""

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
) -> tuple[int, bool]:
    """Decode symbols and read each one, until `ids` is full, the text is long enough, or an escape follows.

    Args:
        weights: the network.
        states: each field (L, 1, H); overwritten.
        workspace: overwritten.
        logs: (1, K), log p of the next symbol in nats; overwritten.
        words: uint32, the coded words.
        state: (3,) uint64 of the decoder; updated.
        total: sum of the frequencies; the coder's rest up to 2^24 marks an escape.
        frequencies: (symbols without padding,) int64, workspace; overwritten.
        lengths: (symbols without padding,) integers, the length of each symbol in bytes.
        length: number of bytes to decode.
        ids: (n,) integers, the decoded symbols; written.
        tile: width of the vectors over hidden units.
    Returns: the number of symbols decoded, and True if an escape follows.
    """
    count, decoded_bytes = 0, 0
    symbols = frequencies.shape[0]
    while count < ids.shape[0] and decoded_bytes < length:
        to_frequencies(logs, symbols, total, frequencies, workspace.x)
        symbol, before = find(frequencies, symbols, point(state))
        if symbol == symbols:
            return count, True
        range_coder.advance(words, state, before, frequencies[symbol])
        ids[count] = symbol
        count, decoded_bytes = count + 1, decoded_bytes + lengths[symbol]
        stepping.advance(ids[count - 1 : count], weights, states, workspace, tile)
        project(states.h, weights, logs, workspace.packed)
        log_softmax(logs, workspace.sums)
    return count, False
