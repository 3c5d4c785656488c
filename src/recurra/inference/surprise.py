"""The loss of each character of a text in nats.

The text is read in pieces, each from the final state of the previous piece.
"""

from __future__ import annotations

import codecs
import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from recurra.inference.scoring import CHUNK, ESCAPE_BITS, Score
from recurra.network.state import map_state
from recurra.text.decoding import reject_surrogates
from recurra.text.vocabulary import code_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from recurra.engines import Network
    from recurra.network.network import State
    from recurra.text.vocabulary import Vocabulary

    Ids = NDArray[np.integer]
    Logs = NDArray[np.float32]

NO_GUESS = -1
SHADE_LIMITS_NATS = (0.5, 1.0, 2.0, 4.0, 8.0)  # loss in nats from which a character has the next shade


class Surprise(NamedTuple):
    """The losses of one piece of a text, N symbols.

    Args:
        symbols: the piece.
        nats: (N,), -log p of each symbol after all symbols before it. An unknown symbol costs its escape and is
            skipped.
        ranks: (N,), the rank of each symbol in the model's prediction, from 1; 0 without a prediction, that is for an
            unknown symbol, or for the first symbol of a text if its loss is ln K.
        likeliest: (N,), the id of the most likely symbol, or `NO_GUESS` without a prediction.
        unknown: number of unknown symbols.
    """

    symbols: str
    nats: NDArray[np.float64]
    ranks: NDArray[np.int64]
    likeliest: NDArray[np.int64]
    unknown: int


class Predictor(Protocol):
    """The interface of a network that predicts a text from its current state on. It may learn from the text."""

    def read(self, inputs: Ids, targets: Ids) -> Iterator[Logs]:
        """Read the next N symbols.

        Args:
            inputs: (N,), the ids to read.
            targets: (N,), the id that follows each of them.

        Yields:
            Blocks (n, K) of log p of the symbol after each of `inputs`, in nats.
        """


class StaticPredictor:
    """A network with constant parameters. Its `state` is set to zero before the id `document_end` is read."""

    def __init__(self, network: Network, state: State, document_end: int | None = None) -> None:
        self._network, self._document_end = network, document_end
        self.state = state

    def read(self, inputs: Ids, targets: Ids) -> Iterator[Logs]:  # noqa: ARG002 - this predictor does not learn
        """Implement `Predictor.read`. Every length of the blocks gives the same bits."""
        for start in range(0, len(inputs), CHUNK):
            yield np.concatenate([self._read(part) for part in self._parts(inputs[start : start + CHUNK])])

    def _parts(self, ids: Ids) -> list[Ids]:
        """Split the ids before each id that ends a document."""
        return [part for part in np.split(ids, np.flatnonzero(ids == self._document_end)) if len(part)]

    def _read(self, ids: Ids) -> Logs:
        if ids[0] == self._document_end:
            self.state = map_state(np.zeros_like, self.state)
        logs, self.state = self._network.log_probabilities(ids, self.state)
        return logs


def surprises(
    predictor: Predictor, vocabulary: Vocabulary, pieces: Iterable[str], before: int | None = None
) -> Iterator[Surprise]:
    """Compute the loss of each symbol of a text. Every division into pieces gives the same bits.

    The loss of a known symbol is -log p, given the id `before` and all known symbols before it. If there is no id
    before the text, the loss of the first known symbol is ln K.

    Args:
        predictor: the network.
        vocabulary: its vocabulary of K symbols.
        pieces: the text in pieces, spelled in symbols of the vocabulary.
        before: an id to read before the text, or None.

    Yields:
        The losses of each piece.
    """
    last, length = np.array([] if before is None else [before], vocabulary.dtype), 0
    for piece in pieces:
        reject_surrogates(piece, "the text", length)
        length += len(piece)
        ids, known = vocabulary.look_up(piece)
        nats, ranks = escapes(piece), np.zeros(len(piece), np.int64)
        likeliest = np.full(len(piece), NO_GUESS)
        known_ids = np.concatenate([last, ids[known]])
        places = np.flatnonzero(known)
        if len(last) == 0:
            nats[places[:1]] = math.log(len(vocabulary))
            places = places[1:]
        done = 0
        for logs in predictor.read(known_ids[:-1], known_ids[1:]):
            places_read, targets = places[done : done + len(logs)], known_ids[done + 1 : done + len(logs) + 1]
            correct = logs[np.arange(len(logs)), targets]
            nats[places_read] = -correct
            ranks[places_read] = 1 + np.count_nonzero(logs > correct[:, np.newaxis], axis=1)
            likeliest[places_read] = np.argmax(logs, axis=1)
            done += len(logs)
        last = known_ids[-1:]
        yield Surprise(piece, nats, ranks, likeliest, len(piece) - int(known.sum()))


def escapes(symbols: str) -> NDArray[np.float64]:
    """Return the loss of each character in nats if it is unknown: 24 bits, and 8 bits for each byte of its UTF-8."""
    return np.asarray((ESCAPE_BITS + 8 * utf8_lengths(symbols)) * math.log(2), np.float64)


def utf8_lengths(symbols: str) -> NDArray[np.int64]:
    """Return the number of UTF-8 bytes of each character."""
    points = code_points(symbols)
    return 1 + np.searchsorted([0x80, 0x800, 0x10000], points, side="right")


def tally(pieces: Iterable[Surprise], *, is_bytes: bool = False, keep: bool = False) -> Score:
    """Return the score of all pieces: the exact sum of their nats, rounded once. If `keep`, include the losses."""
    characters = unknown = size = 0
    kept: list[NDArray[np.float64]] = []

    def nats() -> Iterator[float]:
        nonlocal characters, unknown, size
        for piece in pieces:
            characters += len(piece.symbols)
            unknown += piece.unknown
            size += len(piece.symbols) if is_bytes else int(utf8_lengths(piece.symbols).sum())
            kept.extend([piece.nats] * keep)
            yield from piece.nats.tolist()

    total = math.fsum(nats())
    losses = np.concatenate(kept) if kept else None
    if losses is not None:
        losses.flags.writeable = False  # `nats` of the score is their sum
    return Score(characters, total, unknown, size, losses)


def shade(nats: float) -> int:
    """Return the number of the shade (0, 1, …) of a character with the loss `nats`."""
    return sum(nats >= limit for limit in SHADE_LIMITS_NATS)


def characters(parts: Iterable[tuple[str, NDArray[np.float64]]], *, is_bytes: bool) -> Iterator[tuple[str, float]]:
    """Yield each character and its loss in nats.

    Bytes are decoded as UTF-8, and the loss of a character is the sum over its bytes. Invalid bytes become U+FFFD.

    Args:
        parts: pairs of symbols and their nats.
        is_bytes: True if the symbols are bytes.
    """
    decoder, nats = codecs.getincrementaldecoder("utf-8")("replace"), 0.0
    for symbols, costs in parts:
        for symbol, cost in zip(symbols, costs.tolist(), strict=True):
            nats += cost
            for character in decoder.decode(symbol.encode("latin-1")) if is_bytes else symbol:
                yield character, nats
                nats = 0.0
    if decoder.decode(b"", final=True):
        yield "\ufffd", nats
