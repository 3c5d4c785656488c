"""The command with a lower learning rate that a diverged training prints."""

from __future__ import annotations

from pathlib import Path

from recurra.cli.train_output import slower_hint

SETTINGS = '[training]\npreset = "small"\n'


def test_command_for_resumed_training_has_its_text(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(f'{SETTINGS}[text]\nsource = ["/books/a book.txt"]\n')
    command = slower_hint([], {"resume": True, "run": tmp_path}, 0.01, tmp_path)
    assert command == "recurra train '/books/a book.txt' --preset small --learning-rate 0.01"


def test_command_for_many_files_leaves_text_to_user(tmp_path: Path) -> None:
    """For many files run.toml stores only their number."""
    (tmp_path / "run.toml").write_text(f'{SETTINGS}[text]\nsources = 95000\nsources_sha256 = "0"\n')
    command = slower_hint([], {"resume": True, "run": tmp_path}, 0.01, tmp_path)
    assert command == "recurra train TEXT --preset small --learning-rate 0.01"
