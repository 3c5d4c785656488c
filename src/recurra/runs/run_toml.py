"""run.toml: write and read every effective setting, the text and the machine, and change settings of a resumed run."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import tomli_w

from recurra.config import NONE, SETTINGS, ModelConfig, TrainingConfig, in_seconds, split
from recurra.config.keywords import rename_preset
from recurra.distributed.ranks import launch
from recurra.errors import ModelError, UsageError
from recurra.io import atomic_write, bounded_io
from recurra.network.parameters import count
from recurra.runs.layout import SETTINGS as RUN_TOML
from recurra.runs.layout import train_command
from recurra.runs.source_list import write_sources
from recurra.system.shell import path_argument
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary
from recurra.training.trainer import Trainer

RECORDED_PACKAGES = ("recurra", "numpy", "numba", "llvmlite", "safetensors", "matplotlib", "torch")
LAUNCH = "launch"

# The settings that a resumed run must keep, each with the hint of the error.
FIXED: Final = {name: setting.fixed for name, setting in SETTINGS.items() if setting.fixed}


def change_settings(saved: Mapping[str, Any], changes: Mapping[str, Any]) -> tuple[ModelConfig, TrainingConfig]:
    """Return the `saved` settings of a resumed run with its `changes`. Raises UsageError if one is in `FIXED`."""
    changes = {name: NONE if value is None else value for name, value in rename_preset(in_seconds(changes)).items()}
    for name in FIXED:
        if name in saved and changes.get(name, saved[name]) != saved[name]:
            raise UsageError(
                f"`{name}` of the run is {saved[name]!r}, and cannot change when it is resumed; got {changes[name]!r}.",
                hint=FIXED[name],
            )
    return split({**saved, **changes})


def text_table(text: Text, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the description of a text in a checkpoint; it contains no paths of the user."""
    return {
        "name": text.name,
        "encoding": text.encoding,
        "characters": len(text),
        "symbols": len(vocabulary),
        "sha256": text.sha256,
        "notes": [*text.notes, "the vocabulary is that of the whole text, a held-out part included"],
    }


def write_settings(folder: Path, trainer: Trainer, text: Mapping[str, Any], source: Sequence[str]) -> None:
    """Write run.toml. Raises StorageError."""
    table = {
        "model": trainer.config.to_table() | {"parameters": count(trainer.initial)},
        "training": trainer.training.to_table(),
        "text": {**text, **write_sources(folder, source)},
        "engine": _engine(trainer),
        "versions": versions(),
        "machine": machine(),
    }
    atomic_write.write(folder / RUN_TOML, tomli_w.dumps(table).encode())


def _engine(trainer: Trainer) -> dict[str, Any]:
    """Return the name, device and processes of the engine, and the torchrun launch by which a restart finds the run."""
    table = {"name": trainer.engine.name, "device": trainer.engine.device, "processes": trainer.processes.size}
    identifier = launch()
    return table if identifier is None else table | {LAUNCH: identifier}


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the tables "model", "training", "text" and "engine" of run.toml; an absent table is empty.

    Raises ModelError if the file is damaged or unreadable.
    """
    path = folder / RUN_TOML
    try:
        table = bounded_io.parse_toml(bounded_io.read(path, bounded_io.MAX_TEXT_BYTES))
    except FileNotFoundError:
        table = {}
    except (OSError, ValueError) as error:
        reason = error.strerror or error if isinstance(error, OSError) else error
        raise ModelError(f"`{path}` cannot be read: {reason}.", hint=_resume_without(folder, path)) from error
    tables = {name: table.get(name, {}) for name in ("model", "training", "text", "engine")}
    if not all(isinstance(value, dict) for value in tables.values()):
        raise ModelError(
            f"`{path}` is not valid: `model`, `training`, `text` and `engine` must be tables.",
            hint=_resume_without(folder, path),
        )
    tables["model"].pop("parameters", None)  # a result, not a setting
    return tables


def _resume_without(folder: Path, path: Path) -> str:
    """Return the hint to resume without run.toml: a checkpoint has the settings too, but not the path of the text."""
    resume = train_command("TEXT --resume", folder)
    return f"correct the file, or remove it and name the text: `rm {path_argument(path)}`, then `{resume}`."


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages on which the results depend."""
    table = {"python": platform.python_version()}
    for package in RECORDED_PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            table[package] = metadata.version(package)
    return table


def machine() -> dict[str, Any]:
    """Return the system, the CPU and the number of cores, without the name of the host."""
    from llvmlite import binding

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": str(binding.get_host_cpu_name()),
        "cores": os.cpu_count() or 1,
    }
