"""What a model was trained on: its text, read again where it was read, and the parts that it learned and held out."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from recurra.config import TrainingConfig
from recurra.errors import ModelError, RecurraError
from recurra.io import tensor_file
from recurra.model import from_tensors
from recurra.runs.run_toml import read_settings
from recurra.runs.saved_model import locate
from recurra.runs.source_list import read_sources
from recurra.text import named_books
from recurra.text.splits import LearningText, prepared, read_again
from recurra.text.vocabulary import Vocabulary

HINT = "give the text: `recurra score MODEL TEXT`."


class Provenance:
    """What the file of a run's model tells of its text, and run.toml beside it."""

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
        """That of the text, as far as the file tells."""
        return self._table("text").get("sha256")

    @cached_property
    def learned(self) -> LearningText:
        """The text, read again, in the model's vocabulary.

        Raises ModelError where the file does not say which text it was, TextError where that cannot be read again or
        has changed.
        """
        told = self._table("text")
        if not told or not self._table("training"):
            raise ModelError(f"`{self._path}` does not say which text it has learned.", hint=HINT)
        try:
            training = TrainingConfig.from_table(self._table("training"))
        except (RecurraError, TypeError) as error:
            raise ModelError(f"`{self._path}` does not say how it was trained: {error}.") from error
        text = read_again({**told, "source": self._source()}, whose=f"`{self._path}`", hint=HINT)
        return prepared(text, training, self._file[1])

    def _source(self) -> Any:
        """What the run.toml beside a run's checkpoints says; where it says nothing, the text's name may be a book's."""
        name = str(self._table("text").get("name"))
        folder = locate(self._path).absolute().parents[1]
        source = read_sources(folder, read_settings(folder)["text"], HINT)
        return source or [name for name in [name] if name in named_books.NAMES]
