"""The command that trains again like a training that was called, at another learning rate."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.cli.options import SETTINGS
from recurra.runs import records
from recurra.system.executable import program

MANY = ("TEXT",)  # stands for the files of a text that are too many for run.toml
VALUES = {"encoding": "--encoding", "start": "--from", "run": "--run"}


def slower(texts: Sequence[str], named: Mapping[str, Any], rate: float, folder: Path) -> str:
    """Return the command that trains `texts` from the beginning with the options `named`, at `rate`.

    A resumed training takes its text and its preset from `folder`, and leaves its run as it is.
    """
    options = {name: value for name, value in named.items() if value is not None}
    if options.get("resume"):
        tables = records.load(folder).tables
        texts = texts or tables["text"].get("source") or MANY
        options = {"preset": tables["training"]["preset"]} | options | {"run": None}
    words = ["train", *texts]
    for name, option in {**VALUES, **{name: f"--{name.replace('_', '-')}" for name in SETTINGS}}.items():
        value = f"{rate:g}" if name == "learning_rate" else options.get(name)
        words += [] if value is None else [option, str(value)]
    words += ["--extend-vocabulary"] if options.get("extend_vocabulary") and options.get("start") else []
    words += [] if options.get("proof", True) else ["--no-proof"]
    words += ["--force"] if options.get("run") else []
    return f"{program()} {shlex.join(words)}"
