"""The state_dict of an nn.RNN, LSTM or GRU and an nn.Linear as a safetensors file, out and in."""

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

VOCABULARY = "vocabulary"  # the key of the metadata under which a script of `converter` puts it, as JSON


def contents(origin: Origin, path: Path) -> dict[Path, bytes]:
    """The file at `path`."""
    return {path: folder.state_dict(origin.model)}


def read(path: Path, options: Options) -> LanguageModel | Imported:
    """The model if `export` wrote the file, else the network of another program."""
    tensors, metadata = tensor_file.read_foreign(path)
    if tensor_file.METADATA_KEY in metadata:
        raise ModelError(f"`{path}` is a model of recurra already.", hint="it can be used as it is.")
    if folder.EXPORT_KEY in metadata:
        folder.require_no_options(path, options)
    ours = folder.from_metadata(f"{path}", tensors, metadata)
    if ours is not None:
        return ours
    network = from_state(torch_aliases.add_tied_tensors(tensors, metadata), options.names, options.activation or "tanh")
    told = metadata.get(VOCABULARY)
    if told is None or options.has_characters:
        return Imported(network)
    return Imported(network, vocabulary_json.from_json(told.encode("utf-8", "surrogatepass"), f"{path}"))


ENTRY = FileFormat("torch", ".safetensors", contents=contents, kind=file_kinds.SAFETENSORS, read=read)
