"""Packages that only some formats need."""

from __future__ import annotations

import importlib.util

from recurra.errors import UsageError


def require(package: str, purpose: str, extra: str) -> None:
    """UsageError, with the command that installs it, unless `package` is there; it is not yet loaded."""
    if importlib.util.find_spec(package) is None:
        raise UsageError(
            f"{purpose} needs the package {package}, which is not installed.", hint=f"pip install 'recurra[{extra}]'"
        )
