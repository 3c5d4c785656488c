"""Files appear whole or not at all, and what keeps them from it is told."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from recurra.errors import StorageError
from recurra.storage import (
    OUTPUT_HINT,
    RUN_HINT,
    STAGING,
    make_folder,
    sweep,
    write,
    write_bytes,
    write_output,
    writing,
)


def test_a_write_that_is_interrupted_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "file", b"old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_of_a_run_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"^cannot write `.*/none/file`: No such file or directory\.") as caught:
        write(tmp_path / "none" / "file", b"data")
    assert caught.value.hint == RUN_HINT


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space, or "),
        (errno.EDQUOT, "free some space, or "),
        (errno.EACCES, "`ls -ld 'my runs'` shows who may write there; else "),
        (errno.EPERM, "`ls -ld 'my runs'` shows who may write there; else "),
        (errno.EROFS, "its file system is mounted read-only: "),
        (errno.EFBIG, "raise the limit on the size of files (`ulimit -f unlimited`), or "),
        (errno.EIO, "the disk may be failing: "),
        (errno.ENAMETOOLONG, "the name is too long: "),
        (errno.ENOENT, ""),
    ],
)
def test_the_hint_is_the_remedy_for_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my runs").mkdir()
    with pytest.raises(StorageError, match=re.escape(os.strerror(number))) as caught, writing(Path("my runs/a/b")):
        raise OSError(number, os.strerror(number))
    assert caught.value.hint == remedy + RUN_HINT


def test_a_file_that_was_asked_for_has_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    assert write_output(path, b"data") == path
    assert path.read_bytes() == b"data"
    with pytest.raises(StorageError, match=r"^cannot write `.*/file/below`: Not a directory\.") as caught:
        write_output(path / "below", b"data")
    assert caught.value.hint == OUTPUT_HINT


def test_a_folder_that_another_process_makes_meanwhile_is_as_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)
    make_folder(tmp_path)


def test_what_was_told_already_is_told_as_it_was() -> None:
    error = StorageError("full.")
    with pytest.raises(StorageError) as caught, writing(Path("file")):
        raise error
    assert caught.value is error


def test_sweeping_removes_only_what_was_staged(tmp_path: Path) -> None:
    (tmp_path / f"{STAGING}17-abc").write_text("half a fi")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / f"{STAGING}folder").mkdir()
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", f"{STAGING}folder"}
