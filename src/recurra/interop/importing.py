"""Read the model in a file or folder of another program; the first bytes of the file select the format."""

from __future__ import annotations

import shlex
import warnings
from pathlib import Path
from typing import NoReturn

from recurra.errors import ModelError, UsageError
from recurra.interop import file_kinds, files, folder, symbols, text_symbols, vocabulary_json
from recurra.interop.format_entry import Imported, Options
from recurra.interop.format_registry import READERS
from recurra.interop.symbols import Symbols
from recurra.model import LanguageModel
from recurra.text.text import BYTES
from recurra.text.vocabulary import Vocabulary

__all__ = ["Options", "load"]


def load(path: Path, options: Options) -> LanguageModel:
    """Return the model in a file or folder from `recurra export` or another program.

    Raises: ModelError if the path has no readable model, UsageError if neither the file nor `options` has the
        characters of the ids.
    """
    if options.vocabulary is not None and options.sources is not None:
        raise UsageError(
            "`--vocabulary` and `--text` both give the characters of the ids.", hint="leave out one of them."
        )
    kind = file_kinds.FOLDER if file_kinds.is_folder(path) else file_kinds.kind_of(path)
    imported = READERS[kind](path, options)
    return imported if isinstance(imported, LanguageModel) else _model(path, imported, options)


def _model(path: Path, imported: Imported, options: Options) -> LanguageModel:
    """Return the model of a network with the characters from the user, or else from the file."""
    network, file_characters, documents = imported
    text = None if options.sources is None else text_symbols.read(options.sources, options.encoding)
    K = len(network.parameters["c"])
    if text is not None:
        characters = text_symbols.symbols_of(text, K)
    elif options.vocabulary is not None:
        characters = _from_vocabulary(options.vocabulary)
    else:
        characters = file_characters or _missing(path)
    characters = symbols.drop_id_0(characters, K)
    model = folder.model_of(network, characters, documents)
    if characters.stand_ins:
        listed = ", ".join(f"{name!r} U+{point:04X}" for name, point in characters.stand_ins[:8])
        more = f" and {len(characters.stand_ins) - 8:,} more" if len(characters.stand_ins) > 8 else ""
        warnings.warn(
            f"private Unicode characters represent the symbols that are not single characters: {listed}{more}.",
            stacklevel=3,
        )
    if text is not None:
        text_symbols.warn_if_unlikely(model, text)
    return model


def _from_vocabulary(vocabulary: str | Path) -> Symbols:
    """Return all bytes, or the symbols in a JSON file.

    Raises: ModelError if the file has no vocabulary; for a pickle, the hint has the command that converts it.
    """
    if vocabulary == BYTES:
        return symbols.symbols_of(Vocabulary.bytes())
    path = Path(vocabulary)
    head = file_kinds.head_of(path)
    if head.startswith(file_kinds.PICKLES):
        written = path.with_suffix(".json")
        code = "import json, pickle, sys; json.dump(pickle.load(open(sys.argv[1], 'rb')), open(sys.argv[2], 'w'))"
        command = f"python -c {shlex.quote(code)} {file_kinds.argument(path)} {file_kinds.argument(written)}"
        raise ModelError(
            f"`{path}` is a pickle, {file_kinds.RUNS_CODE}.", hint=f"if you trust it, convert it to JSON: `{command}`."
        )
    return vocabulary_json.from_json(files.read(path), f"{path}")


def _missing(path: Path) -> NoReturn:
    raise UsageError(
        f"`{path}` does not contain the characters of its ids.",
        hint=f"give its training text, `recurra import {file_kinds.argument(path)} --text TEXT`, "
        "or `--vocabulary FILE.json`.",
    )
