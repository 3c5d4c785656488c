"""Atomic writes: a whole file or nothing, and an error with a hint for each reason of a failure."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from recurra import LanguageModel, ModelConfig, Vocabulary
from recurra.errors import StorageError
from recurra.io.atomic_write import (
    OUTPUT_PLACE,
    RUN_PLACE,
    STAGING,
    make_folder,
    remove_staged,
    storage_errors,
    write,
    write_bytes,
    write_output,
)
from recurra.network.parameters import initialize


def test_interrupted_write_keeps_old_file_and_leaves_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "file", b"old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_bytes(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_write_needs_existing_folder(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"^cannot write `.*/none/file`: the folder `.*/none` does not exist\."):
        write(tmp_path / "none" / "file", b"data")


def test_write_output_creates_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    assert write_output(path, b"data") == path
    assert path.read_bytes() == b"data"
    with pytest.raises(
        StorageError, match=r"^cannot write `.*/below`: `.*/b/file` is a file, not a folder\."
    ) as caught:
        write_output(path / "below", b"data")
    assert caught.value.hint == OUTPUT_PLACE


REASONS = [
    (errno.ENOSPC, r"No space left on device\.", "free some space, or "),
    (errno.EDQUOT, r"Disk quota exceeded\.", "free some space, or "),
    (errno.EFBIG, r"File too large\.", "raise the limit on the size of files (`ulimit -f unlimited`), or "),
    (errno.EACCES, r"Permission denied\.", "see with `ls -ld {folder}` who may write there, or "),
    (errno.EROFS, r"Read-only file system\.", "mount its file system for writing, or "),
    (errno.EIO, r"Input/output error\.", "check the disk, which may be failing, or "),
    (errno.ENAMETOOLONG, r"File name too long\.", "give a shorter name, or "),
    (errno.ENOENT, r"the folder `.*/none/below` does not exist\.", "make it with `mkdir -p {folder}/none/below`, or "),
]


@pytest.mark.parametrize(("number", "reason", "hint"), REASONS)
def test_storage_error_hint_depends_on_error_number(tmp_path: Path, number: int, reason: str, hint: str) -> None:
    path = tmp_path / ("none/below/file" if number == errno.ENOENT else "file")
    with pytest.raises(StorageError, match=rf"^cannot write `{path}`: {reason}") as caught, storage_errors(path):
        raise OSError(number, os.strerror(number))
    assert caught.value.hint == hint.format(folder=tmp_path) + RUN_PLACE


def test_write_to_folder_path_raises(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"^cannot write `.*`: it is a folder\.") as caught:
        write_output(tmp_path, b"data")
    assert caught.value.hint == f"name a file in it, or {OUTPUT_PLACE}"


def test_model_save_needs_existing_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, vocabulary = ModelConfig(hidden_size=2), Vocabulary.of("ab")
    model = LanguageModel(config, vocabulary, initialize(config, 2, seed=0))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match=r"^cannot write `nodir/x`: the folder `nodir` does not exist\.") as caught:
        model.save("nodir/x")
    assert caught.value.hint == "make it with `mkdir -p nodir`, or give another path."
    Path("nodir").mkdir()
    model.save("nodir/x")


def test_make_folder_accepts_folder_made_by_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)
    make_folder(tmp_path)


def test_storage_errors_passes_storage_error_through() -> None:
    error = StorageError("full.")
    with pytest.raises(StorageError) as caught, storage_errors(Path("file")):
        raise error
    assert caught.value is error


def test_remove_staged_removes_only_staged_files(tmp_path: Path) -> None:
    (tmp_path / f"{STAGING}17-abc").write_text("half a fi")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / f"{STAGING}folder").mkdir()
    remove_staged(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", f"{STAGING}folder"}
