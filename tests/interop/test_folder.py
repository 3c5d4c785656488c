"""The model folder and the state_dict: export and import, and errors for invalid ones."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import recurra
from networks import CONFIGS, make, name_of, same, small
from recurra.config import ModelConfig
from recurra.errors import RecurraError, UsageError
from recurra.interop import folder
from recurra.network.cells import CELLS
from recurra.text.vocabulary import Vocabulary

LSTM = ModelConfig(cell="lstm", hidden_size=5, layers=2)


def exported(tmp_path: Path, format: str = "folder") -> Path:
    return recurra.export(small(LSTM), tmp_path / ("m" if format == "folder" else "m.safetensors"), format=format)


@pytest.mark.parametrize("format", ["folder", "torch"])
@pytest.mark.parametrize("config", CONFIGS, ids=name_of)
def test_folder_export_and_import_gives_same_bits(tmp_path: Path, config: ModelConfig, format: str) -> None:
    path = recurra.export(small(config), tmp_path / "model", format=format)
    assert same(recurra.import_model(path), small(config))


@pytest.mark.parametrize("format", ["folder", "torch"])
@pytest.mark.parametrize(
    "vocabulary",
    [Vocabulary.bytes(), Vocabulary.of("\0\"\\'\u2028\x85\ufeff\U0010ffff{}"), Vocabulary.of("0123456789")],
    ids=["bytes", "odd", "digits"],
)
def test_export_and_import_keeps_any_characters(tmp_path: Path, vocabulary: Vocabulary, format: str) -> None:
    model = make(ModelConfig(hidden_size=3), vocabulary)
    assert same(recurra.import_model(recurra.export(model, tmp_path / "model", format=format)), model)


def test_export_and_import_keeps_an_extended_vocabulary(tmp_path: Path) -> None:
    model = small(LSTM).extended(Vocabulary.of("xyz "))
    assert len(model.vocabulary) > len(small().vocabulary)
    assert same(recurra.import_model(recurra.export(model, tmp_path / "m")), model)


@pytest.mark.parametrize("format", ["folder", "torch"])
@pytest.mark.parametrize("cell", [spec.name for spec in CELLS.values() if spec.torch is None])
def test_export_of_cell_without_pytorch_module_writes_nothing(tmp_path: Path, cell: str, format: str) -> None:
    expected = " or ".join(spec.name for spec in CELLS.values() if spec.torch is not None)
    with pytest.raises(UsageError, match=f"PyTorch has no module for the cell `{cell}`; expected {expected}") as error:
        recurra.export(small(ModelConfig(cell=cell, hidden_size=5)), tmp_path / "m", format=format)
    assert error.value.hint == "train a network with another cell: `recurra train --cell elman`."
    assert list(tmp_path.iterdir()) == []


def test_folder_has_weights_config_vocabulary_and_card(tmp_path: Path) -> None:
    path = exported(tmp_path)
    assert {one.name for one in path.iterdir()} == {"model.safetensors", "config.json", "vocab.json", "README.md"}
    config = json.loads((path / "config.json").read_text())
    expected = {"model_type": "recurra", "cell": "lstm", "hidden_size": 5, "layers": 2, "vocab_size": 8, "bytes": False}
    assert expected.items() <= config.items()
    vocabulary = json.loads((path / "vocab.json").read_text(encoding="utf-8"))
    assert vocabulary == {character: i for i, character in enumerate(small().vocabulary.symbols)}
    assert load_file(path / "model.safetensors").keys() == load_file(exported(tmp_path, "torch")).keys()


def test_state_dict_has_the_vocabulary_in_its_metadata(tmp_path: Path) -> None:
    _, metadata = recurra.io.tensor_file.read_foreign(exported(tmp_path, "torch"))
    assert metadata["format"] == "pt"
    assert json.loads(metadata[folder.EXPORT_KEY])["vocabulary"] == small().vocabulary.symbols


def changed(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Return a function that changes the JSON object in the file `name` of an exported folder."""

    def build(path: Path) -> None:
        table = json.loads((path / name).read_text())
        change(table)
        (path / name).write_text(json.dumps(table))

    return build


def written(name: str, data: bytes) -> Callable[[Path], None]:
    def build(path: Path) -> None:
        (path / name).write_bytes(data)

    return build


def tensors(**changes: Any) -> Callable[[Path], None]:
    """Return a function that replaces tensors of an exported folder; two underscores in a name represent a dot."""

    def build(path: Path) -> None:
        result = load_file(path / "model.safetensors") | {n.replace("__", "."): a for n, a in changes.items()}
        save_file(result, path / "model.safetensors")

    return build


