"""Trains a small network with the kernels, samples and scores, and prints a digest of every bit: run in other modes.

Not a test: `test_fused.py` runs it as a subprocess with the JIT on, off, and for a generic CPU.
"""

import hashlib
import sys

import numpy as np

from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.engine import Start
from recurra.engines.fused import FusedEngine, FusedNetwork
from recurra.network.parameters import initialize
from recurra.system.random_streams import stream


def digest(hidden: int, symbols: int, steps: int, updates: int) -> str:
    config = ModelConfig(hidden_size=hidden)
    training = TrainingConfig(sequence_length=steps)
    engine = FusedEngine(config, training, Start(initialize(config, symbols, seed=1, scale=0.3)))
    ids = (stream(2, "ids").uniform(updates * steps + 1) * symbols).astype(np.int64)
    inputs, targets = ids[:-1].reshape(updates, steps, 1), ids[1:].reshape(updates, steps, 1)
    result = engine.train(inputs, targets, np.full(updates, 0.1, np.float32))
    network = FusedNetwork(engine.parameters())
    log_probabilities, state = network.log_probabilities(ids[: 2 * steps], engine.state())
    total = hashlib.sha256()
    arrays = [*engine.parameters().values(), *engine.optimizer_state().values(), state.h]
    for array in [result.losses, result.gradient_norms, log_probabilities, *arrays]:
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


if __name__ == "__main__":
    print(*(digest(*map(int, sizes.split(","))) for sizes in sys.argv[1:]))
