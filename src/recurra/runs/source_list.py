"""The sources of the text of a run: a few in run.toml, many in sources.jsonl, one a line.

run.toml then has their number and the sha256 of sources.jsonl, so that its size does not grow with the text's files.
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

IN_SETTINGS = 1 << 16  # bytes of all sources that run.toml holds itself
LONGEST_LINE = 1 << 16  # bytes; no system opens a path of so many


def write_sources(folder: Path, source: Sequence[str]) -> dict[str, Any]:
    """Return what run.toml says of the sources, and write sources.jsonl if they are many. Raises StorageError."""
    path = folder / SOURCES
    if _fit(source):
        with atomic_write.storage_errors(path):
            path.unlink(missing_ok=True)
        return {"source": list(source)}
    # A path may hold bytes that are no UTF-8, in Python lone surrogates; JSON has escapes for those.
    lines = [json.dumps(place, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n" for place in source]
    data = b"".join(lines)
    atomic_write.write(path, data)
    return {"sources": len(source), "sources_sha256": hashlib.sha256(data).hexdigest()}


def read_sources(folder: Path, text: Mapping[str, Any], hint: str) -> Any:
    """Return the sources of a text, of which run.toml in `folder` has the table `text`; None if it names none.

    Raises TextError, with `hint`, if sources.jsonl cannot be read or is not the list that was written.
    """
    if "sources" not in text:
        return text.get("source")
    path = folder / SOURCES
    found: list[Any] = []
    digest = hashlib.sha256()
    try:
        for line in bounded_io.lines(path, LONGEST_LINE):
            digest.update(line)
            found.append(bounded_io.parse_json(line))
            if len(found) > MOST_FILES:
                raise ValueError(f"it has more than {MOST_FILES:,} lines")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TextError(f"the list of the text's files `{path}` cannot be read: {reason}.", hint=hint) from error
    if digest.hexdigest() != text.get("sources_sha256"):
        raise TextError(f"the list of the text's files `{path}` is not the one that was written.", hint=hint)
    return found


def _fit(source: Sequence[str]) -> bool:
    """Return True if run.toml can hold the sources: they are few, and valid UTF-8 as TOML wants it."""
    try:
        return sum(len(place.encode()) for place in source) <= IN_SETTINGS
    except UnicodeEncodeError:
        return False
