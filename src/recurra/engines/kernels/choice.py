"""Choose the next symbol: the sampling rules on one stream's distribution.

The order follows `generate` of Hugging Face's transformers: repetition penalty and banned characters change the logits
z; temperature, top-k, top-p and min-p follow; the draw is last. The three filters are thresholds on the weights
w_k = exp((z_k - max z) / temperature). Symbols of equal probability are therefore kept or dropped together, and the
most likely symbol always stays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from recurra.engines.kernels.arithmetic import exp
from recurra.engines.kernels.compilation import strict
from recurra.engines.kernels.lanes import WIDTH, Vector, lane_max, load, store

ZERO, ONE = np.float32(0), np.float32(1)
PAIR = (0, 0)
STEP = WIDTH * len(PAIR)


class Rules(NamedTuple):
    """The sampling settings of B streams. `inference.sampling_options.SamplingConfig` explains the settings.

    temperature: (B,); 0 chooses the most likely symbol.
    top_k: (B,) int64; 0 keeps all symbols.
    top_p: (B,) float64.
    min_p: (B,).
    penalty: (B,), the repetition penalty.
    bias: (B, K), added to the logits; -inf for a banned character and for padding.
    seen: (B, symbols without padding) bool, True for a symbol that the stream has read or written, which is penalized.
    """

    temperature: Vector
    top_k: Vector
    top_p: Vector
    min_p: Vector
    penalty: Vector
    bias: Vector
    seen: Vector


@strict
def scores(x: Vector, logits: Vector, logs: Vector, rules: Rules, s: int) -> None:
    """Write the scores of stream s: log p, or the penalized logits if the stream has a repetition penalty θ.

        x_k = z_k / θ  if z_k >= 0,  else z_k θ,  for every symbol k that the stream has seen

    Args:
        x: (1, K), the scores; written.
        logits: (B, K), the network's z.
        logs: (B, K), the network's log p.
        rules: the sampling settings.
        s: index of the stream.
    Source: Keskar et al., "CTRL" (2019), section 4.1. Keskar et al. divide negative logits too, which raises them.
    """
    penalty = rules.penalty[s]
    source = logs if penalty == ONE else logits
    for column in range(0, x.shape[1], STEP):
        store(x, 0, column, load(source, s, column, PAIR) + load(rules.bias, s, column, PAIR))
    if penalty != ONE:
        for k in range(rules.seen.shape[1]):
            if rules.seen[s, k]:
                x[0, k] = x[0, k] * penalty if x[0, k] < ZERO else x[0, k] / penalty


@strict
def likeliest(x: Vector, symbols: int) -> int:
    """Return the symbol k with the largest score; of several, the first.

    Args:
        x: (1, K), the scores.
        symbols: number of symbols without padding.
    Returns: the index k.
    """
    best = 0
    for k in range(1, symbols):
        if x[0, k] > x[0, best]:
            best = k
    return best


@strict
def weigh(x: Vector, temperature: np.float32) -> None:
    """Replace scores by weights w_k = exp((x_k - max x) / temperature), which are not normalized.

    Args:
        x: (1, K), the scores; overwritten with the weights.
        temperature: a float32 above 0.
    """
    largest = lane_max(load(x, 0, 0, PAIR))
    for column in range(STEP, x.shape[1], STEP):
        largest = max(largest, lane_max(load(x, 0, column, PAIR)))
    for column in range(0, x.shape[1], STEP):
        store(x, 0, column, exp((load(x, 0, column, PAIR) - largest) / temperature))


@strict
def sort_descending(values: Vector) -> None:
    """Sort values in place by Shell's method. Numba needs two seconds to compile `np.sort`.

    Args:
        values: (n,), the values; overwritten.
    """
    gap = 1
    while gap < len(values):
        gap = 3 * gap + 1
    while gap > 1:
        gap //= 3
        for i in range(gap, len(values)):
            value, place = values[i], i
            while place >= gap and values[place - gap] < value:
                values[place] = values[place - gap]
                place -= gap
            values[place] = value


@strict
def least_weight(w: Vector, symbols: int, top_k: int, top_p: float, min_p: np.float32) -> np.float32:
    """Return the least weight that the filters keep. Sums are in descending order, in float64.

    top-k: the k-th largest weight (Fan et al., "Hierarchical neural story generation", 2018)
    top-p: the largest w such that the weights of at least w have the share top_p of the weights kept by top-k (Holtzman
           et al., "The curious case of neural text degeneration", 2020)
    min-p: min_p times the largest weight (Nguyen et al., "Turning up the heat: min-p sampling", 2024)

    Unlike other implementations, the filters never separate symbols of equal weight.

    Args:
        w: (1, K), the weights.
        symbols: number of symbols without padding.
        top_k: number of symbols to keep; 0 keeps all.
        top_p: share of the probability to keep, a float64; 1 keeps all.
        min_p: least weight relative to the largest.
    Returns: the least weight, a float32.
    """
    ordered = w[0, :symbols].copy()
    sort_descending(ordered)
    kept = min(top_k, symbols) if top_k > 0 else symbols
    least = ordered[kept - 1]
    if top_p < 1.0:
        total = np.float64(0)
        for value in ordered:
            if value >= least:
                total += np.float64(value)
        part = np.float64(0)
        for value in ordered:
            part += np.float64(value)
            if part >= top_p * total:
                least = max(least, value)
                break
    return max(least, min_p * ordered[0])


@strict
def draw(w: Vector, symbols: int, least: np.float32, uniform: float, sums: Vector) -> int:
    """Draw a symbol with probability p_k ∝ w_k among the symbols with w_k >= `least`.

    The result is the first symbol whose cumulative probability exceeds `uniform`.

    Args:
        w: (1, K), the weights.
        symbols: number of symbols without padding.
        least: the least weight to keep.
        uniform: a random number in [0, 1).
        sums: (K,) float64, workspace for the cumulative weights; overwritten.
    Returns: the index k.
    """
    total, last = np.float64(0), 0
    for k in range(symbols):
        if w[0, k] >= least and w[0, k] > ZERO:
            total += np.float64(w[0, k])
            last = k
        sums[k] = total
    target = uniform * total
    for k in range(last):  # the cumulative weight grows only at symbols that are kept
        if sums[k] > target:
            return k
    return last


@strict
def choose(x: Vector, sums: Vector, logits: Vector, logs: Vector, rules: Rules, s: int, uniform: float) -> int:
    """Choose the next symbol of stream s.

    Args:
        x: (1, K), workspace for the scores; overwritten.
        sums: (K,) float64, workspace of `draw`; overwritten.
        logits: (B, K), the network's z.
        logs: (B, K), the network's log p.
        rules: the sampling settings.
        s: index of the stream.
        uniform: a random number in [0, 1).
    Returns: the id of the symbol.
    """
    symbols = rules.seen.shape[1]
    scores(x, logits, logs, rules, s)
    if rules.temperature[s] == ZERO:
        return likeliest(x, symbols)
    weigh(x, rules.temperature[s])
    least = ZERO
    if rules.top_k[s] > 0 or rules.top_p[s] < 1.0 or rules.min_p[s] > ZERO:
        least = least_weight(x, symbols, rules.top_k[s], rules.top_p[s], rules.min_p[s])
    return draw(x, symbols, least, uniform, sums)
