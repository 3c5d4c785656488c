"""The folder of compiled kernels: one file for each kernel and signature, with a digest that is checked before use.

The folder's name is a hash of all kernel sources and of the versions of the compilers. It does not contain the path of
the sources, so that every copy of the same sources uses the same files. A file holds `MAGIC`, the sha256 of the payload
and the payload. Code is loaded only if no other user is able to write to the folder and to the file. The cache is
optional: if it cannot be used, every process compiles the kernels, and one warning names the folder.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import io
import os
import platform
import shlex
import stat
import sysconfig
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import llvmlite
import numba

from recurra.io.atomic_write import stage_file
from recurra.io.bounded_io import is_foreign, open_regular
from recurra.system.system_info import cache_folder

SUFFIX = ".kernel"
MAGIC = b"recurra kernel 1\n"
DIGEST = hashlib.sha256().digest_size
MAX_FILE_BYTES = 1 << 26  # bytes read from a file; the largest kernel has half a megabyte
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Contents(NamedTuple):
    """The number of files in a cache folder, their total size in bytes, and the number of damaged files."""

    files: int
    size: int
    damaged: int


class DiskCache:
    """Payloads by name in `folder`. The first write creates the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._warned: set[str] = set()
        self._refused = False  # True after a failed write: no further write is tried

    def read(self, name: str) -> bytes | None:
        """Return a payload. A damaged file is removed, so that the next write replaces it.

        Args:
            name: the name under which it was written.
        Returns: the payload; None if there is no file, or if the file is not safe to use.
        """
        path = self.folder / name
        try:
            self._require_private_folder()
            data = _content(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn_unusable(error)
            return None
        payload = _payload(data)
        if payload is None:
            with contextlib.suppress(OSError):
                path.unlink()
            self._warn(
                "damaged", f"the compiled kernel `{path}` is damaged; it is compiled again.", "if this happens again,"
            )
        return payload

    def write(self, name: str, payload: bytes) -> None:
        """Store a payload. If writing fails, warn once and stop storing payloads.

        Args:
            name: the file's name in the folder.
            payload: the bytes.
        """
        if self._refused:
            return
        path = self.folder / name
        try:
            self._make_folder()
            with stage_file(path) as temporary:
                temporary.write_bytes(MAGIC + hashlib.sha256(payload).digest() + payload)
        except OSError as error:
            self._refused = True
            self._warn_unusable(error)

    def examine(self) -> Contents:
        """Check every file of the folder.

        Returns: the counts.
        Raises: OSError if the folder cannot be read or written, or if another user can write in it.
        """
        self._make_folder()
        with tempfile.TemporaryFile(dir=self.folder):
            paths = [path for path in self.folder.iterdir() if path.suffix == SUFFIX]
        contents = {path: _content(path) for path in paths}
        damaged = sum(_payload(data) is None for data in contents.values())
        return Contents(len(paths), sum(map(len, contents.values())), damaged)

    @property
    def removal(self) -> str:
        """The command that removes the folder."""
        return f"rm -r {shlex.quote(str(self.folder))}"

    def _make_folder(self) -> None:
        self.folder.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
        self._require_private_folder()

    def _require_private_folder(self) -> None:
        """Raise PermissionError if another user can put files into the folder."""
        status = self.folder.stat()
        if is_foreign(status):
            raise PermissionError(errno.EPERM, f"user {status.st_uid} owns it", str(self.folder))
        if os.name == "posix" and status.st_mode & WRITABLE_BY_OTHERS:
            raise PermissionError(errno.EPERM, "other users can write in it", str(self.folder))

    def _warn_unusable(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        self._warn(
            "unusable",
            f"the folder of compiled kernels, `{self.folder}`, cannot be used: {reason}. "
            "Each process compiles the kernels again.",
            "set NUMBA_CACHE_DIR to a folder of your own, or free disk space, or",
        )

    def _warn(self, kind: str, message: str, hint: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            warnings.warn(f"{message} hint: {hint} remove the folder: {self.removal}", stacklevel=2)


def _content(path: Path) -> bytes:
    """Return all bytes of a regular file of this user or of root. Raise OSError for any other file."""
    with io.BufferedReader(open_regular(path)) as file:
        status = os.fstat(file.fileno())
        if is_foreign(status):
            raise PermissionError(errno.EPERM, f"user {status.st_uid} owns `{path.name}`", str(path))
        return file.read(MAX_FILE_BYTES)


def _payload(data: bytes) -> bytes | None:
    """Return the payload of a file's bytes, or None if the digest does not match."""
    digest, payload = data[len(MAGIC) : len(MAGIC) + DIGEST], data[len(MAGIC) + DIGEST :]
    return payload if data.startswith(MAGIC) and hashlib.sha256(payload).digest() == digest else None


@functools.cache
def source_hash() -> str:
    """Return a hash of every kernel source and of the versions of Numba, llvmlite and Python."""
    versions = f"{numba.__version__} {llvmlite.__version__} {platform.python_version()} "
    digest = hashlib.sha256(f"{versions} {sysconfig.get_config_var('SOABI')}".encode())
    package = Path(__file__).parents[2]
    for path in sorted(package.glob("*/kernels/*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def kernel_cache() -> DiskCache:
    """Return the cache of these kernels, in `NUMBA_CACHE_DIR` if it is set, else in the user's cache directory."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    parent = Path(chosen) / "recurra" if chosen else cache_folder() / "kernels"
    return DiskCache(parent.absolute() / source_hash())
