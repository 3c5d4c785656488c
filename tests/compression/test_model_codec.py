"""Compression: every byte comes back, damage is found, and the size is what the score says."""

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
TEXT = "abba dad café\n中 be a bead, a cab\n" * 6  # the comma is not known


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
def test_every_byte_string_comes_back_from_every_model(name: str, data: bytes) -> None:
    assert decompressed(compressed(data, MODELS[name]), MODELS[name]) == data


@pytest.mark.parametrize(
    "data",
    [
        b"", b"a", b"\x80", b"\xff", b"\xe4\xb8", "中".encode(), b"\r\n\x00", "\U0010ffff".encode(), b"\xef\xbb\xbfa"
    ],
)  # fmt: skip
def test_the_shortest_and_the_strangest(data: bytes) -> None:
    amid = b"abba dad\n" * 20 + data + b"abba dad\n" * 20  # which is coded; alone they are kept as they are
    assert len(compressed(amid)) < len(amid)
    for whole in (data, amid):
        assert decompressed(compressed(whole)) == whole


@pytest.mark.parametrize("characters", [1, 100, 257, 10_000])
def test_how_much_the_network_reads_at_once_changes_no_bit(monkeypatch: pytest.MonkeyPatch, characters: int) -> None:
    usual = compressed(TEXT.encode() * 3)
    assert decompressed(usual) == TEXT.encode() * 3
    monkeypatch.setattr(model_codec, "CHUNK", characters)
    assert compressed(TEXT.encode() * 3) == usual


@pytest.mark.parametrize("length", [4, 5, 100])
def test_blocks_end_where_characters_do_and_come_back(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", length)
    data = (TEXT + "\U0001f600").encode() + b"\xf0\x9f\x98"
    blocks = list(container._blocks(io.BytesIO(data)))
    assert b"".join(blocks) == data
    assert max(map(len, blocks)) <= length
    assert all(block[0] < 0x80 or block[0] >= 0xC0 for block in blocks)
    assert decompressed(compressed(data)) == data


@pytest.mark.parametrize("symbols", [1, 3, 4096])
def test_what_is_decoded_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch, symbols: int) -> None:
    monkeypatch.setattr(model_decoder, "DECODED", symbols)
    assert decompressed(compressed(TEXT.encode())) == TEXT.encode()


def test_a_pipe_that_gives_little_at_a_time_makes_the_same_file() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._rest = data

        def readable(self) -> bool:
            return True

        def readinto(self, room: Any) -> int:
            part, self._rest = self._rest[:7], self._rest[7:]
            room[: len(part)] = part
            return len(part)

    target = io.BytesIO()
    model_codec.compress(MODEL, io.BufferedReader(Pipe(TEXT.encode())), target)
    assert target.getvalue() == compressed(TEXT.encode())


def test_the_size_is_what_the_score_says() -> None:
    text = "".join(np.random.default_rng(0).choice(list(SYMBOLS + ","), 3000))
    size = len(compressed(text.encode()))
    assert abs(size - MODEL.score(text).nats / math.log(2) / 8) < 64 + 0.001 * size


def test_every_bit_flip_is_found() -> None:
    data = compressed(TEXT.encode() * 2)
    assert 200 < len(data) < 1024
    for place in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises((CompressedFileError, ModelError)):
            decompressed(bytes(flipped))


def test_every_truncation_and_anything_after_the_end_is_found() -> None:
    data = compressed(b"abba dad cafe")
    for length in range(len(data)):
        with pytest.raises(CompressedFileError):
            decompressed(data[:length])
    with pytest.raises(CompressedFileError, match="goes on after its end"):
        decompressed(data + b"\0")


@pytest.mark.parametrize("other", [make_model(seed=2), make_model(SYMBOLS + "x"), MODELS["gru"]])
def test_another_model_is_refused(other: LanguageModel) -> None:
    with pytest.raises(ModelError, match=r"compressed with another model: [0-9a-f]{32}, not [0-9a-f]{32}"):
        decompressed(compressed(b"abba"), other)


def test_a_model_of_the_same_parameters_and_other_characters_is_another() -> None:
    first, second = make_model("abc"), make_model("abd")
    assert first.sha256 == second.sha256
    assert model_codec.name_of(first) != model_codec.name_of(second)


@pytest.mark.parametrize(("start", "match"), [
    (b"PK\3\4" + bytes(60), "no file that `recurra compress` wrote"),
    (b"RCRA\x02\x01" + bytes(60), "version 2, kind 1"),
    (b"RCRA\x01\x07" + bytes(60), "version 1, kind 7"),
])  # fmt: skip
def test_other_files_are_told(start: bytes, match: str) -> None:
    with pytest.raises(CompressedFileError, match=match):
        decompressed(start)


def test_a_file_compressed_without_a_model_says_so() -> None:
    with pytest.raises(ModelError, match="without a model"):
        decompressed(b"RCRA\x01\x02" + bytes(60))


def test_a_damaged_block_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 40)
    data = f"{39 * 'a'}é{TEXT}".encode()  # the first block ends before the é
    blocks = list(container._blocks(io.BytesIO(data)))
    assert len(blocks[0]) == 39
    whole = bytearray(compressed(data))
    first = 22 + 16 + (4 * int.from_bytes(whole[26:30], "little") or len(blocks[0]))
    whole[first + 20] ^= 1
    with pytest.raises(CompressedFileError, match="block 1 of the compressed file, from byte 39 of the text on"):
        decompressed(bytes(whole))
    told: list[Any] = []
    assert decompressed(bytes(whole), damaged=told.append) == b"".join(blocks[:1] + blocks[2:])
    assert len(told) == 1


def test_of_a_file_that_is_cut_off_the_whole_blocks_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 40)
    data = TEXT.encode()
    blocks = list(container._blocks(io.BytesIO(data)))
    told: list[Any] = []
    assert decompressed(compressed(data)[:-20], damaged=told.append) == b"".join(blocks[:-1])
    assert ["a part of it is missing" in str(error) for error in told][-1]


def test_a_network_that_overflows_compresses_too() -> None:
    config = ModelConfig(hidden_size=8, activation="relu")
    parameters = initialize(config, len(SYMBOLS), seed=1, scale=1e6)
    model = LanguageModel(config, Vocabulary.of(SYMBOLS), parameters)
    logs, _ = model.reader.log_probabilities(model.vocabulary.encode("abba dad cab" * 9), model.zero_state())
    assert np.isnan(logs).any()
    assert decompressed(compressed(TEXT.encode(), model), model) == TEXT.encode()


def test_all_bytes_are_told() -> None:
    told: list[Any] = []
    data = compressed(TEXT.encode())
    model_codec.decompress(MODEL, io.BytesIO(data), io.BytesIO(), lambda *counts: told.append(counts))
    assert told[-1] == (len(data), len(TEXT.encode()))


def test_what_cannot_be_made_shorter_is_kept_as_it_is() -> None:
    data = bytes(range(128, 256)) * 2
    assert len(compressed(data)) == 22 + 16 + len(data) + 12
    assert decompressed(compressed(data)) == data
