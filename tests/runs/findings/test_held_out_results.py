"""The results on the held-out text, in the summary of a run."""

from __future__ import annotations

import io
import lzma
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.compression.model_codec import compress
from recurra.runs.records import load

BOOK = "A small book, of few words, read many times over.\n" * 60


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"encoding": "bytes"},
        {"documents": "lines", "batch_size": 4, "optimizer": "adam", "clip_value": None},
    ],
)
def test_summary_has_held_out_results(tmp_path: Path, settings: dict[str, Any]) -> None:
    book = tmp_path / "book.txt"
    book.write_text(BOOK, encoding="utf-8")
    run = recurra.train(
        book, run=tmp_path / "run", updates=20, hidden_size=8, validation=0.1, proof=False, preset="classic", **settings
    )
    summary = load(run.folder).summary
    assert run.summary["held_out_passage"] == summary["held_out_passage"]
    passage = summary["held_out_passage"]
    assert passage["text"] == BOOK[-300:]
    assert len(passage["nats"]) == 300
    assert passage["nats"][5] != passage["nats"][6]
    assert list(summary["held_out_ngrams"]) == list("123456")
    sizes = summary["held_out_compressed"]
    assert sizes["bytes"] == 300
    assert sizes["xz"] == len(lzma.compress(BOOK[-300:].encode(), preset=9 | lzma.PRESET_EXTREME))
    target = io.BytesIO()
    compress(run.model, io.BytesIO(BOOK[-300:].encode()), target)
    assert sizes["model"] == len(target.getvalue())
    assert 'class="page"' in (run.folder / "report.html").read_text(encoding="utf-8")


def test_summary_without_held_out_part_has_no_held_out_results(tmp_path: Path) -> None:
    run = recurra.train(text=BOOK, run=tmp_path / "run", updates=20, hidden_size=8, proof=False, preset="classic")
    assert "held_out_passage" not in run.summary
    assert "held_out_compressed" not in run.summary
