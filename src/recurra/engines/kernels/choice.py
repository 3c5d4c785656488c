"""Which character comes next: the rules of sampling on one stream's distribution, in strict float32.

The order is that of Hugging Face's `generate`: repetition penalty and banned characters on the logits z, then
temperature, top-k, top-p and min-p, then the draw. The three filters are thresholds on the weights
w_k = exp((z_k - max z) / temperature), so that characters of equal probability share one fate; the likeliest stays.
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
    """How each of S streams chooses; `inference.sampling.SamplingConfig` says what the names mean.

    temperature, min_p, penalty (S,) float32, top_k (S,) int64, top_p (S,) float64: 0 no temperature and no top-k
    bias (S, K wide) float32: added to the logits, -inf where a character is banned and where there is only padding
    seen (S, K) bool: whether the character was read or written; the penalty falls on these
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
    """x (1, K wide) = log p of stream s; with a penalty θ its logits, z / θ of a seen character, z θ where z < 0.

    After Keskar et al., "CTRL" (2019), equation in section 4.1, who divide negative logits too, which raises them.
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
    """The first k with the largest x_k; x (1, K wide)."""
    best = 0
    for k in range(1, symbols):
        if x[0, k] > x[0, best]:
            best = k
    return best


@strict
def weigh(x: Vector, temperature: np.float32) -> None:
    """x (1, K wide) becomes w_k = exp((x_k - max x) / temperature), not normalized; temperature > 0."""
    largest = lane_max(load(x, 0, 0, PAIR))
    for column in range(STEP, x.shape[1], STEP):
        largest = max(largest, lane_max(load(x, 0, column, PAIR)))
    for column in range(0, x.shape[1], STEP):
        store(x, 0, column, exp((load(x, 0, column, PAIR) - largest) / temperature))


@strict
def least_weight(w: Vector, symbols: int, top_k: int, top_p: float, min_p: np.float32) -> np.float32:
    """The least weight that the filters leave; w (1, K wide).

    top-k: the k-th largest (Fan et al., "Hierarchical neural story generation", 2018)
    top-p: the largest w such that weights of at least w have the share top_p of what top-k left (Holtzman et al.,
           "The curious case of neural text degeneration", 2020)
    min-p: min_p times the largest (Nguyen et al., "Turning up the heat: min-p sampling", 2024)
    Sums are in descending order, in float64. Others cut through equal weights as their sorting falls.
    """
    ordered = np.sort(w[0, :symbols])[::-1]
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
    """The k on which `uniform` in [0, 1) falls: p_k ∝ w_k where w_k >= `least`, summed in order of k in float64.

    sums (K,) float64 is room.
    """
    total, last = np.float64(0), 0
    for k in range(symbols):
        if w[0, k] >= least and w[0, k] > ZERO:
            total += np.float64(w[0, k])
            last = k
        sums[k] = total
    target = uniform * total
    for k in range(last):  # the sum grows only where a character is left
        if sums[k] > target:
            return k
    return last


@strict
def choose(x: Vector, sums: Vector, logits: Vector, logs: Vector, rules: Rules, s: int, uniform: float) -> int:
    """The id that stream s writes next.

    x (1, K wide) and sums (K,) float64 are room, logits and logs (S, K wide) the model's z and log p, `uniform` a
    number in [0, 1).
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
