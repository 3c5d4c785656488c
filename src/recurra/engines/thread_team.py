"""A team of threads that divides numbered pieces of work. The calling thread is a member of the team."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

Result = TypeVar("Result")


class Team:
    """`size` threads, including the calling thread. Use it in a `with` block. A team of one starts no thread."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size - 1) if size > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def each(self, work: Callable[[int], Result], count: int) -> list[Result]:
        """Return [work(0), …, work(count - 1)]. Member k of the team calls work(k), work(k + size), …"""

        def share(member: int) -> list[Result]:
            return [work(piece) for piece in range(member, count, self.size)]

        if self._pool is None:
            return share(0)
        others = [self._pool.submit(share, member) for member in range(1, min(self.size, count))]
        shares = [share(0), *(other.result() for other in others)]
        return [shares[piece % self.size][piece // self.size] for piece in range(count)]


ONE_THREAD = Team(1)
