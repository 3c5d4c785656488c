"""Add characters to a trained network: U, V and c grow, and its predictions of the old characters stay.

    U   a column N(0, s^2) for each, s the root mean square of the old columns: a size that the network can tell apart
        (see `initialization`); the old text has none of these characters, so that no old prediction sees them
    V   a row of zeros, as in every other matrix with a row or column for each character
    c   mean_k c_k - sum_j |mean_k V_kj| - 30

For |h_j| <= 1 some old logit is at least mean_k (c_k + V_k h) >= mean_k c_k - sum_j |mean_k V_kj|, so that a new one,
which is its bias, lies 30 or more below the largest, and mostly 40. In the softmax it adds e^-30 = 1e-13 at most to a
sum of 1 or more: in float32 a millionth of what could round it to another number. So the log-probabilities of the old
characters are the same bits where the new ones come behind them. Where one comes between, the old logits are the same
bits still, but the same exponentials are summed up in another order, and the last bit of the sum may differ. The h of
a rectified network and of a minGRU has no bound, so that there nothing is promised.

They can be learned all the same. The gradient of a logit is p - y, of a new character -1 where it is the target and
nearly 0 elsewhere: each time that it occurs, c and its row of V move toward it. AdaGrad at 0.1 with m = 100 brings it
up in some twenty occurrences; with AdaGrad their number grows with the square of the distance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from recurra.network.parameters import symbol_axes
from recurra.system import random_streams

if TYPE_CHECKING:
    import numpy.typing as npt

    from recurra.config import ModelConfig
    from recurra.network.parameters import Array, Parameters

SILENCE: Final = 30.0  # nats below the largest logit, at least


def grow(
    config: ModelConfig, parameters: Parameters, places: npt.NDArray[np.integer], symbols: int, *, seed: int
) -> dict[str, Array]:
    """The parameters of K = `symbols` characters, of which the old ones have the ids `places`, in ascending order."""
    new = np.setdiff1d(np.arange(symbols), places)
    grown = {name: spread(config, name, array, places, symbols) for name, array in parameters.items()}
    U, V, c = (parameters[name].astype(np.float64) for name in ("layers.0.U", "V", "c"))
    numbers = random_streams.stream(seed, "layers.0.U of new characters").normal(len(U) * len(new))
    grown["layers.0.U"][:, new] = numbers.reshape(-1, len(U)).T * np.sqrt(np.mean(U * U))
    grown["c"][new] = c.mean() - np.abs(V.mean(axis=0)).sum() - SILENCE
    return grown


def spread(config: ModelConfig, name: str, array: Array, places: npt.NDArray[np.integer], symbols: int) -> Array:
    """A copy of `array`, the parameter `name` or what an optimizer keeps of it, with zeros for the new characters."""
    axes = symbol_axes(config)
    axis = next((axis for own, axis in axes.items() if name == own or name.endswith(f".{own}")), None)
    if axis is None:
        return array.copy()
    shape = (*array.shape[:axis], symbols, *array.shape[axis + 1 :])
    result = np.zeros(shape, array.dtype)
    np.moveaxis(result, axis, 0)[places] = np.moveaxis(array, axis, 0)
    return result