HOSTILE = [
    ("no config", lambda path: (path / "config.json").unlink(), 4, "config.json`: No such file or directory."),
    ("a config that is a list", written("config.json", b"[]"), 4, "not the config of an exported model of format 1."),
    ("a config that is none", written("config.json", b"{"), 4, "is not the config of an exported model: Expecting"),
    ("a config of many values", written("config.json", b"[" + b"[]," * 400_000), 4, "it has more than 300,000 values"),
    ("a config too long", written("config.json", b" " * 2**24), 4, "it has more than 8,388,608 bytes"),
    ("a config of another", written("config.json", b'{"model_type": "bert"}'), 4, "exported model: 'bytes'."),
    ("a format of the future", changed("config.json", lambda t: t.update(format=2)), 4, "of format 1."),
    ("a format that is true", changed("config.json", lambda t: t.update(format=True)), 4, "of format 1."),
    ("another cell", changed("config.json", lambda t: t.update(cell="gru")), 4, "its config has ModelConfig("),
    ("a cell that is none", changed("config.json", lambda t: t.update(cell="x")), 4, "`cell` must be one of"),
    ("a cell that is a list", changed("config.json", lambda t: t.update(cell=[])), 4, "`cell` must be one of"),
    ("other units", changed("config.json", lambda t: t.update(hidden_size=10**9)), 4, "`hidden_size` must be"),
    ("no units", changed("config.json", lambda t: t.pop("hidden_size")), 4, "its config has no 'hidden_size'."),
    ("bytes that are none", changed("config.json", lambda t: t.update(bytes=True)), 4, "must be the code points 0 to"),
    ("no vocabulary", lambda path: (path / "vocab.json").unlink(), 4, "vocab.json`: No such file"),
    ("fewer characters", changed("vocab.json", lambda t: t.pop("😀")), 4, "has 7 characters, the network 8"),
    ("an id too many", changed("vocab.json", lambda t: t.update(a=8)), 4, "the ids of 8 characters are not 0 to 7"),
    ("no weights", lambda path: (path / "model.safetensors").unlink(), 4, "model.safetensors`: No such file"),
    ("weights that are none", written("model.safetensors", b"x" * 99), 4, "is not a safetensors file."),
    ("weights cut off", lambda path: _cut(path / "model.safetensors"), 6, "longer or shorter than its arrays"),
    ("NaN", tensors(output__bias=np.full(8, np.nan, np.float32)), 6, "`output.bias` has a number that is not finite"),
    ("beyond float32", tensors(output__bias=np.full(8, 1e300)), 4, "parameter `c` must be finite; got inf"),
    ("a bias too short", tensors(output__bias=np.ones(7, np.float32)), 4, "`output.bias` must be 8; got 7"),
    ("a tensor too many", tensors(more=np.ones(7, np.float32)), 4, "`more` has no place in a network"),
    ("whole numbers", tensors(output__bias=np.ones(8, int)), 4, "`output.bias` must be float16, float32 or float64"),
    ("a link to a device", lambda path: _device(path / "config.json"), 4, "it is not a regular file"),
]  # fmt: skip


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(("build", "code", "words"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_invalid_folder_is_an_error(tmp_path: Path, build: Callable[[Path], Any], code: int, words: str) -> None:
    path = exported(tmp_path)
    build(path)
    with pytest.raises(RecurraError, match=re.escape(words)) as error:
        recurra.import_model(path)
    assert error.value.exit_code == code
    assert len(str(error.value)) < 1000


def test_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecurraError, match=r"cannot read `.*config.json`: No such file or directory"):
        recurra.import_model(tmp_path)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ("[", "is not the config of an exported model: Expecting value"),
        ("{}", "is not the config of an exported model: 'bytes'"),
        ('{"bytes": false, "format": 1}', "has no vocabulary in its metadata"),
        ('{"bytes": false, "format": 1, "vocabulary": "ab"}', "is not an exported model: its config has no 'cell'"),
        (
            '{"bytes": false, "format": 1, "vocabulary": "\\ud800"}',
            "is not an exported model: its config has no 'cell'",
        ),
    ],
)
def test_invalid_metadata_is_an_error(tmp_path: Path, metadata: str, words: str) -> None:
    path = exported(tmp_path, "torch")
    save_file(load_file(path), path, metadata={folder.EXPORT_KEY: metadata})
    with pytest.raises(RecurraError, match=re.escape(words)):
        recurra.import_model(path)
