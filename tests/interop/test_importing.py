"""What kind a file is, what it leaves open, and what is refused with a way out."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import recurra
from networks import make, same, small
from recurra.config import ModelConfig
from recurra.errors import ModelError, UsageError
from recurra.interop.torch_state import to_state
from recurra.text.vocabulary import Vocabulary

GRU = ModelConfig(cell="gru", hidden_size=5)
TEXT = "é and —\n😀 bc"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A state_dict that does not tell its characters."""
    save_file(to_state(GRU, small(GRU).parameters), tmp_path / "gru.safetensors")
    return tmp_path / "gru.safetensors"


def test_the_characters_of_a_text_are_its_own_sorted(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("abcé—😀\n " * 9, encoding="utf-8")
    assert same(recurra.import_model(foreign, sources=tmp_path / "book.txt"), small(GRU))
    (tmp_path / "book.txt").write_text("abcé—😀\n " * 9, encoding="utf-16")
    assert same(recurra.import_model(foreign, sources=[tmp_path / "book.txt"], encoding="utf-16"), small(GRU))


def test_a_text_with_other_characters_does_not_fit(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("abc\n")
    with pytest.raises(ModelError, match="the vocabulary has 4 characters, the network 8") as error:
        recurra.import_model(foreign, sources=tmp_path / "book.txt")
    assert error.value.hint == "give the vocabulary that it was trained with, or the whole text."


def test_a_network_of_bytes(tmp_path: Path) -> None:
    model = make(GRU, Vocabulary.bytes())
    save_file(to_state(GRU, model.parameters), tmp_path / "a.safetensors")
    (tmp_path / "any").write_bytes(b"\xff\xfe")
    assert same(recurra.import_model(tmp_path / "a.safetensors", vocabulary="bytes"), model)
    assert same(recurra.import_model(tmp_path / "a.safetensors", sources=tmp_path / "any", encoding="bytes"), model)


def test_an_activation_that_no_file_tells(tmp_path: Path) -> None:
    config = ModelConfig(activation="relu", hidden_size=5)
    save_file(to_state(config, small(config).parameters), tmp_path / "a.safetensors")
    (tmp_path / "ids.json").write_text('"\\n abcé—😀"', encoding="utf-8")
    found = recurra.import_model(tmp_path / "a.safetensors", vocabulary=tmp_path / "ids.json", activation="relu")
    assert same(found, small(config))
    assert (
        recurra.import_model(tmp_path / "a.safetensors", vocabulary=tmp_path / "ids.json").config.activation == "tanh"
    )


def test_modules_by_name(tmp_path: Path) -> None:
    tensors = {
        name.replace("rnn", "a").replace("output", "b"): x for name, x in to_state(GRU, small(GRU).parameters).items()
    }
    tensors |= {"c.weight": np.eye(8, dtype=np.float32), "c.bias": np.zeros(5, np.float32)}
    save_file(tensors, tmp_path / "a.safetensors")
    named: dict[str, Any] = {"vocabulary": tmp_path / "ids.json", "recurrent": "a"}
    (tmp_path / "ids.json").write_text('"\\n abcé—😀"', encoding="utf-8")
    with pytest.raises(UsageError, match="which module projects to the characters: `b`, `c`"):
        recurra.import_model(tmp_path / "a.safetensors", **named)
    with pytest.raises(ModelError, match=r"`c.bias` has no place in a network"):
        recurra.import_model(tmp_path / "a.safetensors", projection="b", embedding="c", **named)
    del tensors["c.bias"]
    save_file(tensors, tmp_path / "a.safetensors")
    assert same(recurra.import_model(tmp_path / "a.safetensors", projection="b", embedding="c", **named), small(GRU))


def test_what_is_left_open_is_asked_for(foreign: Path) -> None:
    with pytest.raises(UsageError, match="does not tell which characters its ids are") as error:
        recurra.import_model(foreign)
    assert error.value.hint is not None
    assert f"`recurra import {foreign} --text TEXT`, or `--vocabulary FILE.json`." in error.value.hint


def test_what_is_told_twice(foreign: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the characters are given twice, by `--vocabulary` and `--text`"):
        recurra.import_model(foreign, vocabulary="a", sources="b")
    for path in (recurra.export(small(), tmp_path / "m"), recurra.export(small(), tmp_path / "n", format="torch")):
        for named in ({"vocabulary": "bytes"}, {"activation": "relu"}, {"projection": "x"}):
            with pytest.raises(UsageError, match="tells its characters, modules and activation itself"):
                recurra.import_model(path, **named)  # type: ignore[arg-type]


def test_a_model_of_ours_is_one_already(tmp_path: Path) -> None:
    small().save(tmp_path / "a")
    with pytest.raises(ModelError, match="is a model of recurra already"):
        recurra.import_model(tmp_path / "a")


def test_ours_says_how_to_read_an_export(tmp_path: Path) -> None:
    path = recurra.export(small(), tmp_path / "a", format="torch")
    with pytest.raises(ModelError, match="was not written by recurra: it lacks the metadata of recurra") as error:
        recurra.load(path)
    assert error.value.hint is not None
    assert "`recurra import` reads the files of other programs" in error.value.hint


class Trap:
    """A pickle that would make a file."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.pt").write_bytes(pickle.dumps(Trap(), protocol))
    with pytest.raises(ModelError, match="is a pickle of PyTorch, which could run any code: it is not read") as error:
        recurra.import_model("a.pt")
    assert error.value.hint is not None
    assert error.value.hint.startswith("`recurra import a.pt --converter > convert.py`; then, where PyTorch")
    assert not Path("sprung").exists()


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.zip", b"PK\x03\x04" + bytes(99), "is a zip archive that is cut off"),
        ("a.onnx", b"\x08\x07\x12", "is an ONNX file, which is not read"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras writes it, which is not read"),
        ("a.mat", b"Octave-1-L", "is in Octave's own format"),
        ("a.mat", b"", "is no MAT-file of MATLAB 5 to 7.2: its header is another one"),
        ("a", b"", "is not a safetensors file, or it is cut off"),
        ("a", b"text, not numbers" * 9, "is not a safetensors file."),
    ],
)
def test_other_files(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(recurra.RecurraError, match=words):
        recurra.import_model(tmp_path / name)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no file or folder `.*nothing`"):
        recurra.import_model(tmp_path / "nothing")
    with pytest.raises(ModelError, match=r"cannot read `x+`: File name too long"):
        recurra.import_model("x" * 300)
    with pytest.raises(UsageError, match=r"`path` must be a path, as a str or a pathlib\.Path; got 'a\\x00b'"):
        recurra.import_model("a\0b")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match=r"cannot read `.*pipe`: it is not a regular file"):
        recurra.import_model(tmp_path / "pipe")
    save_file(to_state(GRU, small(GRU).parameters), tmp_path / "a")
    with pytest.raises(ModelError, match=r"there is no file or folder `.*ids`"):
        recurra.import_model(tmp_path / "a", vocabulary=tmp_path / "ids")


def test_what_was_imported_is_saved_loaded_and_written_with(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.json").write_text('"\\n abcé—😀"', encoding="utf-8")
    model = recurra.import_model(foreign, vocabulary=tmp_path / "ids.json")
    model.save(tmp_path / "mine")
    assert recurra.load(tmp_path / "mine").sample("abc", seed=3) == small(GRU).sample("abc", seed=3)
    assert load_file(foreign)["output.bias"].tolist() == model.parameters["c"].tolist()
