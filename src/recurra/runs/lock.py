"""One trainer a folder: a lock that the system takes back when its process ends, however that ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from recurra.errors import UsageError
from recurra.io import atomic_write


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for a training; UsageError where another one holds it.

    It is flock's lock on the folder itself, so that nothing lies there that could be left behind. Where the system or
    the file system has no flock, nothing is held: two trainers then spoil each other's records, but no checkpoint.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with atomic_write.writing(folder):
        handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UsageError(
            f"another training goes on in `{folder}`.", hint="wait for its end, stop it, or give another `--run`."
        ) from None
    except OSError:
        pass  # there is no flock on this file system
    try:
        yield
    finally:
        os.close(handle)
