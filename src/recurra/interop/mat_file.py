"""Bounded reads of MAT-files of MATLAB 5 to 7.2: numbers, characters, and structs of numbers and characters.

SciPy's reader trusts the sizes in a file: 184 bytes make it allocate a gigabyte. This reader accepts a size only if the
file has as many bytes, limits the total size after decompression, and skips all other types (cells, objects, functions,
sparse matrices).

Source: "MAT-File Format", The MathWorks, for levels 5 and 7: a header of 128 bytes, then elements. An element has a
type, a length in bytes and data, and begins at a multiple of 8 bytes.
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
Value = Any  # an array of numbers, a str for characters, or a dict for a struct

HEADER_BYTES = 128
MAX_BYTES = 1 << 28  # bytes of a file
MAX_INFLATED_BYTES = 1 << 25  # decompressed bytes, in addition to four times the file's size
MAX_DEPTH, MAX_FIELDS, MAX_VARIABLES = 4, 1000, 1000
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15
ENCODINGS = {1: "latin-1", 2: "latin-1", 3: "utf-16", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
STRUCT, CHARACTERS, NUMBERS = 2, 4, range(6, 16)
READ_CLASSES = (STRUCT, CHARACTERS, *NUMBERS)
COMPLEX = 0x800  # bit of the flags


class _FormatError(Exception):
    """A violation of the MAT-file format; the message describes it."""


class _Element(NamedTuple):
    type: int
    data: memoryview


class _Matrix(NamedTuple):
    """The type, shape and name of a matrix, and its remaining elements."""

    kind: int
    is_complex: bool
    shape: tuple[int, ...]
    name: str
    rest: Iterator[_Element]


def variables(data: bytes, name: str) -> dict[str, Value]:
    """Return the variables of a MAT-file that are numbers, characters or structs of one element.

    Args:
        data: the bytes of the file.
        name: name of the file for errors.
    Returns: variable name → array of the file's type for numbers, str for characters, dict for a struct.
    Raises: ModelError if the file is not a MAT-file of MATLAB 5 to 7.2, or exceeds a limit.
    """
    try:
        return _Reader(data).variables()
    except (_FormatError, ValueError, zlib.error, struct.error) as error:
        raise ModelError(
            f"`{name}` is not a MAT-file of MATLAB 5 to 7.2: {error}.", hint="save it with `-v7`."
        ) from error


def without_date(data: bytes) -> bytes:
    """Return a MAT-file whose header has no date, so that the same content gives the same bytes."""
    return b"MATLAB 5.0 MAT-file, written by recurra".ljust(116) + data[116:]


class _Reader:
    """A reader of one file; `_bytes_left` is the number of bytes that decompression may still produce."""

    def __init__(self, data: bytes) -> None:
        version, mark = data[124:126], data[126:128]
        if len(data) < HEADER_BYTES or mark not in (b"IM", b"MI"):
            raise _FormatError("its first 128 bytes are not the header of a MAT-file")
        self._order = "<" if mark == b"IM" else ">"
        if struct.unpack(f"{self._order}H", version)[0] != 0x0100:
            raise _FormatError("its header has another version")
        self._data = memoryview(data)[HEADER_BYTES:]
        self._bytes_left = MAX_INFLATED_BYTES + 4 * len(data)

    def variables(self) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for element in self._elements(self._data):
            if element.type == COMPRESSED:
                element = self._inflated_element(element.data)
            if element.type != MATRIX:
                continue
            matrix = self._matrix(element.data)
            if (value := self._value(matrix, 0)) is not None:
                values[matrix.name] = value
            if len(values) > MAX_VARIABLES:
                raise _FormatError(f"it has more than {MAX_VARIABLES:,} variables")
        return values

    def _inflated_element(self, data: memoryview) -> _Element:
        """Return the element in the compressed `data`. Ignore its length, which Octave writes 4 bytes too large."""
        inflated = self._inflate(data)
        kind = struct.unpack_from(f"{self._order}I", inflated)[0]
        return _Element(kind, inflated[8:])

    def _inflate(self, data: memoryview) -> memoryview:
        inflated = zlib.decompressobj().decompress(data, self._bytes_left + 1)
        self._bytes_left -= len(inflated)
        if self._bytes_left < 0:
            raise _FormatError("its decompressed data are too large")
        return memoryview(inflated)

    def _elements(self, data: memoryview) -> Iterator[_Element]:
        """Yield the consecutive elements of `data`."""
        at = 0
        while at + 8 <= len(data):
            word, size = struct.unpack_from(f"{self._order}II", data, at)
            if word >> 16:  # small element: at most four bytes of data, in place of the size
                kind, size, start, end = word & 0xFFFF, word >> 16, at + 4, at + 8
                size = min(size, 4)
            else:
                kind, start = word, at + 8
                end = start + size + (-size % 8 if kind != COMPRESSED else 0)
            if start + size > len(data):
                raise _FormatError("it is truncated")
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
            raise _FormatError("a matrix is truncated")
        shape = tuple(int(n) for n in np.frombuffer(dimensions.data, f"{self._order}i4"))
        if len(shape) > 8 or any(n < 0 for n in shape):
            raise _FormatError(
                f"a matrix has {len(shape)} dimensions" if len(shape) > 8 else "a matrix has a negative dimension"
            )
        return _Matrix(kind, bool(word & COMPLEX), shape, _ascii(name.data), elements)

    def _value(self, matrix: _Matrix, depth: int) -> Value | None:
        """Return the value of a matrix; None if its type is not supported."""
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
        """Read a struct of one element: the length of a name, the names, and one matrix for each name."""
        length, names = next(matrix.rest, None), next(matrix.rest, None)
        if depth >= MAX_DEPTH or length is None or names is None or len(length.data) < 4:
            raise _FormatError(f"`{matrix.name:.40}` is nested too deeply, or has no fields")
        step = struct.unpack_from(f"{self._order}i", length.data)[0]
        if not 0 < step <= 1024 or len(names.data) > MAX_FIELDS * step:
            raise _FormatError(f"`{matrix.name:.40}` has too many fields")
        keys = [_ascii(names.data[at : at + step]) for at in range(0, len(names.data), step)]
        matrices = (self._matrix(element.data) for element in matrix.rest)
        values = {key: self._value(field, depth + 1) for key, field in zip(keys, matrices, strict=False)}
        return {key: value for key, value in values.items() if value is not None}


def _ascii(data: memoryview) -> str:
    return bytes(data).partition(b"\0")[0].decode("latin-1")
