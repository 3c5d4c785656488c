"""The losses of the best model on the held-out text, next to the baselines.

held_out_passage     the first characters of the held-out text and the nats of each: {"text": …, "nats": […]}
held_out_ngrams      bits per character of interpolated n-grams from the same training text, by order
held_out_compressed  sizes of the held-out text, or of its beginning: {"bytes": in UTF-8, "model": …, "gzip": …, …}
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

PASSAGE_CHARACTERS = 2000
TRAINING_SYMBOLS, HELD_OUT_SYMBOLS = 1 << 22, 1 << 20  # last symbols that n-grams count, first ones that they predict
MAX_COMPRESSED_CHARACTERS = 1 << 18  # a few seconds for the compressors
MAX_COMPRESSION_WORK = 1 << 36  # most parameters times characters for the model's compression, about ten seconds
MIN_COMPRESSED_CHARACTERS = 1 << 12  # for a network of any size
ROUNDED_DIGITS = 3
MAX_CHARACTER_BYTES = 4  # most bytes of a character in UTF-8


def figures(model: LanguageModel, prepared: PreparedText) -> dict[str, Any]:
    """Return the three keys that the module describes; an empty dict if there is no held-out text."""
    start, stop = prepared.held_out
    if stop - start < 2:
        return {}
    text, ids = prepared.text.part(start, min(stop, start + HELD_OUT_SYMBOLS)), prepared.parts[0]
    passage = list(itertools.islice(_costs(model, prepared, text), PASSAGE_CHARACTERS))
    compressed = max(MIN_COMPRESSED_CHARACTERS, MAX_COMPRESSION_WORK // count(model.parameters))
    return {
        "held_out_passage": {
            "text": "".join(character for character, _ in passage),
            "nats": [round(nats, ROUNDED_DIGITS) for _, nats in passage],
        },
        "held_out_ngrams": ngram_bits(ids[max(len(ids) - TRAINING_SYMBOLS, 0) :], model.vocabulary, text),
        "held_out_compressed": _compressed(model, text[: min(MAX_COMPRESSED_CHARACTERS, compressed)]),
    }


def _compressed(model: LanguageModel, text: str) -> dict[str, int]:
    """Return the size of `text` in bytes, and the size after compression by the model and by each compressor."""
    data = text.encode("latin-1") if model.vocabulary.is_bytes else text.encode("utf-8", "surrogatepass")
    coded = io.BytesIO()
    compress(model, io.BytesIO(data), coded)
    sizes = {name: len(by(data)) for name, by in COMPRESSORS.items()}
    return {"bytes": len(data), "model": len(coded.getvalue())} | sizes


def _costs(model: LanguageModel, prepared: PreparedText, text: str) -> Iterator[tuple[str, float]]:
    """Yield the characters of `text` and their nats; with documents, each line starts from a zero state."""
    is_bytes = model.vocabulary.is_bytes
    beginning = text[: PASSAGE_CHARACTERS * (MAX_CHARACTER_BYTES if is_bytes else 1)]
    if prepared.newline is None:
        read = ((piece.symbols, piece.nats) for piece in model.surprises([beginning]))
    else:
        read = ((line.text + NEWLINE, line.nats) for line in model.score_lines(beginning))
    return characters(read, is_bytes=is_bytes)
