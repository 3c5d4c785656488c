"""The files of another program → a model: what kind a file is, is seen from its first bytes."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from recurra.errors import ModelError, UsageError
from recurra.interop import (
    course_network,
    file_kinds,
    files,
    folder,
    mat_file,
    matlab,
    numpy_file,
    symbols,
    text_symbols,
    torch_aliases,
    vocabulary_arrays,
    vocabulary_json,
)
from recurra.interop.symbols import Symbols
from recurra.interop.torch_names import Names
from recurra.interop.torch_state import Network, from_state
from recurra.io import tensor_file
from recurra.model import LanguageModel
from recurra.text.reading import Source
from recurra.text.vocabulary import Vocabulary

BYTES = "bytes"
TORCH_WEIGHTS = "pytorch_model.bin"  # in a folder of Hugging Face's
VOCABULARY = "vocabulary"  # of the metadata, where a script of `converter` puts it, as JSON


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
    if file_kinds.is_folder(path):
        return _from_folder(path, options)
    kind = file_kinds.kind_of(path)
    if kind == file_kinds.MAT:
        return _from_mat(path, options)
    return _from_npz(path, options) if kind == file_kinds.NPZ else _from_safetensors(path, options)


def _from_folder(path: Path, options: Options) -> LanguageModel:
    if kind := file_kinds.refused_kind(path):
        raise ModelError(f"`{path}` is {kind.what}.", hint=file_kinds.hint_for(path, kind))
    _require_none_given(path, options)
    try:
        return folder.load(path)
    except ModelError as error:
        weights = next((path / name for name in (folder.WEIGHTS, TORCH_WEIGHTS) if (path / name).is_file()), None)
        if error.hint is None and weights is not None:
            command = f"recurra import {file_kinds.argument(weights)} --vocabulary FILE.json"
            error.hint = f"if another program wrote the folder, name the file in it: `{command}`."
        raise


def _require_none_given(path: Path, options: Options) -> None:
    """UsageError where an export of ours, which tells everything itself, is told something."""
    if options != Options():
        raise UsageError(
            f"`{path}` tells its characters, modules and activation itself.", hint="leave the options out."
        )


def _require_no_names(options: Options) -> None:
    if options.names != Names():
        raise UsageError("names of modules are for a state_dict; this file is the course's network.")


def _from_mat(path: Path, options: Options) -> LanguageModel:
    found = matlab.from_bytes(files.read(path, mat_file.MAX_BYTES), f"{path}")
    if options.names != Names() or options.activation not in (None, "tanh"):
        raise UsageError("names of modules and an activation are for a state_dict; a MAT-file is the course's network.")
    return _model(path, Network(found.config, found.parameters), options, found.symbols, found.documents)


def _from_npz(path: Path, options: Options) -> LanguageModel:
    """The model of an .npz file: the course's network, or a state_dict under its own names."""
    arrays, left_out = numpy_file.read(path)
    own, name = vocabulary_arrays.symbols_in(arrays), f"{path}"
    activation = options.activation or "tanh"
    if scheme := course_network.scheme_of(arrays):
        _require_no_names(options)
        config, parameters = course_network.network(arrays, scheme, name, activation=activation, rows=True)
        return _model(path, Network(config, parameters), options, own)
    numbers = {name: array for name, array in arrays.items() if array.dtype.kind == "f"}
    if any("weight_hh" in name for name in numbers):
        return _model(path, from_state(numbers, options.names, activation), options, own)
    there = ", ".join(f"`{name:.40}`" for name in list(arrays)[:10]) or "no array that is read"
    objects = "; left out unread: " + ", ".join(f"`{name:.40}`" for name in left_out[:5]) if left_out else ""
    raise ModelError(
        f"`{path}` has no network: it has {there}{objects}.",
        hint="save it as `numpy.savez(FILE, U=U, W=W, V=V, b=b, c=c)`, or as Wxh, Whh, Why, bh and by.",
    )


def _from_safetensors(path: Path, options: Options) -> LanguageModel:
    tensors, metadata = tensor_file.read_foreign(path)
    if tensor_file.KEY in metadata:
        raise ModelError(f"`{path}` is a model of recurra already.", hint="it can be used as it is.")
    if folder.KEY in metadata:
        _require_none_given(path, options)
    ours = folder.from_metadata(f"{path}", tensors, metadata)
    if ours is not None:
        return ours
    network = from_state(torch_aliases.with_tied(tensors, metadata), options.names, options.activation or "tanh")
    told = metadata.get(VOCABULARY)
    own = None
    if told is not None and not _is_given(options):
        own = vocabulary_json.from_json(told.encode("utf-8", "surrogatepass"), f"{path}")
    return _model(path, network, options, own)


def _model(
    path: Path, network: Network, options: Options, own: Symbols | None, documents: str | None = None
) -> LanguageModel:
    """The model of a network whose characters the user gives, or else the file has."""
    text = None if options.sources is None else text_symbols.read(options.sources, options.encoding)
    K = len(network.parameters["c"])
    if text is not None:
        found = text_symbols.symbols_of(text, K)
    else:
        found = _from_vocabulary(options.vocabulary) if options.vocabulary is not None else own or _missing(path)
    found = symbols.without_id_0(found, K)
    model = folder.model_of(network, found, documents)
    if found.stand_ins:
        shown = ", ".join(f"{name!r} U+{point:04X}" for name, point in found.stand_ins[:8])
        more = f" and {len(found.stand_ins) - 8:,} more" if len(found.stand_ins) > 8 else ""
        warnings.warn(
            f"private characters of Unicode stand for the symbols that are no single character: {shown}{more}.",
            stacklevel=4,
        )
    if text is not None:
        text_symbols.warn_if_unlikely(model, text)
    return model


def _is_given(options: Options) -> bool:
    return options.vocabulary is not None or options.sources is not None


def _from_vocabulary(vocabulary: str | Path) -> Symbols:
    """All bytes, or the symbols in a JSON file; a pickle, which many programs write, is refused with a way out."""
    if vocabulary == BYTES:
        return symbols.symbols_of(Vocabulary.bytes())
    path = Path(vocabulary)
    head = file_kinds.head_of(path)
    if head.startswith(file_kinds.PICKLES):
        written = path.with_suffix(".json")
        code = "import json, pickle, sys; json.dump(pickle.load(open(sys.argv[1], 'rb')), open(sys.argv[2], 'w'))"
        command = f"python -c {shlex.quote(code)} {file_kinds.argument(path)} {file_kinds.argument(written)}"
        raise ModelError(f"`{path}` is a pickle, {file_kinds.RUNS_CODE}.", hint=f"if you trust it: `{command}`.")
    return vocabulary_json.from_json(files.read(path), f"{path}")


def _missing(path: Path) -> NoReturn:
    raise UsageError(
        f"`{path}` does not tell which characters its ids are.",
        hint=f"give the text that it was trained on, `recurra import {file_kinds.argument(path)} --text TEXT`, "
        "or `--vocabulary FILE.json`.",
    )
