"""Generate texts: the network reads its own output and draws each next character; many texts run side by side.

A text depends on its prompt, seed and settings alone: not on what is written beside it, and not on the size of the
blocks in which it is written.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recurra.engines.kernels.choice import Rules
from recurra.inference.sampling import SamplingConfig, rules_of, start_ids
from recurra.network.state import join_states, map_state
from recurra.system.random_streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recurra.engines.stepper import Stepper
    from recurra.text.vocabulary import Vocabulary

    Ids = NDArray[np.integer]

MAX_PARALLEL_TEXTS = 256  # streams that `generate_all` keeps in its batch
FIRST_BLOCK_STEPS, MAX_BLOCK_STEPS = (
    4,
    1024,
)  # steps of a block: they double while a block takes no longer than TARGET_BLOCK_SECONDS
TARGET_BLOCK_SECONDS = 0.1  # seconds

LENGTH, STOP = "length", "stop"


class Sample(NamedTuple):
    """A text as it was written: its symbols (of a model of bytes: bytes), the log p of each by the model itself, before
    any rule of sampling, in nats, and what ended it: "length" or "stop".
    """

    symbols: str
    log_probabilities: NDArray[np.float32]
    ended: str

    @property
    def mean(self) -> float:
        """The mean log p of a symbol; an empty text comes last."""
        return math.fsum(self.log_probabilities.tolist()) / len(self.symbols) if self.symbols else -math.inf


class TextChunk(NamedTuple):
    """What a text has got in one block; `generation.ended` says whether it is the last of it."""

    generation: TextGeneration
    symbols: str
    log_probabilities: NDArray[np.float32]


class TextGeneration:
    """A text on its way: what is to be read first, what is left to write, and what may be part of a stop string.

    It takes one step to read a character, and at the last of the prompt's and each that follows one is chosen.
    """

    def __init__(self, vocabulary: Vocabulary, prompt: Ids, config: SamplingConfig, candidate: int = 0) -> None:
        self.candidate = candidate
        self.ended: str | None = None
        self._vocabulary = vocabulary
        self._stops = [vocabulary.spell(stop) for stop in config.stop]
        self._given = np.concatenate([start_ids(vocabulary), prompt]).astype(np.int64)
        self._first = len(self._given) - 1  # the step of the first choice
        self._last = self._first + config.max_new_tokens if config.max_new_tokens else 0  # that after the last
        self._done = 0
        self._uniforms = stream(config.seed, f"sample {candidate}" if candidate else "sample")
        self._choices = slice(0)  # of the steps that are planned
        self._held, self._held_logs = "", np.zeros(0, np.float32)

    @property
    def steps_left(self) -> int:
        """How many steps it still takes."""
        return self._last - self._done

    def plan(self, given: NDArray[np.int64], uniforms: NDArray[np.float64]) -> None:
        """What to do in the next n steps: the ids to be read, and the numbers where to choose, put into (n,) of -1."""
        steps = len(given)
        read = self._given[self._done : self._done + steps]
        given[: len(read)] = read
        start = min(max(self._first - self._done, 0), steps)
        self._choices = slice(start, max(start, min(self.steps_left, steps)))
        uniforms[self._choices] = self._uniforms.uniform(self._choices.stop - start)
        self._done += steps

    def take(self, symbols: str, logs: NDArray[np.float32]) -> TextChunk:
        """The n steps of `plan` were done: what was chosen in each, and its log p (n,)."""
        text, found = self._held + symbols[self._choices], logs[self._choices]
        if self._held:
            found = np.concatenate([self._held_logs, found])
        at = find_stop(text, self._stops)
        if at is not None:
            self.ended = STOP
        elif self._done >= self._last:
            self.ended, at = LENGTH, len(text)
        else:
            at = len(text) - possible_stop_length(text, self._stops)
        self._held, self._held_logs = text[at:], found[at:]
        return TextChunk(self, text[:at], found[:at])


def find_stop(text: str, stops: list[str]) -> int | None:
    """Where the stop string begins that is complete first, of those complete at once the longest; else None."""
    found = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
    return min(found)[1] if found else None


def possible_stop_length(text: str, stops: list[str]) -> int:
    """How many characters at the end of `text` may be the beginning of a stop string."""
    lengths = (n for stop in stops for n in range(len(stop) - 1, 0, -1) if text.endswith(stop[:n]))
    return max(lengths, default=0)


def next_block_length(block: int, steps: int, seconds: float) -> int:
    """How long the next block is, where `steps` of one of `block` took so many seconds."""
    if seconds > TARGET_BLOCK_SECONDS:
        return max(block // 2, 1)
    return min(2 * block, MAX_BLOCK_STEPS) if steps == block and seconds < TARGET_BLOCK_SECONDS / 2 else block


class Generator:
    """Any number of texts, written side by side: one step of the network for all of them.

    `add` lets a text begin, at any time; `step` writes a block of every one. A text that has ended leaves. The state
    of a text becomes zero before the id `document_end` is read, as in training by documents.
    """

    def __init__(self, stepper: Stepper, vocabulary: Vocabulary, document_end: int | None = None) -> None:
        self._stepper, self._vocabulary, self._document_end = stepper, vocabulary, document_end
        self._live: list[TextGeneration] = []
        self._new: list[tuple[TextGeneration, Rules]] = []
        self._carry: Any = stepper.zeros(0)
        self._current = np.zeros(0, np.int64)
        self._rules: list[NDArray[np.generic]] = []
        self._block = FIRST_BLOCK_STEPS

    def __len__(self) -> int:
        return len(self._live) + len(self._new)

    def add(self, prompt: Ids, config: SamplingConfig, candidate: int = 0) -> TextGeneration:
        """A text after the ids `prompt` begins: the first of `config`, or another `candidate` for it."""
        rules = rules_of(config, self._vocabulary, prompt, self._stepper.width)
        generation = TextGeneration(self._vocabulary, prompt, config, candidate)
        self._new.append((generation, rules))
        return generation

    def drop(self, generation: TextGeneration) -> None:
        """It is no longer wanted."""
        self._new = [(other, rules) for other, rules in self._new if other is not generation]
        self._keep([other is not generation for other in self._live])

    def step(self) -> list[TextChunk]:
        """Write a block: what each text has got. A block is as long as it may be without making anyone wait."""
        self._join()
        if not self._live:
            return []
        steps = min(self._block, max(generation.steps_left for generation in self._live))
        given, uniforms = np.full((len(self), steps), -1), np.full((len(self), steps), -1.0)
        for s, generation in enumerate(self._live):
            generation.plan(given[s], uniforms[s])
        started = time.monotonic()
        written, logs = self._stepper.write(
            self._carry, self._current, given.T, uniforms.T, Rules(*self._rules), self._document_end
        )
        self._block = next_block_length(self._block, steps, time.monotonic() - started)
        symbols, logs = self._vocabulary.decode(written.T), np.ascontiguousarray(logs.T)
        pieces = [
            generation.take(symbols[s * steps : (s + 1) * steps], logs[s]) for s, generation in enumerate(self._live)
        ]
        self._keep([generation.ended is None for generation in self._live])
        return pieces

    def _join(self) -> None:
        """The new ones are read and written from now on."""
        if not self._new:
            return
        generations, rules = zip(*self._new, strict=True)
        rows = [list(self._rules)] * bool(self._live) + [list(one) for one in rules]
        self._rules = [np.concatenate(field) for field in zip(*rows, strict=True)]
        self._carry = join_states([self._carry, self._stepper.zeros(len(generations))])
        self._current = np.concatenate([self._current, np.zeros(len(generations), np.int64)])
        self._live, self._new = [*self._live, *generations], []

    def _keep(self, wanted: list[bool]) -> None:
        """The others leave."""
        if all(wanted):
            return
        which = np.flatnonzero(wanted)
        self._live = [self._live[s] for s in which]
        self._carry, self._current = (
            map_state(lambda field: np.ascontiguousarray(field[:, which]), self._carry),
            self._current[which],
        )
        self._rules = [field[which] for field in self._rules]


class _Candidates:
    """The texts that are written for one prompt and settings: those that have ended, and the pieces of the others."""

    def __init__(self, count: int) -> None:
        self.waited_for = count
        self.best: tuple[float, int, Sample] | None = None
        self._pieces: dict[TextGeneration, list[TextChunk]] = {}

    def add(self, piece: TextChunk) -> None:
        """One of them has got a piece; the best stays, of equally good ones the first."""
        generation, pieces = piece.generation, self._pieces.setdefault(piece.generation, [])
        pieces.append(piece)
        if generation.ended is None:
            return
        del self._pieces[generation]
        self.waited_for -= 1
        logs = np.concatenate([piece.log_probabilities for piece in pieces])
        sample = Sample("".join(piece.symbols for piece in pieces), logs, generation.ended)
        rank = sample.mean, -generation.candidate, sample
        if self.best is None or rank[:2] > self.best[:2]:
            self.best = rank


def generate_all(generator: Generator, texts: Iterable[tuple[Ids, SamplingConfig]]) -> Iterator[Sample]:
    """Yield the best candidate for each prompt and settings, in order; `MAX_PARALLEL_TEXTS` are written at once."""
    found: dict[int, _Candidates] = {}
    owner: dict[TextGeneration, int] = {}
    wanted = ((n, *text, candidate) for n, text in enumerate(texts) for candidate in range(text[1].best_of))
    following = 0
    while True:
        for n, prompt, config, candidate in itertools.islice(wanted, MAX_PARALLEL_TEXTS - len(generator)):
            generation = generator.add(prompt, config, candidate)
            owner[generation] = n
            found.setdefault(n, _Candidates(config.best_of))
        if not found:
            return
        for piece in generator.step():
            found[owner[piece.generation]].add(piece)
            if piece.generation.ended is not None:
                del owner[piece.generation]
        while following in found and not found[following].waited_for:
            best = found.pop(following).best
            assert best is not None  # noqa: S101 - all have ended
            yield best[2]
            following += 1


def stream_chunks(generator: Generator, prompt: Ids, config: SamplingConfig) -> Iterator[str]:
    """The symbols of one text as they are written, in pieces; where there are candidates, of the best at the end."""
    if config.best_of > 1:
        yield next(generate_all(generator, [(prompt, config)])).symbols
        return
    generation = generator.add(prompt, config)
    while generation.ended is None:
        yield from (piece.symbols for piece in generator.step() if piece.symbols)
