"""The output of `recurra score`: a table, lines of JSON, or the shaded text."""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from recurra.api.evaluation import Evaluation, ModelResult, TimedScore
from recurra.cli import surprise_view
from recurra.cli.terminal import (
    MIN_LINE_REDRAW_SECONDS,
    columns,
    encode_for_stdout,
    has_color,
    is_terminal,
    redraw,
    wrap,
    write,
    write_text,
)
from recurra.formatting import duration, plural, sanitize
from recurra.inference.surprise import NO_GUESS, Surprise
from recurra.model import LanguageModel

UNLIKELY_LINES, LIKELY_LINES = 10, 5  # lines of the text that the table lists
LINE_CHARACTERS = 60
PROGRESS_DELAY_SECONDS = 1.0
SCORE_NAMES = {
    "uniform": "uniform guess",
    "unigram": "unigram of this text",
    "ngram": "n-grams",
    "gzip": "gzip -9",
    "bzip2": "bzip2 -9",
    "xz": "xz -9e",
}


def lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the name of the text, the notes, the table and, for scored lines, the least and the most likely lines."""
    scored = evaluation.text
    unit = "byte" if scored.text.is_bytes else "character"
    yield f"{sanitize(scored.text.name)}, {scored.part}: {plural(scored.length, unit)}"
    yield from (wrap(sanitize(note), sys.stdout, label="note: ") for note in evaluation.notes)
    rows = [
        *_baseline_rows(evaluation.baselines or {}),
        *(row for result in evaluation.results for row in _rows(result)),
    ]
    header = ["", f"bits/{unit}", f"nats/{unit}", "bits/byte", "perplexity", "unknown", f"{unit}s/s"]
    table = [header, *rows]
    if scored.text.is_bytes:  # the first column has bits/byte
        table = [[*row[:3], *row[4:]] for row in table]
    yield from columns(table, indent="  ")
    if evaluation.results[0].lines is not None:
        yield from _documents(evaluation)


def _rows(result: ModelResult) -> Iterator[list[str]]:
    yield _row(sanitize(result.name), result.reading)
    if result.dynamic is not None and result.how is not None:
        yield _row(f"  dynamic, {result.how.method}, learning rate {result.how.rate:g}", result.dynamic)


def _row(name: str, reading: TimedScore) -> list[str]:
    score = reading.score
    return [
        name,
        f"{score.bits_per_character:.4f}",
        f"{score.nats_per_character:.4f}",
        f"{score.bits_per_byte:.4f}",
        f"{score.perplexity:.3f}",
        f"{score.unknown_characters:,}",
        f"{score.characters / max(reading.seconds, 1e-9):,.0f}",
    ]


def _baseline_rows(baselines: dict[str, Any]) -> Iterator[list[str]]:
    for name, label in SCORE_NAMES.items():
        figures = baselines.get(name, {})
        by_order = figures if isinstance(figures, dict) else {"": figures}
        for order, bits in by_order.items():
            nats = bits * math.log(2)
            yield [
                f"{order}-gram, training text" if order else label,
                f"{bits:.4f}",
                f"{nats:.4f}",
                f"{bits / baselines['bytes_per_character']:.4f}",
                f"{math.exp(nats):.3f}",
                "",
                "",
            ]


def _documents(evaluation: Evaluation) -> Iterator[str]:
    rows, results = evaluation.rows(), evaluation.results
    several = len(results) > 1
    if several:
        for result in results:
            count = sum(row["model"] == result.name for row in rows)
            yield f"{sanitize(result.name)} gives {plural(count, 'line')} of {len(rows):,} the highest probability"
    distinct = {row["text"]: row for row in reversed(rows)}.values()  # the first of equal lines
    order = sorted(distinct, key=lambda row: -row["nats_per_character"])
    for title, part in (("least", order[:UNLIKELY_LINES]), ("most", order[UNLIKELY_LINES:][-LIKELY_LINES:][::-1])):
        if part:
            yield f"the {title} likely lines:"
            yield from columns(
                [["line", "bits/character", *["model"] * several, ""], *(_line(row, several) for row in part)],
                indent="  ",
            )


def _line(row: dict[str, Any], several: bool) -> list[str]:
    text = sanitize(row["text"].replace("\t", " "))
    model = [sanitize(row["model"])] * several
    bits = row["nats_per_character"] / math.log(2)
    return [
        f"{row['line']:,}",
        f"{bits:.3f}",
        *model,
        text if len(text) <= LINE_CHARACTERS else text[:LINE_CHARACTERS] + "…",
    ]


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that shows how much of the text a model has read; remove the line at the end."""
    reader, first, last, started, due = "", 0, 0, 0.0, 0.0

    def show(name: str, done: int, length: int) -> None:
        nonlocal reader, first, last, started, due
        now = time.perf_counter()
        if name != reader or done <= last:  # the first chunk of a model starts its clock
            reader, first, started, due = name, done, now, now + PROGRESS_DELAY_SECONDS
        elif now >= due:
            rate = (done - first) / (now - started)
            redraw(
                f"{name}: {100 * done // length} %, {rate:,.0f} characters/s, {duration((length - done) / rate)} left"
            )
            due = now + MIN_LINE_REDRAW_SECONDS
        last = done

    try:
        yield show
    finally:
        redraw("")


def json_lines(surprises: Iterable[Surprise], model: LanguageModel) -> Iterator[Surprise]:
    """Yield the chunks unchanged; write each symbol to stdout as a line of JSON."""
    import json

    symbols, is_bytes = model.vocabulary.symbols, model.vocabulary.is_bytes
    name, escaped = (
        "byte" if is_bytes else "character",
        is_terminal(sys.stdout),
    )  # a terminal would act on control characters
    for piece in surprises:
        rows = []
        for symbol, nats, rank, guess in zip(piece.symbols, *(array.tolist() for array in piece[1:4]), strict=True):
            likeliest = None if guess == NO_GUESS else guess if is_bytes else symbols[guess]
            row = {name: ord(symbol) if is_bytes else symbol, "nats": nats, "rank": rank or None, "guess": likeliest}
            rows.append(json.dumps(row, ensure_ascii=escaped))
        write("".join(f"{row}\n" for row in rows).encode("utf-8"))
        yield piece


def view(surprises: Iterable[Surprise], model: LanguageModel) -> Iterator[Surprise]:
    """Yield the chunks unchanged; print the text to the terminal, each character shaded by its surprise."""
    colors, width = has_color(sys.stdout), shutil.get_terminal_size().columns
    write_text(surprise_view.legend(colors=colors) + "\n\n")
    pending: list[Surprise] = []

    def recorded() -> Iterator[Surprise]:
        for piece in surprises:
            pending.append(piece)
            yield piece

    view_lines = surprise_view.lines(
        surprise_view.glyphs(recorded(), is_bytes=model.vocabulary.is_bytes), width, colors=colors
    )
    for line in view_lines:
        write(encode_for_stdout(line) + b"\n")
        while pending:
            yield pending.pop(0)
    yield from pending
    write_text("\n")
