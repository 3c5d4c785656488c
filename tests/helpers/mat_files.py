"""Write the bytes of MAT-files of level 5."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

HEAD = b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + struct.pack("<H2s", 0x0100, b"IM")
DOUBLE, STRUCT, CHARACTERS, CELL = 6, 2, 4, 1
COMPRESSED = 15


def element(kind: int, data: bytes, size: int | None = None) -> bytes:
    """Return the type, the length (or a wrong `size`) and the data, padded unless compressed."""
    padding = bytes(0 if kind == COMPRESSED else -len(data) % 8)
    return struct.pack("<II", kind, len(data) if size is None else size) + data + padding


def matrix(kind: int, shape: Sequence[int], name: str, rest: bytes, flags: int = 0) -> bytes:
    head = element(6, struct.pack("<II", kind | flags, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, head + element(1, name.encode()) + rest)


def numbers(name: str, array: npt.ArrayLike, shape: Sequence[int] | None = None) -> bytes:
    values = np.asarray(array, "<f8")
    return matrix(DOUBLE, values.shape if shape is None else shape, name, element(9, values.tobytes("F")))


def characters(name: str, text: str, kind: int = 16, encoding: str = "utf-8") -> bytes:
    return matrix(CHARACTERS, (1, len(text)), name, element(kind, text.encode(encoding)))


def struct_of(name: str, fields: Mapping[str, bytes], shape: Sequence[int] = (1, 1)) -> bytes:
    """Return the bytes of a struct array whose `fields` are the bytes of matrices."""
    names = b"".join(field.encode().ljust(32, b"\0") for field in fields)
    head = element(5, struct.pack("<i", 32)) + element(1, names)
    return matrix(STRUCT, shape, name, head + b"".join(fields.values()))
