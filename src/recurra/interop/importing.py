"""The files of another program → a model: what kind a file is, is seen from its first bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from recurra import tensor_file
from recurra.errors import ModelError, UsageError
from recurra.interop import files, folder, mat_file, matlab, symbols
from recurra.interop.symbols import Array, Symbols
from recurra.interop.torch_names import Names
from recurra.interop.torch_state import Network, from_state
from recurra.model import LanguageModel
from recurra.text.reading import Source
from recurra.text.reading import read as read_text
from recurra.text.vocabulary import Vocabulary
from recurra.untrusted import open_regular

BYTES = "bytes"
CONVERT = (
    'in a program that trusts it: `safetensors.torch.save_file(torch.load(FILE, weights_only=True), "x.safetensors")`.'
)
WANTED = "give `--vocabulary FILE.json`, or `--text` with all that it was trained on."


class Options(NamedTuple):
    """What a file of others may leave open: its characters, from a JSON file or the text that was learned; the names of
    its modules; and the activation of an nn.RNN.
    """

    vocabulary: str | Path | None = None
    sources: Source | Sequence[Source] | None = None
    encoding: str = "utf-8"
    names: Names = Names()
    activation: str | None = None


def load(path: Path, options: Options) -> LanguageModel:
    """The model in a folder or file that another program, or `export`, has written.

    Raises ModelError where it is none or cannot be read, UsageError where it leaves open what `options` do not tell.
    """
    if options.vocabulary is not None and options.sources is not None:
        raise UsageError("the characters are given twice, by `--vocabulary` and `--text`.", hint="leave out one.")
    if _is_folder(path):
        _require_none_given(path, options)
        return folder.load(path)
    head = _head(path)
    _refuse(path, head)
    if head.startswith(b"MATLAB 5") or path.suffix == ".mat":
        return _from_mat(path, options)
    return _from_safetensors(path, options)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror or error}.") from error


def _head(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(128)
    except FileNotFoundError as error:
        raise ModelError(f"there is no file or folder `{path}`.") from error
    except OSError as error:
        raise ModelError(f"cannot read `{path}`: {error.strerror or error}.") from error


def _refuse(path: Path, head: bytes) -> None:
    """ModelError, with a way out, for files that are known and not read."""
    if head.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        raise ModelError(f"`{path}` is a pickle of PyTorch, which could run any code: it is not read.", hint=CONVERT)
    if path.suffix == ".onnx":
        raise ModelError(f"`{path}` is an ONNX file, which is not read.", hint="import the state_dict it came from.")
    if head.startswith((b"\x89HDF", b"MATLAB 7.3")):
        raise ModelError(f"`{path}` is a MAT-file of level 7.3, which is not read.", hint="save it with `-v7`.")
    if head.startswith((b"# Created by Octave", b"Octave-1")):
        raise ModelError(f"`{path}` is in Octave's own format.", hint="save it with `save('-v7', FILE, 'RNN')`.")


def _require_none_given(path: Path, options: Options) -> None:
    """UsageError where an export of ours, which tells everything itself, is told something."""
    if options != Options():
        raise UsageError(
            f"`{path}` tells its characters, modules and activation itself.", hint="leave the options out."
        )


def _from_mat(path: Path, options: Options) -> LanguageModel:
    found = matlab.from_bytes(files.read(path, mat_file.MAX_BYTES), f"{path}")
    if options.names != Names() or options.activation not in (None, "tanh"):
        raise UsageError("names of modules and an activation are for a state_dict; a MAT-file is the course's network.")
    named = _given(options, found.parameters) or found.symbols or _missing(path)
    return folder.model_of(Network(found.config, found.parameters), named, found.documents)


def _from_safetensors(path: Path, options: Options) -> LanguageModel:
    tensors, metadata = tensor_file.read_foreign(path)
    if tensor_file.KEY in metadata:
        raise ModelError(f"`{path}` is a model of recurra already.", hint="it can be used as it is.")
    if folder.KEY in metadata:
        _require_none_given(path, options)
    ours = folder.from_metadata(f"{path}", tensors, metadata)
    if ours is not None:
        return ours
    network = from_state(tensors, options.names, options.activation or "tanh")
    return folder.model_of(network, _given(options, network.parameters) or _missing(path))


def _given(options: Options, parameters: Mapping[str, Array]) -> Symbols | None:
    """The symbols that the user tells of, for the network with these parameters."""
    if options.vocabulary == BYTES:
        return symbols.symbols_of(Vocabulary.bytes())
    if options.vocabulary is not None:
        path = Path(options.vocabulary)
        return symbols.from_json(files.read(path), f"{path}")
    if options.sources is None:
        return None
    text = read_text(options.sources, options.encoding)
    return symbols.symbols_of(symbols.vocabulary_of(text, len(parameters["c"])))


def _missing(path: Path) -> NoReturn:
    raise UsageError(f"`{path}` does not tell which characters its ids are.", hint=WANTED)
