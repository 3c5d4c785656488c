"""The plain files of a run."""

from __future__ import annotations

from pathlib import Path

from recurra.runs.layout import write_json


def test_a_file_of_json_is_to_be_read_by_people_too(tmp_path: Path) -> None:
    write_json(tmp_path / "summary.json", {"name": "ü\udcff", "updates": 3})
    assert (tmp_path / "summary.json").read_bytes() == b'{\n "name": "\xc3\xbc\\udcff",\n "updates": 3\n}\n'
