"""The data of the panels as JSON types: the loss, baselines, samples, and the text that the panels analyze.

Losses are in bits per character. The scripts in static/ use the same names.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from recurra.runs.curves import BASELINES, MAX_POINTS, decimate
from recurra.runs.records import mapping, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from recurra.runs.records import MetricsLine, RunData, SampleLine

PASSAGE_CHARACTERS = 600  # of the text that the panels analyze
SIGNIFICANT_DIGITS = 6
NGRAM_ORDERS = ("3", "6")  # in the chart
COMPRESSOR = "xz"


def columns(records: Sequence[MetricsLine], span: int) -> dict[str, list[Any]]:
    """Return the columns of at most 2,000 records that draw the same curve, and the held-out losses."""
    kept, nats = decimate(records), span * math.log(2)
    scored = [(record.update, record.validation) for record in records if record.validation is not None]
    scored = scored[:: math.ceil(len(scored) / MAX_POINTS) or 1]
    return {
        "update": [record.update for record in kept],
        "mean": [short(record.mean / nats) for record in kept],
        "smooth": [short(record.smooth / nats) for record in kept],
        "norm": [short(record.norm) for record in kept],
        "scoredAt": [update for update, _ in scored],
        "scored": [short(loss / math.log(2)) for _, loss in scored],
    }


def short(value: float | None) -> float | None:
    """Round a number to `SIGNIFICANT_DIGITS`."""
    return None if value is None else float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def rules(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the losses of the baselines on the held-out text, or else on the training text."""
    held_out = mapping(summary.get("held_out_baselines"))
    table, ngrams = held_out or mapping(summary.get("baselines")), mapping(summary.get("held_out_ngrams"))
    losses = [(BASELINES[name], number(table, name)) for name in ("uniform", "unigram", COMPRESSOR)]
    if held_out:
        losses += [(f"{order}-gram", number(ngrams, order)) for order in NGRAM_ORDERS]
    return [{"name": name, "value": short(bits)} for name, bits in losses if bits is not None]


def samples(lines: Sequence[SampleLine], marks: object) -> list[dict[str, Any]]:
    """Return the samples, with the known words and copied passages that `marks` (of `sample_marks.mark`) lists."""
    tables = [mapping(table) for table in marks] if isinstance(marks, list) else []
    by_update = {table.get("update"): table for table in tables if type(table.get("update")) is int}
    return [_sample(sample, by_update.get(sample.update)) for sample in lines]


def _sample(sample: SampleLine, marked: Mapping[str, Any] | None) -> dict[str, Any]:
    data: dict[str, Any] = {"update": sample.update, "temperature": sample.temperature, "text": sample.text}
    if marked is None:
        return data
    spans = {name: _spans(marked[name], len(sample.text)) for name in ("words", "copied") if name in marked}
    total = marked.get("total")
    return data | spans | {"total": total if type(total) is int else 0}


def _spans(marks: object, length: int) -> list[list[int]]:
    """Return the valid spans of a text of `length` characters; skip invalid values of the file."""
    return [list(span) for span in _lists(marks) if _is_span(span, length)]


def _lists(value: object) -> Iterable[Any]:
    return value if isinstance(value, list) else []


def _is_span(span: object, length: int) -> bool:
    if not isinstance(span, list) or len(span) != 2 or not all(type(number) is int for number in span):
        return False
    return bool(span[0] >= 0 and span[1] > 0 and sum(span) <= length)


def passage(run: RunData) -> str:
    """Return the beginning of the held-out text, or of the text of the best model, or of the last sample."""
    held_out = mapping(run.summary.get("held_out_passage")).get("text")
    texts = [held_out, run.summary.get("best_sample"), *(sample.text for sample in reversed(run.samples))]
    return next((text[:PASSAGE_CHARACTERS] for text in texts if isinstance(text, str) and text), "")
