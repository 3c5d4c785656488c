"""The files of a folder, their order, and errors for unreadable paths."""

from __future__ import annotations

import io
import os
import socket
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from processes import filled_pipe
from recurra.errors import TextError
from recurra.text import sources


def standard_input(stdin: BinaryIO | None) -> bytes:
    return b"".join(sources.standard_input_chunks(stdin))


def walked(folder: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the files of a folder and the skipped entries with reasons, all by relative path."""
    skipped: list[tuple[str, str]] = []
    paths = sources.walk(folder, lambda why, path: skipped.append((why, path.relative_to(folder).as_posix())))
    return [path.relative_to(folder).as_posix() for path in paths], skipped


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")


def test_files_are_in_code_point_order_of_relative_paths(tmp_path: Path) -> None:
    write(tmp_path, "b", "a/z", "a-b", "a/b/c", "Z", "ä", "𝄞", "10", "9", "a b", "\uffff")
    assert walked(tmp_path)[0] == ["10", "9", "Z", "a b", "a-b", "a/b/c", "a/z", "b", "ä", "\uffff", "𝄞"]


def test_odd_file_names_are_read(tmp_path: Path) -> None:
    write(tmp_path, "a\nb", "-", "kjv", "'q\"", " ", "{names}", "%s", "x" * 200)
    Path(os.fsdecode(bytes(tmp_path) + b"/\xff")).write_text("text")
    files, skipped = walked(tmp_path)
    assert files == sorted(["a\nb", "-", "kjv", "'q\"", " ", "{names}", "%s", "x" * 200, "\udcff"])
    assert skipped == []


def test_hidden_files_links_and_devices_are_skipped(tmp_path: Path) -> None:
    write(tmp_path, ".hidden", ".git/config", "a/.b", "a/c")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("nothing")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to("a/c")
    files, skipped = walked(tmp_path)
    assert files == ["a/c", "link"]
    assert skipped == [
        ("hidden", ".git"),
        ("link to a folder", "folder"),
        ("hidden", ".hidden"),
        ("not a regular file", "fifo"),
        ("not a regular file", "loop"),
        ("not a regular file", "nowhere"),
        ("not a regular file", "null"),
        ("hidden", "a/.b"),
    ]


def test_hidden_folder_can_be_named(tmp_path: Path) -> None:
    write(tmp_path / ".notes", "a")
    assert walked(tmp_path / ".notes") == (["a"], [])


def test_file_removed_during_walk_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "walk", lambda folder, **_: [(str(folder), [], ["gone"])])
    with pytest.raises(TextError, match=r"gone vanished before it could be read\."):
        walked(tmp_path)


def test_removed_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"nothing vanished before it could be read\."):
        walked(tmp_path / "nothing")


def test_mode_of_missing_path_is_none(tmp_path: Path) -> None:
    write(tmp_path, "file")
    for name in ("nothing", "file/below", "nul\0", "x" * 5000):
        assert sources.mode(tmp_path / name) is None


def test_mode_error_raises(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(TextError, match=r"loop cannot be read: .+\."):
        sources.mode(tmp_path / "loop")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            PermissionError(13, "Permission denied"),
            r"book cannot be read: permission denied\.\nhint: check its",
        ),
        (FileNotFoundError(2, "No such file"), r"book vanished before it could be read\."),
        (OSError(5, "Input/output error"), r"book cannot be read: Input/output error\."),
        (OSError("odd"), r"book cannot be read: odd\."),
    ],
)
def test_system_errors_become_text_errors(
    error: OSError, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(TextError, match=message):
        list(sources.chunks(tmp_path / "book"))
    monkeypatch.setattr(Path, "stat", fail)
    if not isinstance(error, FileNotFoundError):
        with pytest.raises(TextError, match=message):
            sources.mode(tmp_path / "book")


def test_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    with filled_pipe(tmp_path / "pipe", b"text" * 100_000):
        assert b"".join(sources.chunks(tmp_path / "pipe")) == b"text" * 100_000


def test_kinds_of_irregular_files(tmp_path: Path) -> None:
    assert sources.kind(Path("/dev/zero").stat().st_mode) == "a character device"
    assert sources.kind(0o060000) == "a block device"
    with socket.socket(socket.AF_UNIX) as server:
        path = tmp_path / "s"
        server.bind(str(path))
        assert sources.kind(path.stat().st_mode) == "a socket"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    assert standard_input(io.BytesIO(b"\xff\n")) == b"\xff\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"given\r\n")))
    assert standard_input(None) == b"given\r\n"


@pytest.mark.parametrize("lines", [[], [b"ab\n"], [b"ab\n"] * 3, [b"abcdefg\n", b"ab\n"]])
def test_terminal_needs_one_end_of_file(monkeypatch: pytest.MonkeyPatch, lines: list[bytes]) -> None:
    class Terminal(io.RawIOBase):
        left = iter([*lines, b""])

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            line = next(self.left)
            buffer[: len(line)] = line
            return len(line)

    monkeypatch.setattr(sources, "READ_BLOCK_BYTES", 8)
    with io.BufferedReader(Terminal()) as terminal:
        assert standard_input(terminal) == b"".join(lines)
    assert not list(Terminal.left)


def test_closed_standard_input_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()
    for stdin in (None, closed):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(TextError, match="standard input is closed, so that `-` has no text"):
            standard_input(None)


def test_failing_standard_input_raises(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(TextError, match="standard input cannot be read: Input/output error"):
        standard_input(Broken())


def test_printable_path_is_printable_and_short() -> None:
    assert sources.printable_path(Path("dir/naïve 書.txt")) == "dir/naïve 書.txt"
    assert sources.printable_path("a\n\x1b[31m\udcff") == r"a\n\x1b[31m\udcff"
    assert sources.printable_path("x" * 300) == "x" * 200 + "…"
    assert sources.printable_path("x" * 300, 10) == "x" * 10 + "…"
