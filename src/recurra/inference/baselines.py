"""Baselines: the bits per character of a text under simple codes, n-grams and general compressors.

The compressors read the text as UTF-8 and start from nothing, so their figures count everything that a reader
needs; a model's figure leaves out the model. All figures are bits of output per character (not byte) of text.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from recurra.errors import TextError
from recurra.inference.ngram import NGram
from recurra.inference.surprise import escapes

if TYPE_CHECKING:
    from recurra.text.id_file import Ids
    from recurra.text.vocabulary import Vocabulary

UTF8 = "utf-8"
MAX_BASELINE_CHARACTERS = 1 << 23  # characters of a text that are worth compressing: more would take many minutes
XZ_SMALLEST_DICTIONARY = 4096
XZ_LARGEST_DICTIONARY = 16 << 20  # which needs some 190 MB; the 64 MiB of preset 9 would need 700


def uniform(text: str) -> float:
    """log2 K: every one of the text's K symbols equally likely."""
    return math.log2(len(_counts(text)))


def unigram(text: str) -> float:
    """-sum_k f_k log2 f_k with f_k the share of symbol k in this text: its entropy without any context."""
    counts, total = _counts(text), len(text)
    return math.log2(total) - math.fsum(count * math.log2(count) for count in counts.values()) / total


def _gzip(data: bytes) -> bytes:
    """As `gzip -9` from a pipe: DEFLATE (RFC 1951), header and checksum included."""
    return gzip.compress(data, compresslevel=9, mtime=0)


def _bzip2(data: bytes) -> bytes:
    """As `bzip2 -9`: Burrows-Wheeler blocks of 900 kB."""
    return bz2.compress(data, compresslevel=9)


def _xz(data: bytes) -> bytes:
    """As `xz -9e`: LZMA2 in the .xz container. The window is no longer than the data needs, and 16 MiB at most."""
    window = min(max(len(data), XZ_SMALLEST_DICTIONARY), XZ_LARGEST_DICTIONARY)
    preset = 9 | lzma.PRESET_EXTREME
    filters = [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": window}]
    # CRC64 is the check that the xz command writes.
    return lzma.compress(data, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=filters)


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip, "bzip2": _bzip2, "xz": _xz}


def baselines(text: str, *, is_bytes: bool = False) -> dict[str, float]:
    """Every baseline of `text` in bits per character: "uniform", "unigram", "gzip", "bzip2" and "xz".

    Where `is_bytes`, the characters of `text` stand for bytes.
    """
    encoding = "latin-1" if is_bytes else UTF8
    return {
        "uniform": uniform(text),
        "unigram": unigram(text),
        **{name: _compressed(text, compress, encoding) for name, compress in COMPRESSORS.items()},
    }


def ngram_bits(training: Ids, vocabulary: Vocabulary, text: str) -> dict[str, float]:
    """Bits per character of `text` by n-grams of the ids `training`, by order: "1", "2", …; unknown ones by the escape.

    Its symbols are those of `vocabulary` (see `Vocabulary.spell`).
    """
    _require_characters(text)
    ids, known = vocabulary.look_up(text)
    missed = float(escapes(text)[~known].sum())
    nats = NGram(training, len(vocabulary)).nats(ids[known]).sum(axis=1)
    return {str(n): float(own + missed) / math.log(2) / len(text) for n, own in enumerate(nats, start=1)}


def _counts(text: str) -> Counter[str]:
    _require_characters(text)
    return Counter(text)


def _compressed(text: str, compress: Callable[[bytes], bytes], encoding: str) -> float:
    _require_characters(text)
    return 8 * len(compress(text.encode(encoding, errors="surrogatepass"))) / len(text)


def _require_characters(text: str) -> None:
    if not text:
        raise TextError("an empty text has no bits per character.", hint="give a text of one character or more.")
