"""Hostile files: each loader succeeds or raises a RecurraError, in little time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import recurra
from hostile_files import IMPORTS, MODEL, MODELS, RUNS, Case, load_run
from processes import PATIENCE
from recurra.cli import main
from recurra.errors import CheckpointError, ModelError
from recurra.io import bounded_io, tensor_file
from recurra.report.document import write_report
from recurra.runs import saved_model

SPARE = 64 << 20  # bytes of memory, in addition to twice the size of the file
COMMANDS = [*((case, "sample") for case in MODELS[::2]), *((case, "report") for case in RUNS)]
COMMANDS += [(case, "import") for case in IMPORTS]
REFUSED = [(case, command) for case, command in COMMANDS if case.words is not None]
IRREGULAR = ("a pipe", "a device without end", "a socket", "a folder")


def names(cases: list[Case]) -> list[str]:
    return [case.name for case in cases]


@pytest.mark.parametrize("case", MODELS, ids=names(MODELS))
def test_hostile_model_file_raises(tmp_path: Path, case: Case) -> None:
    path = tmp_path / "model.safetensors"
    case.build(path)
    if case.words is None:
        assert saved_model.load(path).vocabulary.symbols
        return
    with pytest.raises((ModelError, CheckpointError), match=case.words.replace("[", r"\[")) as caught:
        saved_model.load(path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("case", [c for c in MODELS if c.name in IRREGULAR], ids=lambda case: case.name)
def test_irregular_file_is_not_opened(tmp_path: Path, case: Case) -> None:
    case.build(tmp_path / "model")
    with pytest.raises(ModelError, match=r"not a regular file|Is a directory|No such device or address"):
        tensor_file.read(tmp_path / "model")


@pytest.mark.parametrize("case", RUNS, ids=names(RUNS))
def test_hostile_run_directory_raises(tmp_path: Path, case: Case) -> None:
    folder = tmp_path / "run"
    case.build(folder)
    if case.words is None:
        load_run(folder)
        page = write_report([folder], tmp_path / "report.html").read_text()
        assert "\x1b" not in page
        assert page.rstrip().endswith("</html>")
        return
    with pytest.raises(ModelError, match=case.words) as caught:
        load_run(folder)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("case", IMPORTS, ids=names(IMPORTS))
def test_hostile_file_to_import_raises(tmp_path: Path, case: Case) -> None:
    path = tmp_path / "theirs"
    case.build(path)
    if case.words is None:
        assert recurra.import_model(path).vocabulary.symbols
        return
    with pytest.raises((ModelError, CheckpointError), match=case.words.replace("[", r"\[")) as caught:
        recurra.import_model(path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(("case", "command"), REFUSED, ids=[case.name for case, _ in REFUSED])
def test_command_line_prints_no_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, case: Case, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    case.build(tmp_path / "hostile")
    assert main([command, "hostile"]) in (4, 6)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert len(err.splitlines()) <= 2
    assert "Traceback" not in err
    assert "\x1b" not in err


def test_hostile_files_need_little_memory_and_time(tmp_path: Path) -> None:
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": str(here.parent / "src")}
    line = [sys.executable, str(here / "helpers" / "hostile_files.py"), str(tmp_path)]
    done = subprocess.run(line, check=True, capture_output=True, text=True, env=environment, timeout=PATIENCE)
    measured = json.loads(done.stdout)
    assert set(measured) == {case.name for case in [*MODELS, *RUNS, *IMPORTS]}
    assert {name: found for name, found in measured.items() if found[1] > 2 * found[0] + SPARE} == {}


def test_bytes_beyond_header_sizes_are_not_read(tmp_path: Path) -> None:
    """A file of ten gigabytes whose header describes a small model is refused without reading it."""
    path = tmp_path / "model"
    MODEL.save(path)
    os.truncate(path, 10 * 2**30)
    with pytest.raises(CheckpointError, match="is damaged: it is longer or shorter than its arrays"):
        saved_model.load(path)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", ""])
def test_invalid_file_names_raise(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match=r"too long|Invalid argument|No such file|Is a directory"):
        bounded_io.open_regular(tmp_path / name)
