"""Interpolated Kneser-Ney n-grams of orders 1 to 6, as a baseline.

With h the n - 1 symbols before w, h' the last n - 2 of them, and c(h) = sum_w c(h w):

    p_n(w | h) = max(c(h w) - D, 0) / c(h) + D N(h) / c(h) · p_{n-1}(w | h'),  p_0 = 1 / K

N(h) is the number of different symbols after h. D = n_1 / (n_1 + 2 n_2), where n_r is the number of n-grams that occur
r times (Ney, Essen and Kneser 1994). In the highest order, c counts occurrences; in a lower order, c counts the
different symbols before the n-gram. After an h that never occurred, the probability is p_{n-1}.

Source: Kneser and Ney, Improved backing-off for m-gram language modeling (ICASSP 1995), in the interpolated form of
Chen and Goodman, An empirical study of smoothing techniques for language modeling (1999). Other implementations use
Witten-Bell smoothing, or the three discounts of the modified form.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.text.id_file import Ids

    Keys = NDArray[np.int64]
    Numbers = NDArray[np.float64]

HIGHEST = 6
MAX_COUNTED_SYMBOLS = 1 << 23  # only the last symbols of a training text are counted: 64 MB of keys
PREDICTION_BLOCK_SYMBOLS = 1 << 19  # symbols predicted at a time


class _Level(NamedTuple):
    """The n-grams of one order.

    The fields are the ascending keys and their counts, and the keys and counts of the contexts h that begin them.
    """

    keys: Keys
    counts: NDArray[Any]
    contexts: Keys
    totals: Numbers
    followers: NDArray[Any]
    discount: float

    @classmethod
    def of(cls, keys: Keys, counts: NDArray[Any], symbols: int) -> _Level:
        """Return the level of n-grams with these ascending `keys` and `counts`."""
        contexts, starts, followers = np.unique(keys // symbols, return_index=True, return_counts=True)
        totals = np.add.reduceat(counts, starts).astype(np.float64) if len(starts) else np.zeros(0)
        once, twice = (int(np.count_nonzero(counts == number)) for number in (1, 2))
        discount = once / (once + 2 * twice) if once and twice else 0.5
        return cls(keys, counts, contexts, totals, followers, discount)

    def refine(self, below: Numbers, keys: Keys, symbols: int) -> Numbers:
        """Return p_n of the n-grams `keys`; `below` is p_{n-1} of their last n - 1 symbols."""
        context, is_known = _find(self.contexts, keys // symbols)
        if not is_known.any():
            return below
        place, is_seen = _find(self.keys, keys)
        kept = np.where(is_seen, np.maximum(self.counts[place] - self.discount, 0), 0)
        backoff = self.discount * self.followers[context] * below
        return np.where(is_known, (kept + backoff) / self.totals[context], below)


class NGram:
    """The n-grams of a training text.

    A key is an n-gram as a number in base K. Keys must fit in 63 bits, so that a large K limits the order.

    Args:
        training: the ids of the text.
        symbols: number of symbols K.
        highest: the highest order.
    """

    def __init__(self, training: Ids, symbols: int, highest: int = HIGHEST) -> None:
        self.symbols = symbols
        self.highest = min(highest, int(63 // math.log2(max(symbols, 2))))
        ids = training[max(len(training) - MAX_COUNTED_SYMBOLS, 0) :]
        self.raw: list[_Level] = []
        self.lower: list[_Level] = []
        for n in range(1, self.highest + 1):
            keys, counts = np.unique(_keys(ids, n, symbols), return_counts=True)
            self.raw.append(_Level.of(keys, counts, symbols))
            if n > 1:  # count the different symbols before each (n - 1)-gram
                self.lower.append(_Level.of(*np.unique(keys % symbols ** (n - 1), return_counts=True), symbols))

    def nats(self, ids: NDArray[np.integer]) -> Numbers:
        """Return -log p of each id after the ids before it: (orders, N); row n - 1 belongs to order n."""
        reach = self.highest - 1
        starts = range(0, len(ids), PREDICTION_BLOCK_SYMBOLS)
        parts = [
            self._nats(ids[max(start - reach, 0) : start + PREDICTION_BLOCK_SYMBOLS], min(start, reach))
            for start in starts
        ]
        return np.concatenate([np.zeros((self.highest, 0)), *parts], axis=1)

    def _nats(self, ids: NDArray[np.integer], skipped: int) -> Numbers:
        """Return -log p of ids[skipped:]. At the beginning of the text, a lower order replaces a higher one."""
        below = np.full(len(ids), 1 / self.symbols)
        probabilities = np.empty((self.highest, len(ids)))
        for n in range(1, self.highest + 1):
            keys, indices = np.unique(_keys(ids, n, self.symbols), return_inverse=True)
            probabilities[n - 1] = probabilities[n - 2] if n > 1 else 0  # the first n - 1 symbols have no n-gram
            unique_below = np.zeros(len(keys))
            unique_below[indices] = below[n - 1 :]  # equal n-grams have equal last symbols
            probabilities[n - 1, n - 1 :] = self.raw[n - 1].refine(unique_below, keys, self.symbols)[indices]
            if n < self.highest:
                below[n - 1 :] = self.lower[n - 1].refine(unique_below, keys, self.symbols)[indices]
        return -np.log(probabilities[:, skipped:])


def _keys(ids: NDArray[np.integer], n: int, symbols: int) -> Keys:
    """Return the n-grams of `ids` (N,) as numbers in base K, the first symbol as the highest digit: (N - n + 1,)."""
    length = max(len(ids) - n + 1, 0)
    keys = np.zeros(length, np.int64)
    for i in range(n):
        keys *= symbols
        keys += ids[i : i + length]
    return keys


def _find(table: Keys, keys: Keys) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the position of each key in the ascending `table`, and a mask: True for the keys in `table`."""
    if len(table) == 0:
        return np.zeros(len(keys), np.intp), np.zeros(len(keys), bool)
    places = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return places, table[places] == keys
