"""Imports: the kind of a file, options for facts that it lacks, and errors with a hint."""

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
    """A state_dict without the characters of its ids."""
    save_file(to_state(GRU, small(GRU).parameters), tmp_path / "gru.safetensors")
    return tmp_path / "gru.safetensors"


def test_text_gives_its_sorted_characters(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("abcé—😀\n " * 9, encoding="utf-8")
    assert same(recurra.import_model(foreign, sources=tmp_path / "book.txt"), small(GRU))
    (tmp_path / "book.txt").write_text("abcé—😀\n " * 9, encoding="utf-16")
    assert same(recurra.import_model(foreign, sources=[tmp_path / "book.txt"], encoding="utf-16"), small(GRU))


def test_text_with_another_number_of_characters_is_an_error(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("abc\n")
    with pytest.raises(ModelError, match="the vocabulary has 4 characters, the network 8") as error:
        recurra.import_model(foreign, sources=tmp_path / "book.txt")
    assert (
        error.value.hint
        == "give the vocabulary or the whole text of its training: `--vocabulary FILE.json` or `--text TEXT`."
    )


def test_a_network_of_bytes(tmp_path: Path) -> None:
    model = make(GRU, Vocabulary.bytes())
    save_file(to_state(GRU, model.parameters), tmp_path / "a.safetensors")
    (tmp_path / "any").write_bytes(b"\xff\xfe")
    assert same(recurra.import_model(tmp_path / "a.safetensors", vocabulary="bytes"), model)
    assert same(recurra.import_model(tmp_path / "a.safetensors", sources=tmp_path / "any", encoding="bytes"), model)


def test_activation_is_an_option_of_the_import(tmp_path: Path) -> None:
    config = ModelConfig(activation="relu", hidden_size=5)
    save_file(to_state(config, small(config).parameters), tmp_path / "a.safetensors")
    (tmp_path / "ids.json").write_text('"\\n abcé—😀"', encoding="utf-8")
    imported = recurra.import_model(tmp_path / "a.safetensors", vocabulary=tmp_path / "ids.json", activation="relu")
    assert same(imported, small(config))
    assert (
        recurra.import_model(tmp_path / "a.safetensors", vocabulary=tmp_path / "ids.json").config.activation == "tanh"
    )


def test_modules_are_named_by_options(tmp_path: Path) -> None:
    tensors = {
        name.replace("rnn", "a").replace("output", "b"): x for name, x in to_state(GRU, small(GRU).parameters).items()
    }
    tensors |= {"c.weight": np.eye(8, dtype=np.float32), "c.bias": np.zeros(5, np.float32)}
    save_file(tensors, tmp_path / "a.safetensors")
    named: dict[str, Any] = {"vocabulary": tmp_path / "ids.json", "recurrent": "a"}
    (tmp_path / "ids.json").write_text('"\\n abcé—😀"', encoding="utf-8")
    with pytest.raises(UsageError, match="several modules may be the projection to the characters: `b`, `c`"):
        recurra.import_model(tmp_path / "a.safetensors", **named)
    with pytest.raises(ModelError, match=r"`c.bias` has no place in a network"):
        recurra.import_model(tmp_path / "a.safetensors", projection="b", embedding="c", **named)
    del tensors["c.bias"]
    save_file(tensors, tmp_path / "a.safetensors")
    assert same(recurra.import_model(tmp_path / "a.safetensors", projection="b", embedding="c", **named), small(GRU))


def test_missing_characters_are_an_error_with_a_command(foreign: Path) -> None:
    with pytest.raises(UsageError, match="does not contain the characters of its ids") as error:
        recurra.import_model(foreign)
    assert error.value.hint is not None
    assert f"`recurra import {foreign} --text TEXT`, or `--vocabulary FILE.json`." in error.value.hint


def test_superfluous_options_are_an_error(foreign: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`--vocabulary` and `--text` both give the characters of the ids"):
        recurra.import_model(foreign, vocabulary="a", sources="b")
    for path in (recurra.export(small(), tmp_path / "m"), recurra.export(small(), tmp_path / "n", format="torch")):
        for named in ({"vocabulary": "bytes"}, {"activation": "relu"}, {"projection": "x"}):
            with pytest.raises(UsageError, match="contains its characters, modules and activation"):
                recurra.import_model(path, **named)  # type: ignore[arg-type]


def test_import_of_a_recurra_model_is_an_error(tmp_path: Path) -> None:
    small().save(tmp_path / "a")
    with pytest.raises(ModelError, match="is already a model of recurra"):
        recurra.import_model(tmp_path / "a")


def test_load_of_an_export_has_a_hint_about_import(tmp_path: Path) -> None:
    path = recurra.export(small(), tmp_path / "a", format="torch")
    with pytest.raises(ModelError, match="was not written by recurra: it lacks the metadata of recurra") as error:
        recurra.load(path)
    assert error.value.hint is not None
    assert "`recurra import` reads the files of other programs" in error.value.hint


class Trap:
    """An object whose unpickling creates a folder."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle_is_rejected_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.pt").write_bytes(pickle.dumps(Trap(), protocol))
    with pytest.raises(
        ModelError, match="is a pickle of PyTorch, which recurra does not read, since it can run any code"
    ) as error:
        recurra.import_model("a.pt")
    assert error.value.hint is not None
    assert error.value.hint.startswith("`recurra import a.pt --converter > convert.py`; then, with PyTorch")
    assert not Path("sprung").exists()


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.zip", b"PK\x03\x04" + bytes(99), "is a zip archive that is truncated"),
        ("a.onnx", b"\x08\x07\x12", "is an ONNX file, which recurra does not read"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras writes it, which recurra does not read"),
        ("a.mat", b"Octave-1-L", "is in Octave's own format"),
        ("a.mat", b"", "is not a MAT-file of MATLAB 5 to 7.2: its first 128 bytes are not the header of a MAT-file"),
        ("a", b"", "is not a safetensors file, or it is cut off"),
        ("a", b"text, not numbers" * 9, "is not a safetensors file."),
    ],
)
def test_file_of_another_format_is_an_error(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(recurra.RecurraError, match=words):
        recurra.import_model(tmp_path / name)


def test_missing_or_special_file_is_an_error(tmp_path: Path) -> None:
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


def test_imported_model_is_saved_loaded_and_sampled(foreign: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.json").write_text('"\\n abcé—😀"', encoding="utf-8")
    model = recurra.import_model(foreign, vocabulary=tmp_path / "ids.json")
    model.save(tmp_path / "mine")
    assert recurra.load(tmp_path / "mine").sample("abc", seed=3) == small(GRU).sample("abc", seed=3)
    assert load_file(foreign)["output.bias"].tolist() == model.parameters["c"].tolist()
