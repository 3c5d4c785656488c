"""The initial weights of each cell, with the source of each choice. "sd" is a standard deviation.

W: the block (H, H) of each gate is a random orthogonal matrix, so that W h is as long as h at every time step. In a
relu network W is 0.5 times the identity.

U of an upper layer: N(0, 1/D). U of the first layer: N(0, sd^2) with sd = 2, or 1 for relu networks and the minGRU,
which do not saturate. In the first layer x is one-hot and U x is one column of U, so the sd of a unit's input is the sd
of U's elements. With sd = 2, different characters lead to clearly different hidden states from the first update on.

V: N(0, 1/H). The probabilities start near 1/K, because |h_i| < 1.

Q, R and their factors in the Mogrifier: N(0, 1/n) for n columns, so that q is small and each scale 2 sigmoid(q) near 1.

b and c: 0, except 1 for the LSTM's forget gate, so that the cell state lasts over many steps from the start.

Source: A. M. Saxe, J. L. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
neural networks", ICLR 2014 (orthogonal W); Y. LeCun et al., "Efficient BackProp", 1998 (variance 1/D); Q. V. Le,
N. Jaitly, G. E. Hinton, arXiv:1504.00941 (2015) (identity); R. Jozefowicz, W. Zaremba, I. Sutskever, "An empirical
exploration of recurrent network architectures", ICML 2015 (forget gate).

Measurements. The identity paper uses W = 1 times the identity and U with sd 0.001 for tasks that need the whole past.
Training here carries the state from update to update, so such a network sums up the whole text: its held-out loss was
3.1 nats a character, against 1.7 in the table. The table has the held-out loss in nats a character for several sd of U,
as the mean of two seeds: one layer of 128 units, 32 streams of 50 characters of the King James Bible, Adam, one cosine
cycle.

    sd of U                                  0.1     0.5     1       2       4       8
    LSTM, 300 updates                        2.008   1.891   1.742   1.627   1.598
    LSTM, 1500 updates                       1.489   1.413   1.319   1.239   1.235   1.275
    GRU, 300 updates                                 1.669   1.581   1.557
    GRU, 1000 updates                                        1.268   1.275   1.310
    elman, 300 updates                       1.993   1.860   1.786   1.735
    elman, 1000 updates                                      1.488   1.447   1.462
    relu with W = 0.5, 300 updates           2.157   1.970           1.721
    LSTM, two layers of 256, 300 updates             1.605   1.459   1.385   1.376

Differences: PyTorch draws all parameters, biases too, uniformly from ±1/sqrt(H): an sd of 0.05 at H = 128, with a loss
of 2.046 in the first row. Keras draws U and V uniformly from ±sqrt(6/(D + H)).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from recurra.network.cells import cell_of
from recurra.network.orthogonal import orthogonal
from recurra.system.random_streams import stream

if TYPE_CHECKING:
    import numpy.typing as npt

    from recurra.config import ModelConfig

CHARACTER_DEVIATION: Final = {"tanh": 2.0, "relu": 1.0}
RECTIFIED_IDENTITY: Final = 0.5


def character_deviation(config: ModelConfig) -> float:
    """Return the initial standard deviation of U in the first layer."""
    deviation = cell_of(config).input_deviation
    return CHARACTER_DEVIATION[config.activation] if deviation is None else deviation


def initial_values(config: ModelConfig, name: str, shape: tuple[int, ...], seed: int) -> npt.NDArray[np.float32]:
    """Return the initial float32 values of the parameter `name`; its random stream depends on `seed` and `name`."""
    kind = name.rpartition(".")[2]
    if len(shape) == 1:
        return _bias(config, kind, shape[0])
    if kind == "W":
        return _recurrent(config, seed, name)
    deviation = character_deviation(config) if name == "layers.0.U" else 1.0 / math.sqrt(shape[1])
    numbers = stream(seed, name).normal(shape[0] * shape[1]).reshape(shape)
    return (numbers * deviation).astype(np.float32)


def _bias(config: ModelConfig, kind: str, size: int) -> npt.NDArray[np.float32]:
    values = np.zeros(size, np.float32)
    spec = cell_of(config)
    for gate, value in spec.gate_biases.get(kind, {}).items():
        values[spec.gate_rows(gate, config.hidden_size)] = value
    return values


def _recurrent(config: ModelConfig, seed: int, name: str) -> npt.NDArray[np.float32]:
    H = config.hidden_size
    if config.activation == "relu":
        return np.float32(RECTIFIED_IDENTITY) * np.eye(H, dtype=np.float32)
    numbers = stream(seed, name)
    return np.concatenate([orthogonal(H, numbers) for _ in cell_of(config).gates]).astype(np.float32)
