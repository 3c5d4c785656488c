"""The logs of a run: truncation to a checkpoint, timings and samples."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import pytest

from recurra.errors import StorageError
from recurra.runs.layout import LOGS, METRICS, SAMPLES, TIMINGS
from recurra.runs.logs import Logs, SampleText, samples, truncate_logs
from recurra.system.system_info import peak_memory
from recurra.training.events import Progress, Record, Sampled, Saving
from small_training import rows


def written(folder: Path) -> Logs:
    """Write records and samples at updates 10, 20 and 30, at 1, 2 and 3 seconds."""
    logs = Logs(folder)
    for update in (10, 20, 30):
        logs(Record(update, 0.5, {"mean": 1.0}, 1.0, None, 0.1, 2.0))
        logs(Sampled(update, 1.0, update, "line\nü"))
        logs(Progress(update, 100, 1.0, update / 10))
    return logs


@pytest.mark.parametrize(("update", "kept"), [(0, []), (9, []), (10, [10]), (25, [10, 20]), (30, [10, 20, 30])])
def test_lines_of_later_updates_are_removed(tmp_path: Path, update: int, kept: list[int]) -> None:
    written(tmp_path)
    assert truncate_logs(tmp_path, update).seconds == (kept[-1] / 10 if kept else 0.0)
    for name in LOGS:
        assert [row["update"] for row in rows(tmp_path / name)] == kept


@pytest.mark.parametrize(
    "torn",
    [
        b'{"update": 10, "te', b'{"update": 10}', b"\0\0\0\0\n", b'"text"\n', b'{"update": "x"}\n',
        b'{"update": true}\n', b"\xff\n", b"[]\n",
    ],
)  # fmt: skip
def test_incomplete_line_is_removed(tmp_path: Path, torn: bytes) -> None:
    written(tmp_path)
    before = (tmp_path / METRICS).read_bytes()
    with (tmp_path / METRICS).open("ab") as file:
        file.write(torn)
    truncate_logs(tmp_path, 30)
    assert (tmp_path / METRICS).read_bytes() == before


def test_nan_in_log_is_kept(tmp_path: Path) -> None:
    """Keep a line whose loss is NaN."""
    written(tmp_path)(Record(40, 0.5, {"mean": math.nan}, math.inf, None, 0.1, 2.0))
    before = (tmp_path / METRICS).read_bytes()
    truncate_logs(tmp_path, 40)
    assert (tmp_path / METRICS).read_bytes() == before


def test_missing_logs_have_zero_seconds(tmp_path: Path) -> None:
    assert truncate_logs(tmp_path, 10).seconds == 0.0
    written(tmp_path)
    (tmp_path / TIMINGS).write_text('{"update": 10}\n')
    assert truncate_logs(tmp_path, 30).seconds == 0.0


def test_lowest_smooth_loss_is_of_remaining_lines(tmp_path: Path) -> None:
    logs = written(tmp_path)  # the smooth loss is 1.0 at 10, 20 and 30
    assert truncate_logs(tmp_path, 30).lowest == (10, 1.0)
    logs(Record(40, 0.5, {"mean": 1.0}, 0.5, None, 0.1, 2.0))
    logs(Record(50, 0.5, {"mean": 1.0}, math.nan, None, 0.1, 2.0))
    assert truncate_logs(tmp_path, 50).lowest == (40, 0.5)
    assert truncate_logs(tmp_path, 30).lowest == (10, 1.0)
    assert truncate_logs(tmp_path, 0).lowest is None


def test_timing_is_logged_at_each_checkpoint(tmp_path: Path) -> None:
    logs = written(tmp_path)
    logs(Progress(31, 100, 1.0, 3.5))
    logs(Saving(31, 3.6))
    logs(Progress(32, 100, 1.0, 3.7))
    assert [(row["update"], row["seconds"]) for row in rows(tmp_path / TIMINGS)][3:] == [(31, 3.6)]
    assert truncate_logs(tmp_path, 31).seconds == 3.6


@pytest.mark.parametrize("name", LOGS)
def test_log_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    logs = written(tmp_path)
    logs.sync()
    fails = os.strerror(errno.EIO)

    def fsync(handle: int) -> None:
        if os.path.samestat(os.fstat(handle), (tmp_path / name).stat()):
            raise OSError(errno.EIO, fails)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        with pytest.raises(StorageError, match=rf"cannot write `.*{name}`: {fails}\."):
            logs.sync()
    (tmp_path / name).unlink()
    with pytest.raises(StorageError, match=rf"cannot write `.*{name}`: No such file"):
        logs.sync()
    (tmp_path / name).mkdir()
    with pytest.raises(StorageError, match=rf"cannot write `.*{name}`: it is a folder"):
        truncate_logs(tmp_path, 0)


def test_samples_keep_non_ascii_characters(tmp_path: Path) -> None:
    written(tmp_path)
    truncate_logs(tmp_path, 10)
    assert rows(tmp_path / SAMPLES)[0]["text"] == "line\nü"
    assert "ü".encode() in (tmp_path / SAMPLES).read_bytes()


def test_timings_have_updates_per_second(tmp_path: Path) -> None:
    logs = Logs(tmp_path)
    logs(Saving(0, 0.0))  # without an update there is no speed to log
    logs(Saving(30, 1.5))
    (row,) = rows(tmp_path / TIMINGS)
    assert (row["update"], row["seconds"], row["updates_per_second"]) == (30, 1.5, 20.0)
    assert row["peak_memory_bytes"] == pytest.approx(peak_memory(), rel=0.5)


def test_samples_are_read_without_incomplete_last_line(tmp_path: Path) -> None:
    written(tmp_path)
    with (tmp_path / SAMPLES).open("ab") as file:
        file.write(b'{"update": 40}\n{"update": 40, "text": "ha')
    assert samples(tmp_path) == [SampleText(update, "line\nü") for update in (10, 20, 30)]
    (tmp_path / SAMPLES).unlink()
    with pytest.raises(StorageError, match="No such file"):
        samples(tmp_path)
