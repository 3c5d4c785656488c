"""What `recurra score` prints: a table for a person, one object for a program."""

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
    LINE_REDRAW_SECONDS,
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

ODDEST, LIKELIEST = 10, 5  # lines that are shown
LINE_CHARACTERS = 60  # characters of a line
WAIT_SECONDS = 1.0  # before progress is first shown
SCORE_NAMES = {
    "uniform": "uniform: all alike",
    "unigram": "unigram of this text",
    "ngram": "n-grams",
    "gzip": "gzip -9",
    "bzip2": "bzip2 -9",
    "xz": "xz -9e",
}
SCORE_COLUMNS = ["", "bits", "nats", "bits/byte", "perplexity", "unknown", "speed"]


def lines(found: Evaluation) -> Iterator[str]:
    """The text, the notes and the table; of documents, the lines that are odd."""
    scored = found.text
    unit = "byte" if scored.text.is_bytes else "character"
    yield f"{sanitize(scored.text.name)}, {scored.part}: {plural(scored.length, unit)}"
    yield from (wrap(sanitize(note), sys.stdout, label="note: ") for note in found.notes)
    rows = [*_baseline_rows(found.baselines or {}), *(row for result in found.results for row in _rows(result))]
    table = [[SCORE_COLUMNS[0], f"bits/{unit}", f"nats/{unit}", *SCORE_COLUMNS[3:]], *rows]
    if scored.text.is_bytes:  # bits/byte stand there already
        table = [[*row[:3], *row[4:]] for row in table]
    yield from columns(table, indent="  ")
    if found.results[0].lines is not None:
        yield from _documents(found)


def _rows(result: ModelResult) -> Iterator[list[str]]:
    yield _row(sanitize(result.name), result.reading)
    if result.dynamic is not None and result.how is not None:
        yield _row(f"  dynamic, {result.how.method} at rate {result.how.rate:g}", result.dynamic)


def _row(name: str, reading: TimedScore) -> list[str]:
    score = reading.score
    return [
        name,
        f"{score.bits_per_character:.4f}",
        f"{score.nats_per_character:.4f}",
        f"{score.bits_per_byte:.4f}",
        f"{score.perplexity:.3f}",
        f"{score.unknown_characters:,}",
        f"{score.characters / max(reading.seconds, 1e-9):,.0f}/s",
    ]


def _baseline_rows(found: dict[str, Any]) -> Iterator[list[str]]:
    for name, label in SCORE_NAMES.items():
        figures = found.get(name, {})
        several = figures.items() if isinstance(figures, dict) else [("", figures)]
        for order, bits in several:
            nats = bits * math.log(2)
            yield [
                f"{order}-gram, learned" if order else label,
                f"{bits:.4f}",
                f"{nats:.4f}",
                f"{bits / found['bytes_per_character']:.4f}",
                f"{math.exp(nats):.3f}",
                "",
                "",
            ]


def _documents(found: Evaluation) -> Iterator[str]:
    rows, results = found.rows(), found.results
    several = len(results) > 1
    if several:
        for result in results:
            count = sum(row["model"] == result.name for row in rows)
            yield f"{sanitize(result.name)} predicts {plural(count, 'line')} of {len(rows):,} best"
    distinct = {row["text"]: row for row in reversed(rows)}.values()  # of equal lines the first
    order = sorted(distinct, key=lambda row: -row["nats_per_character"])
    for title, part in (("oddest", order[:ODDEST]), ("likeliest", order[ODDEST:][-LIKELIEST:][::-1])):
        if part:
            yield f"the {title} lines:"
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
    """Show how much of the text a model has read, in place on a terminal, if it takes long; nothing of it stays."""
    reader, first, last, started, due = "", 0, 0, 0.0, 0.0

    def show(name: str, done: int, length: int) -> None:
        nonlocal reader, first, last, started, due
        now = time.perf_counter()
        if name != reader or done <= last:  # the first piece of a model is read: its clock starts
            reader, first, started, due = name, done, now, now + WAIT_SECONDS
        elif now >= due:
            rate = (done - first) / (now - started)
            redraw(
                f"{name}: {100 * done // length} %, {rate:,.0f} characters/s, {duration((length - done) / rate)} left"
            )
            due = now + LINE_REDRAW_SECONDS
        last = done

    try:
        yield show
    finally:
        redraw("")


def json_lines(found: Iterable[Surprise], model: LanguageModel) -> Iterator[Surprise]:
    """The same pieces; each symbol goes to stdout as a line of JSON."""
    import json

    symbols, is_bytes = model.vocabulary.symbols, model.vocabulary.is_bytes
    name, shown = "byte" if is_bytes else "character", is_terminal(sys.stdout)  # which would obey what it is sent
    for piece in found:
        rows = []
        for symbol, nats, rank, guess in zip(piece.symbols, *(array.tolist() for array in piece[1:4]), strict=True):
            likeliest = None if guess == NO_GUESS else guess if is_bytes else symbols[guess]
            row = {name: ord(symbol) if is_bytes else symbol, "nats": nats, "rank": rank or None, "guess": likeliest}
            rows.append(json.dumps(row, ensure_ascii=shown))
        write("".join(f"{row}\n" for row in rows).encode("utf-8"))
        yield piece


def view(found: Iterable[Surprise], model: LanguageModel) -> Iterator[Surprise]:
    """The same pieces; the text goes to the terminal, each character marked by its surprise."""
    colors, width = has_color(sys.stdout), shutil.get_terminal_size().columns
    write_text(surprise_view.legend(colors=colors) + "\n\n")
    passed: list[Surprise] = []

    def kept() -> Iterator[Surprise]:
        for piece in found:
            passed.append(piece)
            yield piece

    shown = surprise_view.lines(surprise_view.glyphs(kept(), is_bytes=model.vocabulary.is_bytes), width, colors=colors)
    for line in shown:
        write(encode_for_stdout(line) + b"\n")
        while passed:
            yield passed.pop(0)
    yield from passed
    write_text("\n")
