"""What is served, by name: a client names a model or a run, and never a file.

The names are given when the server starts; a request can only ask for one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import ModelError
from recurra.model import LanguageModel
from recurra.runs.layout import RUNS, SETTINGS
from recurra.runs.saved_model import load, locate

LONGEST_NAME = 64
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, eq=False)
class Served:
    """A model under its name.

    model     as it was when the server started
    sha256    of its parameters
    created   when its file was written, in seconds since 1970
    folder    that of the run it belongs to; None where it is a lone file
    """

    name: str
    model: LanguageModel
    sha256: str
    created: int
    folder: Path | None


@dataclass(frozen=True)
class LiveRun:
    """What a page shows when the training that it belongs to has ended: the path of its report, and two commands."""

    report: str
    resume: str
    serve: str


class Registry(Mapping[str, Served]):
    """The models by name, in the order in which they were given."""

    def __init__(self, served: Iterable[Served]) -> None:
        self._served = {one.name: one for one in served}

    def __getitem__(self, name: str) -> Served:
        return self._served[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._served)

    def __len__(self) -> int:
        return len(self._served)

    @property
    def runs(self) -> dict[str, Path]:
        """The folders of those that are runs, by name."""
        return {name: one.folder for name, one in self.items() if one.folder is not None}

    @property
    def live(self) -> LiveRun | None:
        """The run of the training that this server ends with; None if it is not part of a training."""
        return None


def scan(paths: Iterable[str | Path] = ()) -> Registry:
    """The models of run folders and checkpoint files; without any, of every run in `runs/`.

    Raises ModelError where there is none, and the errors of `load`.
    """
    given = [Path(path) for path in paths] or _runs()
    served: list[Served] = []
    for path in given:
        served.append(_served(path, {one.name for one in served}))
    return Registry(served)


def _runs() -> list[Path]:
    """The folders in `runs/` that have a checkpoint."""
    found = [folder for folder in sorted(RUNS.glob("*")) if folder.is_dir() and _has_model(folder)]
    if not found:
        raise ModelError(
            f"there is no run in `{RUNS}` to serve.",
            hint="name one: `recurra serve MODEL`; `recurra train` makes one.",
        )
    return found


def _has_model(folder: Path) -> bool:
    try:
        return locate(folder).is_file()
    except ModelError:
        return False


def _served(path: Path, taken: set[str]) -> Served:
    model, file = load(path), locate(path)
    name = unique(name_of(path), taken)
    is_run = path.is_dir() and (path / SETTINGS).is_file()
    return Served(name, model, model.sha256, int(file.stat().st_mtime), path if is_run else None)


def name_of(path: Path) -> str:
    """The name that a client calls `path` by: its last part, in letters, digits, dots, dashes and underscores."""
    resolved = path.resolve()
    last = resolved.name if resolved.is_dir() else resolved.stem
    return _FOREIGN.sub("-", last).strip("-.")[:LONGEST_NAME] or "model"


def unique(name: str, taken: set[str]) -> str:
    """`name`, with a number behind it where it is taken."""
    number = 2
    found = name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found
