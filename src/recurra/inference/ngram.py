"""Interpolated Kneser-Ney n-grams of orders 1 to 6: the baseline that counts.

Kneser and Ney, Improved backing-off for m-gram language modeling (ICASSP 1995), in the interpolated form of Chen and
Goodman, An empirical study of smoothing techniques for language modeling (1999): with h the n - 1 symbols before w, h'
the last n - 2 of them, and D = n_1 / (n_1 + 2 n_2) (Ney, Essen and Kneser 1994), n_r the n-grams that occur r times,

    p_n(w | h) = max(c(h w) - D, 0) / c(h) + D N(h) / c(h) · p_{n-1}(w | h'),     c(h) = sum_w c(h w),

where N(h) counts the different w after h, and p_0 = 1 / K. In the highest order c counts occurrences; in the lower ones
how many different symbols stand before the n-gram. What follows an h that was never seen has p_{n-1}. (Others
take Witten-Bell smoothing, or the three discounts of the modified form.)
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
MAX_COUNTED_SYMBOLS = 1 << 23  # symbols of training text that are counted, the last ones: 64 MB of keys
PREDICTION_BLOCK_SYMBOLS = 1 << 19  # symbols that are predicted at once


class _Level(NamedTuple):
    """The n-grams of one order: their keys, ascending, and counts; and the same of the h's they begin with."""

    keys: Keys
    counts: NDArray[Any]
    contexts: Keys
    totals: Numbers
    followers: NDArray[Any]
    discount: float

    @classmethod
    def of(cls, keys: Keys, counts: NDArray[Any], symbols: int) -> _Level:
        """From the n-grams' keys, ascending, and what they count."""
        contexts, starts, followers = np.unique(keys // symbols, return_index=True, return_counts=True)
        totals = np.add.reduceat(counts, starts).astype(np.float64) if len(starts) else np.zeros(0)
        once, twice = (int(np.count_nonzero(counts == number)) for number in (1, 2))
        discount = once / (once + 2 * twice) if once and twice else 0.5
        return cls(keys, counts, contexts, totals, followers, discount)

    def refine(self, below: Numbers, keys: Keys, symbols: int) -> Numbers:
        """p_n of the n-grams `keys`, from p_{n-1} of their ends `below`."""
        context, is_known = _find(self.contexts, keys // symbols)
        if not is_known.any():
            return below
        place, is_seen = _find(self.keys, keys)
        kept = np.where(is_seen, np.maximum(self.counts[place] - self.discount, 0), 0)
        left = self.discount * self.followers[context] * below
        return np.where(is_known, (kept + left) / self.totals[context], below)


class NGram:
    """The n-grams of the ids `training`, each below `symbols`, up to order `highest`.

    A key is the number that the symbols are in base K, and must fit in 63 bits: where K is large, `highest` is less.
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
            if n > 1:  # how many different symbols stand before each n-gram one shorter
                self.lower.append(_Level.of(*np.unique(keys % symbols ** (n - 1), return_counts=True), symbols))

    def nats(self, ids: NDArray[np.integer]) -> Numbers:
        """-log p of each of `ids` given those before it, (orders, N): row n - 1 is that of order n."""
        reach = self.highest - 1
        starts = range(0, len(ids), PREDICTION_BLOCK_SYMBOLS)
        parts = [
            self._nats(ids[max(start - reach, 0) : start + PREDICTION_BLOCK_SYMBOLS], min(start, reach))
            for start in starts
        ]
        return np.concatenate([np.zeros((self.highest, 0)), *parts], axis=1)

    def _nats(self, ids: NDArray[np.integer], given: int) -> Numbers:
        """Those of ids[given:]; at the beginning, where there is less before, of the orders that there can be."""
        below = np.full(len(ids), 1 / self.symbols)
        found = np.empty((self.highest, len(ids)))
        for n in range(1, self.highest + 1):
            keys, places = np.unique(_keys(ids, n, self.symbols), return_inverse=True)
            found[n - 1] = found[n - 2] if n > 1 else 0  # of the first n - 1
            first = np.zeros(len(keys))
            first[places] = below[n - 1 :]  # equal n-grams have equal ends
            found[n - 1, n - 1 :] = self.raw[n - 1].refine(first, keys, self.symbols)[places]
            if n < self.highest:
                below[n - 1 :] = self.lower[n - 1].refine(first, keys, self.symbols)[places]
        return -np.log(found[:, given:])


def _keys(ids: NDArray[np.integer], n: int, symbols: int) -> Keys:
    """The n-grams of `ids` (N,) as numbers in base K, the first symbol counting most: (N - n + 1,)."""
    length = max(len(ids) - n + 1, 0)
    keys = np.zeros(length, np.int64)
    for i in range(n):
        keys *= symbols
        keys += ids[i : i + length]
    return keys


def _find(table: Keys, wanted: Keys) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where each of `wanted` is in the ascending `table`, and whether it is there."""
    if len(table) == 0:
        return np.zeros(len(wanted), np.intp), np.zeros(len(wanted), bool)
    places = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
    return places, table[places] == wanted
