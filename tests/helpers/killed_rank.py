"""The command `recurra` under torchrun, with one process killed directly after the first checkpoint.

    torchrun … killed_rank.py RANK train …

The leader kills the process RANK, which may be the leader. After the restart by torchrun no process is killed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from recurra.cli import main
from recurra.runs.checkpoints import CheckpointFolder
from recurra.training.snapshot import Snapshot


def process_of(rank: str) -> int:
    """Return the process id of a rank: a child of torchrun, like this process."""
    agent = os.getppid()
    for child in Path(f"/proc/{agent}/task/{agent}/children").read_text().split():
        if f"\0RANK={rank}\0".encode() in b"\0" + Path(f"/proc/{child}/environ").read_bytes():
            return int(child)
    raise AssertionError("no such process")


def kill_after_a_checkpoint(rank: str) -> None:
    """Replace the commit of a checkpoint by one that then kills the process of `rank` with SIGKILL."""
    commit = CheckpointFolder.commit

    def commit_and_kill(
        self: CheckpointFolder, snapshot: Snapshot, settings: dict[str, Any], best: Snapshot | None
    ) -> Path:
        path = commit(self, snapshot, settings, best)
        os.kill(process_of(rank), signal.SIGKILL)
        return path

    CheckpointFolder.commit = commit_and_kill  # type: ignore[method-assign]


if __name__ == "__main__":
    if os.environ["RANK"] == "0" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        kill_after_a_checkpoint(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
