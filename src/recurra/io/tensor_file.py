"""A file of named arrays: safetensors with a sha256 over the whole, written atomically.

The metadata are one JSON text under the key `recurra`, in which "sha256" is the hash of the file with those 64 digits
zeroed; long ones, of a run of very many epochs, lie in an array of bytes beside the hash. `storage` writes it.
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
MAX_HEADER_BYTES = 1 << 20  # bytes; ours are far smaller
LONG_METADATA_BYTES = 1 << 17  # bytes of metadata that no longer lie in the header but in an array
LONG_NAME = "metadata"
OURS, FOREIGN = "model file of recurra", "safetensors file"
HINTS = {
    OURS: "`recurra import` reads what other programs have written, and what `recurra export` has.",
    FOREIGN: "`recurra import --help` lists the files that are read.",
}


def write(
    path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, Any], place: str = atomic_write.RUN_PLACE
) -> str:
    """Write `path` atomically and durably; returns the file's sha256.

    Raises StorageError where that cannot be done, with `place` as the hint to write elsewhere.
    """
    data, digest = _encode(tensors, metadata)
    with atomic_write.storage_errors(path, place):
        atomic_write.write_bytes(path, data)
    return digest


def read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and metadata of `path`: finite numbers, in twice the memory that the file takes.

    No more than the header is read before it is known that the arrays which it tells of are what the file holds.
    Raises ModelError where there is no such file or it is not ours, CheckpointError where its bytes are damaged.
    """
    data, metadata = _whole(path, OURS, lambda header: _metadata(path, header))
    if _sha256(data, metadata["sha256"]) != metadata["sha256"]:
        raise CheckpointError(
            f"`{path}` is damaged: its bytes do not have the sha256 that was written with them.",
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
    """The arrays of a safetensors file that any program has written, and its metadata; as bounded as `read`.

    Raises ModelError where there is no such file, CheckpointError where it is none or has a number that is not finite.
    """
    data, header = _whole(path, FOREIGN, lambda header: header)
    metadata = header.get("__metadata__", {})
    try:
        tensors = parse(data)
    except (SafetensorError, ValueError, TypeError) as error:
        raise CheckpointError(f"`{path}` is damaged: {error!s:.200}.") from error
    except (KeyError, AttributeError) as error:
        raise ModelError(
            f"`{path}` has numbers of a type that is not read: {error!s:.40}.", hint="save them as floats of 32 bits."
        ) from error
    del data
    _require_finite(path, tensors)
    return tensors, {name: text for name, text in metadata.items() if isinstance(text, str)}


def _whole(path: Path, kind: str, of_header: Callable[[dict[str, Any]], dict[str, Any]]) -> tuple[bytes, Any]:
    """All of a file, once its header is known to fit it, and what `of_header` makes of that."""
    try:
        with io.BufferedReader(open_regular(path)) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(min(size, 8 + MAX_HEADER_BYTES))
            found = of_header(_header(path, data, size, kind))
            data += file.read(size - len(data))
    except OSError as error:
        raise ModelError(f"cannot read the model `{path}`: {error.strerror or error}.") from error
    return data, found


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
    # Inside the header the JSON text is itself a JSON string: its quotation marks carry a backslash.
    return f'\\"sha256\\": \\"{digest}\\"'.encode()


def _sha256(data: bytes, digest: str) -> str:
    """That of `data` in which the first `digest` is zeroed."""
    view, marker = memoryview(data), _marker(digest)
    start = max(data.find(marker), 0)
    total = hashlib.sha256(view[:start])
    total.update(_marker(ZEROS))
    total.update(view[start + len(marker) :])
    return total.hexdigest()


def _header(path: Path, data: bytes, size: int, kind: str) -> dict[str, Any]:
    """The header, which must tell of all bytes of a file that begins with `data` and has `size`."""
    length = int.from_bytes(data[:8], "little")
    if data[8:9] not in (b"{", b""):
        raise ModelError(f"`{path}` is no {kind}.", hint=HINTS[kind])
    if length > min(MAX_HEADER_BYTES, size - 8):
        raise CheckpointError(f"`{path}` is no {kind}, or it is cut off.")
    try:
        header = parse_json(data[8 : 8 + length])
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        whole = max(ends, default=0) == size - 8 - length
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise CheckpointError(f"`{path}` is no {kind}, or it is damaged.") from error
    if not whole:
        raise CheckpointError(f"`{path}` is damaged: it is longer or shorter than its arrays.")
    return dict(header)


def _metadata(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    try:
        metadata = parse_json(header["__metadata__"][METADATA_KEY].encode())
        good = isinstance(metadata, dict) and re.fullmatch("[0-9a-f]{64}", metadata["sha256"]) is not None
    except (ValueError, KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise ModelError(
            f"`{path}` was not written by recurra: it has no metadata of ours.",
            hint=HINTS[OURS],
        )
    return dict(metadata)


def _require_finite(path: Path, tensors: Mapping[str, Array]) -> None:
    for name, array in tensors.items():
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            raise CheckpointError(f"`{path}` is damaged: `{name}` has a number that is not finite.")
