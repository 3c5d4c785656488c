"""A small book, a run trained on it, and functions that call the command."""

import os
import sys
from pathlib import Path

import pytest

from calling import Call, Called
from recurra.cli import main
from recurra.engines.kernels import compilation

BOOK = "A small book, of few words, read many times over.\n" * 80
TRAIN = ["--preset", "classic", "--hidden-size", "8", "--updates", "200", "--sample-every", "100", "--log-every", "50"]


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run each test in an empty folder, without a terminal and without color variables."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "OPENBLAS_CORETYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture(scope="session", autouse=True)
def compilation_is_announced() -> None:
    """Suppress the message on compiling kernels."""
    compilation.announce()


@pytest.fixture
def call(capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Call the command in this process."""

    def called(*arguments: object) -> Called:
        code = main([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return Called(code, out.decode(), err.decode())

    return called


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text file."""
    path = tmp_path_factory.mktemp("books") / "small.txt"
    path.write_text(BOOK, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Path:
    """The run directory of a finished run."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    assert main(["train", str(book), *TRAIN, "--run", str(folder), "--no-proof", "--quiet"]) == 0
    return folder


@pytest.fixture(scope="session")
def command() -> list[str]:
    """The command line that starts `recurra` in a new process."""
    return [sys.executable, "-m", "recurra"]


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment variables of the new process."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return kept | {"TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
