"""The directory of a run: made for a new one, emptied of an old one on request, and held by one trainer at a time."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from recurra.errors import UsageError
from recurra.io import atomic_write
from recurra.runs import checkpoints
from recurra.runs.layout import FILES, RUNS


@contextlib.contextmanager
def create_folder(run: str | Path | None, name: str, *, force: bool) -> Iterator[Path]:
    """The folder for a new run, held: `run`, or else runs/NAME, runs/NAME-2, …; `force` removes an old run there."""
    folder = RUNS / name if run is None else Path(run)
    with atomic_write.storage_errors(folder):
        if run is None and not force:
            folder = _numbered(folder)
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"`{folder}` is no folder.", hint="give another `--run`.")
        folder.mkdir(parents=True, exist_ok=True)
    for above in (folder.parent, folder.parent.parent):  # what lies in a folder is lost with its name
        with contextlib.suppress(OSError):
            atomic_write.sync_folder(above)
    with lock_run(folder):
        _empty(folder, force=force)
        yield folder


def _numbered(folder: Path) -> Path:
    """Make `folder`, else FOLDER-2, … : the first that is not there, and that no other process makes just now."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        numbered = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        with contextlib.suppress(FileExistsError):
            numbered.mkdir()
            return numbered
    raise AssertionError  # there is always a next number


def _empty(folder: Path, *, force: bool) -> None:
    """Remove the files of a run, and nothing else that may lie there; UsageError for any file without `force`."""
    with atomic_write.storage_errors(folder):
        if not any(folder.iterdir()):
            return
        if not force:
            raise UsageError(
                f"`{folder}` is not empty.",
                hint="give another `--run`, `--resume` to go on with the run there, or `--force` to train anew.",
            )
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        atomic_write.remove_staged(folder)
        checkpoints.remove(folder)


@contextlib.contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Hold `folder` for a training; UsageError where another one holds it.

    It is flock's lock on the folder itself, so that nothing lies there that could be left behind. Where the system or
    the file system has no flock, nothing is held: two trainers then spoil each other's records, but no checkpoint.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with atomic_write.storage_errors(folder):
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
