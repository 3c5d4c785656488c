"""Export and import of the state_dict of an nn.RNN, LSTM or GRU and an nn.Linear as a safetensors file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recurra.errors import ModelError
from recurra.interop import file_kinds, folder, torch_aliases, vocabulary_json
from recurra.interop.format_entry import FileFormat, Imported, Options
from recurra.interop.torch_state import from_state
from recurra.io import tensor_file

if TYPE_CHECKING:
    from recurra.interop.origin import Origin
    from recurra.model import LanguageModel

VOCABULARY = "vocabulary"  # key in the metadata under which a script of `converter` stores the vocabulary as JSON


def contents(origin: Origin, path: Path) -> dict[Path, bytes]:
    """Return the bytes of the file at `path`."""
    return {path: folder.state_dict(origin.model)}


def read(path: Path, options: Options) -> LanguageModel | Imported:
    """Return the model if `recurra export` wrote the file, else the network of another program."""
    tensors, metadata = tensor_file.read_foreign(path)
    if tensor_file.METADATA_KEY in metadata:
        raise ModelError(
            f"`{path}` is already a model of recurra.", hint=f"use it: `recurra sample {file_kinds.argument(path)}`."
        )
    if folder.EXPORT_KEY in metadata:
        folder.require_no_options(path, options)
    exported = folder.from_metadata(f"{path}", tensors, metadata)
    if exported is not None:
        return exported
    network = from_state(torch_aliases.add_tied_tensors(tensors, metadata), options.names, options.activation or "tanh")
    vocabulary = metadata.get(VOCABULARY)
    if vocabulary is None or options.has_characters:
        return Imported(network)
    return Imported(network, vocabulary_json.from_json(vocabulary.encode("utf-8", "surrogatepass"), f"{path}"))


ENTRY = FileFormat("torch", ".safetensors", contents=contents, kind=file_kinds.SAFETENSORS, read=read)
