"""Add characters to a trained network: U, V and c grow, and the predictions of the old characters do not change.

The new elements of the parameters are, for each new character:

    U   a column drawn from N(0, s^2), where s is the root mean square of the old columns
    V   a row of zeros; zeros also extend every other matrix with a row or a column for each character
    c   mean_k c_k - sum_j |mean_k V_kj| - 30

The logit of a new character is its element of c. If all |h_j| <= 1, the mean of the old logits is at least
mean_k c_k - sum_j |mean_k V_kj|, and the largest old logit is not smaller. Therefore a new logit is at least 30 below
the largest logit (about 40 in most networks). It adds at most e^-30 = 1e-13 to the softmax's sum of 1 or more, which is
a millionth of the smallest change that float32 can represent.

So the log-probabilities of the old characters keep their bits if the new characters follow them in the vocabulary. If a
new character comes between old ones, the exponentials are summed in another order, and the last bit may change. The h_j
of a relu network or a minGRU are not bounded, so the predictions of such a network may change.

The network can learn the new characters. The gradient of a logit is p - y: for a new character it is -1 if the
character is the target, and nearly 0 otherwise. Each occurrence raises c and changes the character's row of V. AdaGrad
with learning rate 0.1 and H = 100 needs about 20 occurrences; this number grows with the square of the distance of 30.
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

LOGIT_DISTANCE: Final = 30.0  # nats, from the largest logit down to a new one, at least


def grow(
    config: ModelConfig, parameters: Parameters, places: npt.NDArray[np.integer], symbols: int, *, seed: int
) -> dict[str, Array]:
    """Return the parameters of a network with K = `symbols` characters.

    `places` are the new ids of the old characters, in ascending order. `seed` selects the new columns of U.
    """
    new = np.setdiff1d(np.arange(symbols), places)
    grown = {name: spread(config, name, array, places, symbols) for name, array in parameters.items()}
    U, V, c = (parameters[name].astype(np.float64) for name in ("layers.0.U", "V", "c"))
    numbers = random_streams.stream(seed, "layers.0.U of new characters").normal(len(U) * len(new))
    grown["layers.0.U"][:, new] = numbers.reshape(-1, len(U)).T * np.sqrt(np.mean(U * U))
    grown["c"][new] = c.mean() - np.abs(V.mean(axis=0)).sum() - LOGIT_DISTANCE
    return grown


def spread(config: ModelConfig, name: str, array: Array, places: npt.NDArray[np.integer], symbols: int) -> Array:
    """Return a copy of `array` with zeros for the new characters.

    `name` is the name of a parameter, or of an array in the optimizer state, such as "squares.V".
    """
    axes = symbol_axes(config)
    axis = next((axis for key, axis in axes.items() if name == key or name.endswith(f".{key}")), None)
    if axis is None:
        return array.copy()
    shape = (*array.shape[:axis], symbols, *array.shape[axis + 1 :])
    result = np.zeros(shape, array.dtype)
    np.moveaxis(result, axis, 0)[places] = np.moveaxis(array, axis, 0)
    return result
