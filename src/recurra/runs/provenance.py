"""The text of a run, read again where it was read: the same text or none. And the parts that its model has learned."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from recurra.config import TrainingConfig, arguments
from recurra.errors import ModelError, RecurraError, TextError
from recurra.io import tensor_file
from recurra.model import from_tensors
from recurra.runs.run_toml import read_settings
from recurra.runs.saved_model import locate
from recurra.runs.source_list import read_sources
from recurra.text import named_books
from recurra.text.reading import read
from recurra.text.splits import ENCODING, PreparedText, prepare
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary

TEXT_HINT = "give the text: `recurra score MODEL TEXT`."
GIVE_IT = "give the text itself: it may be another one of the same characters, which is then read from its beginning."
UNREADABLE = {"-": "standard input", "text": "a string"}  # sources that are gone when they were read
_SOURCE_KEYS = ("source", "sources", "sources_sha256")


def read_again(folder: Path, table: Mapping[str, Any], *, whose: str = "the run", hint: str = GIVE_IT) -> Text:
    """Read again the text of the run in `folder`, of which run.toml, or a checkpoint, has the `table`.

    Anyone may have written the table. Raises TextError if the text is gone or has changed, or if its place is not
    known: the place of a file is an absolute path.
    """
    text, encoding = f"the text of {whose}", str(table.get("encoding", ENCODING))
    source = _places(read_sources(folder, table, hint))
    gone = next((UNREADABLE[place] for place in source if place in UNREADABLE), None)
    if gone is not None or not source:
        why = f"it was {gone}" if gone else "where it was read is not known"
        raise TextError(f"{text} cannot be read again: {why}.", hint=hint)
    try:
        found = read(source, encoding, name=str(table.get("name") or "") or None)
    except TextError as error:
        raise TextError(f"{text} cannot be read again: {error.message}", hint=hint) from error
    if found.sha256 != table.get("sha256"):
        raise TextError(f"{text} has changed: its sha256 is {found.sha256}, and was {table.get('sha256')}.", hint=hint)
    return found


def read_training_text(model: str | Path) -> Text:
    """Read again the text that a run's model was trained on; `model` is the run's folder or a checkpoint file.

    Raises ModelError if the file does not say which text it was, TextError if the text has changed or is gone.
    """
    return Provenance(arguments.path("model", model)).prepared_text.text


class Provenance:
    """The text of a training, by the model file of its run and the run.toml beside it."""

    def __init__(self, path: str | Path) -> None:
        self._path = path

    @cached_property
    def _file(self) -> tuple[dict[str, Any], Vocabulary]:
        found = locate(self._path)
        tensors, metadata = tensor_file.read(found)
        return metadata, from_tensors(found, tensors, metadata).vocabulary

    def _table(self, name: str) -> dict[str, Any]:
        table = self._file[0].get(name)
        return table if isinstance(table, dict) else {}

    @property
    def sha256(self) -> str | None:
        """The sha256 of the text; None if the file has none."""
        return self._table("text").get("sha256")

    @cached_property
    def prepared_text(self) -> PreparedText:
        """The text, read again, in the model's vocabulary.

        Raises ModelError if the file does not say which text it was, TextError if that cannot be read again or has
        changed.
        """
        table = self._table("text")
        if not table or not self._table("training"):
            raise ModelError(f"`{self._path}` does not say which text it has learned.", hint=TEXT_HINT)
        try:
            training = TrainingConfig.from_table(self._table("training"))
        except (RecurraError, TypeError) as error:
            raise ModelError(f"`{self._path}` does not say how it was trained: {error}.") from error
        folder = locate(self._path).absolute().parents[1]
        table = {name: value for name, value in table.items() if name not in _SOURCE_KEYS} | self._source(folder)
        text = read_again(folder, table, whose=f"`{self._path}`", hint=TEXT_HINT)
        return prepare(text, training, self._file[1])

    def _source(self, folder: Path) -> dict[str, Any]:
        """Return the sources in the run.toml beside a run's checkpoints, else the text's name if a book has it."""
        own, name = read_settings(folder)["text"], self._table("text").get("name")
        found = {key: own[key] for key in _SOURCE_KEYS if key in own}
        if any(found.values()):
            return found
        return {"source": [name]} if name in named_books.NAMES else {}


def _places(source: object) -> list[str]:
    """Return the names and paths of `source`; none if it is no list of them, or has a relative path."""
    places = source if isinstance(source, (list, tuple)) else []
    known = (*named_books.NAMES, *UNREADABLE)
    good = all(isinstance(place, str) and (place in known or Path(place).is_absolute()) for place in places)
    return list(places) if good else []
