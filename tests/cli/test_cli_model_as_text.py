"""A run directory or a model file in place of a text is refused by name, with the right command."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from calling import Call
from recurra.errors import TextError
from recurra.runs.layout import BEST, CHECKPOINTS, SETTINGS

LINES: list[tuple[list[str], str]] = [
    (["score", "RUN", "GIVEN"], "to score with several models: `recurra score RUN --also GIVEN`"),
    (["score", "RUN", "BOOK", "GIVEN", "--also", "RUN"], "`recurra score RUN BOOK --also RUN --also GIVEN`"),
    (["train", "GIVEN", "--updates", "1"], "`recurra train TEXT --from GIVEN` trains its model on a text"),
    (["train", "BOOK", "GIVEN", "--updates", "1"], "`recurra train TEXT --from GIVEN`"),
    (["check", "--text", "GIVEN"], "to check a trained network: `recurra check GIVEN`"),
    (
        ["import", "FILE", "--text", "GIVEN"],
        "give the training text of the network",
    ),
    (["sample", "RUN", "--novelty", "--training-text", "GIVEN"], "give the training text of the model"),
]


@pytest.mark.parametrize("kind", ["run directory", "model file"])
@pytest.mark.parametrize(("line", "hint"), LINES)
def test_model_given_as_text_is_an_error(
    call: Call, trained: Path, book: Path, kind: str, line: list[str], hint: str
) -> None:
    file = trained / CHECKPOINTS / BEST
    names = {"RUN": trained, "GIVEN": trained if kind == "run directory" else file, "BOOK": book, "FILE": file}

    def put(words: str) -> str:
        for name, path in names.items():
            words = words.replace(name, str(path))
        return words

    found = call(*map(put, line))
    assert found.code == TextError.exit_code
    assert f"error: `{names['GIVEN']}` is a {kind}, not a text.\n" in found.err
    assert put(hint) in found.err
    assert found.out == ""


def test_the_hint_of_score_works_when_pasted(call: Call, trained: Path, book: Path) -> None:
    refused = call("score", trained, book, trained)
    command = shlex.split(refused.err.split("`")[-2])
    assert call(*command[1:], "--json").code == 0


def test_run_directory_as_text_hints_at_resume(call: Call, trained: Path) -> None:
    assert f"`recurra train --resume --run {trained}` resumes its training" in call("train", trained).err


@pytest.mark.parametrize(("command", "more"), [("compress", ["-o", "out"]), ("decompress", ["-o", "out"])])
def test_folder_is_not_compressed(call: Call, trained: Path, tmp_path: Path, command: str, more: list[Any]) -> None:
    assert f"`{trained}` is a run directory, not a text." in call(command, trained, trained, *more).err
    assert f"`{tmp_path}` is a folder; a file is expected." in call(command, trained, tmp_path, *more).err


def test_model_file_can_be_read_as_bytes(call: Call, trained: Path) -> None:
    found = call("score", trained, trained / CHECKPOINTS / BEST, "--encoding", "bytes")
    assert "the text is read as bytes, but a model reads characters" in found.err


def test_folder_of_texts_may_contain_run_toml(call: Call, trained: Path, tmp_path: Path) -> None:
    (tmp_path / SETTINGS).write_text("A small book, of few words.\n")
    assert call("score", trained, tmp_path, "--json").code == 0
