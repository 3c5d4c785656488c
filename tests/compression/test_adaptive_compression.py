"""Adaptive compression: encoder and decoder learn the same network."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.compression import adaptive_compression, container
from recurra.config import ModelConfig
from recurra.errors import CompressedFileError

TEXT = b"In the beginning God created the heaven and the earth. And the earth was without form, and void; " * 8
MODEL = adaptive_compression.ADAPTIVE_MODEL


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptive_compression, "ADAPTIVE_MODEL", ModelConfig(cell="lstm", hidden_size=16))


def compressed(data: bytes) -> bytes:
    target = io.BytesIO()
    adaptive_compression.compress(io.BytesIO(data), target)
    return target.getvalue()


def decompressed(data: bytes, damaged: container.DamageCallback | None = None) -> bytes:
    target = io.BytesIO()
    adaptive_compression.decompress(io.BytesIO(data), target, damaged=damaged)
    return target.getvalue()


@given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(list(b"abc \n")), max_size=200).map(bytes)))
@settings(max_examples=25)
def test_round_trip_of_any_bytes(data: bytes) -> None:
    assert decompressed(compressed(data)) == data


def test_round_trip_beyond_the_initial_capacity() -> None:
    data = bytes(range(256)) * 3 + TEXT
    assert decompressed(compressed(data)) == data


def test_repeated_text_compresses_better() -> None:
    assert len(compressed(TEXT * 4)) < 3 * len(compressed(TEXT))


def test_learning_continues_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = len(compressed(TEXT))
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 100)
    data = compressed(TEXT)
    assert decompressed(data) == TEXT
    assert len(data) < whole + 30 * (len(TEXT) // 100 + 1)


def test_learning_from_an_uncompressed_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 64)
    noise = np.random.default_rng(0).bytes(64)
    data = noise + TEXT
    assert decompressed(compressed(data)) == data


def test_damage_raises() -> None:
    data = bytearray(compressed(TEXT))
    data[60] ^= 4
    with pytest.raises(CompressedFileError, match="block 0"):
        decompressed(bytes(data))


def test_only_the_first_occurrence_of_a_byte_is_escaped() -> None:
    """A new byte takes four bytes in the file; the other bytes are soon predicted."""
    data = b"".join(b"aaaaaaaa" + bytes([k]) for k in range(128, 192))
    assert len(compressed(data)) < 22 + 16 + 12 + 4 * 65 + 150


def test_learner_settings_match_the_format() -> None:
    """With other settings than in docs/compression.md, no older file could be decompressed."""
    training = adaptive_compression.TRAINING
    assert (MODEL.cell, MODEL.layers, MODEL.hidden_size) == ("lstm", 1, 200)
    assert (training.sequence_length, training.optimizer, training.learning_rate) == (16, "adam", 0.003)
    assert (training.clip_norm, training.clip_value, training.seed) == (20, None, 0)
    assert adaptive_compression.BYTE_VALUES == 256
    assert adaptive_compression.CONTEXTS == (6, 2**18, 0.7, 0.03)
