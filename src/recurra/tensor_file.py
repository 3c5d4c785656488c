"""One safe file of named arrays: safetensors with a sha256 over the whole; a reader never sees half of one.

The metadata are one JSON text under the key `recurra`, in which "sha256" is the hash of the file with those 64 digits
zeroed. A file is staged beside its target, flushed to the disk, read back and compared, and only then renamed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse
from safetensors.numpy import save as serialise

from recurra.errors import CheckpointError, ModelError, StorageError

Array = NDArray[Any]
KEY = "recurra"
ZEROS = "0" * 64
MAX_HEADER = 100_000_000  # bytes; what safetensors itself reads
STAGING = ".staging-"


def write(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, Any]) -> str:
    """Write `path` atomically and durably; returns the file's sha256. Raises StorageError where that cannot be done."""
    data, digest = _encode(tensors, metadata)
    try:
        write_bytes(path, data)
    except OSError as error:
        raise storage_error(path, error) from error
    return digest


def write_bytes(path: Path, data: bytes | bytearray) -> None:
    """Stage `data` beside `path`, flush it, read it back, rename it into place and flush the folder."""
    staged = path.parent / f"{STAGING}{os.getpid()}-{secrets.token_hex(6)}"
    try:
        with staged.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if staged.read_bytes() != data:
            raise OSError(errno.EIO, "the file reads back with other bytes than were written", str(staged))
        staged.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            staged.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, where the system has a way to."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF):  # said by file systems that flush no folder
            raise
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove what an interrupted write left behind."""
    for path in folder.glob(f"{STAGING}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and metadata of `path`.

    Raises ModelError where there is no such file or it is not ours, CheckpointError where its bytes are damaged.
    """
    try:
        with path.open("rb") as file:
            data = file.read()
    except OSError as error:
        raise ModelError(f"cannot read the model `{path}`: {error.strerror}.") from error
    header = _header(path, data)
    metadata = _metadata(path, header)
    if hashlib.sha256(_zeroed(data, metadata["sha256"])).hexdigest() != metadata["sha256"]:
        raise CheckpointError(
            f"`{path}` is damaged: its bytes do not have the sha256 that was written with them.",
            hint="use another checkpoint of the run.",
        )
    try:
        tensors = parse(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"`{path}` is damaged: {error}.") from error
    return tensors, metadata


def storage_error(path: Path, error: OSError) -> StorageError:
    """The error that tells a user why `path` cannot be written."""
    return StorageError(
        f"cannot write `{path}`: {error.strerror or error}.",
        hint="free some space or choose another folder with `--run`; earlier checkpoints are untouched.",
    )


def _encode(tensors: Mapping[str, Array], metadata: Mapping[str, Any]) -> tuple[bytearray, str]:
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    text = json.dumps({**metadata, "sha256": ZEROS}, sort_keys=True, allow_nan=False)
    data = bytearray(serialise(arrays, metadata={KEY: text}))
    digest = hashlib.sha256(data).hexdigest()
    marker = _marker(ZEROS)
    start = data.index(marker)
    data[start : start + len(marker)] = _marker(digest)
    return data, digest


def _marker(digest: str) -> bytes:
    # Inside the header the JSON text is itself a JSON string: its quotation marks carry a backslash.
    return f'\\"sha256\\": \\"{digest}\\"'.encode()


def _zeroed(data: bytes, digest: str) -> bytes:
    return data.replace(_marker(digest), _marker(ZEROS), 1)


def _header(path: Path, data: bytes) -> dict[str, Any]:
    size = int.from_bytes(data[:8], "little")
    if data[8:9] not in (b"{", b""):
        raise ModelError(f"`{path}` is no model file of recurra.")
    if len(data) < 8 or size > min(MAX_HEADER, len(data) - 8):
        raise CheckpointError(f"`{path}` is no model file of recurra, or it is cut off.")
    try:
        header: dict[str, Any] = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"`{path}` is no model file of recurra, or it is damaged.") from error
    return header


def _metadata(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    try:
        metadata = json.loads(header["__metadata__"][KEY])
        good = isinstance(metadata, dict) and re.fullmatch("[0-9a-f]{64}", metadata["sha256"]) is not None
    except (ValueError, KeyError, TypeError, RecursionError):
        good = False
    if not good:
        raise ModelError(f"`{path}` was not written by recurra: it has no metadata of ours.")
    return dict(metadata)
