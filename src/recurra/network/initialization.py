"""Initial weights of each cell, each choice with its source.

    W   each gate's block (H, H) orthogonal, so that W h is as long as h, step after step: A. M. Saxe,
        J. L. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
        networks", ICLR 2014. Of rectified units the identity times 0.5: Q. V. Le, N. Jaitly, G. E. Hinton,
        arXiv:1504.00941 (2015), which takes 1 for tasks that need all of the past and less for those that do not.
        Here the state is carried from chunk to chunk and with 1 sums up the whole text: held out, 3.1 nats a character
        with the paper's U of deviation 0.001, where the table below has 1.7.
    U   N(0, 1/D) for the D inputs of an upper layer (Y. LeCun et al., "Efficient BackProp", 1998). A character is one
        active input of K: U x is a column of U, whatever K and H are, and the deviation of a unit's input is that of
        U's elements, not a sum's. It is 2 (of rectified units and the minGRU, which do not saturate, 1), so that
        different characters put the units into different states from the first update on; see below.
    V   N(0, 1/H): probabilities begin near 1/K, for |h_i| < 1.
    Q, R  of the Mogrifier's rounds N(0, 1/D), like U of an upper layer: q is small and each scale 2 sigmoid(q) near
        1, as the paper intends. Each factor of low rank likewise, so that their product has the same deviation.
    b   0, but for the LSTM's forget gate 1, so that its memory lasts to begin with: R. Jozefowicz, W. Zaremba,
        I. Sutskever, "An empirical exploration of recurrent network architectures", ICML 2015. c is 0.

U's deviation was measured: one layer of 128 units, 32 streams of 50 characters of the King James Bible, Adam with one
cosine cycle, held-out nats a character, the mean of two seeds.

    deviation                                0.1     0.5     1       2       4       8
    LSTM, 300 updates                        2.008   1.891   1.742   1.627   1.598
    LSTM, 1500 updates                       1.489   1.413   1.319   1.239   1.235   1.275
    GRU, 300 updates                                 1.669   1.581   1.557
    GRU, 1000 updates                                        1.268   1.275   1.310
    elman, 300 updates                       1.993   1.860   1.786   1.735
    elman, 1000 updates                                      1.488   1.447   1.462
    relu with W = 0.5, 300 updates           2.157   1.970           1.721
    LSTM, two layers of 256, 300 updates             1.605   1.459   1.385   1.376

Others differ: PyTorch draws everything, biases too, uniformly from ±1/sqrt(H) (deviation 0.05 at H = 128; 2.046 in the
first row), Keras U and V from ±sqrt(6/(D + H)).
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
    """Return the deviation of U in the first layer."""
    own = cell_of(config).input_deviation
    return CHARACTER_DEVIATION[config.activation] if own is None else own


def initial_values(config: ModelConfig, name: str, shape: tuple[int, ...], seed: int) -> npt.NDArray[np.float32]:
    """The initial values of the parameter `name`, float32; a matrix has the random stream of its own name."""
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
