"""Read the text of a run again from its files, and verify that it is the same text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from recurra.config import TrainingConfig, arguments
from recurra.errors import ModelError, RecurraError, TextError
from recurra.io import tensor_file
from recurra.model import from_tensors
from recurra.runs.layout import train_command
from recurra.runs.run_toml import read_settings
from recurra.runs.saved_model import locate
from recurra.runs.source_list import read_sources
from recurra.text import named_books
from recurra.text.reading import read
from recurra.text.splits import ENCODING, PreparedText, prepare
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary

TEXT_HINT = "give the text: `recurra score MODEL TEXT`."
READ_ONCE = {"-": "standard input", "text": "a string"}  # sources that can be read only once
_SOURCE_KEYS = ("source", "sources", "sources_sha256")


def read_again(folder: Path, table: Mapping[str, Any], *, owner: str = "the run", hint: str | None = None) -> Text:
    """Read again the text of the run in `folder`; `table` is the entry "text" of run.toml or of a checkpoint.

    The table is untrusted input: it names books, or files by absolute paths. Raises TextError if the text is missing
    or has changed, or if the table has no sources. `owner` and `hint` are parts of the error.
    """
    hint = hint or (
        f"pass the text: `{train_command('TEXT --resume', folder)}`. "
        "A different text with the same characters is read from its beginning."
    )
    name, encoding = f"the text of {owner}", str(table.get("encoding", ENCODING))
    sources = _valid_sources(read_sources(folder, table, hint))
    read_once = next((READ_ONCE[source] for source in sources if source in READ_ONCE), None)
    if read_once is not None or not sources:
        reason = f"it was {read_once}" if read_once else "the run has no record of its files"
        raise TextError(f"{name} cannot be read again: {reason}.", hint=hint)
    try:
        text = read(sources, encoding, name=str(table.get("name") or "") or None)
    except TextError as error:
        raise TextError(f"{name} cannot be read again: {error.message}", hint=hint) from error
    if text.sha256 != table.get("sha256"):
        raise TextError(f"{name} has changed: its sha256 is {text.sha256}, and was {table.get('sha256')}.", hint=hint)
    return text


def read_training_text(model: str | Path) -> Text:
    """Read again the text on which a model was trained; `model` is a run directory or a checkpoint file.

    Raises ModelError if the file names no text, TextError if the text has changed or is missing.
    """
    return Provenance(arguments.path("model", model)).prepared_text.text


class Provenance:
    """The text of a training, found from the model file of a run and the run.toml next to it."""

    def __init__(self, path: str | Path) -> None:
        self._path = path

    @cached_property
    def _file(self) -> tuple[dict[str, Any], Vocabulary]:
        path = locate(self._path)
        tensors, metadata = tensor_file.read(path)
        return metadata, from_tensors(path, tensors, metadata).vocabulary

    def _table(self, name: str) -> dict[str, Any]:
        table = self._file[0].get(name)
        return table if isinstance(table, dict) else {}

    @property
    def sha256(self) -> str | None:
        """Return the sha256 of the text; None if the file has none."""
        return self._table("text").get("sha256")

    @cached_property
    def prepared_text(self) -> PreparedText:
        """Return the text, read again, with the model's vocabulary and the parts of the training.

        Raises ModelError if the file names no text, TextError if the text is missing or has changed.
        """
        table = self._table("text")
        if not table or not self._table("training"):
            raise ModelError(f"`{self._path}` does not name its training text.", hint=TEXT_HINT)
        try:
            training = TrainingConfig.from_table(self._table("training"))
        except (RecurraError, TypeError) as error:
            raise ModelError(f"`{self._path}` has no valid training settings: {error}.") from error
        folder = locate(self._path).absolute().parents[1]
        table = {name: value for name, value in table.items() if name not in _SOURCE_KEYS} | self._source(folder)
        text = read_again(folder, table, owner=f"`{self._path}`", hint=TEXT_HINT)
        return prepare(text, training, self._file[1])

    def _source(self, folder: Path) -> dict[str, Any]:
        """Return the sources in the run.toml of `folder`; else the text's name if it is the name of a book."""
        table, name = read_settings(folder)["text"], self._table("text").get("name")
        sources = {key: table[key] for key in _SOURCE_KEYS if key in table}
        if any(sources.values()):
            return sources
        return {"source": [name]} if name in named_books.NAMES else {}


def _valid_sources(value: object) -> list[str]:
    """Return `value` if it is a list of book names and absolute paths, else an empty list."""
    sources = value if isinstance(value, (list, tuple)) else []
    names = (*named_books.NAMES, *READ_ONCE)
    valid = all(isinstance(source, str) and (source in names or Path(source).is_absolute()) for source in sources)
    return list(sources) if valid else []
