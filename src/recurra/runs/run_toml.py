"""run.toml: every effective setting, the text and the machine; and the settings that a resumed run may change."""

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
from recurra.runs.source_list import write_sources
from recurra.system.shell import path_argument
from recurra.text.text import Text
from recurra.text.vocabulary import Vocabulary
from recurra.training.trainer import Trainer

RECORDED_PACKAGES = ("recurra", "numpy", "numba", "llvmlite", "safetensors", "matplotlib", "torch")
LAUNCH = "launch"

# The settings that a resumed run keeps, each with the hint for a user who changes it.
FIXED: Final = {name: setting.fixed for name, setting in SETTINGS.items() if setting.fixed}


def change_settings(saved: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[ModelConfig, TrainingConfig]:
    """The settings of a resumed run: those `saved`, changed by those `given`; UsageError for one that is `FIXED`."""
    given = {name: NONE if value is None else value for name, value in rename_preset(in_seconds(given)).items()}
    for name in FIXED:
        if name in saved and given.get(name, saved[name]) != saved[name]:
            raise UsageError(
                f"`{name}` of the run is {saved[name]!r}, and cannot change when it is resumed; got {given[name]!r}.",
                hint=FIXED[name],
            )
    return split({**saved, **given})


def text_table(text: Text, vocabulary: Vocabulary) -> dict[str, Any]:
    """What a checkpoint tells of its text; a user's paths are not in it."""
    return {
        "name": text.name,
        "encoding": text.encoding,
        "characters": len(text),
        "symbols": len(vocabulary),
        "sha256": text.sha256,
        "notes": [*text.notes, "the vocabulary is that of the whole text, a held-out part included"],
    }


def write_settings(folder: Path, trainer: Trainer, text: Mapping[str, Any], source: Sequence[str]) -> None:
    """Write run.toml; raises StorageError."""
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
    """What computes; of a start by torchrun what it is known by, so that a restart finds its run."""
    start = launch()
    told = {"name": trainer.engine.name, "device": trainer.engine.device, "processes": trainer.processes.size}
    return told if start is None else told | {LAUNCH: start}


def read_settings(folder: Path) -> dict[str, Any]:
    """The tables "model", "training", "text" and "engine" of run.toml, each empty where it is missing.

    Raises ModelError where the file is there and cannot be understood.
    """
    path = folder / RUN_TOML
    try:
        table = bounded_io.parse_toml(bounded_io.read(path, bounded_io.MAX_TEXT_BYTES))
    except FileNotFoundError:
        table = {}
    except (OSError, ValueError) as error:
        reason = error.strerror or error if isinstance(error, OSError) else error
        raise ModelError(f"`{path}` cannot be read: {reason}.", hint=_without(folder, path)) from error
    found = {name: table.get(name, {}) for name in ("model", "training", "text", "engine")}
    if not all(isinstance(value, dict) for value in found.values()):
        raise ModelError(f"`{path}` is no run.toml: `model`, `training`, `text` and `engine` must be tables.")
    found["model"].pop("parameters", None)  # told there, and no setting
    return found


def _without(folder: Path, path: Path) -> str:
    """Return how to go on without a run.toml: a checkpoint has the settings too, but not where the text is."""
    resume = f"recurra train TEXT --resume --run {path_argument(folder)}"
    return f"correct it, or do without it: `rm {path_argument(path)}`, and name the text: `{resume}`."


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in RECORDED_PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def machine() -> dict[str, Any]:
    """What the run was trained on, without naming the host."""
    from llvmlite import binding

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": str(binding.get_host_cpu_name()),
        "cores": os.cpu_count() or 1,
    }
