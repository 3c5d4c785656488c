"""Draw the dropout masks between the layers.

Dropout acts on the hidden states that a layer passes to the layer above, never on the hidden states that a layer passes
to its next time step. One mask holds for all T steps of an update.

Source: W. Zaremba, I. Sutskever, O. Vinyals, "Recurrent neural network regularization", arXiv:1409.2329 (2014), for
dropout between layers only; Y. Gal, Z. Ghahramani, "A theoretically grounded application of dropout in recurrent neural
networks", NIPS 2016, for one mask for all time steps.

Differences: PyTorch draws a new mask for every time step; both papers also drop inputs and outputs.
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
    """Return masks (L - 1, B, H) for all layers but the top one: 0 with probability p, else 1 / (1 - p).

    The expected value of an element is 1, so the trained network needs no rescaling when it runs without dropout.
    1 / (1 - p) is rounded to float32, as in every engine. The function draws (L - 1) · B · H numbers from `stream`.
    Raises UsageError if p is not in [0, 1).
    """
    if not 0 <= p < 1:
        raise UsageError(f"`dropout` must be a number from 0 to below 1; got {p!r}.")
    shape = (config.layers - 1, batch, config.hidden_size)
    kept = stream.uniform(shape[0] * shape[1] * shape[2]) >= p
    return np.where(kept, np.float32(1 / (1 - p)), np.float32(0)).reshape(shape)


def masks_of_update(config: ModelConfig, training: TrainingConfig, update: int) -> npt.NDArray[np.float32] | None:
    """Return the masks of all streams for update number `update` (from 0); None if the network has no dropout."""
    p, batch = training.dropout, training.batch_size
    if p == 0 or config.layers == 1:
        return None
    drawn = (config.layers - 1) * batch * config.hidden_size
    return dropout_masks(config, batch, p, new_stream(training.seed, "dropout", update * drawn))
