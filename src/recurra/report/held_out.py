"""What a run's best model makes of the text that was held out: found once when a run ends, kept in summary.json.

held_out_passage   the first characters of that part, and the nats of each: {"text": …, "nats": […]}
held_out_ngrams    bits per character by interpolated n-grams of the same training text, by order
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from recurra.inference.baselines import ngram_bits
from recurra.inference.documents import NEWLINE
from recurra.inference.surprise import characters
from recurra.training.files import SUMMARY, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recurra.model import LanguageModel
    from recurra.training.provenance import Learned
    from recurra.training.run import Run

PASSAGE = 2000  # characters that are shown
TRAINING, HELD_OUT = 1 << 22, 1 << 20  # the last symbols that n-grams learn from, and the first they predict
DIGITS = 3
LONGEST = 4  # bytes of a character in UTF-8


def add(run: Run, learned: Learned) -> None:
    """Put both into the summary of `run`, in memory and in its folder; nothing where no text was held out."""
    run.summary.update(figures(run.model, learned))
    write_json(run.folder / SUMMARY, run.summary)


def figures(model: LanguageModel, learned: Learned) -> dict[str, Any]:
    """The two keys, or none of them."""
    start, stop = learned.held_out
    if stop - start < 2:
        return {}
    text, ids = learned.text.part(start, min(stop, start + HELD_OUT)), learned.ids(model.vocabulary)
    shown = list(itertools.islice(_costs(model, learned, text), PASSAGE))
    return {
        "held_out_passage": {
            "text": "".join(character for character, _ in shown),
            "nats": [round(nats, DIGITS) for _, nats in shown],
        },
        "held_out_ngrams": ngram_bits(ids[max(len(ids) - TRAINING, 0) :], model.vocabulary, text),
    }


def _costs(model: LanguageModel, learned: Learned, text: str) -> Iterator[tuple[str, float]]:
    """The characters of `text` and their nats, read as in training: from a zero state, or each line from one."""
    is_bytes = model.vocabulary.is_bytes
    beginning = text[: PASSAGE * (LONGEST if is_bytes else 1)]
    if learned.training.documents is None:
        read = ((piece.symbols, piece.nats) for piece in model.surprises([beginning]))
    else:
        read = ((line.text + NEWLINE, line.nats) for line in model.score_lines(beginning))
    return characters(read, is_bytes=is_bytes)
