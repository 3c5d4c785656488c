"""Join chunks of characters into one text: in memory if it is short, otherwise as ids in a file.

A long text is read once. The first pass writes its characters as UTF-8 to a temporary file in the cache folder, and
computes its length, its symbols and its sha256. The second pass encodes the temporary file as an id file.
"""

from __future__ import annotations

import codecs
import hashlib
import tempfile
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from recurra.io.atomic_write import storage_errors
from recurra.text import id_file
from recurra.text.text import BYTES, STEP_CHARACTERS, Text
from recurra.text.vocabulary import CODE_POINTS, Vocabulary, code_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from recurra.text.id_file import IdFile

IN_MEMORY = 1 << 24  # characters of the longest text in memory


class Stored(NamedTuple):
    """A long text in the cache: its ids, their vocabulary, the symbols of the text, and the sha256 of its UTF-8."""

    ids: IdFile
    vocabulary: Vocabulary
    symbols: str
    sha256: str


class LongText(Text):
    """A `Text` whose characters are ids in a file instead of a str in memory."""

    def __init__(
        self, stored: Stored, name: str, source: tuple[str, ...], encoding: str, notes: tuple[str, ...] = ()
    ) -> None:
        values = {"name": name, "source": source, "encoding": encoding, "notes": notes, "sha256": stored.sha256}
        for field, value in {**values, "_stored": stored}.items():
            object.__setattr__(self, field, value)  # the class is frozen

    _stored: Stored

    @property
    def text(self) -> str:
        """All characters. Reading this property loads the whole text into memory."""
        return self.part(0, len(self))

    @property
    def vocabulary(self) -> Vocabulary:
        return self._stored.vocabulary

    @property
    def ids(self) -> IdFile:
        return self._stored.ids

    def __len__(self) -> int:
        return len(self._stored.ids)

    def part(self, start: int, stop: int) -> str:
        return "".join(map(self.vocabulary.decode, self.ids.part(start, stop).blocks()))

    def _of_same_source(self, pieces: Iterator[str]) -> Text:
        about = (self.name, self.source, self.encoding)
        content = collect_text(pieces, self.encoding)
        return Text(content, *about) if isinstance(content, str) else LongText(content, *about)

    def only_symbol(self) -> str | None:
        return self._stored.symbols if len(self._stored.symbols) == 1 else None


def collect_text(chunks: Iterator[str], encoding: str) -> str | Stored:
    """Join `chunks` into a str, or store them in the cache folder if they exceed `IN_MEMORY` characters.

    Raises StorageError if the cache folder is not writable.
    """
    parts: list[str] = []
    length = 0
    for chunk in chunks:
        parts.append(chunk)
        length += len(chunk)
        if length > IN_MEMORY:
            return _store(_steps(parts, chunks), is_bytes=encoding == BYTES)
    return "".join(parts)


def _steps(parts: list[str], chunks: Iterator[str]) -> Iterator[str]:
    """Yield the characters of `parts`, then of `chunks`, in pieces of up to `STEP_CHARACTERS`. Empty `parts`."""
    while parts:
        yield from _cut(parts.pop(0))
    for chunk in chunks:
        yield from _cut(chunk)


def _cut(chunk: str) -> Iterator[str]:
    return (chunk[start : start + STEP_CHARACTERS] for start in range(0, len(chunk), STEP_CHARACTERS))


def _store(steps: Iterable[str], *, is_bytes: bool) -> Stored:
    codec = "latin-1" if is_bytes else "utf-8"
    length, digest, seen = 0, hashlib.sha256(), np.zeros(CODE_POINTS, dtype=bool)
    place = (
        "set XDG_CACHE_HOME to another folder: caches, and texts of more than "
        f"{IN_MEMORY:,} characters during training, are stored there."
    )
    with storage_errors(id_file.cache_folder(), place), _staging() as staged:
        for step in steps:
            data = step.encode(codec)
            staged.write(data)
            digest.update(data)
            # If each character is one byte, this byte is its code point.
            seen[np.frombuffer(data, np.uint8) if len(data) == len(step) else code_points(step)] = True
            length += len(step)
        symbols = np.flatnonzero(seen).astype(np.uint32)
        vocabulary = Vocabulary.bytes() if is_bytes else Vocabulary(symbols)
        kind = BYTES if is_bytes else vocabulary.dtype.name
        blocks = _encoded(staged, codec, vocabulary)
        name = f"{digest.hexdigest()}-{kind}"
        ids = id_file.keep(name, vocabulary.dtype, length, len(vocabulary), blocks)
        return Stored(ids, vocabulary, Vocabulary(symbols).symbols, digest.hexdigest())


def _staging() -> Any:
    """Open a temporary file without a name, which is removed when it is closed or the process ends."""
    folder = id_file.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


def _encoded(staged: BinaryIO, codec: str, vocabulary: Vocabulary) -> Iterator[NDArray[Any]]:
    """Yield the ids of the staged characters, in order."""
    decoder = codecs.getincrementaldecoder(codec)()
    staged.seek(0)
    while data := staged.read(STEP_CHARACTERS):
        yield vocabulary.encode(decoder.decode(data))
