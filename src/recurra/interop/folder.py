"""Export and import of a model folder in the convention of Hugging Face.

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
TORCH_WEIGHTS = "pytorch_model.bin"  # the weights in folders from Hugging Face's library
EXPORT_KEY = "recurra.export"  # key in the metadata of an exported state_dict; a model file has the key `recurra`
FOLDER_FORMAT = 1


def targets(path: Path) -> list[Path]:
    """Return the paths of the files in the folder `path`."""
    return [path / name for name in (WEIGHTS, CONFIG, VOCABULARY, CARD)]


def contents(origin: Origin, path: Path) -> dict[Path, bytes]:
    """Return the bytes of all `targets`.

    Raises: UsageError if `path` is a file.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"`{path}` already exists, and is not a folder.", hint="give another name with `-o`.")
    model = origin.model
    return {
        path / CONFIG: _json(config_of(model), indent=2),
        path / VOCABULARY: _json(symbols.to_json(model.vocabulary), indent=None),
        path / CARD: card(origin).encode(),
        path / WEIGHTS: serialize(_contiguous(model), metadata={"format": "pt"}),
    }


def state_dict(model: LanguageModel) -> bytes:
    """Return a safetensors file of the weights, with config and vocabulary in its metadata under `EXPORT_KEY`."""
    table = config_of(model) | {"vocabulary": model.vocabulary.symbols}
    return serialize(_contiguous(model), metadata={"format": "pt", EXPORT_KEY: _json(table, indent=None).decode()})


def config_of(model: LanguageModel) -> dict[str, Any]:
    """Return the content of config.json."""
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
    """Return the model in an exported folder, which needs no options.

    Raises: ModelError, UsageError or CheckpointError if the folder is not a valid export or there are options.
    """
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
    """Raise UsageError if there are options: an export of recurra already has the values of all options."""
    if options != Options():
        raise UsageError(
            f"`{path}` is an export of recurra: it contains its characters, modules and activation.",
            hint=f"leave out the options: `recurra import {file_kinds.argument(path)}`.",
        )


def load(folder: Path) -> LanguageModel:
    """Return the model in a folder with the files of `contents`.

    Raises: ModelError or CheckpointError if a file is missing, damaged or does not match the others.
    """
    table = _config_table(files.read(folder / CONFIG), f"{folder / CONFIG}")
    tensors, _ = tensor_file.read_foreign(folder / WEIGHTS)
    characters = vocabulary_json.from_json(
        files.read(folder / VOCABULARY), f"{folder / VOCABULARY}", is_bytes=table["bytes"]
    )
    return _model(f"{folder}", tensors, table, characters)


def from_metadata(name: str, tensors: dict[str, Any], metadata: dict[str, str]) -> LanguageModel | None:
    """Return the model of an exported state_dict; None if another program wrote the file."""
    if EXPORT_KEY not in metadata:
        return None
    table = _config_table(metadata[EXPORT_KEY].encode("utf-8", "surrogatepass"), name)
    vocabulary = table.get("vocabulary")
    if not isinstance(vocabulary, str):
        raise ModelError(f"`{name}` has no vocabulary in its metadata.")
    characters = vocabulary_json.from_json(json.dumps(vocabulary).encode(), name, is_bytes=table["bytes"])
    return _model(name, tensors, table, characters)


def _config_table(data: bytes, name: str) -> dict[str, Any]:
    """Parse config.json, or the same content from metadata."""
    try:
        table = parse_json(data)
        is_valid = isinstance(table, dict) and isinstance(table["bytes"], bool)
    except (ValueError, KeyError) as error:
        raise ModelError(f"`{name}` is not the config of an exported model: {error}.") from error
    if not is_valid or table.get("format") != FOLDER_FORMAT or isinstance(table["format"], bool):
        raise ModelError(f"`{name}` is not the config of an exported model of format {FOLDER_FORMAT}.")
    return dict(table)


def _model(name: str, tensors: dict[str, Any], table: dict[str, Any], characters: symbols.Symbols) -> LanguageModel:
    """Build the model; raise ModelError if the config does not match the tensors."""
    try:
        config = ModelConfig.from_table({key: table[key] for key in ModelConfig().to_table()})
        network = from_state(tensors, activation=config.activation)
        if network.config != config:
            raise ModelError(f"its config has {config}, its tensors have {network.config}.")
        return model_of(network, characters, None if table.get("documents", NONE) == NONE else table["documents"])
    except KeyError as error:
        raise ModelError(f"`{name}` is not an exported model: its config has no {error}.") from error
    except RecurraError as error:
        raise ModelError(f"`{name}` is not an exported model: {error.message}", hint=error.hint) from error


def model_of(network: Network, characters: symbols.Symbols, documents: str | None = None) -> LanguageModel:
    """Return the model of an imported network, with its ids in recurra's order."""
    vocabulary, parameters = symbols.reorder_parameters(characters, network.parameters)
    return LanguageModel(network.config, vocabulary, parameters, documents)


def _contiguous(model: LanguageModel) -> dict[str, Any]:
    state = to_state(model.config, model.parameters)
    return {name: np.ascontiguousarray(array) for name, array in state.items()}


def _json(value: Any, *, indent: int | None) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False).encode() + b"\n"


ENTRY = FileFormat("folder", "-model", targets, contents, file_kinds.FOLDER, read)
