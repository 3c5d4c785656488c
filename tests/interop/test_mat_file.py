"""MAT-files: the supported types, and errors for damaged and hostile files."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest

from mat_files import CELL, HEAD, characters, element, matrix, numbers, struct_of
from recurra.errors import ModelError
from recurra.interop import mat_file

A = np.arange(6.0).reshape(2, 3)


def read(*parts: bytes) -> dict[str, Any]:
    return mat_file.variables(HEAD + b"".join(parts), "a.mat")


def test_numbers_are_read_column_by_column() -> None:
    np.testing.assert_array_equal(read(numbers("A", A))["A"], A)
    assert read(numbers("A", np.zeros((0, 3))))["A"].shape == (0, 3)


def test_numbers_of_other_types_in_small_elements() -> None:
    small = struct.pack("<HH", 1, 2) + bytes([255, 7, 0, 0])  # two int8 numbers in place of the length
    result = read(matrix(8, (2, 1), "A", small))["A"]
    assert result.tolist() == [[-1], [7]]


@pytest.mark.parametrize(("kind", "encoding"), [(16, "utf-8"), (17, "utf-16-le"), (18, "utf-32-le"), (4, "utf-16-le")])
def test_characters_of_each_encoding(kind: int, encoding: str) -> None:
    assert read(characters("s", "a—😀", kind, encoding))["s"] == "a—😀"


def test_structs_and_other_variables() -> None:
    result = read(
        struct_of("RNN", {"W": numbers("", A), "s": struct_of("", {"x": characters("", "y")})}), numbers("B", A)
    )
    assert result.keys() == {"RNN", "B"}
    np.testing.assert_array_equal(result["RNN"]["W"], A)
    assert result["RNN"]["s"] == {"x": "y"}


def test_compressed_elements_with_the_lengths_of_octave() -> None:
    whole = numbers("A", A)
    for part in (whole, whole[:4] + struct.pack("<I", len(whole) - 4) + whole[8:]):
        np.testing.assert_array_equal(read(element(15, zlib.compress(part)), numbers("B", A))["A"], A)


def test_unsupported_types_are_skipped() -> None:
    cell = matrix(CELL, (1, 2), "cell", numbers("", 1.0) + numbers("", 2.0))
    number = matrix(6, (1, 1), "z", element(9, bytes(8)) + element(9, bytes(8)), flags=0x800)
    several = struct_of("several", {"x": numbers("", A)}, (1, 2))
    opaque = element(14, element(6, struct.pack("<II", 17, 0)) + element(1, b"map") + element(1, b"MCOS"))
    other = element(99, b"what is this")
    assert read(cell, number, several, opaque, other, numbers("A", A)).keys() == {"A"}


def test_big_endian_files() -> None:
    data = bytearray(HEAD)
    data[124:128] = b"\x01\x00MI"
    body = struct.pack(">II", 6, 8) + struct.pack(">II", 6, 0) + struct.pack(">IIii", 5, 8, 1, 2)
    body += struct.pack(">HH", 1, 1) + b"A\0\0\0" + struct.pack(">IIdd", 9, 16, 1.5, -2.5)
    result = mat_file.variables(bytes(data) + struct.pack(">II", 14, len(body)) + body, "a.mat")
    assert result["A"].tolist() == [[1.5, -2.5]]


WRONG = [
    (b"", "its first 128 bytes are not the header of a MAT-file"),
    (HEAD[:100], "its first 128 bytes are not the header of a MAT-file"),
    (HEAD[:124] + b"\x00\x02IM", "its header has another version"),
    (HEAD + element(14, bytes(8), 800), "it is truncated"),
    (HEAD + element(15, b"no zlib"), "Error -3 while decompressing data: incorrect header check"),
    (HEAD + element(15, zlib.compress(b"abc")), "unpack_from requires a buffer"),
    (HEAD + numbers("A", A, (2, 4)), "`A` has 6 numbers for its shape (2, 4)"),
    (HEAD + numbers("A", A, (-2, -3)), "a matrix has a negative dimension"),
    (HEAD + numbers("A", A, (1,) * 9), "a matrix has 9 dimensions"),
    (HEAD + numbers("A", A, (2**31 - 1,) * 8), "`A` has 6 numbers for its shape"),
    (HEAD + matrix(6, (1, 1), "A", b""), "`A` has no numbers"),
    (HEAD + element(14, element(6, struct.pack("<II", 6, 0)) + element(5, bytes(8))), "a matrix is truncated"),
    (HEAD + matrix(6, (1, 1), "A", element(14, bytes(8))), "`A` has no numbers"),
    (HEAD + matrix(6, (1, 1), "A", element(9, bytes(7))), "buffer size must be a multiple of element size"),
    (HEAD + matrix(4, (1, 1), "s", element(9, bytes(8))), "`s` has no characters"),
    (HEAD + matrix(4, (1, 1), "s", element(16, b"\xff")), "invalid start byte"),
    (HEAD + matrix(2, (1, 1), "s", b""), "`s` is nested too deeply, or has no fields"),
    (HEAD + matrix(2, (1, 1), "s", element(5, struct.pack("<i", 0)) + element(1, b"a")), "`s` has too many fields"),
    (HEAD + matrix(2, (1, 1), "s", element(5, struct.pack("<i", 1)) + element(1, b"a" * 9999)), "has too many fields"),
    (HEAD + numbers("A", 1.0) + b"".join(numbers(f"A{i}", [[1.0]]) for i in range(1001)), "more than 1,000 variables"),
]


@pytest.mark.parametrize(("data", "words"), WRONG, ids=[words for _, words in WRONG])
def test_damaged_file_is_an_error(data: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=re.escape(words)) as error:
        mat_file.variables(data, "a.mat")
    assert str(error.value).startswith("`a.mat` is not a MAT-file of MATLAB 5 to 7.2: ")
    assert error.value.hint == "save it with `-v7`."


def test_deeply_nested_structs_are_an_error() -> None:
    nested = numbers("", A)
    for _ in range(9):
        nested = struct_of("", {"a": nested})
    with pytest.raises(ModelError, match="is nested too deeply"):
        read(nested)


@pytest.mark.parametrize(
    "part",
    [
        matrix(CELL, (2**27, 1), "RNN", b""),  # SciPy allocates a gigabyte for it
        struct_of("RNN", {"a" * i: numbers("", A) for i in range(30)}, (2**27, 1)),
        element(15, zlib.compress(matrix(6, (2**27, 1), "A", element(9, bytes(2**28))), 9)),
        element(15, zlib.compress(bytes(2**28), 9)) * 9,
    ],
    ids=["cells", "structs", "zeros", "nothing"],
)
def test_sizes_in_a_file_do_not_allocate_memory(part: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="its decompressed data are too large") if part[0] == 15 else io.BytesIO():
            assert read(part) == {}
        assert tracemalloc.get_traced_memory()[1] < 2 * mat_file.MAX_INFLATED_BYTES + 10 * len(part) + 2**20
    finally:
        tracemalloc.stop()
