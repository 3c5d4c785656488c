"""`strict`: the decorator of every kernel. It compiles without fastmath and keeps the machine code on disk.

The cache folder is named by the hash of all kernel sources and the versions of Numba and Python, because Numba
itself only looks at the file in which a function stands, not at what that function calls. A `NUMBA_CACHE_DIR` of the
user's wins. Where no folder can be written, kernels are compiled anew in each process.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import platformdirs
from numba.core.errors import NumbaWarning

Function = TypeVar("Function", bound=Callable[..., Any])
_DECORATING = threading.Lock()  # Numba's cache directory and Python's warning filters belong to the whole process


@functools.cache
def source_hash() -> str:
    """Hash of every kernel source, of Numba's version and of Python's."""
    digest = hashlib.sha256(f"{numba.__version__} {platform.python_version()}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def cache_folder() -> Path | None:
    """Where compiled kernels are kept; None if nothing can be written there."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(chosen) if chosen else Path(platformdirs.user_cache_dir("recurra")) / "kernels" / source_hash()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


def is_warm(key: str) -> bool:
    """Whether `mark_warm` was called for `key` with these kernels: if not, compilation is due, and a message."""
    folder = cache_folder()
    return folder is not None and (folder / f"{source_hash()}-{key}.compiled").exists()


def has_compiled() -> bool:
    """Whether any of these kernels lie compiled in the cache."""
    folder = cache_folder()
    return folder is not None and any(folder.glob(f"{source_hash()}-*.compiled"))


def mark_warm(key: str) -> None:
    """Note that the kernels for the sizes `key` lie in the cache."""
    folder = cache_folder()
    if folder is not None:
        with contextlib.suppress(OSError):
            (folder / f"{source_hash()}-{key}.compiled").touch()


@contextlib.contextmanager
def _numba_cache_directory(folder: Path) -> Iterator[None]:
    # Numba reads this setting when a function is decorated; other users of Numba in the process keep theirs.
    settings: Any = numba.config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        settings.CACHE_DIR = before


def strict(function: Function) -> Function:
    """Compile `function` by strict IEEE rules, without the GIL; division by zero gives infinity, as in NumPy."""
    options: dict[str, Any] = {"fastmath": False, "error_model": "numpy", "nogil": True, "boundscheck": False}
    folder = cache_folder()
    if folder is not None:
        with _DECORATING, _numba_cache_directory(folder), warnings.catch_warnings():
            warnings.simplefilter("ignore", NumbaWarning)
            with contextlib.suppress(RuntimeError):  # no place to cache: compile without
                return cast("Function", numba.njit(cache=True, **options)(function))
    return cast("Function", numba.njit(**options)(function))
