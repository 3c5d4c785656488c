"""Compression that learns as it goes: the decoder learns the same bits."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.config import ModelConfig, TrainingConfig
from recurra.engines.online import ContextConfig, OnlineLearner
from recurra.errors import CompressedFileError
from recurra.inference import adaptive_compression, container
from recurra.inference.coding import ESCAPE

TEXT = b"In the beginning God created the heaven and the earth. And the earth was without form, and void; " * 8


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(adaptive_compression, "MODEL", ModelConfig(cell="lstm", hidden_size=16))


def compressed(data):
    target = io.BytesIO()
    adaptive_compression.compress(io.BytesIO(data), target)
    return target.getvalue()


def decompressed(data, damaged=None):
    target = io.BytesIO()
    adaptive_compression.decompress(io.BytesIO(data), target, damaged=damaged)
    return target.getvalue()


@given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(list(b"abc \n")), max_size=200).map(bytes)))
@settings(max_examples=25)
def test_every_byte_string_comes_back(data):
    assert decompressed(compressed(data)) == data


def test_more_bytes_than_there_is_room_for_at_first():
    data = bytes(range(256)) * 3 + TEXT
    assert decompressed(compressed(data)) == data


def test_it_learns():
    assert len(compressed(TEXT * 4)) < 3 * len(compressed(TEXT))


def test_what_a_block_taught_serves_the_next(monkeypatch):
    whole = len(compressed(TEXT))
    monkeypatch.setattr(container, "BLOCK", 100)
    data = compressed(TEXT)
    assert decompressed(data) == TEXT
    assert len(data) < whole + 30 * (len(TEXT) // 100 + 1)


def test_a_block_kept_as_it_is_teaches_too(monkeypatch):
    monkeypatch.setattr(container, "BLOCK", 64)
    noise = np.random.default_rng(0).bytes(64)
    data = noise + TEXT
    assert decompressed(compressed(data)) == data


def test_damage_is_found_and_nothing_after_it_can_be_read():
    data = bytearray(compressed(TEXT))
    data[60] ^= 4
    with pytest.raises(CompressedFileError, match="block 0"):
        decompressed(bytes(data))


def learner():
    training = TrainingConfig(
        sequence_length=5, optimizer="adam", learning_rate=0.01, clip_value=None, initial_scale=None
    )
    return OnlineLearner(ModelConfig(cell="lstm", hidden_size=8), training, 300, ContextConfig(3, 64, 0.5, 0.1))


@given(cuts=st.lists(st.integers(1, 5), min_size=1, max_size=12))
@settings(max_examples=20)
def test_symbols_fed_one_by_one_or_together_are_expected_alike(cuts):
    together, alone = learner(), learner()
    for one in (together, alone):
        for _ in range(3):
            one.admit()
    symbols = np.random.default_rng(0).integers(0, 3, sum(cuts))
    start = 0
    for cut in cuts:
        n = min(cut, together.left)
        found = together.encode(symbols[start : start + n], ESCAPE)
        single = [alone.encode(symbols[i : i + 1], ESCAPE) for i in range(start, start + n)]
        assert np.array_equal(found, np.concatenate(single, axis=1))
        assert np.array_equal(together.logs, alone.logs)
        start += n


def test_room_for_more_symbols_changes_nothing_that_was_learned():
    small, symbols = learner(), np.arange(96)
    for _ in symbols:
        small.admit()
    assert small.is_full
    for start in range(0, 40, 5):
        small.encode(symbols[start : start + min(5, small.left)], ESCAPE)
    assert not small.is_full
    assert small.logs.shape[1] == 128
    assert np.isclose(np.exp(small.logs[0, :96].astype(float)).sum(), 1, atol=1e-5)
    assert np.all(small.logs[0, 96:] < -1e20)
