"""The folder of compiled kernels: one file for each kernel and signature, whose digest is checked before it is used.

The folder is named by a hash of all kernel sources and of the versions that compile them, not by where the sources
lie: every copy of the same sources finds the same files. A file holds `MAGIC`, the sha256 of the payload, the payload.
Code is loaded only from a folder and files that no other user could have written. The cache is never needed: whatever
is wrong with it, kernels are compiled without it, and a warning names the folder once.
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
LONGEST = 1 << 26  # bytes of a file; the largest kernel has half a megabyte
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Contents(NamedTuple):
    """The number of files in a cache folder, their bytes, and how many of them are damaged."""

    files: int
    size: int
    damaged: int


class DiskCache:
    """Payloads by name in `folder`, which is made when the first one is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._warned: set[str] = set()
        self._refused = False  # nothing more is written after a failure

    def read(self, name: str) -> bytes | None:
        """Return the payload written as `name`; None if there is none, or none that can be trusted.

        A damaged file is removed, so that the next payload takes its place.
        """
        path = self.folder / name
        try:
            self._require_own_folder()
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
                "damaged", f"the compiled kernel `{path}` is damaged; it is compiled again.", "if this comes back,"
            )
        return payload

    def write(self, name: str, payload: bytes) -> None:
        """Keep `payload` as `name`, if that is possible."""
        if self._refused:
            return
        path = self.folder / name
        try:
            self._make_folder()
            with stage_file(path) as beside:
                beside.write_bytes(MAGIC + hashlib.sha256(payload).digest() + payload)
        except OSError as error:
            self._refused = True
            self._warn_unusable(error)

    def examine(self) -> Contents:
        """Check every file of the folder. Raises OSError if the folder cannot be read, trusted or written."""
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
        self._require_own_folder()

    def _require_own_folder(self) -> None:
        """Raise PermissionError if another user could put files into the folder."""
        found = self.folder.stat()
        if is_foreign(found):
            raise PermissionError(errno.EPERM, f"user {found.st_uid} owns it", str(self.folder))
        if os.name == "posix" and found.st_mode & WRITABLE_BY_OTHERS:
            raise PermissionError(errno.EPERM, "other users can write in it", str(self.folder))

    def _warn_unusable(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        self._warn(
            "unusable",
            f"the folder of compiled kernels, `{self.folder}`, cannot be used: {reason}. "
            "Each process compiles the kernels again.",
            "name a folder of yours in NUMBA_CACHE_DIR, or make room, or",
        )

    def _warn(self, kind: str, message: str, hint: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            warnings.warn(f"{message} hint: {hint} remove the folder: {self.removal}", stacklevel=2)


def _content(path: Path) -> bytes:
    """All bytes of a file of this user, or of root; OSError if it is another user's, or no regular file."""
    with io.BufferedReader(open_regular(path)) as file:
        found = os.fstat(file.fileno())
        if is_foreign(found):
            raise PermissionError(errno.EPERM, f"user {found.st_uid} owns `{path.name}`", str(path))
        return file.read(LONGEST)


def _payload(data: bytes) -> bytes | None:
    """The payload of a file's bytes, if they are those that were written."""
    digest, payload = data[len(MAGIC) : len(MAGIC) + DIGEST], data[len(MAGIC) + DIGEST :]
    return payload if data.startswith(MAGIC) and hashlib.sha256(payload).digest() == digest else None


@functools.cache
def source_hash() -> str:
    """The hash of every kernel source, and of the versions of Numba, LLVM's binding and Python."""
    versions = f"{numba.__version__} {llvmlite.__version__} {platform.python_version()} "
    digest = hashlib.sha256(f"{versions} {sysconfig.get_config_var('SOABI')}".encode())
    package = Path(__file__).parents[2]
    for path in sorted(package.glob("*/kernels/*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def kernel_cache() -> DiskCache:
    """The cache of these kernels, in a folder of `NUMBA_CACHE_DIR` or else of the user's cache directory."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    parent = Path(chosen) / "recurra" if chosen else cache_folder() / "kernels"
    return DiskCache(parent.absolute() / source_hash())
