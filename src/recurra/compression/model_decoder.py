"""Decode a stream with a trained network, which reads each symbol as soon as it is decoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recurra.compression.entropy_coding import Coded
from recurra.compression.kernels import model_decoding
from recurra.engines.stepper import Stepper

DECODED = 4096  # symbols of one call; Ctrl-C takes effect between two calls


class ModelDecoder:
    """The network of a `stepper` with one stream and a zero state."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._carry = stepper.zeros(1)
        self._logs = np.zeros((1, stepper.width), np.float32)

    def decode(self, coded: Coded, lengths: NDArray[np.int64], length: int) -> tuple[NDArray[np.int64], bool]:
        """Decode up to `DECODED` symbols; stop earlier if the symbols have `length` bytes together.

        Args:
            coded: the words, and the state of the coder, which is updated.
            lengths: (K,), the length of each symbol in bytes.
            length: number of bytes to decode.

        Returns:
            The ids, and True if an escape follows.
        """
        stepper = self._stepper
        ids, frequencies = np.zeros(min(DECODED, length), np.int64), np.zeros(stepper.symbols, np.int64)
        count, escape = model_decoding.decode(
            stepper.weights(1),
            self._carry,
            stepper.workspace(1),
            self._logs,
            coded.words,
            coded.state,
            coded.total,
            frequencies,
            lengths,
            length,
            ids,
            stepper.tile,
        )
        return ids[:count], escape
