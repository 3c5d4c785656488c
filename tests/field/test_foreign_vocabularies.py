"""The vocabularies of other programs' networks: usual names, special symbols, tokenizers, other decodings."""

from __future__ import annotations

import json
import pickle
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import recurra
from recurra.config import ModelConfig
from recurra.errors import ModelError, RecurraError, UsageError
from recurra.interop.torch_state import to_state
from recurra.interop.vocabulary_json import from_json
from recurra.network.parameters import initialize

ORDER = "b\n😀a"
IDS = {character: number for number, character in enumerate(ORDER)}
BY_ID = {str(number): character for character, number in IDS.items()}
KERAS = {"class_name": "Tokenizer", "config": {"char_level": True, "word_index": json.dumps({"b": 1, "a": 2})}}
USUAL: list[Any] = [
    {"stoi": IDS, "itos": BY_ID},
    {"stoi": IDS, "itos": list(ORDER)},
    {"vocab_size": 4, "itos": BY_ID, "stoi": IDS},
    {"epoch": 3, "loss": 1.5, "args": {"data": "input.txt", "vocab": {"itos": list(ORDER)}}},
    {"char_to_ix": IDS, "ix_to_char": BY_ID, "hidden_size": 100},
    {"chars": ORDER, "vocab": "input.txt"},
    {"model": {"type": "WordLevel", "vocab": IDS}},
    {"model": {"type": "BPE", "vocab": {"b": 0, "\n": 1}, "merges": []}, "added_tokens": [
        {"id": 2, "content": "😀", "special": True}, {"id": 3, "content": "a"}]},
    {"model": {"type": "Unigram", "vocab": [["b", 0.0], ["\n", -1.5], ["😀", -2], ["a", -3]]}},
    {character: str(number) for character, number in IDS.items()},
]  # fmt: skip


def points(value: Any) -> list[int]:
    return from_json(json.dumps(value).encode(), "ids.json").points.tolist()


@pytest.mark.parametrize("value", USUAL, ids=lambda value: str(list(value))[:40])
def test_usual_names_and_tokenizers(value: Any) -> None:
    assert points(value) == [ord(character) for character in ORDER]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_json_in_the_encodings_of_windows(encoding: str) -> None:
    assert from_json(json.dumps(ORDER, ensure_ascii=False).encode(encoding), "x").points.tolist() == points(ORDER)


def test_special_symbols_have_private_characters() -> None:
    tokens = ["<pad>", "a", "<eos>", "[UNK]", "", "<|endoftext|>", "PAD", "\ue001"]
    found = from_json(json.dumps(tokens).encode(), "ids.json")
    assert found.points.tolist() == [0xE000, ord("a"), 0xE002, 0xE003, 0xE004, 0xE005, 0xE006, 0xE001]
    assert dict(found.stand_ins)["<eos>"] == 0xE002


def test_spelled_characters_are_those_characters() -> None:
    assert points(["<space>", "\\n", "<TAB>", "a"]) == [32, 10, 9, 97]
    assert points(["<space>", " "]) == [0xE000, 32]


