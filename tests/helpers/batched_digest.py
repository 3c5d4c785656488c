"""Trains small networks in batches and prints digests of every bit: `test_batched.py` runs it in other modes."""

import hashlib

import numpy as np

from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.batched import BatchedEngine
from recurra.engines.engine import Start
from recurra.network.parameters import initialize
from recurra.system.random_streams import stream


def digest(cell: str, layers: int) -> str:
    config = ModelConfig(cell=cell, layers=layers, hidden_size=9)
    training = TrainingConfig(sequence_length=3, batch_size=9, shards=2, dropout=0.2, optimizer="adam", clip_norm=1.0)
    engine = BatchedEngine(config, training, Start(initialize(config, 5, seed=1, scale=0.3)))
    inputs, targets = (stream(2, "ids").uniform(2 * 2 * 27) * 5).astype(np.int64).reshape(2, 2, 3, 9)
    result = engine.train(inputs, targets, np.full(2, 0.01, np.float32))
    total = hashlib.sha256()
    arrays = [*engine.parameters().values(), *engine.optimizer_state().values(), *engine.state()]
    for array in [result.losses, result.gradient_norms, *arrays]:
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


if __name__ == "__main__":
    print(digest("elman", 1), digest("lstm", 2), digest("gru", 2))
