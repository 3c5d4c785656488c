"""Compression with a model: lossless, with damage detected, and of the size that the score predicts."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.compression import container, model_codec, model_decoder
from recurra.config import ModelConfig
from recurra.errors import CompressedFileError, ModelError
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary

SYMBOLS = "\n abcdeé中"
TEXT = "abba dad café\n中 be a bead, a cab\n" * 6  # the comma is unknown


def make_model(symbols: str = SYMBOLS, *, seed: int = 1, is_bytes: bool = False, **config: Any) -> LanguageModel:
    vocabulary = Vocabulary.bytes() if is_bytes else Vocabulary.of(symbols)
    network = ModelConfig(hidden_size=8, **config)
    return LanguageModel(network, vocabulary, initialize(network, len(vocabulary), seed=seed, scale=0.8))


MODELS = {
    "elman": make_model(),
    "lstm": make_model(cell="lstm", layers=2),
    "gru": make_model(cell="gru"),
    "bytes": make_model(is_bytes=True),
    "one symbol": make_model("a"),
}
MODEL = MODELS["elman"]


def compressed(data: bytes, model: LanguageModel = MODEL) -> bytes:
    target = io.BytesIO()
    model_codec.compress(model, io.BytesIO(data), target)
    return target.getvalue()


def decompressed(data: bytes, model: LanguageModel = MODEL, damaged: container.DamageCallback | None = None) -> bytes:
    target = io.BytesIO()
    model_codec.decompress(model, io.BytesIO(data), target, damaged=damaged)
    return target.getvalue()


pieces = st.one_of(
    st.binary(max_size=40), st.text(SYMBOLS, max_size=40).map(str.encode), st.text(max_size=20).map(str.encode)
)


@pytest.mark.parametrize("name", MODELS)
@given(data=st.lists(pieces, max_size=4).map(b"".join))
@settings(max_examples=40)
def test_round_trip_of_any_bytes_with_every_model(name: str, data: bytes) -> None:
    assert decompressed(compressed(data, MODELS[name]), MODELS[name]) == data


@pytest.mark.parametrize(
    "data",
    [
        b"", b"a", b"\x80", b"\xff", b"\xe4\xb8", "中".encode(), b"\r\n\x00", "\U0010ffff".encode(), b"\xef\xbb\xbfa"
    ],
)  # fmt: skip
def test_round_trip_of_short_and_unusual_bytes(data: bytes) -> None:
    amid = b"abba dad\n" * 20 + data + b"abba dad\n" * 20  # this is coded; `data` alone is stored uncompressed
    assert len(compressed(amid)) < len(amid)
    for whole in (data, amid):
        assert decompressed(compressed(whole)) == whole


@pytest.mark.parametrize("characters", [1, 100, 257, 10_000])
def test_chunk_length_changes_no_bit_of_the_file(monkeypatch: pytest.MonkeyPatch, characters: int) -> None:
    usual = compressed(TEXT.encode() * 3)
    assert decompressed(usual) == TEXT.encode() * 3
    monkeypatch.setattr(model_codec, "CHUNK", characters)
    assert compressed(TEXT.encode() * 3) == usual


@pytest.mark.parametrize("length", [4, 5, 100])
def test_round_trip_with_blocks_between_characters(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", length)
    data = (TEXT + "\U0001f600").encode() + b"\xf0\x9f\x98"
    blocks = list(container._blocks(io.BytesIO(data)))
    assert b"".join(blocks) == data
    assert max(map(len, blocks)) <= length
    assert all(block[0] < 0x80 or block[0] >= 0xC0 for block in blocks)
    assert decompressed(compressed(data)) == data


@pytest.mark.parametrize("symbols", [1, 3, 4096])
def test_symbols_per_call_do_not_change_the_text(monkeypatch: pytest.MonkeyPatch, symbols: int) -> None:
    monkeypatch.setattr(model_decoder, "DECODED", symbols)
    assert decompressed(compressed(TEXT.encode())) == TEXT.encode()


def test_slow_pipe_gives_the_same_file() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._rest = data

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            part, self._rest = self._rest[:7], self._rest[7:]
            buffer[: len(part)] = part
            return len(part)

    target = io.BytesIO()
    model_codec.compress(MODEL, io.BufferedReader(Pipe(TEXT.encode())), target)
    assert target.getvalue() == compressed(TEXT.encode())


def test_size_matches_the_score() -> None:
    text = "".join(np.random.default_rng(0).choice(list(SYMBOLS + ","), 3000))
    size = len(compressed(text.encode()))
    assert abs(size - MODEL.score(text).nats / math.log(2) / 8) < 64 + 0.001 * size


def test_every_bit_flip_raises() -> None:
    data = compressed(TEXT.encode() * 2)
    assert 200 < len(data) < 1024
    for place in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises((CompressedFileError, ModelError)):
            decompressed(bytes(flipped))


def test_truncation_and_trailing_bytes_raise() -> None:
    data = compressed(b"abba dad cafe")
    for length in range(len(data)):
        with pytest.raises(CompressedFileError):
            decompressed(data[:length])
    with pytest.raises(CompressedFileError, match="has bytes after its end"):
        decompressed(data + b"\0")


@pytest.mark.parametrize("other", [make_model(seed=2), make_model(SYMBOLS + "x"), MODELS["gru"]])
def test_another_model_raises(other: LanguageModel) -> None:
    with pytest.raises(ModelError, match=r"compressed with another model: [0-9a-f]{32}, not [0-9a-f]{32}"):
        decompressed(compressed(b"abba"), other)


def test_models_with_other_characters_have_other_names() -> None:
    first, second = make_model("abc"), make_model("abd")
    assert first.sha256 == second.sha256
    assert model_codec.name_of(first) != model_codec.name_of(second)


@pytest.mark.parametrize(("start", "match"), [
    (b"PK\3\4" + bytes(60), "not a file written by `recurra compress`"),
    (b"RCRA\x01\x01" + bytes(60), "version 1, kind 1"),
    (b"RCRA\x02\x07" + bytes(60), "version 2, kind 7"),
])  # fmt: skip
def test_foreign_file_or_version_raises(start: bytes, match: str) -> None:
    with pytest.raises(CompressedFileError, match=match):
        decompressed(start)


def test_file_compressed_without_a_model_raises() -> None:
    with pytest.raises(ModelError, match="without a model"):
        decompressed(b"RCRA\x02\x02" + bytes(60))


def test_salvage_skips_only_the_damaged_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 40)
    data = f"{39 * 'a'}é{TEXT}".encode()  # the first block ends before the é
    blocks = list(container._blocks(io.BytesIO(data)))
    assert len(blocks[0]) == 39
    whole = bytearray(compressed(data))
    first = 22 + 16 + (4 * int.from_bytes(whole[26:30], "little") or len(blocks[0]))
    whole[first + 20] ^= 1
    with pytest.raises(CompressedFileError, match="block 1 of the compressed file, from byte 39 of the text on"):
        decompressed(bytes(whole))
    errors: list[Any] = []
    assert decompressed(bytes(whole), damaged=errors.append) == b"".join(blocks[:1] + blocks[2:])
    assert len(errors) == 1


def test_salvage_of_a_truncated_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 40)
    data = TEXT.encode()
    blocks = list(container._blocks(io.BytesIO(data)))
    errors: list[Any] = []
    assert decompressed(compressed(data)[:-20], damaged=errors.append) == b"".join(blocks[:-1])
    assert ["it is incomplete" in str(error) for error in errors][-1]


def test_round_trip_with_an_overflowing_network() -> None:
    config = ModelConfig(hidden_size=8, activation="relu")
    parameters = initialize(config, len(SYMBOLS), seed=1, scale=1e6)
    model = LanguageModel(config, Vocabulary.of(SYMBOLS), parameters)
    logs, _ = model.reader.log_probabilities(model.vocabulary.encode("abba dad cab" * 9), model.zero_state())
    assert np.isnan(logs).any()
    assert decompressed(compressed(TEXT.encode(), model), model) == TEXT.encode()


def test_progress_ends_with_all_bytes() -> None:
    counts: list[Any] = []
    data = compressed(TEXT.encode())
    model_codec.decompress(MODEL, io.BytesIO(data), io.BytesIO(), lambda *pair: counts.append(pair))
    assert counts[-1] == (len(data), len(TEXT.encode()))


def test_incompressible_block_is_stored_uncompressed() -> None:
    data = bytes(range(128, 256)) * 2
    assert len(compressed(data)) == 22 + 16 + len(data) + 12
    assert decompressed(compressed(data)) == data
