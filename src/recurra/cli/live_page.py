"""`--live`: the live page of a training, served by a process beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

PORT = 8000  # or any that is free
PATIENCE = 5  # seconds for it to end


class Page:
    """The process that serves the page, while this one trains; it ends with the block, or with this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def open(self, folder: Path) -> str | None:
        """Serve the page of the run in `folder`: its address, None where no server has come up."""
        line = [sys.executable, "-m", "recurra.serving.live", str(folder), str(PORT)]
        self._process = subprocess.Popen(  # noqa: S603 - this Python, a module of ours, and a folder
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None  # noqa: S101 - asked for
        return self._process.stdout.readline().strip() or None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        try:
            self._process.communicate(timeout=PATIENCE)  # closes its standard input, which asks it to end
        except subprocess.TimeoutExpired:
            self._process.kill()
