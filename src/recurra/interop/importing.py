"""Read the model in a file or folder of another program; its first bytes decide which format reads it."""

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
    """The model in a folder or file that another program, or `export`, has written.

    Raises ModelError where it is none or cannot be read, UsageError where it leaves open what `options` do not tell.
    """
    if options.vocabulary is not None and options.sources is not None:
        raise UsageError("the characters are given twice, by `--vocabulary` and `--text`.", hint="leave out one.")
    kind = file_kinds.FOLDER if file_kinds.is_folder(path) else file_kinds.kind_of(path)
    found = READERS[kind](path, options)
    return found if isinstance(found, LanguageModel) else _model(path, found, options)


def _model(path: Path, imported: Imported, options: Options) -> LanguageModel:
    """The model of a network whose characters the user gives, or else the file has."""
    network, own, documents = imported
    text = None if options.sources is None else text_symbols.read(options.sources, options.encoding)
    K = len(network.parameters["c"])
    if text is not None:
        found = text_symbols.symbols_of(text, K)
    else:
        found = _from_vocabulary(options.vocabulary) if options.vocabulary is not None else own or _missing(path)
    found = symbols.drop_id_0(found, K)
    model = folder.model_of(network, found, documents)
    if found.stand_ins:
        shown = ", ".join(f"{name!r} U+{point:04X}" for name, point in found.stand_ins[:8])
        more = f" and {len(found.stand_ins) - 8:,} more" if len(found.stand_ins) > 8 else ""
        warnings.warn(
            f"private characters of Unicode stand for the symbols that are no single character: {shown}{more}.",
            stacklevel=3,
        )
    if text is not None:
        text_symbols.warn_if_unlikely(model, text)
    return model


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
