"""The served models by name: a request names a model or a run, never a file.

The names are fixed when the server starts.
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

MAX_NAME_CHARACTERS = 64
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model and its name.

    model     the model as it was when the server started
    sha256    digest of its parameters
    created   time at which its file was written, in seconds since 1970
    folder    the directory of its run; None if the model is a single file
    """

    name: str
    model: LanguageModel
    sha256: str
    created: int
    folder: Path | None


@dataclass(frozen=True)
class LiveRun:
    """The end of a training on its live page: the path of the report, and two commands."""

    report: str
    resume: str
    serve: str


class Registry(Mapping[str, ServedModel]):
    """The models by name, in the given order."""

    def __init__(self, served: Iterable[ServedModel]) -> None:
        self._served = {one.name: one for one in served}

    def __getitem__(self, name: str) -> ServedModel:
        return self._served[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._served)

    def __len__(self) -> int:
        return len(self._served)

    @property
    def runs(self) -> dict[str, Path]:
        """The run directories by name."""
        return {name: one.folder for name, one in self.items() if one.folder is not None}

    @property
    def live(self) -> LiveRun | None:
        """The run whose training this server accompanies; None if the server is not part of a training."""
        return None


def scan(paths: Iterable[str | Path] = ()) -> Registry:
    """Load the models of run directories and checkpoint files; without any, of every run in `runs/`.

    Raises ModelError if there is none, and the errors of `load`.
    """
    given = [Path(path) for path in paths] or _runs()
    served: list[ServedModel] = []
    for path in given:
        served.append(_served(path, {one.name for one in served}))
    return Registry(served)


def _runs() -> list[Path]:
    """Return the directories in `runs/` that have a checkpoint."""
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


def _served(path: Path, taken: set[str]) -> ServedModel:
    model, file = load(path), locate(path)
    name = unique(name_of(path), taken)
    is_run = path.is_dir() and (path / SETTINGS).is_file()
    return ServedModel(name, model, model.sha256, int(file.stat().st_mtime), path if is_run else None)


def name_of(path: Path) -> str:
    """Return the name of the model at `path`: its last part, in letters, digits, dots, dashes and underscores."""
    resolved = path.resolve()
    last = resolved.name if resolved.is_dir() else resolved.stem
    return _NOT_IN_NAMES.sub("-", last).strip("-.")[:MAX_NAME_CHARACTERS] or "model"


def unique(name: str, taken: set[str]) -> str:
    """Return `name`, with a number appended if it is taken."""
    number = 2
    found = name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found
