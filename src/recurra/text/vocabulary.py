"""The vocabulary, which maps characters to ids: the positions of the text's characters in code-point order."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from recurra.config import arguments
from recurra.errors import ModelError, TextError, UsageError
from recurra.formatting import quote_text

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CODE_POINTS = 0x110000
_FIRST_SURROGATE, _LAST_SURROGATE = 0xD800, 0xDFFF
_LISTED_CHARACTERS = 5


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """K characters in code-point order, so that their ids are equal in every process.

    `code_points` is a read-only uint32 array (K,). With `is_bytes`, the symbols chr(0) … chr(255) are bytes, of UTF-8
    or any other data, not characters.
    """

    code_points: NDArray[np.uint32]
    is_bytes: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Copy the code points; only their type is checked. `from_code_points` checks untrusted values."""
        hint = "`Vocabulary.of(text)` makes the vocabulary of a text."
        points = self.code_points
        if not isinstance(points, np.ndarray) or points.ndim != 1 or points.dtype.kind not in "iu":
            raise arguments.invalid_argument("code_points", "a one-dimensional array of whole numbers", points, hint)
        points = points.astype(np.uint32)
        points.flags.writeable = False
        object.__setattr__(self, "code_points", points)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the characters without the cached tables."""
        return partial(type(self), is_bytes=self.is_bytes), (self.code_points,)

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the vocabulary of `text`; raise TextError if it is empty or has a lone surrogate."""
        text = arguments.text("text", text)
        if not text:
            raise TextError("an empty text has no characters to learn.")
        seen = np.zeros(CODE_POINTS, dtype=bool)
        seen[code_points(text)] = True
        surrogates = np.flatnonzero(seen[_FIRST_SURROGATE : _LAST_SURROGATE + 1])
        if surrogates.size:
            raise _surrogate(_FIRST_SURROGATE + int(surrogates[0]))
        return cls(np.flatnonzero(seen).astype(np.uint32))

    @classmethod
    def bytes(cls) -> Self:
        """Return the vocabulary of all 256 bytes, represented by the characters U+0000 … U+00FF."""
        return cls(np.arange(256, dtype=np.uint32), is_bytes=True)

    @classmethod
    def from_code_points(cls, code_points: ArrayLike, *, is_bytes: bool = False) -> Self:
        """Return the vocabulary of a model file; raise ModelError unless the code points are valid and ascending."""
        is_bytes = arguments.flag("is_bytes", is_bytes)
        array = _array("code_points", code_points)
        if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
            raise ModelError(
                "the model's vocabulary must be a list of code points; "
                f"got an array of shape {array.shape} and type {array.dtype}."
            )
        points = array.astype(np.int64)
        if array.max() >= CODE_POINTS or points.min() < 0:
            raise ModelError("the model's vocabulary has a number that is not a code point of Unicode.")
        if np.any((points >= _FIRST_SURROGATE) & (points <= _LAST_SURROGATE)):
            raise ModelError("the model's vocabulary has a surrogate, which is no character.")
        if np.any(np.diff(points) <= 0):
            raise ModelError("the model's vocabulary must have each character once, in ascending order.")
        if is_bytes and not np.array_equal(points, np.arange(256)):
            raise ModelError("the vocabulary of a model of bytes must be the code points 0 to 255.")
        return cls(points.astype(np.uint32), is_bytes=is_bytes)

    def extended(self, other: Self) -> Self:
        """Return the union of this vocabulary and `other`, in code-point order."""
        arguments.instance("other", other, Vocabulary)
        points: NDArray[np.uint32] = np.union1d(self.code_points, other.code_points)
        return type(self)(points, is_bytes=self.is_bytes)

    @cached_property
    def symbols(self) -> str:
        """All characters as one string; id k is the character symbols[k]."""
        return _characters(self.code_points)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The type of ids: the smallest of uint8, uint16 and uint32 that can represent K - 1."""
        return np.min_scalar_type(len(self) - 1)

    @cached_property
    def _ids(self) -> NDArray[Any]:
        """The id of every code point, (CODE_POINTS,); 0 for code points outside the vocabulary."""
        table = np.zeros(CODE_POINTS, dtype=self.dtype)
        table[self.code_points] = np.arange(len(self))
        return table

    def __len__(self) -> int:
        return len(self.code_points)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.is_bytes == other.is_bytes and self.symbols == other.symbols

    def __hash__(self) -> int:
        return hash((self.is_bytes, self.symbols))

    def __repr__(self) -> str:
        return "Vocabulary.bytes()" if self.is_bytes else f"<Vocabulary of {len(self):,} characters>"

    def encode(self, text: str) -> NDArray[Any]:
        """Return the ids (N,) of the N characters of `text`; raise TextError if the vocabulary lacks one of them."""
        text = arguments.text("text", text)
        ids, known = self.look_up(text)
        if not known.all():
            unknown = name_characters(_distinct(text, known))
            raise TextError(
                f"the text has characters that the model's vocabulary lacks: {unknown}.",
                hint="remove these characters from the text, or train a model on a text that has them.",
            )
        return ids

    def encode_known(self, text: str) -> tuple[NDArray[Any], str]:
        """Return the ids of the known characters of `text`, and its unknown characters in order, each once."""
        text = arguments.text("text", text)
        ids, known = self.look_up(text)
        return (ids, "") if known.all() else (ids[known], _distinct(text, known))

    def look_up(self, text: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the ids (N,) of the N characters of `text`, 0 for unknown ones, and a mask (N,): True if known."""
        points = code_points(arguments.text("text", text))
        ids = self._ids[points]
        return ids, (ids != 0) | (points == self.code_points[0])

    def decode(self, ids: ArrayLike) -> str:
        """Return the characters of `ids`, an array of any shape, in C order; raise UsageError for an invalid id."""
        array = _array("ids", ids).ravel()
        if array.size == 0:
            return ""
        if array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= len(self):
            raise UsageError(f"ids must be whole numbers from 0 to {len(self) - 1}.")
        return _characters(self.code_points[array])

    def spell(self, text: str) -> str:
        """Return a user's text as symbols of this vocabulary: its UTF-8 bytes if `is_bytes`, else the text itself.

        Python represents invalid UTF-8 on a command line by surrogates; this restores the original bytes.
        """
        text = arguments.text("text", text)
        if not self.is_bytes:
            return text
        try:
            return text.encode("utf-8", "surrogateescape").decode("latin-1")
        except UnicodeEncodeError as error:
            raise _surrogate(ord(text[error.start])) from None

    def unspell(self, symbols: str) -> str:
        """Invert `spell`; bytes that are not UTF-8 become U+FFFD."""
        symbols = arguments.text("symbols", symbols)
        return symbols.encode("latin-1").decode("utf-8", "replace") if self.is_bytes else symbols


