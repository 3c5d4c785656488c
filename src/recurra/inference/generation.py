"""Generate texts: the network reads its own output and chooses each next character, for many texts side by side.

A text depends only on its prompt, seed and settings. The texts beside it and the block length do not change it.
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

MAX_PARALLEL_TEXTS = 256  # streams in the batch of `generate_all`
FIRST_BLOCK_STEPS, MAX_BLOCK_STEPS = 4, 1024  # a block's steps double while it takes less than half the target
TARGET_BLOCK_SECONDS = 0.1

LENGTH, STOP = "length", "stop"


class Sample(NamedTuple):
    """One generated text.

    Args:
        symbols: the characters, or the bytes for a model of bytes.
        log_probabilities: log p of each symbol by the model itself, before any sampling rule, in nats.
        ended: "length" or "stop", the reason of the end.
    """

    symbols: str
    log_probabilities: NDArray[np.float32]
    ended: str

    @property
    def mean(self) -> float:
        """The mean log p of a symbol in nats; -infinity for an empty text."""
        return math.fsum(self.log_probabilities.tolist()) / len(self.symbols) if self.symbols else -math.inf


class TextChunk(NamedTuple):
    """The symbols of a text that one block generated. If `generation.ended` is not None, the chunk is the last one."""

    generation: TextGeneration
    symbols: str
    log_probabilities: NDArray[np.float32]


class TextGeneration:
    """The progress of one text: its remaining steps, and symbols held back as the possible beginning of a stop string.

    Each step reads one character. From the last character of the prompt on, each step also chooses the next character.
    """

    def __init__(self, vocabulary: Vocabulary, prompt: Ids, config: SamplingConfig, candidate: int = 0) -> None:
        self.candidate = candidate
        self.ended: str | None = None
        self._vocabulary = vocabulary
        self._stops = [vocabulary.spell(stop) for stop in config.stop]
        self._inputs = np.concatenate([start_ids(vocabulary), prompt]).astype(np.int64)
        self._first = len(self._inputs) - 1  # step of the first choice
        self._end = self._first + config.max_new_tokens if config.max_new_tokens else 0
        self._done = 0
        self._uniforms = stream(config.seed, f"sample {candidate}" if candidate else "sample")
        self._choices = slice(0)  # the planned steps that choose a character
        self._held, self._held_logs = "", np.zeros(0, np.float32)

    @property
    def steps_left(self) -> int:
        """The number of remaining steps."""
        return self._end - self._done

    def plan(self, inputs: NDArray[np.int64], uniforms: NDArray[np.float64]) -> None:
        """Fill the inputs of the next n steps.

        Args:
            inputs: (n,), all -1; the steps that read the prompt receive its ids.
            uniforms: (n,), all -1; the steps that choose a character receive a random number in [0, 1).
        """
        steps = len(inputs)
        prompt = self._inputs[self._done : self._done + steps]
        inputs[: len(prompt)] = prompt
        start = min(max(self._first - self._done, 0), steps)
        self._choices = slice(start, max(start, min(self.steps_left, steps)))
        uniforms[self._choices] = self._uniforms.uniform(self._choices.stop - start)
        self._done += steps

    def take(self, symbols: str, logs: NDArray[np.float32]) -> TextChunk:
        """Accept the results of the n steps that `plan` prepared.

        Args:
            symbols: the chosen symbol of each step.
            logs: (n,), log p of each symbol.

        Returns:
            The symbols that are certainly part of the text.
        """
        text, logs = self._held + symbols[self._choices], logs[self._choices]
        if self._held:
            logs = np.concatenate([self._held_logs, logs])
        end = find_stop(text, self._stops)
        if end is not None:
            self.ended = STOP
        elif self._done >= self._end:
            self.ended, end = LENGTH, len(text)
        else:
            end = len(text) - possible_stop_length(text, self._stops)
        self._held, self._held_logs = text[end:], logs[end:]
        return TextChunk(self, text[:end], logs[:end])


def find_stop(text: str, stops: list[str]) -> int | None:
    """Return the start of the stop string that ends first in `text`; None if `text` contains no stop string.

    If several stop strings end at this position, return the start of the longest.
    """
    matches = [(start + len(stop), start) for stop in stops if (start := text.find(stop)) >= 0]
    return min(matches)[1] if matches else None


def possible_stop_length(text: str, stops: list[str]) -> int:
    """Return the number of characters at the end of `text` that may be the beginning of a stop string."""
    lengths = (n for stop in stops for n in range(len(stop) - 1, 0, -1) if text.endswith(stop[:n]))
    return max(lengths, default=0)


def next_block_length(block: int, steps: int, seconds: float) -> int:
    """Return the length of the next block, after `steps` steps of a block of length `block` took `seconds`."""
    if seconds > TARGET_BLOCK_SECONDS:
        return max(block // 2, 1)
    return min(2 * block, MAX_BLOCK_STEPS) if steps == block and seconds < TARGET_BLOCK_SECONDS / 2 else block


class Generator:
    """A batch of texts that are generated side by side. Texts may begin and end at any time.

    `add` starts a text; `step` generates a block of every text and removes the texts that have ended. The state of a
    text is set to zero before the id `document_end` is read, as in training by documents.
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
        """Start a text after the ids `prompt`.

        Args:
            prompt: the ids of the prompt.
            config: the adapted settings.
            candidate: the number of the candidate for `best_of`, from 0.

        Returns:
            The generation of the text.
        """
        rules = rules_of(config, self._vocabulary, prompt, self._stepper.width)
        generation = TextGeneration(self._vocabulary, prompt, config, candidate)
        self._new.append((generation, rules))
        return generation

    def drop(self, generation: TextGeneration) -> None:
        """Remove the unfinished text `generation` from the batch."""
        self._new = [(other, rules) for other, rules in self._new if other is not generation]
        self._keep([other is not generation for other in self._live])

    def step(self) -> list[TextChunk]:
        """Generate one block of every text. The length of a block follows `TARGET_BLOCK_SECONDS`."""
        self._join()
        if not self._live:
            return []
        steps = min(self._block, max(generation.steps_left for generation in self._live))
        inputs, uniforms = np.full((len(self), steps), -1), np.full((len(self), steps), -1.0)
        for s, generation in enumerate(self._live):
            generation.plan(inputs[s], uniforms[s])
        started = time.monotonic()
        written, logs = self._stepper.write(
            self._carry, self._current, inputs.T, uniforms.T, Rules(*self._rules), self._document_end
        )
        self._block = next_block_length(self._block, steps, time.monotonic() - started)
        symbols, logs = self._vocabulary.decode(written.T), np.ascontiguousarray(logs.T)
        chunks = [
            generation.take(symbols[s * steps : (s + 1) * steps], logs[s]) for s, generation in enumerate(self._live)
        ]
        self._keep([generation.ended is None for generation in self._live])
        return chunks

    def _join(self) -> None:
        """Add the new texts to the batch."""
        if not self._new:
            return
        generations, rules = zip(*self._new, strict=True)
        rows = [list(self._rules)] * bool(self._live) + [list(fields) for fields in rules]
        self._rules = [np.concatenate(field) for field in zip(*rows, strict=True)]
        self._carry = join_states([self._carry, self._stepper.zeros(len(generations))])
        self._current = np.concatenate([self._current, np.zeros(len(generations), np.int64)])
        self._live, self._new = [*self._live, *generations], []

    def _keep(self, flags: list[bool]) -> None:
        """Drop the streams whose flag is False."""
        if all(flags):
            return
        kept = np.flatnonzero(flags)
        self._live = [self._live[s] for s in kept]
        self._carry, self._current = (
            map_state(lambda field: np.ascontiguousarray(field[:, kept]), self._carry),
            self._current[kept],
        )
        self._rules = [field[kept] for field in self._rules]


