"""The masks of dropout between the layers.

Source: W. Zaremba, I. Sutskever, O. Vinyals, "Recurrent neural network regularization", arXiv:1409.2329 (2014):
only what goes up from layer to layer is dropped, never what goes on in time; one mask for all steps of a chunk is
that of Y. Gal, Z. Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks",
NIPS 2016. Others differ: PyTorch draws a new mask for every step; both papers also drop the inputs and the outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from recurra.errors import UsageError
from recurra.system.random_streams import stream as new_stream

if TYPE_CHECKING:
    from recurra.config import ModelConfig, TrainingConfig
    from recurra.system.random_streams import Stream


def dropout_masks(config: ModelConfig, batch: int, p: float, stream: Stream) -> npt.NDArray[np.float32]:
    """Masks (L - 1, B, H), one for the chunk above each layer but the last: 0 with probability p, else 1 / (1 - p).

    The mean of a mask is 1, so that nothing changes when the trained network runs without. 1 / (1 - p) is rounded
    to float32, the same in every engine. Takes (L - 1) · B · H numbers from `stream`.
    """
    if not 0 <= p < 1:
        raise UsageError(f"`dropout` must be a number from 0 to below 1; got {p!r}.")
    shape = (config.layers - 1, batch, config.hidden_size)
    kept = stream.uniform(shape[0] * shape[1] * shape[2]) >= p
    return np.where(kept, np.float32(1 / (1 - p)), np.float32(0)).reshape(shape)


def masks_of_update(config: ModelConfig, training: TrainingConfig, update: int) -> npt.NDArray[np.float32] | None:
    """The masks of update number `update` (from 0) of all streams; None where nothing is dropped."""
    p, batch = training.dropout, training.batch_size
    if p == 0 or config.layers == 1:
        return None
    drawn = (config.layers - 1) * batch * config.hidden_size
    return dropout_masks(config, batch, p, new_stream(training.seed, "dropout", update * drawn))
