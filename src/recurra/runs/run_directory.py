"""Create the directory of a new run, remove an old run from it on request, and lock it for one training at a time."""

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
    """Create and lock the directory of a new run: `run`, or else runs/NAME, runs/NAME-2, …

    NAME is the `name` of the text. With `force`, use `run` or runs/NAME even if it contains an old run, and remove the
    old run. Raises UsageError if another training uses the directory, or if it is not empty.
    """
    folder = RUNS / name if run is None else Path(run)
    with atomic_write.storage_errors(folder):
        if run is None and not force:
            folder = _numbered(folder)
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"`{folder}` is not a folder.", hint="choose another folder with `--run`.")
        folder.mkdir(parents=True, exist_ok=True)
    for above in (folder.parent, folder.parent.parent):  # else a power loss can remove the new folder
        with contextlib.suppress(OSError):
            atomic_write.sync_folder(above)
    with lock_run(folder):
        _empty(folder, force=force)
        yield folder


def _numbered(folder: Path) -> Path:
    """Create `folder`, or if it exists, FOLDER-2, FOLDER-3, …; two processes never get the same folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        numbered = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        with contextlib.suppress(FileExistsError):
            numbered.mkdir()
            return numbered
    raise AssertionError  # there is always a next number


def _empty(folder: Path, *, force: bool) -> None:
    """Remove the files of a run and no others. Without `force`, raise UsageError if the directory has any file."""
    with atomic_write.storage_errors(folder):
        if not any(folder.iterdir()):
            return
        if not force:
            raise UsageError(
                f"`{folder}` is not empty.",
                hint="`--resume` resumes the run in it, `--force` replaces it, `--run` chooses another folder.",
            )
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        atomic_write.remove_staged(folder)
        checkpoints.remove(folder)


@contextlib.contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Lock `folder` for a training. Raises UsageError if another training has the lock.

    The lock is flock's lock on the folder itself, so that a crash leaves no lock file. If the system or the file
    system has no flock, there is no lock: two trainings in one folder then mix their logs, but damage no checkpoint.
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
            f"another training is running in `{folder}`.",
            hint="wait until it ends, or choose another folder with `--run`.",
        ) from None
    except OSError:
        pass  # this file system has no flock
    try:
        yield
    finally:
        os.close(handle)