class _Candidates:
    """The candidates for one text: the best complete candidate, and the chunks of the incomplete ones."""

    def __init__(self, count: int) -> None:
        self.remaining = count
        self.best: tuple[float, int, Sample] | None = None
        self._chunks: dict[TextGeneration, list[TextChunk]] = {}

    def add(self, chunk: TextChunk) -> None:
        """Add a chunk of a candidate. Of two equally good candidates, the first stays the best."""
        generation, chunks = chunk.generation, self._chunks.setdefault(chunk.generation, [])
        chunks.append(chunk)
        if generation.ended is None:
            return
        del self._chunks[generation]
        self.remaining -= 1
        logs = np.concatenate([chunk.log_probabilities for chunk in chunks])
        sample = Sample("".join(chunk.symbols for chunk in chunks), logs, generation.ended)
        rank = sample.mean, -generation.candidate, sample
        if self.best is None or rank[:2] > self.best[:2]:
            self.best = rank


def generate_all(generator: Generator, texts: Iterable[tuple[Ids, SamplingConfig]]) -> Iterator[Sample]:
    """Yield the best candidate for each prompt and settings, in order. Up to `MAX_PARALLEL_TEXTS` run at a time."""
    candidates: dict[int, _Candidates] = {}
    text_of: dict[TextGeneration, int] = {}
    waiting = ((n, *text, candidate) for n, text in enumerate(texts) for candidate in range(text[1].best_of))
    next_text = 0
    while True:
        for n, prompt, config, candidate in itertools.islice(waiting, MAX_PARALLEL_TEXTS - len(generator)):
            generation = generator.add(prompt, config, candidate)
            text_of[generation] = n
            candidates.setdefault(n, _Candidates(config.best_of))
        if not candidates:
            return
        for chunk in generator.step():
            candidates[text_of[chunk.generation]].add(chunk)
            if chunk.generation.ended is not None:
                del text_of[chunk.generation]
        while next_text in candidates and not candidates[next_text].remaining:
            best = candidates.pop(next_text).best
            assert best is not None  # noqa: S101 - all candidates have ended
            yield best[2]
            next_text += 1


def stream_chunks(generator: Generator, prompt: Ids, config: SamplingConfig) -> Iterator[str]:
    """Yield the symbols of one text as they are generated; of several candidates, yield the best at the end."""
    if config.best_of > 1:
        yield next(generate_all(generator, [(prompt, config)])).symbols
        return
    generation = generator.add(prompt, config)
    while generation.ended is None:
        yield from (chunk.symbols for chunk in generator.step() if chunk.symbols)
