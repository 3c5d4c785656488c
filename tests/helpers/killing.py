"""Kill trainings at random moments, again and again; `test_durability` runs this program.

    python killing.py constantly FOLDER KILLS     kill one training with constant checkpoints KILLS times
    python killing.py exactly FOLDER KILLS        kill and resume different trainings to their ends

Each training is a fork of this process, without the time for imports, and reports its durable checkpoints on a pipe.
The program prints the counts as a JSON object. An assertion fails if a checkpoint is unreadable or older than reported.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from recurra.errors import ModelError
from recurra.runs.layout import METRICS, SAMPLES, SUMMARY
from recurra.runs.recovery import recover
from recurra.training.events import Checkpointed, Event
from small_training import resume_small, train_small

MAX_LIFETIME_SECONDS = 0.1  # most seconds from the start, or from the first durable checkpoint, until the kill
KINDS: list[dict[str, Any]] = [
    {"cell": cell, "optimizer": optimizer, "batch_size": batch, "learning_rate": 0.05}
    for cell, batch in (("elman", 1), ("lstm", 2), ("gru", 3))
    for optimizer in ("adagrad", "adam")
]


def unbroken_training(folder: Path, settings: dict[str, Any], _: Callable[[Event], None]) -> None:
    """Train without a listener."""
    train_small(folder, **settings)


def forked(work: Callable[[Callable[[Event], None]], Any]) -> tuple[int, int]:
    """Run `work(listener)` in a child process; return its process id and a pipe of durable updates."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    code = 1
    try:
        work(lambda event: report_checkpoint(event, writing))
        code = 0
    finally:
        os._exit(code)


def report_checkpoint(event: Event, writing: int) -> None:
    if isinstance(event, Checkpointed):
        os.write(writing, b"%d\n" % event.update)


def last_reported_update(reading: int) -> int:
    """Return the update in the last complete line of the pipe; -1 without one."""
    data = b""
    while block := os.read(reading, 1 << 16):
        data += block
    os.close(reading)
    lines = data.split(b"\n")[:-1]
    return int(lines[-1]) if lines else -1


def start_or_resume(folder: Path, settings: dict[str, Any]) -> Callable[[Callable[[Event], None]], Any]:
    """Return the function that resumes the training in `folder` if it has a checkpoint, else starts it."""
    saved = list(folder.glob("checkpoints/update-*"))
    if saved:
        return lambda listener: resume_small(folder, listeners=[listener])
    return lambda listener: train_small(folder, force=True, listeners=[listener], checkpoint_every=0.0, **settings)


def train_and_kill(folder: Path, settings: dict[str, Any], seconds: float, *, once_saved: bool) -> tuple[bool, int]:
    """Start or resume a training, and kill it after `seconds`, counted from its first checkpoint if `once_saved`.

    Return False if the training ended before the kill, and the update of the last checkpoint that it reported.
    """
    process, reading = forked(start_or_resume(folder, settings))
    if once_saved:
        select.select([reading], [], [], 60)
    time.sleep(seconds)
    os.kill(process, signal.SIGKILL)
    return not ended(process), last_reported_update(reading)


def ended(process: int) -> bool:
    """Wait for a training; return True if it ended by itself, False if it was killed."""
    _, status = os.waitpid(process, 0)
    assert status in (0, signal.SIGKILL), "the training failed"
    return status == 0


def saved_update(folder: Path) -> int:
    """Return the update from which the run resumes; -1 without a checkpoint."""
    try:
        return recover(folder).snapshot.update
    except ModelError:  # a damaged checkpoint raises CheckpointError instead
        return -1


def constantly(folder: Path, kills: int) -> dict[str, Any]:
    chance, durable, lost = random.Random(kills), -1, 0  # noqa: S311
    for _ in range(kills):
        moment, once_saved = chance.uniform(0, MAX_LIFETIME_SECONDS), chance.random() < 0.8
        killed, reported = train_and_kill(folder / "run", {"updates": 10**9}, moment, once_saved=once_saved)
        assert killed
        durable = max(durable, reported)
        saved = saved_update(folder / "run")
        assert saved >= durable, f"update {durable} was reported durable, but {saved} is saved"
        lost += saved == -1
        durable = saved
    return {"kills": kills, "before the first checkpoint": lost, "last checkpoint": durable}


def outcome(folder: Path) -> tuple[Any, ...]:
    summary = json.loads((folder / SUMMARY).read_text())
    logs = ((folder / name).read_bytes() for name in (METRICS, SAMPLES))
    return summary["model_sha256"], summary["best_update"], summary["smooth_loss"], *logs


def exactly(folder: Path, kills: int) -> dict[str, Any]:
    chance, done, ends = random.Random(kills), 0, 0  # noqa: S311
    while done < kills:
        settings = KINDS[ends % len(KINDS)] | {"updates": 150, "sample_every": 30, "seed": ends}
        unbroken, broken = folder / "unbroken", folder / "broken"
        for old in (unbroken, broken):
            shutil.rmtree(old, ignore_errors=True)
        process, _ = forked(partial(unbroken_training, folder / "unbroken", settings))
        assert ended(process)
        for _ in range(chance.randint(1, 5)):
            once_saved = chance.random() < 0.3
            done += train_and_kill(
                broken, settings, chance.uniform(0, MAX_LIFETIME_SECONDS / 2), once_saved=once_saved
            )[0]
        process, _ = forked(start_or_resume(broken, settings))
        assert ended(process)
        assert outcome(broken) == outcome(unbroken), settings
        ends += 1
    return {"kills": done, "trainings": ends}


if __name__ == "__main__":
    mode, place, count = sys.argv[1:]
    warm = Path(place, "warm")
    for kind in ({}, *KINDS):
        train_small(warm, force=True, **kind | {"updates": 20})
    print(json.dumps({"constantly": constantly, "exactly": exactly}[mode](Path(place), int(count))))
