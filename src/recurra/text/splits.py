"""The text of a training: read, encoded, and cut into its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from recurra.config import TrainingConfig
from recurra.errors import TextError, UsageError
from recurra.text.id_file import Ids, translate
from recurra.text.reading import Source, from_string, read, require_enough_text
from recurra.text.streams import STREAMS, DocumentStream, TextStream, split
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary, name_characters

ENCODING = "utf-8"  # unless another is given


class PreparedText(NamedTuple):
    """A text, its vocabulary, and the ids of its parts: to train on, held out, and of the test."""

    text: Text
    vocabulary: Vocabulary
    parts: tuple[Ids, Ids, Ids]
    newline: int | None

    @property
    def held_out(self) -> tuple[int, int]:
        """Where the part that is held out begins and ends."""
        start = len(self.parts[0])
        return start, start + len(self.parts[1])


def read_text(sources: Source | Sequence[Source], text: str | Text | None, encoding: str | None) -> Text:
    """The text of `sources`, or `text` in their place."""
    encoding = ENCODING if encoding is None else encoding
    if text is None:
        return read(sources, encoding)
    if sources:
        raise UsageError("give either a text to read or `text`, not both.")
    return text if isinstance(text, Text) else from_string(text, encoding=encoding)


def prepare(text: Text, training: TrainingConfig, known: Vocabulary | None = None) -> PreparedText:
    """The text as `training` reads it, in the vocabulary that is `known`, else its own; TextError where it cannot.

    Characters that are not known become canonical equivalents that are.
    """
    text = text if known is None else text.respell(known)
    held_out = {"validation": training.validation, "test": training.test}
    T, B = (training.sequence_length, training.batch_size) if training.documents is None else (1, 1)
    require_enough_text(text, T, B, **held_out)
    vocabulary, ids = _encoded(text, known)
    _require_prompt(training, vocabulary)
    newline = newline_id(training, vocabulary)
    if newline is not None:
        ids = ids[:]  # lines are sorted by length: in memory
    parts = split(ids, **held_out, newline=newline)
    for name, part in zip(held_out, parts[1:], strict=True):
        if newline is not None and len(part) and np.all(part[:] == newline):
            raise TextError("all lines held out are empty.", hint=f"give another `--{name}`.")
    return PreparedText(text, vocabulary, parts, newline)


def _encoded(text: Text, known: Vocabulary | None) -> tuple[Vocabulary, Ids]:
    """The vocabulary, that of the model that learns on or else the text's own, and the text's ids in it."""
    own = text.vocabulary
    if known is None or known == own:
        return own, text.ids
    if known.is_bytes != own.is_bytes:
        raise TextError(
            f"the model to start from reads {'bytes' if known.is_bytes else 'characters'}, the text is the other kind.",
            hint="give `--encoding bytes`." if known.is_bytes else "leave out `--encoding bytes`.",
        )
    unknown = "".join(sorted(set(own.symbols) - set(known.symbols)))
    if unknown:
        raise TextError(
            f"the model to start from does not know {name_characters(unknown)} of the text.",
            hint="add them with `--extend-vocabulary`, or take these characters out.",
        )
    return known, translate(text.ids, known.encode(own.symbols))


def _require_prompt(training: TrainingConfig, vocabulary: Vocabulary) -> None:
    """Raise UsageError if the text has not all characters with which the samples begin."""
    _, unknown = vocabulary.encode_known(vocabulary.spell(training.sample_prompt))
    if unknown:
        raise UsageError(
            f"`sample_prompt` has {name_characters(unknown)}, which the text does not have.",
            hint="begin the samples with a character of the text.",
        )


def newline_id(training: TrainingConfig, vocabulary: Vocabulary) -> int | None:
    """The id of the newline that begins and ends every document, None without documents; TextError if there is none."""
    if training.documents is None:
        return None
    ids, _ = vocabulary.encode_known("\n")
    if len(ids) == 0:
        raise TextError("the text has no newline: it is no text of documents.", hint="leave out `--documents`.")
    return int(ids[0])


def create_stream(training: TrainingConfig, ids: Ids, newline: int | None) -> TextStream:
    """How `training` reads `ids`: as documents between newlines, or in its order."""
    sizes = training.sequence_length, training.batch_size, training.seed
    if newline is None:
        return STREAMS[training.order](ids, *sizes)
    return DocumentStream(ids[:], *sizes, newline=newline)
