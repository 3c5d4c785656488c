"""What a model was trained on: its text, read again where it was read, and the parts that it learned and held out."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra import tensor_file
from recurra.config import NONE, TrainingConfig
from recurra.errors import ModelError, RecurraError, TextError
from recurra.model import locate
from recurra.text import books
from recurra.text.id_file import Ids, translated
from recurra.text.reading import read
from recurra.text.streams import split
from recurra.training.learning_text import newline_of
from recurra.training.settings import read_settings

if TYPE_CHECKING:
    from recurra.text.decoding import Text
    from recurra.text.vocabulary import Vocabulary

HINT = "give the text: `recurra score MODEL TEXT`."


class Learned:
    """A text, cut as `training` cut it."""

    def __init__(self, text: Text, training: TrainingConfig) -> None:
        self.text, self.training = text, training

    @cached_property
    def _parts(self) -> tuple[Ids, Ids, Ids]:
        """To learn from, held out, and of the test: ids in the text's own vocabulary."""
        newline = newline_of(self.training, self.text.vocabulary)
        ids = self.text.ids if newline is None else self.text.ids[:]
        return split(ids, self.training.validation, self.training.test, newline=newline)

    @property
    def held_out(self) -> tuple[int, int]:
        """Where the part that was held out begins and ends."""
        start = len(self._parts[0])
        return start, start + len(self._parts[1])

    def ids(self, vocabulary: Vocabulary) -> Ids:
        """The part that was learned, in the `vocabulary` of the model."""
        own = self.text.vocabulary
        if own == vocabulary:
            return self._parts[0]
        return translated(self._parts[0], vocabulary.encode(own.symbols))


class Provenance:
    """What the file of a run's model tells of its text, and run.toml beside it."""

    def __init__(self, path: str | Path) -> None:
        self._path = path

    @cached_property
    def _metadata(self) -> dict[str, Any]:
        return tensor_file.read(locate(self._path))[1]

    def _table(self, name: str) -> dict[str, Any]:
        table = self._metadata.get(name)
        return table if isinstance(table, dict) else {}

    @property
    def sha256(self) -> str | None:
        """That of the text, as far as the file tells."""
        return self._table("text").get("sha256")

    @property
    def documents(self) -> bool:
        """Whether each line was learned by itself."""
        return bool(self._table("training").get("documents", NONE) != NONE)

    @cached_property
    def learned(self) -> Learned:
        """The text, read again.

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
        name = str(told.get("name", "text"))
        source = self._source() or ((name,) if name in books.NAMES else ())
        if not source or not all(place in books.NAMES or Path(place).is_absolute() for place in source):
            raise TextError(f"where the text `{name}` of `{self._path}` lies is not known.", hint=HINT)
        text = read(source, str(told.get("encoding", "utf-8")))
        if text.sha256 != self.sha256:
            raise TextError(f"the text `{name}` is no longer the one that `{self._path}` has learned.", hint=HINT)
        return Learned(text, training)

    def _source(self) -> tuple[str, ...]:
        """The paths and names in the run.toml beside a run's checkpoints; none where there is no such file."""
        source = read_settings(locate(self._path).absolute().parents[1])["text"].get("source")
        return tuple(map(str, source)) if isinstance(source, list) else ()
