"""Kernels that are compiled before anyone waits for what they compute."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from recurra.cli.terminal import say
from recurra.engines.kernels import compilation

COMPILING = "compiling the kernels, once for this machine: about ten seconds"


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """A block that calls what is to be compiled; it is said where that takes long."""
    if not compilation.has_compiled():
        say(COMPILING)
    yield
    compilation.mark_warm("sampling")
