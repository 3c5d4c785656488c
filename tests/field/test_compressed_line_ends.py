"""Compression warns if the vocabulary lacks the line ends or the byte order mark of a file, which then cost bytes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recurra.cli import main
from recurra.config import ModelConfig
from recurra.model import LanguageModel
from recurra.network.parameters import initialize
from recurra.text.vocabulary import Vocabulary

LINES = b"A small book, of few words.\n" * 50
MARK = b"\xef\xbb\xbf"
FILES = {
    "crlf": (
        LINES.replace(b"\n", b"\r\n"),
        "has 50 carriage returns (200 bytes), which are not in the model's vocabulary",
    ),
    "cr": (LINES.replace(b"\n", b"\r"), "has 50 carriage returns (200 bytes), which"),
    "bom": (MARK + LINES, "has 1 byte order mark (6 bytes), which are not in the model's vocabulary; each takes 6"),
    "both": (
        MARK + LINES.replace(b"\n", b"\r\n"),
        "has 50 carriage returns (200 bytes) and 1 byte order mark (6 bytes)",
    ),
}


def saved(vocabulary: Vocabulary, path: Path) -> str:
    config = ModelConfig(hidden_size=8)
    LanguageModel(config, vocabulary, initialize(config, len(vocabulary), seed=1)).save(path)
    return str(path)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model with the characters of the lines, in a folder whose name needs quotes in a shell."""
    (tmp_path / "a b").mkdir()
    monkeypatch.chdir(tmp_path / "a b")
    return saved(Vocabulary.of(LINES.decode()), Path("the model.safetensors"))


@pytest.mark.parametrize("kind", FILES)
def test_warning_has_cost_and_working_command(kind: str, model: str, capfd: pytest.CaptureFixture[str]) -> None:
    data, message = FILES[kind]
    Path("it's.txt").write_bytes(data)
    Path("lines.txt").write_bytes(LINES)
    assert main(["compress", model, "lines.txt"]) == 0
    assert "warning" not in capfd.readouterr().err
    assert main(["compress", model, "it's.txt"]) == 0
    said = capfd.readouterr().err
    assert f"warning: `it's.txt` {message}" in said
    found = re.search(r"`(sed .*)`", said)
    assert found is not None
    command = found[1].replace("recurra", f"{sys.executable} -m recurra", 1)
    subprocess.run(["bash", "-c", command], check=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"} | _cache())
    assert Path("it's.txt.rcra").read_bytes() == Path("lines.txt.rcra").read_bytes()


def _cache() -> dict[str, str]:
    """Return environment variables with the paths of the package and of its compiled kernels."""
    root = str(Path(__file__).parents[2] / "src")
    kept = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR") if name in os.environ}
    return kept | {"PYTHONPATH": root}


def test_no_warning_if_vocabulary_has_them_or_quiet(model: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("both.txt").write_bytes(FILES["both"][0])
    knows = saved(Vocabulary.of(FILES["both"][0].decode()), Path("knows.safetensors"))
    assert main(["compress", knows, "both.txt"]) == 0
    assert main(["compress", saved(Vocabulary.bytes(), Path("bytes.safetensors")), "both.txt", "--force"]) == 0
    assert "warning" not in capfd.readouterr().err
    assert main(["compress", model, "both.txt", "--force", "--quiet"]) == 0
    assert capfd.readouterr().err == ""
