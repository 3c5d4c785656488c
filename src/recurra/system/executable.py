"""The name of the command `recurra` as the user's shell finds it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

PROGRAM_NAME = "recurra"
INSTALL = "pip install"


def program() -> str:
    """Return the first words of a command line that runs this installation.

    It is the name alone if PATH has it; else the path of the script, which is in an environment that is not active.
    """
    found = shutil.which(PROGRAM_NAME)
    own = next((path for path in _scripts() if path.is_file()), None)
    if found is not None and (own is None or own.samefile(found)):
        return PROGRAM_NAME
    if own is None:
        return f"{shlex.quote(sys.executable)} -m {PROGRAM_NAME}"
    return shlex.quote(_from_here(own.absolute()))


def installer() -> str:
    """Return the first words of a command line that installs packages into the environment of this installation."""
    found, scripts = shutil.which("pip"), Path(sysconfig.get_path("scripts"))
    if found is not None and scripts.is_dir() and Path(found).parent.samefile(scripts):
        return INSTALL
    return f"{shlex.quote(_from_here(Path(sys.executable)))} -m {INSTALL}"


def runnable(text: str) -> str:
    """Return `text`, its commands with the words that run in a shell where no environment is active.

    The commands are those of this program, which stand in backticks, and those that install packages.
    """
    return text.replace(f"`{PROGRAM_NAME} ", f"`{program()} ").replace(f"{INSTALL} ", f"{installer()} ")


def _scripts() -> list[Path]:
    """The places where this installation's script may be: the one that was called, and the environment's."""
    called, suffix = Path(sys.argv[0]), ".exe" if os.name == "nt" else ""
    return [
        *([called] if called.stem == PROGRAM_NAME else []),
        Path(sysconfig.get_path("scripts")) / f"{PROGRAM_NAME}{suffix}",
    ]


def _from_here(path: Path) -> str:
    """Return `path` relative to the working directory if it lies below, as a shell takes it for a program."""
    here = Path.cwd()
    if not path.is_relative_to(here):
        return str(path)
    relative = str(path.relative_to(here))
    return relative if os.sep in relative else f".{os.sep}{relative}"
