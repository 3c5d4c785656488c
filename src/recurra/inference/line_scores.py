"""Score each line of a text by itself, to find odd lines or the likeliest of several models."""

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
    """A line that is not empty, its `number` in the text from 1, its score, and the nats of each of its symbols.

    The newline at its end is one of them.
    """

    number: int
    text: str
    score: Score
    nats: NDArray[np.float64]


def score_lines(
    network: Network, vocabulary: Vocabulary, zero_state: Callable[[int], State], text: str
) -> Iterator[Line]:
    """The lines of `text` in order, each read from a zero state and a newline, as training by documents does.

    TextError where the model knows no newline, or where no line has a character.
    """
    newline, _ = vocabulary.encode_known(NEWLINE)
    if len(newline) == 0:
        raise TextError("the model knows no newline: it has no lines to score.", hint="leave out `--documents`.")
    lines = [(number, line) for number, line in enumerate(text.split(NEWLINE), start=1) if line]
    if not lines:
        raise no_documents()
    looked_up = [vocabulary.look_up(line + NEWLINE) for _, line in lines]
    known = [ids[has].astype(np.int64) for ids, has in looked_up]
    losses = document_losses(network, known, int(newline[0]), zero_state)
    for (number, line), own, (_, has) in zip(lines, losses, looked_up, strict=True):
        nats = escapes(line + NEWLINE)
        nats[has] = own
        size = len(line) if vocabulary.is_bytes else int(utf8_lengths(line).sum())
        yield Line(number, line, Score(len(line) + 1, math.fsum(nats.tolist()), int(np.sum(~has)), size + 1), nats)
