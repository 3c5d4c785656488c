"""A model folder in the convention of Hugging Face, out and in.

model.safetensors   the state_dict of `torch_state`
config.json         the network's settings and sizes
vocab.json          character → id
README.md           the model card
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save as serialize

from recurra import __version__
from recurra.config import NONE, ModelConfig
from recurra.errors import ModelError, RecurraError, UsageError
from recurra.interop import file_kinds, files, symbols, vocabulary_json
from recurra.interop.format_entry import FileFormat, Options
from recurra.interop.model_card import card
from recurra.interop.torch_state import Network, from_state, to_state
from recurra.io import tensor_file
from recurra.io.bounded_io import parse_json
from recurra.model import LanguageModel
from recurra.network.cells import torch_module

if TYPE_CHECKING:
    from recurra.interop.origin import Origin

WEIGHTS, CONFIG, VOCABULARY, CARD = "model.safetensors", "config.json", "vocab.json", "README.md"
TORCH_WEIGHTS = "pytorch_model.bin"  # of a folder that the library of Hugging Face wrote
EXPORT_KEY = "recurra.export"  # of the metadata of a state_dict alone; `recurra` is that of a model file
FOLDER_FORMAT = 1


def targets(path: Path) -> list[Path]:
    """The files in the folder `path`."""
    return [path / name for name in (WEIGHTS, CONFIG, VOCABULARY, CARD)]


def contents(origin: Origin, path: Path) -> dict[Path, bytes]:
    """The bytes of all `targets`. Raises UsageError if `path` is a file."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"`{path}` is there already, and is no folder.", hint="give another name with `-o`.")
    model = origin.model
    return {
        path / CONFIG: _json(config_of(model), indent=2),
        path / VOCABULARY: _json(symbols.to_json(model.vocabulary), indent=None),
        path / CARD: card(origin).encode(),
        path / WEIGHTS: serialize(_contiguous(model), metadata={"format": "pt"}),
    }


def state_dict(model: LanguageModel) -> bytes:
    """The weights alone, with config and vocabulary in the metadata, under the key `EXPORT_KEY`."""
    about = config_of(model) | {"vocabulary": model.vocabulary.symbols}
    return serialize(_contiguous(model), metadata={"format": "pt", EXPORT_KEY: _json(about, indent=None).decode()})


def config_of(model: LanguageModel) -> dict[str, Any]:
    """config.json."""
    config = model.config
    return {
        "model_type": "recurra",
        "architectures": [torch_module(config).name],
        "format": FOLDER_FORMAT,
        "recurra_version": __version__,
        **config.to_table(),
        "documents": model.documents or NONE,
        "vocab_size": len(model.vocabulary),
        "bytes": model.vocabulary.is_bytes,
        "dtype": "float32",
    }


def read(path: Path, options: Options) -> LanguageModel:
    """The model in an exported folder, which leaves nothing open. Raises ModelError, UsageError or CheckpointError."""
    if kind := file_kinds.refused_kind(path):
        raise ModelError(f"`{path}` is {kind.what}.", hint=file_kinds.hint_for(path, kind))
    require_no_options(path, options)
    try:
        return load(path)
    except ModelError as error:
        weights = next((path / name for name in (WEIGHTS, TORCH_WEIGHTS) if (path / name).is_file()), None)
        if error.hint is None and weights is not None:
            command = f"recurra import {file_kinds.argument(weights)} --vocabulary FILE.json"
            error.hint = f"if another program wrote the folder, name the file in it: `{command}`."
        raise


def require_no_options(path: Path, options: Options) -> None:
    """Raise UsageError if `options` give what an export of ours has itself."""
    if options != Options():
        raise UsageError(
            f"`{path}` tells its characters, modules and activation itself.", hint="leave the options out."
        )


def load(folder: Path) -> LanguageModel:
    """The model in a folder with the files of `contents`. Raises ModelError or CheckpointError."""
    about = _about(files.read(folder / CONFIG), f"{folder / CONFIG}")
    tensors, _ = tensor_file.read_foreign(folder / WEIGHTS)
    named = vocabulary_json.from_json(
        files.read(folder / VOCABULARY), f"{folder / VOCABULARY}", is_bytes=about["bytes"]
    )
    return _model(f"{folder}", tensors, about, named)


def from_metadata(name: str, tensors: dict[str, Any], metadata: dict[str, str]) -> LanguageModel | None:
    """The model of a state_dict that `state_dict` has written; None where another program has."""
    if EXPORT_KEY not in metadata:
        return None
    about = _about(metadata[EXPORT_KEY].encode("utf-8", "surrogatepass"), name)
    vocabulary = about.get("vocabulary")
    if not isinstance(vocabulary, str):
        raise ModelError(f"`{name}` does not tell its vocabulary.")
    points = vocabulary_json.from_json(json.dumps(vocabulary).encode(), name, is_bytes=about["bytes"])
    return _model(name, tensors, about, points)


def _about(data: bytes, name: str) -> dict[str, Any]:
    """config.json, or the same in metadata."""
    try:
        about = parse_json(data)
        good = isinstance(about, dict) and isinstance(about["bytes"], bool)
    except (ValueError, KeyError) as error:
        raise ModelError(f"`{name}` is no config of an exported model: {error}.") from error
    if not good or about.get("format") != FOLDER_FORMAT or isinstance(about["format"], bool):
        raise ModelError(f"`{name}` is no config of an exported model of format {FOLDER_FORMAT}.")
    return dict(about)


def _model(name: str, tensors: dict[str, Any], about: dict[str, Any], named: symbols.Symbols) -> LanguageModel:
    """The model, whose config must be that of its tensors."""
    try:
        told = ModelConfig.from_table({key: about[key] for key in ModelConfig().to_table()})
        found = from_state(tensors, activation=told.activation)
        if found.config != told:
            raise ModelError(f"its config tells of {told}, its tensors are {found.config}.")
        return model_of(found, named, None if about.get("documents", NONE) == NONE else about["documents"])
    except KeyError as error:
        raise ModelError(f"`{name}` is no exported model: its config has no {error}.") from error
    except RecurraError as error:
        raise ModelError(f"`{name}` is no exported model: {error.message}", hint=error.hint) from error


def model_of(network: Network, named: symbols.Symbols, documents: str | None = None) -> LanguageModel:
    """The model whose ids are those of `named`, in our order."""
    vocabulary, parameters = symbols.reorder_parameters(named, network.parameters)
    return LanguageModel(network.config, vocabulary, parameters, documents)


def _contiguous(model: LanguageModel) -> dict[str, Any]:
    state = to_state(model.config, model.parameters)
    return {name: np.ascontiguousarray(array) for name, array in state.items()}


def _json(value: Any, *, indent: int | None) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False).encode() + b"\n"


ENTRY = FileFormat("folder", "-model", targets, contents, file_kinds.FOLDER, read)
