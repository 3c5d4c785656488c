"""Baselines: the bits per character of a text with simple codes, n-grams and general compressors.

The compressors read the text as UTF-8 and have no prior data: a decoder needs nothing but their output. The score of a
model, in contrast, does not include the size of the model. All results are bits of output per character (not byte) of
the text.
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
MAX_BASELINE_CHARACTERS = 1 << 23  # characters; compressing more would take many minutes
XZ_SMALLEST_DICTIONARY = 4096
XZ_LARGEST_DICTIONARY = 16 << 20  # needs some 190 MB of memory; the 64 MiB of preset 9 would need 700 MB


def uniform(text: str) -> float:
    """Return log2 K: the entropy if the K symbols of the text were equally likely."""
    return math.log2(len(_counts(text)))


def unigram(text: str) -> float:
    """Return -sum_k f_k log2 f_k, the entropy without context; f_k is the share of symbol k in the text."""
    counts, total = _counts(text), len(text)
    return math.log2(total) - math.fsum(count * math.log2(count) for count in counts.values()) / total


def _gzip(data: bytes) -> bytes:
    """Compress like `gzip -9` from a pipe: DEFLATE (RFC 1951) with header and checksum."""
    return gzip.compress(data, compresslevel=9, mtime=0)


def _bzip2(data: bytes) -> bytes:
    """Compress like `bzip2 -9`: Burrows-Wheeler blocks of 900 kB."""
    return bz2.compress(data, compresslevel=9)


def _xz(data: bytes) -> bytes:
    """Compress like `xz -9e`: LZMA2 in the .xz container. The window is as long as the data, at most 16 MiB."""
    window = min(max(len(data), XZ_SMALLEST_DICTIONARY), XZ_LARGEST_DICTIONARY)
    preset = 9 | lzma.PRESET_EXTREME
    filters = [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": window}]
    # The xz command writes CRC64, too.
    return lzma.compress(data, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=filters)


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip, "bzip2": _bzip2, "xz": _xz}


def baselines(text: str, *, is_bytes: bool = False) -> dict[str, float]:
    """Return the bits per character of a text by each baseline: "uniform", "unigram", "gzip", "bzip2" and "xz".

    Args:
        text: the text.
        is_bytes: True if each character of `text` represents a byte.
    """
    encoding = "latin-1" if is_bytes else UTF8
    return {
        "uniform": uniform(text),
        "unigram": unigram(text),
        **{name: _compressed(text, compress, encoding) for name, compress in COMPRESSORS.items()},
    }


def ngram_bits(training: Ids, vocabulary: Vocabulary, text: str) -> dict[str, float]:
    """Return the bits per character of a text by n-grams, by order: "1", "2", …

    Args:
        training: the ids of the training text.
        vocabulary: its vocabulary. A character that is not in it costs its escape.
        text: the text, spelled in symbols of the vocabulary.
    """
    _require_characters(text)
    ids, known = vocabulary.look_up(text)
    unknown_nats = float(escapes(text)[~known].sum())
    nats = NGram(training, len(vocabulary)).nats(ids[known]).sum(axis=1)
    return {
        str(n): float(known_nats + unknown_nats) / math.log(2) / len(text) for n, known_nats in enumerate(nats, start=1)
    }


def _counts(text: str) -> Counter[str]:
    _require_characters(text)
    return Counter(text)


def _compressed(text: str, compress: Callable[[bytes], bytes], encoding: str) -> float:
    _require_characters(text)
    return 8 * len(compress(text.encode(encoding, errors="surrogatepass"))) / len(text)


def _require_characters(text: str) -> None:
    if not text:
        raise TextError("an empty text has no bits per character.", hint="give a text of one character or more.")
