"""An arithmetic coder of 64-bit state that writes 32-bit words: integers alone, hence the same everywhere.

A symbol of frequency f, those before it having c in all, out of 2^24, narrows the interval [low, low + range) to

    scale = floor(range / 2^24),  low <- low + scale c,  range <- scale f

and once range < 2^32 the first 32 bits of low are written and both move on by as many bits. A sum that passes 2^64
is carried into the words already written. Source: G. N. N. Martin, "Range encoding: an algorithm for removing
redundancy from a digitized message" (1979).

A coder's `state` (3,) uint64 is low, range and the number of words so far; for a decoder it is the distance of the
coded number from low, range, and the number of words read.
"""

from __future__ import annotations

import numpy as np

from recurra.engines.kernels.arithmetic import exp
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Vector, load, store

PRECISION = 24
TOTAL = 1 << PRECISION
_PRECISION, _WORD = np.uint64(PRECISION), np.uint64(32)
_HIGHEST, _WORD_MASK, _ONE = np.uint64(2**64 - 1), np.uint64(2**32 - 1), np.uint64(1)
_TOTAL = np.uint64(TOTAL)
_SCALE = np.float32(TOTAL)
GROUP = (0,)


def start_encoding(state: Vector) -> None:
    """A coder that has written nothing."""
    state[:] = 0, 2**64 - 1, 0


def start_decoding(state: Vector, words: Vector) -> None:
    """A decoder before its first symbol; beyond the last of `words` (n,) uint32 there are zeros."""
    first, second = (int(words[i]) if i < len(words) else 0 for i in range(2))
    state[:] = first << 32 | second, 2**64 - 1, 2


@strict
def _carry(words: Vector, used: np.int64) -> None:
    """Add 1 to the number whose digits are the words written."""
    at = used - 1
    while words[at] == _WORD_MASK:
        words[at] = 0
        at -= 1
    words[at] += np.uint32(1)


@strict
def encode(words: Vector, state: Vector, before: int, frequency: int) -> None:
    """Write a symbol of `frequency` >= 1 out of 2^24, `before` being the frequencies of those before it.

    words: room for uint32, one for each symbol at most, and one more for `finish`.
    """
    scale = state[1] >> _PRECISION
    step, room = scale * np.uint64(before), _HIGHEST - state[0]
    if step > room:  # low passes 2^64
        _carry(words, np.int64(state[2]))
        state[0] = step - room - _ONE
    else:
        state[0] += step
    state[1] = scale * np.uint64(frequency)
    if state[1] <= _WORD_MASK:
        words[np.int64(state[2])] = state[0] >> _WORD
        state[2] += _ONE
        state[0] = (state[0] & _WORD_MASK) << _WORD
        state[1] <<= _WORD


@strict
def finish(words: Vector, state: Vector) -> None:
    """Write the last word: with zeros after it, a number within the interval."""
    if state[0] > _HIGHEST - _WORD_MASK:
        _carry(words, np.int64(state[2]))
        words[np.int64(state[2])] = 0
    else:
        words[np.int64(state[2])] = (state[0] + _WORD_MASK) >> _WORD
    state[2] += _ONE


@strict
def point(state: Vector) -> np.int64:
    """Where in [0, 2^24) the coded number lies: in the share of the next symbol. 2^24: no coder wrote this."""
    return np.int64(min(state[0] // (state[1] >> _PRECISION), _TOTAL))


@strict
def advance(words: Vector, state: Vector, before: int | np.int64, frequency: int) -> None:
    """Go past a symbol that `point` has told: the inverse of `encode`."""
    scale = state[1] >> _PRECISION
    state[0] -= scale * np.uint64(before)
    state[1] = scale * np.uint64(frequency)
    if state[1] <= _WORD_MASK:
        at = np.int64(state[2])
        word = np.uint64(words[at]) if at < len(words) else np.uint64(0)
        state[0] = (state[0] << _WORD) | word
        state[1] <<= _WORD
        state[2] += _ONE


@strict
def to_frequencies(log_probabilities: Vector, symbols: int, total: int, frequencies: Vector, room: Vector) -> None:
    """Whole frequencies (K,) int64, each at least 1, that add up to `total`, from log p (1, >= K) in nats.

        q_k = floor(2^24 e^{log p_k}),  f_k = 1 + floor(q_k (total - K) / sum q)

    and what is missing from `total` goes to the first of the largest q. Where log p is NaN, as of a network that has
    overflowed, q is 0; a sum of 0 counts as 1. room (1, a multiple of 8, >= K): float32.
    """
    for column in range(0, room.shape[1], WIDTH):
        store(room, 0, column, exp(load(log_probabilities, 0, column, GROUP)))
    whole, largest = np.int64(0), 0
    for k in range(symbols):
        p = room[0, k]
        frequencies[k] = np.int64(min(p, np.float32(1)) * _SCALE) if p > 0 else 0
        whole += frequencies[k]
        if frequencies[k] > frequencies[largest]:
            largest = k
    missing = total - symbols
    spare = np.int64(missing)
    for k in range(symbols):
        share = frequencies[k] * missing // max(whole, 1)
        spare -= share
        frequencies[k] = share + 1
    frequencies[largest] += spare


@strict
def intervals(
    log_probabilities: Vector, ids: Vector, total: int, symbols: int, before: Vector, widths: Vector, room: Vector
) -> None:
    """The interval of each of `ids` (T,): widths[t] = f_k of k = ids[t] and before[t] the sum of those before it.

    log_probabilities (T, a multiple of 8, >= K), of which row t tells `to_frequencies` how likely ids[t] is.
    """
    frequencies = np.empty(symbols, np.int64)
    for t in range(ids.shape[0]):
        to_frequencies(log_probabilities[t : t + 1], symbols, total, frequencies, room)
        before[t] = np.sum(frequencies[: ids[t]])
        widths[t] = frequencies[ids[t]]


@strict
def encode_all(words: Vector, state: Vector, before: Vector, widths: Vector) -> None:
    """`encode` for each of `before` and `widths` (n,) int64."""
    for i in range(before.shape[0]):
        encode(words, state, before[i], widths[i])


@strict
def find(frequencies: Vector, symbols: int, place: int | np.int64) -> tuple[int, np.int64]:
    """The symbol in whose share `place` lies, and the sum of those before it; (`symbols`, the whole sum) beyond."""
    before = np.int64(0)
    for k in range(symbols):
        if place < before + frequencies[k]:
            return k, before
        before += frequencies[k]
    return symbols, before
