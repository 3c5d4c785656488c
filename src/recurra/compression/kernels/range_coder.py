"""A range coder with a 64-bit state that writes 32-bit words. It uses only integers, so that all machines agree.

Let f be the frequency of a symbol and c the sum of the frequencies of the symbols before it, out of 2^24. Coding the
symbol narrows the interval [low, low + range) to

    scale = floor(range / 2^24),  low <- low + scale c,  range <- scale f

When range < 2^32, the coder writes the first 32 bits of low and shifts low and range by 32 bits. A carry beyond 2^64 is
added to the words already written. Source: G. N. N. Martin, "Range encoding: an algorithm for removing redundancy from
a digitized message" (1979).

The `state` of an encoder, (3,) uint64, holds low, range and the number of words written. The `state` of a decoder holds
the distance of the coded number from low, range and the number of words read.
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
    """Initialize the state of an encoder.

    Args:
        state: (3,) uint64; written.
    """
    state[:] = 0, 2**64 - 1, 0


def start_decoding(state: Vector, words: Vector) -> None:
    """Initialize the state of a decoder.

    Args:
        state: (3,) uint64; written.
        words: (n,) uint32, the coded words; zeros follow the last one.
    """
    first, second = (int(words[i]) if i < len(words) else 0 for i in range(2))
    state[:] = first << 32 | second, 2**64 - 1, 2


@strict
def _carry(words: Vector, used: np.int64) -> None:
    """Add 1 to the number whose digits are the first `used` words."""
    at = used - 1
    while words[at] == _WORD_MASK:
        words[at] = 0
        at -= 1
    words[at] += np.uint32(1)


@strict
def encode(words: Vector, state: Vector, before: int, frequency: int) -> None:
    """Encode one symbol.

    Args:
        words: uint32, the output; one word for each symbol and one more for `finish` always suffice; written.
        state: (3,) uint64 of the encoder; updated.
        before: sum of the frequencies of the symbols before it, out of 2^24.
        frequency: frequency of the symbol, at least 1.
    """
    scale = state[1] >> _PRECISION
    step, distance = scale * np.uint64(before), _HIGHEST - state[0]
    if step > distance:  # low passes 2^64
        _carry(words, np.int64(state[2]))
        state[0] = step - distance - _ONE
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
    """Write the last word. Followed by zeros, the words are a number within the final interval.

    Args:
        words: uint32, the output; written.
        state: (3,) uint64 of the encoder; updated.
    """
    if state[0] > _HIGHEST - _WORD_MASK:
        _carry(words, np.int64(state[2]))
        words[np.int64(state[2])] = 0
    else:
        words[np.int64(state[2])] = (state[0] + _WORD_MASK) >> _WORD
    state[2] += _ONE


@strict
def point(state: Vector) -> np.int64:
    """Return the position of the coded number within the current interval. The share of the next symbol contains it.

    Args:
        state: (3,) uint64 of the decoder.
    Returns: an int64 in [0, 2^24), or 2^24 if no encoder can have written the words.
    """
    return np.int64(min(state[0] // (state[1] >> _PRECISION), _TOTAL))


@strict
def advance(words: Vector, state: Vector, before: int | np.int64, frequency: int) -> None:
    """Move the decoder past one symbol: the inverse of `encode`.

    Args:
        words: (n,) uint32, the coded words.
        state: (3,) uint64 of the decoder; updated.
        before: sum of the frequencies of the symbols before it, out of 2^24.
        frequency: frequency of the symbol.
    """
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
def to_frequencies(
    log_probabilities: Vector, symbols: int, total: int, frequencies: Vector, exponentials: Vector
) -> None:
    """Convert log probabilities to whole frequencies that are at least 1 and add up to `total`.

        q_k = floor(2^24 e^{log p_k}),  f_k = 1 + floor(q_k (total - n) / sum q),  n = `symbols`

    The first of the largest frequencies receives the remainder. If log p is NaN, as in a network that has overflowed, q
    is 0. A sum of 0 counts as 1.

    Args:
        log_probabilities: (1, K), log p in nats.
        symbols: number n of symbols without padding.
        total: sum of the frequencies.
        frequencies: (n,) int64; written.
        exponentials: (1, K), workspace for p; overwritten.
    """
    for column in range(0, exponentials.shape[1], WIDTH):
        store(exponentials, 0, column, exp(load(log_probabilities, 0, column, GROUP)))
    whole, largest = np.int64(0), 0
    for k in range(symbols):
        p = exponentials[0, k]
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
def sum_before(frequencies: Vector, symbol: int) -> np.int64:
    """Return the sum of the frequencies of the symbols before `symbol`.

    Args:
        frequencies: (K,) int64.
        symbol: the id of a symbol.
    Returns: the sum, an int64.
    """
    total = np.int64(0)
    for k in range(symbol):
        total += frequencies[k]
    return total


@strict
def intervals(
    log_probabilities: Vector,
    ids: Vector,
    total: int,
    symbols: int,
    before: Vector,
    widths: Vector,
    exponentials: Vector,
) -> None:
    """Compute the interval of each symbol for the range coder.

    Args:
        log_probabilities: (T, K), log p of the symbol of each step, in nats.
        ids: (T,) integers, the symbols.
        total: sum of the frequencies of each step.
        symbols: number of symbols without padding.
        before: (T,) int64, sum of the frequencies of the symbols before ids[t]; written.
        widths: (T,) int64, frequency of ids[t]; written.
        exponentials: (1, K), workspace of `to_frequencies`; overwritten.
    """
    frequencies = np.empty(symbols, np.int64)
    for t in range(ids.shape[0]):
        to_frequencies(log_probabilities[t : t + 1], symbols, total, frequencies, exponentials)
        before[t] = sum_before(frequencies, ids[t])
        widths[t] = frequencies[ids[t]]


@strict
def encode_all(words: Vector, state: Vector, before: Vector, widths: Vector) -> None:
    """Encode n symbols.

    Args:
        words: uint32, the output; written.
        state: (3,) uint64 of the encoder; updated.
        before: (n,) int64, as in `encode`.
        widths: (n,) int64, the frequencies.
    """
    for i in range(before.shape[0]):
        encode(words, state, before[i], widths[i])


@strict
def find(frequencies: Vector, symbols: int, place: int | np.int64) -> tuple[int, np.int64]:
    """Return the symbol whose share of [0, `total`) contains a position.

    Args:
        frequencies: (K,) int64.
        symbols: number of symbols without padding.
        place: a position in [0, total), from `point`.
    Returns: the symbol, and the sum of the frequencies before it; without such a symbol, `symbols` and the total.
    """
    before = np.int64(0)
    for k in range(symbols):
        if place < before + frequencies[k]:
            return k, before
        before += frequencies[k]
    return symbols, before
