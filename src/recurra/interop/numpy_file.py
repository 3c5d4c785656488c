"""Bounded reads, without pickle, of the arrays in an .npz file of NumPy: numbers and strings.

An .npz file is a zip archive with one .npy file for each array: magic bytes, a version, the length of the header, the
header (a Python dict with type, order and shape), then the numbers. The reader accepts a size only if the archive has
as many bytes, limits the total size, and skips arrays of objects, which are pickles.

Source: numpy.lib.format, "NPY format", versions 1.0 to 3.0.
"""

from __future__ import annotations

import math
import re
import zipfile
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from recurra.errors import ModelError
from recurra.interop import zip_file
from recurra.text.vocabulary import CODE_POINTS

Array = npt.NDArray[Any]

NPY_MAGIC = b"\x93NUMPY"
MAX_ARRAYS = 1000
MAX_ARRAY_HEADER_BYTES = 1 << 14
MAX_UNPACKED_BYTES = 1 << 24  # of all arrays, in addition to four times the file's size
TYPE = re.compile(r"[<>|=]?(?:f[248]|[iu][1248]|b1|[US]\d{1,4})")
ITEM = re.compile(rb"'(descr|fortran_order|shape)':('[^']{1,20}'|True|False|\([\dL,]{0,100}\)),?")


class Content(NamedTuple):
    """The arrays by name, and the names of skipped arrays: objects and unsupported types."""

    arrays: dict[str, Array]
    skipped: tuple[str, ...]


class _Header(NamedTuple):
    dtype: np.dtype[Any] | None  # None if the type is not supported
    order: Literal["C", "F"]
    shape: tuple[int, ...]


def read(path: Path) -> Content:
    """Return the arrays of an .npz file.

    Raises: ModelError if the file exceeds a limit, CheckpointError if it is damaged.
    """
    arrays: dict[str, Array] = {}
    skipped = []
    with zip_file.open_zip(path) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.endswith(".npy")]
        if len(entries) > MAX_ARRAYS:
            raise ModelError(f"`{path}` has more than {MAX_ARRAYS:,} arrays.")
        bytes_left = MAX_UNPACKED_BYTES + 4 * path.stat().st_size
        for entry in entries:
            name = entry.filename.removesuffix(".npy")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"`{name:.40}` has a compression that NumPy does not use")
            with archive.open(entry) as file:
                header = _header(file, name)
                if header.dtype is None:
                    skipped.append(name)
                    continue
                bytes_left -= math.prod(header.shape) * header.dtype.itemsize
                if bytes_left < 0:
                    raise ModelError(f"the arrays of `{path}` are too large.")
                arrays[name] = _array(file, header.dtype, header, name)
    return Content(arrays, tuple(skipped))


def is_object(head: bytes) -> bool:
    """Return True if an .npy file that begins with `head` is an array of objects: a pickle."""
    return re.search(rb"'descr': *'\|O", head) is not None


def _array(file: IO[bytes], dtype: np.dtype[Any], header: _Header, name: str) -> Array:
    size = math.prod(header.shape) * dtype.itemsize
    data = file.read(size + 1)
    if len(data) != size:
        raise ValueError(f"`{name:.40}` has more or fewer bytes than its shape {header.shape} needs")
    if dtype.kind == "U" and data:
        points = np.frombuffer(data, np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        if points.max() >= CODE_POINTS:
            raise ValueError(f"`{name:.40}` has a number that is not a character")
    flat = np.frombuffer(data, dtype) if data else np.zeros(0, dtype)
    return flat.reshape(header.shape, order=header.order)


def _header(file: IO[bytes], name: str) -> _Header:
    """Read the header of an .npy file: a dict with exactly three known keys."""
    start = file.read(8)
    if len(start) < 8 or start[:6] != NPY_MAGIC or start[6] not in (1, 2, 3):
        raise ValueError(f"`{name:.40}` is not an .npy file")
    length = int.from_bytes(file.read(2 if start[6] == 1 else 4), "little")
    text = b"".join(file.read(min(length, MAX_ARRAY_HEADER_BYTES)).split())
    if length > MAX_ARRAY_HEADER_BYTES or not (text.startswith(b"{") and text.endswith(b"}")):
        raise ValueError(f"`{name:.40}` has an invalid header")
    items = dict(ITEM.findall(text[1:-1]))
    if len(items) != 3 or ITEM.sub(b"", text[1:-1]):
        return _Header(None, "C", ())  # an array of records, or a file that NumPy did not write
    described = items[b"descr"][1:-1].decode("latin-1")
    shape = tuple(int(side.removesuffix(b"L")) for side in items[b"shape"][1:-1].split(b",") if side)
    if len(shape) > 8 or any(side >= 1 << 40 for side in shape):
        raise ValueError(f"`{name:.40}` has an impossible shape")
    known = TYPE.fullmatch(described) and b"'" not in items[b"shape"] and not described.endswith(("U0", "S0"))
    return _Header(np.dtype(described) if known else None, "F" if items[b"fortran_order"] == b"True" else "C", shape)
