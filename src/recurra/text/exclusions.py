"""Rules that exclude entries of a folder: run directories, environments, installed packages, caches, lock files.

The rules apply to the entries below a folder. A file that the user names is always read.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from recurra.io import bounded_io

HIDDEN = "hidden"
LOCK = "lock file"
EXCLUDED_RUN = "run directory of recurra"
ENVIRONMENT = "virtual environment"
CACHE = "cache directory"

SETTINGS, METRICS, CHECKPOINTS = "run.toml", "metrics.jsonl", "checkpoints"  # a run directory has two of these
LATEST, MODEL_SUFFIX = "latest.json", ".safetensors"  # in its folder of checkpoints
_ENVIRONMENT_ENTRIES = ("pyvenv.cfg", "conda-meta")  # of venv and virtualenv, and of conda
_CACHE_TAG = "CACHEDIR.TAG"  # bford.info/cachedir: the mark of a directory that a program can create again
_CACHE_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"
_PACKAGES = ("node_modules", "__pycache__")
_LOCK_SUFFIXES = (".lock", ".lockb", ".lockfile")
_LOCK_NAMES = (
    "package-lock.json", "npm-shrinkwrap.json", "packages.lock.json", "pnpm-lock.yaml", "conda-lock.yml", "go.sum",
)  # fmt: skip


def is_run(entries: Collection[str]) -> bool:
    """Return True if a directory with these `entries` is a run directory."""
    return sum(name in entries for name in (SETTINGS, METRICS, CHECKPOINTS)) >= 2


def is_checkpoints(entries: Collection[str]) -> bool:
    """Return True if a directory with these `entries` holds the checkpoints of a run."""
    return LATEST in entries and any(name.endswith(MODEL_SUFFIX) for name in entries)


def of_name(name: str) -> str | None:
    """Return the reason to exclude a directory of this `name`; None if the directory is not excluded."""
    if name.startswith("."):
        return HIDDEN
    return name if name in _PACKAGES else None


def of_directory(directory: Path, entries: Collection[str]) -> str | None:
    """Return the reason to exclude a directory with these `entries`; None if the directory is not excluded."""
    if is_run(entries) or is_checkpoints(entries):
        return EXCLUDED_RUN
    if any(name in entries for name in _ENVIRONMENT_ENTRIES):
        return ENVIRONMENT
    return CACHE if _CACHE_TAG in entries and _is_tag(directory / _CACHE_TAG) else None


def of_file(name: str) -> str | None:
    """Return the reason to exclude a file of this `name`; None if the file is not excluded."""
    if name.startswith("."):
        return HIDDEN
    return LOCK if name.lower().endswith(_LOCK_SUFFIXES) or name.lower() in _LOCK_NAMES else None


def _is_tag(path: Path) -> bool:
    """Return True if `path` is a regular file with the signature of a cache directory."""
    try:
        with bounded_io.open_regular(path) as file:
            return file.read(len(_CACHE_SIGNATURE)) == _CACHE_SIGNATURE
    except OSError:
        return False
