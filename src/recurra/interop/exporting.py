"""Write a model to the files of another program."""

from __future__ import annotations

from pathlib import Path

from recurra.errors import UsageError
from recurra.interop import files
from recurra.interop.format_registry import EXPORTS, FORMATS
from recurra.interop.origin import Origin
from recurra.text.words import word_characters


def require_format(format: str) -> None:
    """Raise UsageError unless `format` is the name of a format that is written."""
    if not isinstance(format, str) or format not in EXPORTS:
        raise UsageError(f"`format` must be one of {', '.join(EXPORTS)}; got {format!r:.80}.")


def default_path(origin: Origin, format: str) -> Path:
    """The path of an export if the user gives none: in the current folder, named after the model."""
    name = word_characters(origin.name, ".-", "_")
    return Path(f"{name}{FORMATS[format].suffix}")


def write(origin: Origin, path: Path, format: str, *, force: bool) -> list[Path]:
    """Write the model to `path` in that `format`; returns the files, `path` or what lies in it first.

    Raises UsageError where a package is missing, a file is there already or the network does not fit the format.
    """
    require_format(format)
    files.require_absent(FORMATS[format].targets(path), force=force)
    return files.write(EXPORTS[format](origin, path))
