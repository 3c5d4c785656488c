"""A log read while it grows: every line once, and all lines again after it was truncated."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurra.web import log_tail
from recurra.web.log_tail import LogTail


def row(n: int) -> str:
    return f'{{"update": {n}}}\n'


def updates(rows: list[dict[str, int]]) -> list[int]:
    return [one["update"] for one in rows]


def test_every_complete_line_is_returned_once(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = LogTail(path)
    assert log.read() == ([], False)
    path.write_text(row(1) + row(2) + '{"upd')
    assert log.read() == ([{"update": 1}, {"update": 2}], False)
    assert log.read() == ([], False)
    with path.open("a") as file:
        file.write('ate": 3}\n')
    assert log.read() == ([{"update": 3}], False)


def test_truncated_log_is_read_again_even_if_it_is_longer(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = LogTail(path)
    path.write_text("".join(map(row, range(10, 30))))
    log.read()
    path.write_text("".join(map(row, range(10, 15))))
    rows, is_new = log.read()
    assert (updates(rows), is_new) == (list(range(10, 15)), True)
    path.write_text("".join(map(row, range(10, 13))) + "".join(map(row, range(50, 60))))
    rows, is_new = log.read()
    assert (updates(rows), is_new) == ([10, 11, 12, *range(50, 60)], True)


def test_long_log_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_tail, "READ_BYTES", 100)
    path = tmp_path / "log.jsonl"
    path.write_text("".join(map(row, range(100, 130))))
    log = LogTail(path)
    found: list[int] = []
    while rows := log.read()[0]:
        assert len(rows) <= 6
        found += updates(rows)
    assert found == list(range(100, 130))


def test_lines_without_an_object_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'7\nnonsense\n\xff\xfe\n[1]\n{"a": NaN}\n')
    assert LogTail(path).read() == ([{"a": None}], False)
    folder = tmp_path / "folder"
    folder.mkdir()
    assert LogTail(folder).read() == ([], False)
