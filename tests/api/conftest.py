"""A small run for the tests of the Python interface."""

from __future__ import annotations

from pathlib import Path

import pytest

import recurra

TEXT = "bad cab\nbed ace\ndeb abe\nabba cede\n" * 4


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run with a held-out text; the text is the file next to it."""
    folder = tmp_path_factory.mktemp("small")
    book = folder / "book.txt"
    book.write_text(TEXT)
    settings = {"hidden_size": 8, "sequence_length": 5, "updates": 30, "sample_length": 9, "validation": 0.2}
    return recurra.train(book, run=folder / "run", report=False, proof=False, **settings).folder  # type: ignore[arg-type]
