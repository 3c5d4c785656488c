"""Bounded reads of MAT-files of MATLAB 5 to 7.2: numbers, characters, and structs of them.

SciPy's reader takes the sizes in a file for granted: 184 bytes make it fill a gigabyte. Here a size is believed only
as far as there are bytes; what is compressed is bounded before; and what is neither a number nor a character nor a
struct (cells, objects, functions, sparse matrices) is left out unread.

Source: "MAT-File Format", The MathWorks, for levels 5 and 7: a header of 128 bytes, then elements of a type, a length
and so many bytes, each on a boundary of 8.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.errors import ModelError

Array = npt.NDArray[Any]
Value = Any  # an array of numbers, a str of one row of characters, or a dict of a struct's fields

HEADER_BYTES = 128
MAX_BYTES = 1 << 28  # of a file
MAX_INFLATED = 1 << 25  # of all that is compressed in it, and four times the file's size besides
MAX_DEPTH, MAX_FIELDS, MAX_VARIABLES = 4, 1000, 1000
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15
ENCODINGS = {1: "latin-1", 2: "latin-1", 3: "utf-16", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
STRUCT, CHARACTERS, NUMBERS = 2, 4, range(6, 16)
READ_CLASSES = (STRUCT, CHARACTERS, *NUMBERS)
COMPLEX = 0x800  # in the flags


class _FormatError(Exception):
    """Not what the format allows; the words say what."""


class _Element(NamedTuple):
    type: int
    data: memoryview


class _Matrix(NamedTuple):
    """The beginning of a matrix, and the elements that follow it."""

    kind: int
    is_complex: bool
    shape: tuple[int, ...]
    name: str
    rest: Iterator[_Element]


def variables(data: bytes, name: str) -> dict[str, Value]:
    """The variables of a MAT-file, those that are numbers, characters or structs of one element.

    Numbers are arrays as the file has them, characters a str, a struct a dict. Raises ModelError where it is no such
    file, or holds more than is read.
    """
    try:
        return _Reader(data).variables()
    except (_FormatError, ValueError, zlib.error, struct.error) as error:
        raise ModelError(f"`{name}` is no MAT-file of MATLAB 5 to 7.2: {error}.", hint="save it with `-v7`.") from error


def without_date(data: bytes) -> bytes:
    """Return a MAT-file whose header has no date, so that the same content gives the same bytes."""
    return b"MATLAB 5.0 MAT-file, written by recurra".ljust(116) + data[116:]


class _Reader:
    """Reads one file; `_room` is left for what was compressed."""

    def __init__(self, data: bytes) -> None:
        version, mark = data[124:126], data[126:128]
        if len(data) < HEADER_BYTES or mark not in (b"IM", b"MI"):
            raise _FormatError("its header is another one")
        self._order = "<" if mark == b"IM" else ">"
        if struct.unpack(f"{self._order}H", version)[0] != 0x0100:
            raise _FormatError("it is of another level")
        self._data = memoryview(data)[HEADER_BYTES:]
        self._room = MAX_INFLATED + 4 * len(data)

    def variables(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for element in self._elements(self._data):
            if element.type == COMPRESSED:
                element = self._inflated_element(element.data)
            if element.type != MATRIX:
                continue
            matrix = self._matrix(element.data)
            if (value := self._value(matrix, 0)) is not None:
                found[matrix.name] = value
            if len(found) > MAX_VARIABLES:
                raise _FormatError(f"it has more than {MAX_VARIABLES:,} variables")
        return found

    def _inflated_element(self, data: memoryview) -> _Element:
        """The element that is compressed in `data`: all of it, since Octave writes lengths that are too great by 4."""
        inflated = self._inflate(data)
        kind = struct.unpack_from(f"{self._order}I", inflated)[0]
        return _Element(kind, inflated[8:])

    def _inflate(self, data: memoryview) -> memoryview:
        inflated = zlib.decompressobj().decompress(data, self._room + 1)
        self._room -= len(inflated)
        if self._room < 0:
            raise _FormatError("what is compressed in it is too large")
        return memoryview(inflated)

    def _elements(self, data: memoryview) -> Iterator[_Element]:
        """The elements that lie one behind the other in `data`."""
        at = 0
        while at + 8 <= len(data):
            word, size = struct.unpack_from(f"{self._order}II", data, at)
            if word >> 16:  # small: four bytes of data at most, in the place of the size
                kind, size, start, end = word & 0xFFFF, word >> 16, at + 4, at + 8
                size = min(size, 4)
            else:
                kind, start = word, at + 8
                end = start + size + (-size % 8 if kind != COMPRESSED else 0)
            if start + size > len(data):
                raise _FormatError("it is cut off")
            yield _Element(kind, data[start : start + size])
            at = end

    def _matrix(self, data: memoryview) -> _Matrix:
        elements = self._elements(data)
        flags = next(elements, None)
        word = 0 if flags is None or len(flags.data) < 8 else struct.unpack_from(f"{self._order}I", flags.data)[0]
        kind = word & 0xFF
        if kind not in READ_CLASSES:
            return _Matrix(kind, False, (), "", iter(()))
        dimensions, name = next(elements, None), next(elements, None)
        if dimensions is None or name is None:
            raise _FormatError("a matrix is cut off")
        shape = tuple(int(n) for n in np.frombuffer(dimensions.data, f"{self._order}i4"))
        if len(shape) > 8 or any(n < 0 for n in shape):
            raise _FormatError(
                f"a matrix has {len(shape)} sides" if len(shape) > 8 else "a matrix has a side below zero"
            )
        return _Matrix(kind, bool(word & COMPLEX), shape, _ascii(name.data), elements)

    def _value(self, matrix: _Matrix, depth: int) -> Value | None:
        """What a matrix holds; None where that is not read."""
        if matrix.kind in NUMBERS and not matrix.is_complex:
            return self._numbers(matrix)
        if matrix.kind == CHARACTERS:
            return self._characters(matrix)
        if matrix.kind == STRUCT and math.prod(matrix.shape) == 1:
            return self._fields(matrix, depth)
        return None

    def _numbers(self, matrix: _Matrix) -> Array:
        element = next(matrix.rest, None)
        if element is None or element.type not in TYPES:
            raise _FormatError(f"`{matrix.name:.40}` has no numbers")
        kind = np.dtype(f"{self._order}{TYPES[element.type]}")
        array = np.frombuffer(element.data, kind) if len(element.data) else np.zeros(0, kind)
        if array.size != math.prod(matrix.shape):
            raise _FormatError(f"`{matrix.name:.40}` has {array.size:,} numbers for its shape {matrix.shape}")
        return array.reshape(matrix.shape, order="F")

    def _characters(self, matrix: _Matrix) -> str:
        element = next(matrix.rest, None)
        if element is None or element.type not in ENCODINGS:
            raise _FormatError(f"`{matrix.name:.40}` has no characters")
        encoding = ENCODINGS[element.type]
        if encoding != "latin-1" and encoding != "utf-8":
            encoding += "-le" if self._order == "<" else "-be"
        return bytes(element.data).decode(encoding)

    def _fields(self, matrix: _Matrix, depth: int) -> dict[str, Value]:
        """A struct of one element: the length of a name, the names, and a matrix for each."""
        length, names = next(matrix.rest, None), next(matrix.rest, None)
        if depth >= MAX_DEPTH or length is None or names is None or len(length.data) < 4:
            raise _FormatError(f"`{matrix.name:.40}` is nested too deeply, or has no fields")
        step = struct.unpack_from(f"{self._order}i", length.data)[0]
        if not 0 < step <= 1024 or len(names.data) > MAX_FIELDS * step:
            raise _FormatError(f"`{matrix.name:.40}` has too many fields")
        keys = [_ascii(names.data[at : at + step]) for at in range(0, len(names.data), step)]
        matrices = (self._matrix(element.data) for element in matrix.rest)
        values = {key: self._value(one, depth + 1) for key, one in zip(keys, matrices, strict=False)}
        return {key: value for key, value in values.items() if value is not None}


def _ascii(data: memoryview) -> str:
    return bytes(data).partition(b"\0")[0].decode("latin-1")
