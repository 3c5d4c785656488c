"""Characters ↔ ids: the id of a character is its place among the text's characters in code-point order."""

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
_NAMED = 5


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """K characters in code-point order: never a set's order, which changes from process to process.

    `code_points` is a read-only uint32 array (K,); `is_bytes` says that the symbols chr(0) … chr(255) are the
    bytes of UTF-8 or of anything else, not characters.
    """

    code_points: NDArray[np.uint32]
    is_bytes: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Trust the arguments; `of`, `bytes` and `from_code_points` check what comes from outside."""
        hint = "`Vocabulary.of(text)` has the characters of a text."
        own = self.code_points
        if not isinstance(own, np.ndarray) or own.ndim != 1 or own.dtype.kind not in "iu":
            raise arguments.invalid_argument("code_points", "a one-dimensional array of whole numbers", own, hint)
        own = own.astype(np.uint32)
        own.flags.writeable = False
        object.__setattr__(self, "code_points", own)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the characters, without the tables that were made of them."""
        return partial(type(self), is_bytes=self.is_bytes), (self.code_points,)

    @classmethod
    def of(cls, text: str) -> Self:
        """The characters of `text`; TextError where it is empty or has a lone surrogate."""
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
        """All 256 bytes, written as the characters U+0000 … U+00FF."""
        return cls(np.arange(256, dtype=np.uint32), is_bytes=True)

    @classmethod
    def from_code_points(cls, code_points: ArrayLike, *, is_bytes: bool = False) -> Self:
        """The vocabulary that a model file holds; ModelError unless it is a list of ascending characters."""
        is_bytes = arguments.flag("is_bytes", is_bytes)
        array = _array("code_points", code_points)
        if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
            raise ModelError(
                "the model's vocabulary must be a list of code points; "
                f"got an array of shape {array.shape} and type {array.dtype}."
            )
        points = array.astype(np.int64)
        if array.max() >= CODE_POINTS or points.min() < 0:
            raise ModelError("the model's vocabulary has a number that is no code point of Unicode.")
        if np.any((points >= _FIRST_SURROGATE) & (points <= _LAST_SURROGATE)):
            raise ModelError("the model's vocabulary has a surrogate, which is no character.")
        if np.any(np.diff(points) <= 0):
            raise ModelError("the model's vocabulary is not in ascending order, each character once.")
        if is_bytes and not np.array_equal(points, np.arange(256)):
            raise ModelError("the model's vocabulary should be the 256 bytes, and is not.")
        return cls(points.astype(np.uint32), is_bytes=is_bytes)

    def extended(self, other: Self) -> Self:
        """This vocabulary with the characters of `other` that it has not, in code-point order like any."""
        arguments.instance("other", other, Vocabulary)
        points: NDArray[np.uint32] = np.union1d(self.code_points, other.code_points)
        return type(self)(points, is_bytes=self.is_bytes)

    @cached_property
    def symbols(self) -> str:
        """All characters as one string: that of id k is symbols[k]."""
        return _characters(self.code_points)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The type of ids: the smallest of uint8, uint16 and uint32 that holds K - 1."""
        return np.min_scalar_type(len(self) - 1)

    @cached_property
    def _ids(self) -> NDArray[Any]:
        """The id of every code point (CODE_POINTS,), 0 where it has none."""
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
        """The ids (N,) of the N characters of `text`; TextError names those that the vocabulary has not."""
        text = arguments.text("text", text)
        ids, known = self.look_up(text)
        if not known.all():
            unknown = name_characters(_distinct(text, known))
            raise TextError(
                f"the text has characters that the model has not seen: {unknown}.",
                hint="leave them out, or train a model on a text that has them.",
            )
        return ids

    def encode_known(self, text: str) -> tuple[NDArray[Any], str]:
        """The ids of the characters that the vocabulary has; the others, each once, as they first appear."""
        text = arguments.text("text", text)
        ids, known = self.look_up(text)
        return (ids, "") if known.all() else (ids[known], _distinct(text, known))

    def look_up(self, text: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """For each of the N characters of `text` its id (N,), 0 where it has none, and whether it has one (N,)."""
        points = code_points(arguments.text("text", text))
        ids = self._ids[points]
        return ids, (ids != 0) | (points == self.code_points[0])

    def decode(self, ids: ArrayLike) -> str:
        """The characters of `ids`, whole numbers of any shape, read in C order; UsageError for a wrong id."""
        array = _array("ids", ids).ravel()
        if array.size == 0:
            return ""
        if array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= len(self):
            raise UsageError(f"ids must be whole numbers from 0 to {len(self) - 1}.")
        return _characters(self.code_points[array])

    def spell(self, text: str) -> str:
        """A user's text in this vocabulary's symbols: in bytes mode its UTF-8 bytes, else the text itself.

        Bytes of a command line that are no UTF-8 reach Python as surrogates, and become those bytes again.
        """
        text = arguments.text("text", text)
        if not self.is_bytes:
            return text
        try:
            return text.encode("utf-8", "surrogateescape").decode("latin-1")
        except UnicodeEncodeError as error:
            raise _surrogate(ord(text[error.start])) from None

    def unspell(self, symbols: str) -> str:
        """What `spell` did, undone; bytes that are no UTF-8 become U+FFFD."""
        symbols = arguments.text("symbols", symbols)
        return symbols.encode("latin-1").decode("utf-8", "replace") if self.is_bytes else symbols


def codes(text: str) -> str:
    """A few characters for a message: 'é' (U+0065 U+0301)."""
    return f"{quote_text(text)} ({' '.join(f'U+{ord(character):04X}' for character in text)})"


def _array(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return the array of `value`; UsageError where it is none."""
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths
        raise arguments.invalid_argument(name, "an array of whole numbers", value) from None


def name_characters(characters: str) -> str:
    """Distinct characters for a message: up to five as 'é' (U+00E9), and how many more there are."""
    named = ", ".join(map(codes, characters[:_NAMED]))
    rest = len(characters) - _NAMED
    return named + (f" and {rest:,} more" if rest > 0 else "")


def _surrogate(code_point: int) -> TextError:
    return TextError(f"the text has a lone surrogate, U+{code_point:04X}: it is no character.")


def _distinct(text: str, known: NDArray[np.bool_]) -> str:
    """The characters that are not known, each once, in the order in which they first appear."""
    return "".join(dict.fromkeys(_characters(code_points(text)[~known])))


def code_points(text: str) -> NDArray[np.uint32]:
    """The code points (N,) of the N characters of `text`."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _characters(code_points: NDArray[np.uint32]) -> str:
    return code_points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
