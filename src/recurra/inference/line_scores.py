"""Score each line of a text by itself, to find unusual lines, or to find the most likely of several models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recurra.errors import TextError
from recurra.inference.scoring import Score, document_losses, no_documents
from recurra.inference.surprise import escapes, utf8_lengths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from recurra.engines import Network
    from recurra.network.network import State
    from recurra.text.vocabulary import Vocabulary

NEWLINE = "\n"


class Line(NamedTuple):
    """A line with at least one character.

    Args:
        number: number of the line in the text, from 1.
        text: the characters without the newline.
        score: the score of the line with its newline.
        nats: the loss of each symbol; the last one is the newline.
    """

    number: int
    text: str
    score: Score
    nats: NDArray[np.float64]


def score_lines(
    network: Network, vocabulary: Vocabulary, zero_state: Callable[[int], State], text: str
) -> Iterator[Line]:
    """Score the lines of a text, each from a zero state and a newline, as in training by documents.

    Args:
        network: the trained network.
        vocabulary: its vocabulary.
        zero_state: a function that returns the zero state for a number of streams.
        text: the text, spelled in symbols of the vocabulary.

    Yields:
        The lines that are not empty, in order.

    Raises:
        TextError: if the vocabulary has no newline, or if all lines are empty.
    """
    newline, _ = vocabulary.encode_known(NEWLINE)
    if len(newline) == 0:
        raise TextError(
            "the model's vocabulary has no newline, which a score of lines needs.", hint="leave out `--documents`."
        )
    lines = [(number, line) for number, line in enumerate(text.split(NEWLINE), start=1) if line]
    if not lines:
        raise no_documents()
    lookups = [vocabulary.look_up(line + NEWLINE) for _, line in lines]
    known = [ids[is_known].astype(np.int64) for ids, is_known in lookups]
    losses = document_losses(network, known, int(newline[0]), zero_state)
    for (number, line), known_nats, (_, is_known) in zip(lines, losses, lookups, strict=True):
        nats = escapes(line + NEWLINE)
        nats[is_known] = known_nats
        size = len(line) if vocabulary.is_bytes else int(utf8_lengths(line).sum())
        yield Line(number, line, Score(len(line) + 1, math.fsum(nats.tolist()), int(np.sum(~is_known)), size + 1), nats)
