"""What a report tells of a run's best model beyond its training: found once when the run ends, kept in summary.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra.report import copies, held_out, marks
from recurra.report.data import load
from recurra.training.run_files import SUMMARY, write_json

if TYPE_CHECKING:
    from recurra.training.provenance import Learned
    from recurra.training.run import Run


def add(run: Run, learned: Learned) -> None:
    """Put what `held_out`, `copies` and `marks` find into the summary of `run`, in memory and in its folder."""
    samples = load(run.folder).samples
    run.summary.update(held_out.figures(run.model, learned))
    run.summary.update(copies.figures(run, samples, learned.text))
    run.summary["sample_marks"] = marks.mark(samples, learned.text)
    write_json(run.folder / SUMMARY, run.summary)
