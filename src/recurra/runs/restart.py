"""Find the run that a restart by torchrun has to resume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from recurra.distributed.ranks import is_restart, launch
from recurra.errors import ModelError
from recurra.runs.layout import CHECKPOINTS, RUNS, SETTINGS, UPDATES
from recurra.runs.run_toml import LAUNCH, read_settings


class LaunchedRun(NamedTuple):
    """A run that this start of torchrun began, and whether there is anything to go on from."""

    folder: Path
    has_checkpoint: bool


def find_launched_run(run: str | Path | None, *, force: bool) -> LaunchedRun | None:
    """The run that was begun before a restart, in the folder `run` or among all; None where there is none.

    run.toml says which start of torchrun began it. A run of another start is never taken. What is to be `force`d into
    a folder is a new run unless torchrun says that this is a restart.
    """
    start = launch()
    if start is None or (force and not is_restart()):
        return None
    folder = next((folder for folder in _folders(run) if _start_of(folder) == start), None)
    if folder is None:
        return None
    return LaunchedRun(folder, any((folder / CHECKPOINTS).glob(UPDATES)))


def _folders(run: str | Path | None) -> Iterator[Path]:
    if run is not None:
        yield Path(run)
        return
    yield from sorted(path.parent for path in RUNS.glob(f"*/{SETTINGS}"))


def _start_of(folder: Path) -> str | None:
    """What run.toml says; a file that cannot be read is of no start."""
    try:
        value = read_settings(folder)["engine"].get(LAUNCH)
    except ModelError:
        return None
    return value if isinstance(value, str) else None
