"""The file names in a run directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurra.runs.layout import BESTS, CHECKPOINTS, METRICS, SETTINGS, UPDATES, numbered, updates_of, write_json
from recurra.text.exclusions import is_run


def test_json_is_indented_with_non_ascii_characters(tmp_path: Path) -> None:
    write_json(tmp_path / "summary.json", {"name": "ü\udcff", "updates": 3})
    assert (tmp_path / "summary.json").read_bytes() == b'{\n "name": "\xc3\xbc\\udcff",\n "updates": 3\n}\n'


def test_checkpoint_name_has_number_of_updates() -> None:
    assert numbered(UPDATES, 10) == "update-000000000010.safetensors"
    assert numbered(BESTS, 10) == "best-000000000010.safetensors"
    assert updates_of(numbered(UPDATES, 10)) == 10


@pytest.mark.parametrize(
    "name", ["best.safetensors", "update-.safetensors", "update-1.safetensors.tmp", "update-²", ""]
)
def test_other_names_are_no_checkpoint_names(name: str) -> None:
    assert updates_of(name) is None


def test_layout_of_run_directory_is_recognized() -> None:
    assert is_run([SETTINGS, CHECKPOINTS])
    assert is_run([SETTINGS, METRICS])
    assert is_run([METRICS, CHECKPOINTS])
