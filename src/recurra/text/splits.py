"""The text of a training: read it, encode it, and split it into training, validation and test parts."""

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

ENCODING = "utf-8"  # the default


class PreparedText(NamedTuple):
    """A text that is encoded and split for one training.

    Attributes:
        text: the text
        vocabulary: the vocabulary of the model
        parts: the ids of the training, validation and test parts
        newline: the id of the newline between documents; None if the training has no documents
    """

    text: Text
    vocabulary: Vocabulary
    parts: tuple[Ids, Ids, Ids]
    newline: int | None

    @property
    def held_out(self) -> tuple[int, int]:
        """The start and the end of the validation part."""
        start = len(self.parts[0])
        return start, start + len(self.parts[1])


def read_text(sources: Source | Sequence[Source], text: str | Text | None, encoding: str | None) -> Text:
    """Return `text` as a Text; if `text` is None, read the text of `sources`."""
    encoding = ENCODING if encoding is None else encoding
    if text is None:
        return read(sources, encoding)
    if sources:
        raise UsageError("give either a text to read or `text`, not both.")
    return text if isinstance(text, Text) else from_string(text, encoding=encoding)


def prepare(text: Text, training: TrainingConfig, known: Vocabulary | None = None) -> PreparedText:
    """Encode `text`, and split it for `training`.

    The vocabulary is `known` or, if `known` is None, the vocabulary of the text. Characters outside `known` are
    replaced by canonical equivalents in `known`, if there are any. Raises TextError if the text is too short, or has
    characters that `known` lacks.
    """
    text = text if known is None else text.respell(known)
    held_out = {"validation": training.validation, "test": training.test}
    T, B = (training.sequence_length, training.batch_size) if training.documents is None else (1, 1)
    require_enough_text(text, T, B, **held_out)
    vocabulary, ids = _encoded(text, known)
    _require_prompt(training, vocabulary)
    newline = newline_id(training, vocabulary)
    if newline is not None:
        ids = ids[:]  # in memory, because the lines are sorted by length
    parts = split(ids, **held_out, newline=newline)
    for name, part in zip(held_out, parts[1:], strict=True):
        if newline is not None and len(part) and np.all(part[:] == newline):
            raise TextError("all held-out lines are empty.", hint=f"give another `--{name}`.")
    return PreparedText(text, vocabulary, parts, newline)


def _encoded(text: Text, known: Vocabulary | None) -> tuple[Vocabulary, Ids]:
    """Return the vocabulary of the model, and the ids of the text in this vocabulary.

    The vocabulary of the model is `known` or, if `known` is None, the vocabulary of the text.
    """
    vocabulary = text.vocabulary
    if known is None or known == vocabulary:
        return vocabulary, text.ids
    if known.is_bytes != vocabulary.is_bytes:
        model, other = ("bytes", "characters") if known.is_bytes else ("characters", "bytes")
        raise TextError(
            f"the model to start from reads {model}, but the text consists of {other}.",
            hint="give `--encoding bytes`." if known.is_bytes else "leave out `--encoding bytes`.",
        )
    unknown = "".join(sorted(set(vocabulary.symbols) - set(known.symbols)))
    if unknown:
        raise TextError(
            f"the text has characters that the model to start from lacks: {name_characters(unknown)}.",
            hint="add them with `--extend-vocabulary`, or remove them from the text.",
        )
    return known, translate(text.ids, known.encode(vocabulary.symbols))


def _require_prompt(training: TrainingConfig, vocabulary: Vocabulary) -> None:
    """Raise UsageError if the vocabulary of the model lacks a character of the sample prompt."""
    _, unknown = vocabulary.encode_known(vocabulary.spell(training.sample_prompt))
    if unknown:
        raise UsageError(
            f"`sample_prompt` has {name_characters(unknown)}, which the vocabulary of the model lacks.",
            hint="give `--sample-prompt` characters of the text only.",
        )


def newline_id(training: TrainingConfig, vocabulary: Vocabulary) -> int | None:
    """Return the id of the newline, which begins and ends each document; None if the training has no documents.

    Raises TextError if the vocabulary has no newline.
    """
    if training.documents is None:
        return None
    ids, _ = vocabulary.encode_known("\n")
    if len(ids) == 0:
        raise TextError("the text has no newline, so that it has no documents.", hint="leave out `--documents`.")
    return int(ids[0])


def create_stream(training: TrainingConfig, ids: Ids, newline: int | None) -> TextStream:
    """Create the stream of `ids`: documents between newlines, or the order that `training` sets."""
    sizes = training.sequence_length, training.batch_size, training.seed
    if newline is None:
        return STREAMS[training.order](ids, *sizes)
    return DocumentStream(ids[:], *sizes, newline=newline)
