"""Find the run that torchrun has restarted and that must be resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from recurra.distributed.ranks import is_restart, launch
from recurra.errors import ModelError
from recurra.runs.layout import CHECKPOINTS, RUNS, SETTINGS, UPDATES
from recurra.runs.run_toml import LAUNCH, read_settings


class LaunchedRun(NamedTuple):
    """A run that this launch of torchrun began; `has_checkpoint` is True if the run can be resumed."""

    folder: Path
    has_checkpoint: bool


def find_launched_run(run: str | Path | None, *, force: bool) -> LaunchedRun | None:
    """Return the run that this launch of torchrun began before a restart, in the folder `run` or in runs/.

    run.toml has the identifier of the launch; a run of a different launch never matches. Return None without a match.
    With `force`, also return None before the first restart, because the command then starts a new run.
    """
    identifier = launch()
    if identifier is None or (force and not is_restart()):
        return None
    folder = next((folder for folder in _folders(run) if _launch_of(folder) == identifier), None)
    if folder is None:
        return None
    return LaunchedRun(folder, any((folder / CHECKPOINTS).glob(UPDATES)))


def _folders(run: str | Path | None) -> Iterator[Path]:
    if run is not None:
        yield Path(run)
        return
    yield from sorted(path.parent for path in RUNS.glob(f"*/{SETTINGS}"))


def _launch_of(folder: Path) -> str | None:
    """Return the identifier of the launch in run.toml; None if there is none or the file is unreadable."""
    try:
        value = read_settings(folder)["engine"].get(LAUNCH)
    except ModelError:
        return None
    return value if isinstance(value, str) else None
