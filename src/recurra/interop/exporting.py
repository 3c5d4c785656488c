"""Write a model to the files of another program."""

from __future__ import annotations

from pathlib import Path

from recurra.errors import UsageError
from recurra.interop import files
from recurra.interop.format_registry import EXPORTS, FORMATS
from recurra.interop.origin import Origin
from recurra.text.words import word_characters


def require_format(format: str) -> None:
    """Raise UsageError unless `format` is the name of an export format."""
    if not isinstance(format, str) or format not in EXPORTS:
        raise UsageError(f"`format` must be one of {', '.join(EXPORTS)}; got {format!r:.80}.")


def default_path(origin: Origin, format: str) -> Path:
    """Return the default path of an export: in the current folder, named after the model."""
    name = word_characters(origin.name, ".-", "_")
    return Path(f"{name}{FORMATS[format].suffix}")


def write(origin: Origin, path: Path, format: str, *, force: bool) -> list[Path]:
    """Write a model in a format.

    Args:
        origin: the model, its name and its facts.
        path: the file, or the folder of a format that has several files.
        format: name of the format.
        force: replace existing files.
    Returns: the written files.
    Raises: UsageError if a package is missing, a file already exists or the format cannot represent the network.
    """
    require_format(format)
    files.require_absent(FORMATS[format].targets(path), force=force)
    return files.write(EXPORTS[format](origin, path))
