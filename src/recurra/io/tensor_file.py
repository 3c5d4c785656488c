"""A file of named arrays: safetensors with a sha256 of the whole file, written atomically.

The metadata are one JSON text under the key `recurra`. The entry "sha256" of the metadata is the hash of the whole
file, computed with zeros in place of the 64 digits of the hash. Long metadata, of a run with very many epochs, are
stored in an array of bytes; only the hash remains in the header.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse
from safetensors.numpy import save as serialize

from recurra.errors import CheckpointError, ModelError
from recurra.io import atomic_write
from recurra.io.bounded_io import open_regular, parse_json

Array = NDArray[Any]
METADATA_KEY = "recurra"
ZEROS = "0" * 64
MAX_HEADER_BYTES = 1 << 20  # the headers that recurra writes are far smaller
LONG_METADATA_BYTES = 1 << 17  # longer metadata are stored in an array, not in the header
LONG_NAME = "metadata"
OURS, FOREIGN = "model file of recurra", "safetensors file"
HINTS = {
    OURS: "`recurra import` reads the files of other programs and of `recurra export`.",
    FOREIGN: "`recurra import --help` lists the supported file formats.",
}


def write(
    path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, Any], place: str = atomic_write.RUN_PLACE
) -> str:
    """Write `path` atomically, flush it to the disk, and return the file's sha256.

    Raises StorageError if that fails, with the hint `place` to write to another path.
    """
    data, digest = _encode(tensors, metadata)
    with atomic_write.storage_errors(path, place):
        atomic_write.write_bytes(path, data)
    return digest


def read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and the metadata of `path`; all numbers are finite.

    Reading takes twice as much memory as the file has bytes. The header is read first, and the sizes of its arrays are
    compared with the size of the file before the arrays are read. Raises ModelError if the file does not exist or
    another program has written it, CheckpointError if its bytes are damaged.
    """
    data, metadata = _read_checked(path, OURS, lambda header: _metadata(path, header))
    if _sha256(data, metadata["sha256"]) != metadata["sha256"]:
        raise CheckpointError(
            f"`{path}` is damaged: its bytes do not have the sha256 that is stored in it.",
            hint="use another checkpoint of the run.",
        )
    try:
        tensors = parse(data)
        if LONG_NAME in tensors:
            metadata = parse_json(tensors.pop(LONG_NAME).tobytes()) | metadata
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"`{path}` is damaged: {error!s:.200}.") from error
    del data
    _require_finite(path, tensors)
    return tensors, metadata


def read_foreign(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays and the metadata of a safetensors file of another program, with the checks of `read`.

    Raises ModelError if the file does not exist, CheckpointError if it is not a safetensors file or has a number that
    is not finite.
    """
    data, header = _read_checked(path, FOREIGN, lambda header: header)
    metadata = header.get("__metadata__", {})
    try:
        tensors = parse(data)
    except (SafetensorError, ValueError, TypeError) as error:
        raise CheckpointError(f"`{path}` is damaged: {error!s:.200}.") from error
    except (KeyError, AttributeError) as error:
        raise ModelError(
            f"`{path}` has numbers of an unsupported type: {error!s:.40}.", hint="save the arrays as float32."
        ) from error
    del data
    _require_finite(path, tensors)
    return tensors, {name: text for name, text in metadata.items() if isinstance(text, str)}


def _read_checked(path: Path, kind: str, of_header: Callable[[dict[str, Any]], dict[str, Any]]) -> tuple[bytes, Any]:
    """Check the header against the size of the file; return the bytes of the file, and `of_header(header)`."""
    try:
        with io.BufferedReader(open_regular(path)) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(min(size, 8 + MAX_HEADER_BYTES))
            result = of_header(_header(path, data, size, kind))
            data += file.read(size - len(data))
    except OSError as error:
        raise ModelError(f"cannot read the model `{path}`: {error.strerror or error}.") from error
    return data, result


def _encode(tensors: Mapping[str, Array], metadata: Mapping[str, Any]) -> tuple[bytearray, str]:
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    text = json.dumps({**metadata, "sha256": ZEROS}, sort_keys=True, allow_nan=False)
    if len(text) > LONG_METADATA_BYTES:
        arrays[LONG_NAME] = np.frombuffer(text.encode(), np.uint8)
        text = json.dumps({"sha256": ZEROS})
    data = bytearray(serialize(arrays, metadata={METADATA_KEY: text}))
    if int.from_bytes(data[:8], "little") > MAX_HEADER_BYTES:
        raise ValueError(f"the names of the arrays are longer than {MAX_HEADER_BYTES:,} bytes.")
    digest = hashlib.sha256(data).hexdigest()
    marker = _marker(ZEROS)
    start = data.index(marker)
    data[start : start + len(marker)] = _marker(digest)
    return data, digest


def _marker(digest: str) -> bytes:
    # The header stores the JSON text as a JSON string, in which a backslash precedes each quotation mark.
    return f'\\"sha256\\": \\"{digest}\\"'.encode()


def _sha256(data: bytes, digest: str) -> str:
    """Return the sha256 of `data`, computed with zeros in place of the first occurrence of `digest`."""
    view, marker = memoryview(data), _marker(digest)
    start = max(data.find(marker), 0)
    total = hashlib.sha256(view[:start])
    total.update(_marker(ZEROS))
    total.update(view[start + len(marker) :])
    return total.hexdigest()


def _header(path: Path, data: bytes, size: int, kind: str) -> dict[str, Any]:
    """Return the header of a file of `size` bytes that begins with `data`; the arrays must fill the file exactly."""
    length = int.from_bytes(data[:8], "little")
    if data[8:9] not in (b"{", b""):
        raise ModelError(f"`{path}` is not a {kind}.", hint=HINTS[kind])
    if length > min(MAX_HEADER_BYTES, size - 8):
        raise CheckpointError(f"`{path}` is not a {kind}, or it is cut off.")
    try:
        header = parse_json(data[8 : 8 + length])
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        is_complete = max(ends, default=0) == size - 8 - length
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise CheckpointError(f"`{path}` is not a {kind}, or it is damaged.") from error
    if not is_complete:
        raise CheckpointError(f"`{path}` is damaged: it is longer or shorter than its arrays.")
    return dict(header)


def _metadata(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    try:
        metadata = parse_json(header["__metadata__"][METADATA_KEY].encode())
        is_valid = isinstance(metadata, dict) and re.fullmatch("[0-9a-f]{64}", metadata["sha256"]) is not None
    except (ValueError, KeyError, TypeError, AttributeError):
        is_valid = False
    if not is_valid:
        raise ModelError(
            f"`{path}` was not written by recurra: it lacks the metadata of recurra.",
            hint=HINTS[OURS],
        )
    return dict(metadata)


def _require_finite(path: Path, tensors: Mapping[str, Array]) -> None:
    for name, array in tensors.items():
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            raise CheckpointError(f"`{path}` is damaged: `{name}` has a number that is not finite.")
