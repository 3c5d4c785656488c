"""The served models by name. A request names a model, never a file; the names are fixed when the server starts."""

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

    Attributes:
        name: name in requests.
        model: the model as it was when the server started.
        sha256: digest of its parameters.
        created: modification time of its file, in seconds since 1970.
        folder: its run directory; None if the model is a single file.
    """

    name: str
    model: LanguageModel
    sha256: str
    created: int
    folder: Path | None


@dataclass(frozen=True)
class LiveRun:
    """The live page's links after the training: the path of the report, and the commands to resume and to serve."""

    report: str
    resume: str
    serve: str


class Registry(Mapping[str, ServedModel]):
    """The served models by name, in the order of the arguments."""

    def __init__(self, models: Iterable[ServedModel]) -> None:
        self._served = {served.name: served for served in models}

    def __getitem__(self, name: str) -> ServedModel:
        return self._served[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._served)

    def __len__(self) -> int:
        return len(self._served)

    @property
    def runs(self) -> dict[str, Path]:
        """The run directories by name."""
        return {name: served.folder for name, served in self.items() if served.folder is not None}

    @property
    def live(self) -> LiveRun | None:
        """The run in training, if this server is the training's live page; else None."""
        return None


def scan(paths: Iterable[str | Path] = ()) -> Registry:
    """Load the models of the run directories and checkpoint files in `paths`; without paths, of every run in `runs/`.

    Raises: ModelError if there is no model, and the errors of `load`.
    """
    models: list[ServedModel] = []
    for path in [Path(path) for path in paths] or _runs():
        models.append(_served(path, {served.name for served in models}))
    return Registry(models)


def _runs() -> list[Path]:
    """Return the directories in `runs/` that have a checkpoint."""
    folders = [folder for folder in sorted(RUNS.glob("*")) if folder.is_dir() and _has_model(folder)]
    if not folders:
        raise ModelError(
            f"there is no run in `{RUNS}` to serve.",
            hint="name a model: `recurra serve MODEL`; `recurra train` trains one.",
        )
    return folders


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
    """Return the name of the model at `path`: the file or folder name, in letters, digits, `.`, `-` and `_` only."""
    resolved = path.resolve()
    last = resolved.name if resolved.is_dir() else resolved.stem
    return _NOT_IN_NAMES.sub("-", last).strip("-.")[:MAX_NAME_CHARACTERS] or "model"


def unique(name: str, taken: set[str]) -> str:
    """Return `name`, with a number appended if `taken` contains it."""
    number, candidate = 2, name
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    return candidate
