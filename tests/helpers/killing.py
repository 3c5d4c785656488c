"""Trainings that are killed at random moments, again and again; `test_durability` starts it in a process of its own.

    python killing.py constantly FOLDER KILLS     a training that checkpoints all the time, killed KILLS times
    python killing.py exactly FOLDER KILLS        trainings of every kind, killed and resumed to their ends

Each training is a fork of this process, in which all is loaded already, and tells which checkpoints are durable.
What was found is a JSON object on stdout; an assertion fails where a state cannot be read, or falls back.
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

LONGEST = 0.1  # seconds that a training lives, at most, or once it has told of a checkpoint
KINDS: list[dict[str, Any]] = [
    {"cell": cell, "optimizer": optimizer, "batch_size": batch, "learning_rate": 0.05}
    for cell, batch in (("elman", 1), ("lstm", 2), ("gru", 3))
    for optimizer in ("adagrad", "adam")
]


def unbroken_training(folder: Path, settings: dict[str, Any], _: Callable[[Event], None]) -> None:
    """Train without a listener."""
    train_small(folder, **settings)


def forked(work: Callable[[Callable[[Event], None]], Any]) -> tuple[int, int]:
    """`work(listener)` in a child; its process and the end of a pipe in which it says which checkpoint is durable."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    code = 1
    try:
        work(lambda event: telling(event, writing))
        code = 0
    finally:
        os._exit(code)


def telling(event: Event, writing: int) -> None:
    if isinstance(event, Checkpointed):
        os.write(writing, b"%d\n" % event.update)


def announced(reading: int) -> int:
    """The last update that was told whole; -1 for none."""
    told = b""
    while block := os.read(reading, 1 << 16):
        told += block
    os.close(reading)
    lines = told.split(b"\n")[:-1]
    return int(lines[-1]) if lines else -1


def going_on(folder: Path, settings: dict[str, Any]) -> Callable[[Callable[[Event], None]], Any]:
    """The training in `folder`, from its last checkpoint, where there is one, else from the beginning."""
    saved = list(folder.glob("checkpoints/update-*"))
    if saved:
        return lambda listener: resume_small(folder, listeners=[listener])
    return lambda listener: train_small(folder, force=True, listeners=[listener], checkpoint_every=0.0, **settings)


def live_and_die(folder: Path, settings: dict[str, Any], seconds: float, *, once_saved: bool) -> tuple[bool, int]:
    """Train for that long, from the first checkpoint on or from the start, and be killed.

    Returns whether it had not ended before, and what it announced.
    """
    process, reading = forked(going_on(folder, settings))
    if once_saved:
        select.select([reading], [], [], 60)
    time.sleep(seconds)
    os.kill(process, signal.SIGKILL)
    return not ended(process), announced(reading)


def ended(process: int) -> bool:
    """Wait for a training; whether it came to its end, and was not killed."""
    _, status = os.waitpid(process, 0)
    assert status in (0, signal.SIGKILL), "the training failed"
    return status == 0


def saved_update(folder: Path) -> int:
    """The update that a resumed training would go on from; -1 where it would begin anew."""
    try:
        return recover(folder).snapshot.update
    except ModelError:  # CheckpointError, where there is a file, is another
        return -1


def constantly(folder: Path, kills: int) -> dict[str, Any]:
    chance, durable, lost = random.Random(kills), -1, 0  # noqa: S311
    for _ in range(kills):
        moment, once_saved = chance.uniform(0, LONGEST), chance.random() < 0.8
        killed, told = live_and_die(folder / "run", {"updates": 10**9}, moment, once_saved=once_saved)
        assert killed
        durable = max(durable, told)
        found = saved_update(folder / "run")
        assert found >= durable, f"update {durable} was announced, and {found} is there"
        lost += found == -1
        durable = found
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
            done += live_and_die(broken, settings, chance.uniform(0, LONGEST / 2), once_saved=once_saved)[0]
        process, _ = forked(going_on(broken, settings))
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
