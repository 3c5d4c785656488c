"""Train, score and sample with small networks, and print a digest of all resulting bits.

`test_same_bits.py` runs this program with the JIT, without the JIT, and for a generic CPU.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.batched import BatchedEngine, BatchedNetwork
from recurra.engines.engine import Start
from recurra.engines.fused import FusedEngine
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.system.random_streams import stream
from recurra.text.vocabulary import Vocabulary

RULES: dict[str, Any] = {
    "temperature": 0.9, "top_k": 15, "top_p": 0.95, "min_p": 0.02, "repetition_penalty": 1.2, "ban": "d",
}  # fmt: skip


def fused(hidden: int, symbols: int, steps: int, updates: int) -> str:
    """Train a network with the fused kernels, and score a text with it."""
    config = ModelConfig(hidden_size=hidden)
    training = TrainingConfig(sequence_length=steps)
    engine = FusedEngine(config, training, Start(initialize(config, symbols, seed=1, scale=0.3)))
    ids = (stream(2, "ids").uniform(updates * steps + 1) * symbols).astype(np.int64)
    inputs, targets = ids[:-1].reshape(updates, steps, 1), ids[1:].reshape(updates, steps, 1)
    result = engine.train(inputs, targets, np.full(updates, 0.1, np.float32))
    network = BatchedNetwork(config, engine.parameters())
    log_probabilities, state = network.log_probabilities(ids[: 2 * steps], engine.state())
    arrays = [*engine.parameters().values(), *engine.optimizer_state().values(), state.h]
    return digest([result.losses, result.gradient_norms, log_probabilities, *arrays])


def batched(cell: str, layers: int) -> str:
    """Train a network in batches."""
    config = ModelConfig(cell=cell, layers=layers, hidden_size=9)
    training = TrainingConfig(sequence_length=3, batch_size=9, shards=2, dropout=0.2, optimizer="adam", clip_norm=1.0)
    engine = BatchedEngine(config, training, Start(initialize(config, 5, seed=1, scale=0.3)))
    inputs, targets = (stream(2, "ids").uniform(2 * 2 * 27) * 5).astype(np.int64).reshape(2, 2, 3, 9)
    result = engine.train(inputs, targets, np.full(2, 0.01, np.float32))
    arrays = [*engine.parameters().values(), *engine.optimizer_state().values(), *engine.state()]
    return digest([result.losses, result.gradient_norms, *arrays])


def stepping(cell: str, layers: int) -> str:
    """Sample from a network, with all sampling rules and without any."""
    vocabulary = Vocabulary.of("\n" + "".join(chr(97 + k) for k in range(20)))
    config = ModelConfig(cell=cell, hidden_size=11, layers=layers)
    model = LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1, scale=0.4))
    arrays: list[np.ndarray] = []
    for settings in ({}, RULES):
        for sample in model.samples("abc", max_new_tokens=12, num_return_sequences=9, **settings):
            arrays += [np.frombuffer(sample.symbols.encode(), np.uint8), sample.log_probabilities]
    return digest(arrays)


def digest(arrays: list[np.ndarray]) -> str:
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


if __name__ == "__main__":
    print("fused", fused(5, 7, 3, 4), fused(140, 33, 9, 3))
    print("batched", batched("elman", 1), batched("lstm", 2), batched("gru", 2))
    print("stepping", *(stepping(*kind) for kind in (("elman", 1), ("elman", 2), ("lstm", 2), ("gru", 1))))
