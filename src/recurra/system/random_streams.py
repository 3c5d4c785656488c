"""Random streams with equal bits on every machine: Philox words, converted with + - * / and sqrt only.

NumPy's `Philox` (J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) generates the raw 64-bit
words; NumPy guarantees their sequence. NumPy's distributions have no such guarantee, and use the logarithm of the
platform's libm. This module therefore converts words to numbers with operations that IEEE 754 rounds equally on every
machine. Each word gives one number, so that the position in a stream is the count of numbers before it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_WORDS_PER_BLOCK = 4  # Philox 4x64

_SQRT_HALF = 0.7071067811865476
_LN2_HIGH = 0.693145751953125  # ln 2 in 15 bits, so that exponent * _LN2_HIGH is exact
_LN2_LOW = 1.4286068203094173e-06

# Wichura's PPND16: the coefficients of numerator and denominator in each region, constant term first.
_CENTRAL = (
    (
        3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
        4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
    ),
    (
        1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
        2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
    ),
)  # fmt: skip
_TAIL = (
    (
        1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550,
        3.64784832476320460504, 1.27045825245236838258, 2.41780725177450611770e-1,
        2.27238449892691845833e-2, 7.74545014278341407640e-4,
    ),
    (
        1.0, 2.05319162663775882187, 1.67638483018380384940,
        6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2,
        5.47593808499534494600e-4, 1.05075007164441684324e-9,
    ),
)  # fmt: skip
_FAR_TAIL = (
    (
        6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580,
        2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
        2.71155556874348757815e-5, 2.01033439929228813265e-7,
    ),
    (
        1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1,
        1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5,
        1.42151175831644588870e-7, 2.04426310338993978564e-15,
    ),
)  # fmt: skip


class Stream:
    """A named sequence of random numbers; equal seeds and names give equal bits on every machine.

    The key is the first 128 bits of sha256("SEED:NAME"), so that streams of different names are independent. The first
    `counter` numbers are skipped, in constant time.
    """

    def __init__(self, seed: int, name: str, counter: int = 0) -> None:
        digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
        block, within = divmod(counter, _WORDS_PER_BLOCK)
        key = np.frombuffer(digest[:16], dtype="<u8").astype(np.uint64)
        self._philox = np.random.Philox(key=key, counter=block)
        self._philox.random_raw(within)

    def words(self, n: int) -> npt.NDArray[np.uint64]:
        """Return the next n raw words, (n,) uint64."""
        return self._philox.random_raw(n)

    def uniform(self, n: int) -> Floats:
        """Return the next n numbers, uniform on the multiples of 2^-53 in [0, 1): (n,) float64, exact."""
        return (self.words(n) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def normal(self, n: int) -> Floats:
        """Return the next n numbers from N(0, 1): (n,) float64, within ±8.21.

        Each is the inverse normal distribution function of an odd multiple of 2^-53. These multiples are symmetric
        about 1/2, and never 0 or 1, where the result would be infinite.
        """
        return inverse_normal_cdf(((self.words(n) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52)


def stream(seed: int, name: str, counter: int = 0) -> Stream:
    """Return the stream `name` of the run's `seed`, after its first `counter` numbers."""
    return Stream(seed, name, counter)


def inverse_normal_cdf(p: Floats) -> Floats:
    """Return z with Phi(z) = p, for p (n,) in (0, 1); relative error about 1e-15.

    Source: M. J. Wichura, "Algorithm AS 241: The percentage points of the normal distribution",
    Applied Statistics 37 (1988) 477-484, function PPND16: a rational function in each of three regions.
    """
    q = p - 0.5
    z = np.empty_like(q)
    central = np.abs(q) <= 0.425
    z[central] = q[central] * _ratio(_CENTRAL, 0.180625 - q[central] * q[central])
    r = np.sqrt(-_log(np.minimum(p, 1.0 - p)[~central]))
    far = r > 5.0
    size = np.empty_like(r)
    size[~far] = _ratio(_TAIL, r[~far] - 1.6)
    size[far] = _ratio(_FAR_TAIL, r[far] - 5.0)
    z[~central] = np.where(q[~central] < 0.0, -size, size)
    return z


def _log(x: Floats) -> Floats:
    """Return ln x for positive normal x (n,), within about one unit in the last place.

        x = 2^k m,   m in [sqrt(1/2), sqrt(2))
        ln m = 2 artanh s,   s = (m - 1) / (m + 1),   |s| < 0.172

    The odd series of artanh needs 12 terms for an error below 2^-53.
    """
    m, k = np.frexp(x)  # exact
    low = m < _SQRT_HALF
    m = np.where(low, m * 2.0, m)
    exponent = np.where(low, k - 1, k).astype(np.float64)
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    series = np.full_like(s, 1.0 / 23.0)
    for denominator in range(21, 0, -2):
        series = series * square + 1.0 / denominator
    return exponent * _LN2_HIGH + (exponent * _LN2_LOW + 2.0 * s * series)


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], r: Floats) -> Floats:
    numerator, denominator = coefficients
    return _polynomial(numerator, r) / _polynomial(denominator, r)


def _polynomial(coefficients: tuple[float, ...], r: Floats) -> Floats:
    """Return sum_i coefficients[i] r^i, by Horner's rule."""
    total = np.full_like(r, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * r + coefficient
    return total
