"""Decoding with a trained network: up to the requested length, and not beyond an escape."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.compression import model_decoder
from recurra.compression.entropy_coding import Coded
from recurra.compression.kernels import range_coder
from recurra.compression.model_decoder import ModelDecoder
from recurra.config import ModelConfig
from recurra.engines import create_network
from recurra.engines.stepper import Stepper
from recurra.network import network
from recurra.network.parameters import initialize

CONFIGS = [ModelConfig(hidden_size=7), ModelConfig(cell="lstm", hidden_size=5), ModelConfig(cell="gru", hidden_size=5)]
K, TOTAL = 6, 2**24 - 1
IDS = np.random.default_rng(0).integers(0, K, 20)
LENGTHS = np.array([1, 2, 3, 4, 1, 2])  # bytes of each symbol


class Stream:
    """The coded IDS with an escape after them, and a network that decodes them."""

    def __init__(self, config: ModelConfig) -> None:
        parameters = initialize(config, K, seed=1, scale=0.8)
        logs, _ = create_network(config, parameters).log_probabilities(IDS, network.zero_state(config, 1))
        rows = np.full((len(IDS), 8), -np.inf, np.float32)
        rows[0, :K], rows[1:, :K] = 0, logs[:-1]
        before, widths = np.full(len(IDS) + 1, TOTAL), np.ones(len(IDS) + 1, np.int64)
        exponentials = np.zeros((1, 8), np.float32)
        range_coder.intervals(rows, IDS, TOTAL, K, before[:-1], widths[:-1], exponentials)
        words, state = np.zeros(len(before) + 1, np.uint32), np.zeros(3, np.uint64)
        range_coder.start_encoding(state)
        range_coder.encode_all(words, state, before, widths)
        range_coder.finish(words, state)
        range_coder.start_decoding(state, words)
        self.coded, self._decoder = Coded(words, state, TOTAL), ModelDecoder(Stepper(config, parameters))

    def decode(self, length: int) -> tuple[list[int], bool]:
        ids, escape = self._decoder.decode(self.coded, LENGTHS, length)
        return ids.tolist(), escape


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.cell)
@pytest.mark.parametrize("length", [1, 2, 7, 1000])
def test_decoding_stops_at_length_and_escape(config: ModelConfig, length: int) -> None:
    stream, start, escape = Stream(config), 0, False
    while start < len(IDS):
        stop = start + 1  # the smallest stop whose symbols have the length
        while stop < len(IDS) and LENGTHS[IDS[start:stop]].sum() < length:
            stop += 1
        ids, escape = stream.decode(length)
        assert ids == IDS[start:stop].tolist()
        assert escape == (LENGTHS[ids].sum() < length)
        start = stop
    assert stream.decode(0) == ([], False)
    assert stream.decode(length) == ([], True)
    assert range_coder.point(stream.coded.state) == TOTAL  # the escape is next


def test_decoding_stops_at_symbols_per_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_decoder, "DECODED", 3)
    stream = Stream(CONFIGS[0])
    assert stream.decode(1000) == (IDS[:3].tolist(), False)
    assert stream.decode(1000) == (IDS[3:6].tolist(), False)
