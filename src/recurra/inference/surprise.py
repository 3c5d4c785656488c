"""The cost of each character of a text in nats; the text comes in pieces, and the state is carried."""

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
SHADES_AT = (0.5, 1.0, 2.0, 4.0, 8.0)  # nats at which a character that is shown gets the next shade


class Surprise(NamedTuple):
    """A piece of a text, N symbols, and what the model made of each.

    nats       -log p, given all before it (N,)
    ranks      its place among the model's guesses, from 1 (N,); 0 where none was made: of the text's first symbol
               where it costs ln K, and of unknown ones, which cost the escape and are skipped
    likeliest  the id of the best guess (N,), else `NO_GUESS`
    """

    symbols: str
    nats: NDArray[np.float64]
    ranks: NDArray[np.int64]
    likeliest: NDArray[np.int64]
    unknown: int


class Predictor(Protocol):
    """What reads on from where it is; one that learns does so from what it has predicted already."""

    def read(self, inputs: Ids, targets: Ids) -> Iterator[Logs]:
        """log p over what follows each of `inputs` (N,), in blocks (n, K) in nats; what did follow are `targets`."""


class StaticPredictor:
    """A network that stays as it is, and its `state`, which becomes zero before the id `document_end` is read."""

    def __init__(self, network: Network, state: State, document_end: int | None = None) -> None:
        self._network, self._document_end = network, document_end
        self.state = state

    def read(self, inputs: Ids, targets: Ids) -> Iterator[Logs]:  # noqa: ARG002 - it does not learn
        """See `Predictor`; the length of the blocks changes no bit."""
        for start in range(0, len(inputs), CHUNK):
            yield np.concatenate([self._read(part) for part in self._parts(inputs[start : start + CHUNK])])

    def _parts(self, ids: Ids) -> list[Ids]:
        """The ids, cut before each end of a document."""
        return [part for part in np.split(ids, np.flatnonzero(ids == self._document_end)) if len(part)]

    def _read(self, ids: Ids) -> Logs:
        if ids[0] == self._document_end:
            self.state = map_state(np.zeros_like, self.state)
        logs, self.state = self._network.log_probabilities(ids, self.state)
        return logs


def surprises(
    predictor: Predictor, vocabulary: Vocabulary, pieces: Iterable[str], before: int | None = None
) -> Iterator[Surprise]:
    """Each of `pieces` with its costs: how the text is cut changes no bit of them.

    Each known symbol costs -log p by `predictor`, given the id `before` the text and all known ones before it. Without
    an id before the text, the first known one costs ln K, where K symbols are known.
    """
    last, length = np.array([] if before is None else [before], vocabulary.dtype), 0
    for piece in pieces:
        reject_surrogates(piece, "the text", length)
        length += len(piece)
        ids, known = vocabulary.look_up(piece)
        nats, ranks = escapes(piece), np.zeros(len(piece), np.int64)
        likeliest = np.full(len(piece), NO_GUESS)
        line = np.concatenate([last, ids[known]])
        places = np.flatnonzero(known)
        if len(last) == 0:
            nats[places[:1]] = math.log(len(vocabulary))
            places = places[1:]
        done = 0
        for logs in predictor.read(line[:-1], line[1:]):
            here, own = places[done : done + len(logs)], line[done + 1 : done + len(logs) + 1]
            found = logs[np.arange(len(logs)), own]
            nats[here] = -found
            ranks[here] = 1 + np.count_nonzero(logs > found[:, np.newaxis], axis=1)
            likeliest[here] = np.argmax(logs, axis=1)
            done += len(logs)
        last = line[-1:]
        yield Surprise(piece, nats, ranks, likeliest, len(piece) - int(known.sum()))


def escapes(symbols: str) -> NDArray[np.float64]:
    """What each character would cost if it were unknown: 24 bits, and 8 for each of its bytes in UTF-8; in nats."""
    return np.asarray((ESCAPE_BITS + 8 * utf8_lengths(symbols)) * math.log(2), np.float64)


def utf8_lengths(symbols: str) -> NDArray[np.int64]:
    """The bytes of each character in UTF-8."""
    points = code_points(symbols)
    return 1 + np.searchsorted([0x80, 0x800, 0x10000], points, side="right")


def tally(found: Iterable[Surprise], *, is_bytes: bool = False, keep: bool = False) -> Score:
    """The score of all pieces: the exact sum of their nats, rounded once; where `keep`, with the losses."""
    characters = unknown = size = 0
    kept: list[NDArray[np.float64]] = []

    def nats() -> Iterator[float]:
        nonlocal characters, unknown, size
        for piece in found:
            characters += len(piece.symbols)
            unknown += piece.unknown
            size += len(piece.symbols) if is_bytes else int(utf8_lengths(piece.symbols).sum())
            kept.extend([piece.nats] * keep)
            yield from piece.nats.tolist()

    total = math.fsum(nats())
    losses = np.concatenate(kept) if kept else None
    if losses is not None:
        losses.flags.writeable = False  # `total` is their sum
    return Score(characters, total, unknown, size, losses)


def shade(nats: float) -> int:
    """How strongly a character that costs so much is marked, from 0."""
    return sum(nats >= limit for limit in SHADES_AT)


def characters(found: Iterable[tuple[str, NDArray[np.float64]]], *, is_bytes: bool) -> Iterator[tuple[str, float]]:
    """The characters of symbols and their nats; of bytes, those that they spell, at the cost of all their bytes.

    Bytes that are no UTF-8 become U+FFFD.
    """
    decoder, nats = codecs.getincrementaldecoder("utf-8")("replace"), 0.0
    for symbols, costs in found:
        for symbol, own in zip(symbols, costs.tolist(), strict=True):
            nats += own
            for character in decoder.decode(symbol.encode("latin-1")) if is_bytes else symbol:
                yield character, nats
                nats = 0.0
    if decoder.decode(b"", final=True):
        yield "\ufffd", nats
