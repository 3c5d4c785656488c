"""Command lines that run in the user's shell: the path of `recurra`, and of pip."""

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

    The result is `recurra` if PATH contains this installation. Otherwise the environment is not active, and the result
    is the path of the script.
    """
    in_path = shutil.which(PROGRAM_NAME)
    script = next((path for path in _scripts() if path.is_file()), None)
    if in_path is not None and (script is None or script.samefile(in_path)):
        return PROGRAM_NAME
    if script is None:
        return f"{shlex.quote(sys.executable)} -m {PROGRAM_NAME}"
    return shlex.quote(_from_here(script.absolute()))


def installer() -> str:
    """Return the first words of a command line that installs packages into the environment of this installation."""
    in_path, scripts = shutil.which("pip"), Path(sysconfig.get_path("scripts"))
    if in_path is not None and scripts.is_dir() and Path(in_path).parent.samefile(scripts):
        return INSTALL
    return f"{shlex.quote(_from_here(Path(sys.executable)))} -m {INSTALL}"


def runnable(text: str) -> str:
    """Return `text` with commands that run even if no environment is active.

    The function replaces `recurra` after a backtick by `program()`, and `pip install` by `installer()`.
    """
    return text.replace(f"`{PROGRAM_NAME} ", f"`{program()} ").replace(f"{INSTALL} ", f"{installer()} ")


def _scripts() -> list[Path]:
    """Return the possible paths of this installation's script: the running script, and the environment's script."""
    running, suffix = Path(sys.argv[0]), ".exe" if os.name == "nt" else ""
    return [
        *([running] if running.stem == PROGRAM_NAME else []),
        Path(sysconfig.get_path("scripts")) / f"{PROGRAM_NAME}{suffix}",
    ]


def _from_here(path: Path) -> str:
    """Return the `path` of a program, as a relative path if the program is below the working directory."""
    here = Path.cwd()
    if not path.is_relative_to(here):
        return str(path)
    relative = str(path.relative_to(here))
    return relative if os.sep in relative else f".{os.sep}{relative}"
