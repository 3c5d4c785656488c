"""The sources of a run's text (books, files): a short list is in run.toml, a long one in sources.jsonl, one per line.

For a long list, run.toml has the number of sources and the sha256 of sources.jsonl.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.errors import TextError
from recurra.io import atomic_write, bounded_io
from recurra.runs.layout import SOURCES
from recurra.text.reading import MOST_FILES

IN_SETTINGS = 1 << 16  # most bytes of all sources in run.toml
LONGEST_LINE = 1 << 16  # bytes; longer than any path that a system opens


def write_sources(folder: Path, source: Sequence[str]) -> dict[str, Any]:
    """Return the entries of run.toml for the sources, and write sources.jsonl if they are many. Raises StorageError."""
    path = folder / SOURCES
    if _fit(source):
        with atomic_write.storage_errors(path):
            path.unlink(missing_ok=True)
        return {"source": list(source)}
    # A path may contain bytes that are not UTF-8, in Python lone surrogates; JSON has escapes for surrogates.
    lines = [json.dumps(place, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n" for place in source]
    data = b"".join(lines)
    atomic_write.write(path, data)
    return {"sources": len(source), "sources_sha256": hashlib.sha256(data).hexdigest()}


def read_sources(folder: Path, text: Mapping[str, Any], hint: str) -> Any:
    """Return the sources of a text; `text` is its table in the run.toml of `folder`. None if the table names none.

    Raises TextError, with `hint`, if sources.jsonl cannot be read or has changed.
    """
    if "sources" not in text:
        return text.get("source")
    path = folder / SOURCES
    sources: list[Any] = []
    digest = hashlib.sha256()
    try:
        for line in bounded_io.lines(path, LONGEST_LINE):
            digest.update(line)
            sources.append(bounded_io.parse_json(line))
            if len(sources) > MOST_FILES:
                raise ValueError(f"it has more than {MOST_FILES:,} lines")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TextError(f"the list of the text's files `{path}` cannot be read: {reason}.", hint=hint) from error
    if digest.hexdigest() != text.get("sources_sha256"):
        raise TextError(f"the list of the text's files `{path}` has changed since it was written.", hint=hint)
    return sources


def _fit(source: Sequence[str]) -> bool:
    """Return True if run.toml can contain the sources: they are few, and valid UTF-8 as TOML requires."""
    try:
        return sum(len(place.encode()) for place in source) <= IN_SETTINGS
    except UnicodeEncodeError:
        return False
