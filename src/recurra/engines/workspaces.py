"""Workspaces for a network that several threads use at once: every call borrows a workspace for itself."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from recurra.system.system_info import usable_cpus

Size = TypeVar("Size", bound=Hashable)
Workspace = TypeVar("Workspace")


class Workspaces(Generic[Size, Workspace]):
    """Workspaces by size; `make(size)` creates a workspace if none of this size is free.

    Texts of different lengths need workspaces of different sizes. To limit the memory, free workspaces are kept only in
    two sizes: `kept`, and the size that was returned last. At most one workspace is kept for each CPU.
    """

    def __init__(self, make: Callable[[Size], Workspace], kept: Size) -> None:
        self._make, self._kept, self._most = make, kept, usable_cpus()
        self._free: dict[Size, list[Workspace]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def borrow(self, size: Size) -> Iterator[Workspace]:
        """Lend a workspace for a `with` block. Its arrays contain values from earlier calls."""
        with self._lock:
            free = self._free.get(size)
            workspace = free.pop() if free else None
        if workspace is None:
            workspace = self._make(size)
        try:
            yield workspace
        finally:
            self._take_back(size, workspace)

    def _take_back(self, size: Size, workspace: Workspace) -> None:
        with self._lock:
            self._free = {other: free for other, free in self._free.items() if other in (self._kept, size)}
            free = self._free.setdefault(size, [])
            if len(free) < self._most:
                free.append(workspace)
