"""The folder of a new run: made, held, and emptied of an old run where that is wanted."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from recurra.errors import UsageError
from recurra.io import atomic_write
from recurra.runs import checkpoints
from recurra.runs.layout import FILES, RUNS
from recurra.runs.lock import locked


@contextlib.contextmanager
def new_folder(run: str | Path | None, name: str, *, force: bool) -> Iterator[Path]:
    """The folder for a new run, held: `run`, or else runs/NAME, runs/NAME-2, …; `force` removes an old run there."""
    folder = RUNS / name if run is None else Path(run)
    with atomic_write.writing(folder):
        if run is None and not force:
            folder = _numbered(folder)
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"`{folder}` is no folder.", hint="give another `--run`.")
        folder.mkdir(parents=True, exist_ok=True)
    for above in (folder.parent, folder.parent.parent):  # what lies in a folder is lost with its name
        with contextlib.suppress(OSError):
            atomic_write.sync_folder(above)
    with locked(folder):
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
    with atomic_write.writing(folder):
        if not any(folder.iterdir()):
            return
        if not force:
            raise UsageError(
                f"`{folder}` is not empty.",
                hint="give another `--run`, `--resume` to go on with the run there, or `--force` to train anew.",
            )
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        atomic_write.sweep(folder)
        checkpoints.remove(folder)
