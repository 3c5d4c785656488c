"""The plain files of a run: where they lie, and what they are called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recurra.io import atomic_write
from recurra.text import exclusions

RUNS = Path("runs")
SETTINGS, METRICS, TIMINGS, SAMPLES = exclusions.SETTINGS, exclusions.METRICS, "timings.jsonl", "samples.jsonl"
SOURCES = "sources.jsonl"
SUMMARY, REPORT = "summary.json", "report.html"
LOGS = (METRICS, TIMINGS, SAMPLES)
OURS = (SETTINGS, SOURCES, *LOGS, SUMMARY, REPORT)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write an object to `path`, whole or not at all. Raises StorageError."""
    # A folder's name may hold bytes that are no UTF-8, in Python surrogates; JSON has escapes for those.
    text = json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")
    atomic_write.write(path, text + b"\n")