def test_spaces_and_bytes_of_tokenizers() -> None:
    metaspace = {"model": {"vocab": {"▁": 0, "a": 1}}, "decoder": {"type": "Metaspace"}}
    assert points(metaspace) == [32, 97]
    byte_level = {"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "ByteLevel"}]}
    ascii_only = {"model": {"vocab": {"Ġ": 1, "Ċ": 2, "a": 3, "<s>": 0}}, "pre_tokenizer": byte_level}
    assert points(ascii_only) == [0xE000, 32, 10, 97]
    with pytest.raises(ModelError, match="its symbols are bytes, but not exactly the 256 bytes"):
        points({"model": {"vocab": {"Ã": 0, "a": 1}}, "decoder": {"type": "ByteLevel"}})
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    vocabulary = {chr(byte): byte for byte in visible} | {chr(256 + n): byte for n, byte in enumerate(hidden)}
    every = {"model": {"vocab": vocabulary}, "pre_tokenizer": {"type": "ByteLevel"}}
    found = from_json(json.dumps(every).encode(), "tokenizer.json")
    assert (found.points.tolist(), found.is_bytes) == (list(range(256)), True)


WRONG: list[tuple[Any, str]] = [
    ({"stoi": IDS, "itos": list("ab\n😀")}, "`stoi` and `itos` are different vocabularies"),
    ({"stoi": {"the": 0, "a": 1}}, "'the' is not a single character"),
    ({"model": {"vocab": {"th": 0}}}, "'th' is not a single character"),
    ({"model": {"vocab": 3}}, "its vocabulary does not map tokens to ids"),
    ({"model": {"vocab": {"a": "b"}}}, "its vocabulary does not map tokens to ids"),
    ({"vocab": "input.txt", "epoch": 3, "x": []}, "neither ids nor one of the usual names"),
    ({"vocab": {"vocab": {"vocab": {"vocab": {"x": [], "vocab": 1}}}}}, "neither ids nor one of the usual names"),
    ({"one": {"vocab": ["a"]}, "other": {"vocab": ["b"]}}, "`vocab` and `vocab` are different vocabularies"),
    (json.loads('{"vocab":' * 700 + "1" + "}" * 700), "its vocabulary is nested too deeply"),
    (["a", "b", "a"], "'a' occurs twice"),
    ([f"<{n}>" for n in range(6401)], "more than 6,400 symbols are not single characters"),
    ({"word_index": '{"'}, "Unterminated string"),
    ({"a": 3, "b": 4}, "the ids of 2 characters are not 0 to 1"),
    ({"a": -1, "b": 10**30}, "the ids of 2 characters are not 0 to 1"),
]


@pytest.mark.parametrize(("value", "words"), WRONG, ids=[words for _, words in WRONG])
def test_invalid_vocabulary_is_an_error(value: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        points(value)


CONFIG = ModelConfig(hidden_size=3)


def network(folder: Path, K: int, **metadata: str) -> Path:
    """Return a state_dict of K symbols as another program saves it."""
    path = folder / f"{K}.safetensors"
    save_file(to_state(CONFIG, initialize(CONFIG, K, seed=1)), path, metadata=metadata)
    return path


def test_ids_from_one(tmp_path: Path) -> None:
    """The Tokenizer of Keras reserves id 0 for padding; other programs count from 1."""
    (tmp_path / "ids.json").write_text(json.dumps(KERAS))
    assert recurra.import_model(network(tmp_path, 2), vocabulary=tmp_path / "ids.json").vocabulary.symbols == "ab"
    with pytest.warns(UserWarning, match=r"represent the symbols that are not single characters: '<0>' U\+E000\."):
        model = recurra.import_model(network(tmp_path, 3), vocabulary=tmp_path / "ids.json")
    assert model.vocabulary.symbols == "ab\ue000"
    with pytest.raises(ModelError, match="the vocabulary has 3 characters, the network 4"):
        recurra.import_model(network(tmp_path, 4), vocabulary=tmp_path / "ids.json")


def test_padded_network_keeps_every_probability(tmp_path: Path) -> None:
    path = network(tmp_path, 5)
    (tmp_path / "ids.json").write_text(json.dumps({"stoi": {"<pad>": 0, "<unk>": 1, "b": 2, "a": 3, " ": 4}}))
    with pytest.warns(UserWarning, match="private Unicode characters represent the symbols"):
        padded = recurra.import_model(path, vocabulary=tmp_path / "ids.json")
    (tmp_path / "ids.json").write_text('"\\u0001\\u0002ba "')
    plain = recurra.import_model(path, vocabulary=tmp_path / "ids.json")
    assert padded.score("ab ba").nats_per_character == pytest.approx(plain.score("ab ba").nats_per_character, rel=1e-6)


def test_the_vocabulary_in_the_metadata(tmp_path: Path) -> None:
    path = network(tmp_path, 4, vocabulary=json.dumps({"chars": list(ORDER)}))
    assert recurra.import_model(path).vocabulary.symbols == "".join(sorted(ORDER))
    (tmp_path / "other.json").write_text('"wxyz"')
    assert recurra.import_model(path, vocabulary=tmp_path / "other.json").vocabulary.symbols == "wxyz"
    for told, words in (("x", "Expecting value"), ('"\\ud800"', "has a surrogate, which is no character")):
        with pytest.raises(ModelError, match=words):
            recurra.import_model(network(tmp_path, 1, vocabulary=told))


def test_pickled_vocabulary_is_refused_with_a_command(tmp_path: Path) -> None:
    (tmp_path / "meta.pkl").write_bytes(pickle.dumps({"stoi": IDS, "itos": dict(enumerate(ORDER))}))
    with pytest.raises(
        ModelError, match=r"meta.pkl` is a pickle, which recurra does not read, since it can run any code"
    ) as error:
        recurra.import_model(network(tmp_path, 4), vocabulary=tmp_path / "meta.pkl")
    assert error.value.hint is not None
    _run(error.value.hint.partition("`")[2].partition("`")[0])
    model = recurra.import_model(network(tmp_path, 4), vocabulary=tmp_path / "meta.json")
    assert model.vocabulary.symbols == "".join(sorted(ORDER))


def _run(command: str) -> None:
    """Run the command of a hint in a shell."""
    program, *arguments = shlex.split(command)
    assert program == "python"
    subprocess.run([sys.executable, *arguments], check=True)


READINGS = [
    (b"ab\r\nba", "\nab", None),
    (b"ab\r\nba", "\n\rab", "with its CR"),
    (b"ab\rba", "\nab", None),
    (b"\xef\xbb\xbfab\nba", "\nab", None),
    (b"\xef\xbb\xbfab\nba", "\nab\ufeff", "with its byte order mark"),
    (b"\xef\xbb\xbfab\r\nba", "\nab", None),
    (b"\xef\xbb\xbfab\r\nba", "\n\rab\ufeff", "with its byte order mark and CR"),
]


@pytest.mark.parametrize(("text", "symbols", "words"), READINGS, ids=range(len(READINGS)))
def test_size_of_network_selects_reading_of_text(tmp_path: Path, text: bytes, symbols: str, words: str | None) -> None:
    (tmp_path / "book.txt").write_bytes(text)
    path = network(tmp_path, len(symbols))
    if words is None:
        model = recurra.import_model(path, sources=tmp_path / "book.txt")
    else:
        with pytest.warns(
            UserWarning, match=f"the text is read {words}, since the network has {len(symbols)} characters"
        ):
            model = recurra.import_model(path, sources=tmp_path / "book.txt")
    assert model.vocabulary.symbols == symbols


def test_several_readings_that_fit(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes(b"\xef\xbb\xbfab\r\nba")
    with pytest.raises(UsageError, match=r"in several readings: with its byte order mark or with its CR\.") as error:
        recurra.import_model(network(tmp_path, 4), sources=tmp_path / "book.txt")
    assert error.value.hint is not None
    assert f"`tr -d '\\r' < {tmp_path / 'book.txt'} > text.txt`" in error.value.hint
    (tmp_path / "text.txt").write_bytes(b"\xef\xbb\xbfab\nba")
    with pytest.warns(UserWarning, match="with its byte order mark"):
        model = recurra.import_model(network(tmp_path, 4), sources=tmp_path / "text.txt")
    assert model.vocabulary.symbols == "\nab\ufeff"


def test_no_reading_that_fits(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes(b"\xef\xbb\xbfab\r\nba")
    words = r"has 3 characters \(or 4 \(with its byte order mark\), 4 \(with its CR\), 5 .*\), the network 9"
    with pytest.raises(RecurraError, match=words):
        recurra.import_model(network(tmp_path, 9), sources=tmp_path / "book.txt")


def test_ids_in_another_order_are_suspected(tmp_path: Path) -> None:
    """A network that has memorized the alphabet, with unsorted ids, and its text."""
    alphabet = "tesladxyogbr"
    K = len(alphabet)
    step = np.roll(np.eye(K), 1, axis=0)
    arrays: dict[str, Any] = {"U": np.eye(K) * 9, "W": np.zeros((K, K)), "V": step * 9}
    arrays |= {"b": np.zeros((K, 1)), "c": np.zeros((K, 1))}
    np.savez(tmp_path / "a.npz", **arrays)
    (tmp_path / "book.txt").write_text(alphabet * 40)
    with pytest.warns(UserWarning, match=r"predicts its text worse than chance, at .* nats a character; ln 12 is 2.48"):
        recurra.import_model(tmp_path / "a.npz", sources=tmp_path / "book.txt")
    (tmp_path / "ids.json").write_text(json.dumps(alphabet))
    right = recurra.import_model(tmp_path / "a.npz", vocabulary=tmp_path / "ids.json")
    assert right.score(alphabet * 40).nats_per_character < 0.1