def codes(text: str) -> str:
    """Return a few characters with their code points for a message, such as 'é' (U+0065 U+0301)."""
    return f"{quote_text(text)} ({' '.join(f'U+{ord(character):04X}' for character in text)})"


def _array(name: str, value: ArrayLike) -> NDArray[Any]:
    """Convert `value` to an array; raise UsageError if that is impossible."""
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths
        raise arguments.invalid_argument(name, "an array of whole numbers", value) from None


def name_characters(characters: str) -> str:
    """Return distinct characters for a message: up to five as 'é' (U+00E9), and the number of others."""
    listed = ", ".join(map(codes, characters[:_LISTED_CHARACTERS]))
    rest = len(characters) - _LISTED_CHARACTERS
    return listed + (f" and {rest:,} more" if rest > 0 else "")


def _surrogate(code_point: int) -> TextError:
    return TextError(f"the text has a lone surrogate, U+{code_point:04X}: it is no character.")


def _distinct(text: str, known: NDArray[np.bool_]) -> str:
    """Return the unknown characters of `text`, each once, in the order of their first appearance."""
    return "".join(dict.fromkeys(_characters(code_points(text)[~known])))


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code points (N,) of the N characters of `text`."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _characters(code_points: NDArray[np.uint32]) -> str:
    return code_points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
