"""The losses of the best model on the held-out text, beside the baselines.

held_out_passage   the first characters of that part, and the nats of each: {"text": …, "nats": […]}
held_out_ngrams    bits per character by interpolated n-grams of the same training text, by order
held_out_compressed  bytes of the UTF-8 of that part, or of its beginning: {"bytes": as it is, "model": …, "gzip": …, …}
"""

from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING, Any

from recurra.compression.model_codec import compress
from recurra.inference.baselines import COMPRESSORS, ngram_bits
from recurra.inference.line_scores import NEWLINE
from recurra.inference.surprise import characters
from recurra.network.parameters import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recurra.model import LanguageModel
    from recurra.text.splits import PreparedText

PASSAGE = 2000  # characters that are shown
TRAINING, HELD_OUT = 1 << 22, 1 << 20  # the last symbols that n-grams learn from, and the first they predict
MAX_COMPRESSED_CHARACTERS = 1 << 18  # characters that are compressed: some seconds
MAX_COMPRESSION_WORK = 1 << 36  # parameters times characters that are compressed, at most: some ten seconds
MIN_COMPRESSED_CHARACTERS = 1 << 12  # characters that a network of any size compresses
ROUNDED_DIGITS = 3
MAX_CHARACTER_BYTES = 4  # bytes of a character in UTF-8


def figures(model: LanguageModel, learned: PreparedText) -> dict[str, Any]:
    """All keys, or none of them."""
    start, stop = learned.held_out
    if stop - start < 2:
        return {}
    text, ids = learned.text.part(start, min(stop, start + HELD_OUT)), learned.parts[0]
    shown = list(itertools.islice(_costs(model, learned, text), PASSAGE))
    return {
        "held_out_passage": {
            "text": "".join(character for character, _ in shown),
            "nats": [round(nats, ROUNDED_DIGITS) for _, nats in shown],
        },
        "held_out_ngrams": ngram_bits(ids[max(len(ids) - TRAINING, 0) :], model.vocabulary, text),
        "held_out_compressed": _compressed(
            model,
            text[
                : min(
                    MAX_COMPRESSED_CHARACTERS,
                    max(MIN_COMPRESSED_CHARACTERS, MAX_COMPRESSION_WORK // count(model.parameters)),
                )
            ],
        ),
    }


def _compressed(model: LanguageModel, text: str) -> dict[str, int]:
    """The size of `text` as it is, and as each compresses it; the model's, what `recurra compress` would write."""
    data = text.encode("latin-1") if model.vocabulary.is_bytes else text.encode("utf-8", "surrogatepass")
    coded = io.BytesIO()
    compress(model, io.BytesIO(data), coded)
    sizes = {name: len(by(data)) for name, by in COMPRESSORS.items()}
    return {"bytes": len(data), "model": len(coded.getvalue())} | sizes


def _costs(model: LanguageModel, learned: PreparedText, text: str) -> Iterator[tuple[str, float]]:
    """The characters of `text` and their nats, read as in training: from a zero state, or each line from one."""
    is_bytes = model.vocabulary.is_bytes
    beginning = text[: PASSAGE * (MAX_CHARACTER_BYTES if is_bytes else 1)]
    if learned.newline is None:
        read = ((piece.symbols, piece.nats) for piece in model.surprises([beginning]))
    else:
        read = ((line.text + NEWLINE, line.nats) for line in model.score_lines(beginning))
    return characters(read, is_bytes=is_bytes)
