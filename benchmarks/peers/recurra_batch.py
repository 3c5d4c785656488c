"""recurra: the engine that `recurra.train` selects for these settings, called like the trainer calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from peers.batch_setting import CLIP_NORM, RATE, Ids, Parameters, Shape
from recurra import engines
from recurra.config import TrainingConfig
from recurra.engines.engine import Start

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Peer:
    """A training; `train` continues it."""

    engine_name = "auto"

    def __init__(self, shape: Shape, parameters: Parameters, threads: int) -> None:
        training = TrainingConfig(
            sequence_length=shape.steps,
            batch_size=shape.batch,
            optimizer="adam",
            learning_rate=RATE,
            clip_value=None,
            clip_norm=CLIP_NORM,
            initial_scale=None,
            threads=threads,
            engine=self.engine_name,
            device="auto",
        )
        self.engine = engines.create(shape.config(), training, Start(parameters))
        self.engine.warm_up()

    def train(self, inputs: Ids, targets: Ids) -> NDArray[np.float64]:
        """Run one update for each of `inputs` and `targets` (n, T, B); return the losses (n,), each a sum in nats."""
        return self.engine.train(inputs, targets, np.full(len(inputs), RATE, np.float32)).losses
