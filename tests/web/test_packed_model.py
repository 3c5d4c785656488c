"""The bytes of a packed model: the header, then the parameters, aligned to four bytes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from recurra.config import ModelConfig
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary
from recurra.web.packed_model import pack


@pytest.mark.parametrize("update", [None, 7, 12_345])
def test_packed_model_has_header_and_parameters(update: int | None) -> None:
    config, vocabulary = ModelConfig(cell="gru", layers=2, hidden_size=5), Vocabulary.of("ab\né😀")
    model = LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=3, scale=0.1))
    data = pack(model, update)
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    assert length % 4 == 0
    assert header["vocabulary"] == [ord(character) for character in "\nabé😀"]
    assert (header["update"], header["cell"], header["layers"], header["hidden_size"]) == (update, "gru", 2, 5)
    losses = model.score(header["witness"]["text"]).losses
    assert losses is not None
    assert header["witness"]["nats"] == pytest.approx(losses[1:].tolist(), abs=1e-6)
    parameters = dict(model.parameters)
    numbers = np.frombuffer(data, "<f4", offset=4 + length)
    for name, shape in header["tensors"]:
        size = int(np.prod(shape))
        np.testing.assert_array_equal(numbers[:size].reshape(shape), parameters.pop(name))
        numbers = numbers[size:]
    assert not parameters
    assert not numbers.size


def test_relu_network_has_a_different_cell_name() -> None:
    config, vocabulary = ModelConfig(activation="relu", hidden_size=3), Vocabulary.of("ab")
    data = pack(LanguageModel(config, vocabulary, initialize(config, 2, seed=0)))
    assert b'"cell":"elman_relu"' in data
