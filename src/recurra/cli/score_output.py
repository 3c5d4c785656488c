"""What `recurra score` prints: a table for a person, one object for a program."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from recurra.cli import surprise_view
from recurra.cli.scoring import Found, Reading, Result
from recurra.cli.terminal import columns, encoded, folded, has_colour, is_terminal, write, write_text
from recurra.formatting import inert, plural
from recurra.inference.surprise import NO_GUESS, Surprise
from recurra.model import LanguageModel

ODDEST, LIKELIEST = 10, 5  # lines that are shown
WIDTH = 60  # characters of a line
NAMES = {
    "uniform": "uniform: all alike",
    "unigram": "unigram of this text",
    "ngram": "n-grams",
    "gzip": "gzip -9",
    "bzip2": "bzip2 -9",
    "xz": "xz -9e",
}
HEADER = ["", "bits", "nats", "bits/byte", "perplexity", "unknown", "speed"]


def lines(found: Found) -> Iterator[str]:
    """The text, the notes and the table; of documents, the lines that are odd."""
    passage = found.passage
    unit = "byte" if passage.text.is_bytes else "character"
    yield f"{inert(passage.text.name)}, {passage.part}: {plural(passage.stop - passage.start, unit)}"
    yield from (folded(inert(note), sys.stdout, label="note: ") for note in found.notes)
    rows = [*_baseline_rows(found.baselines or {}), *(row for result in found.results for row in _rows(result))]
    table = [[HEADER[0], f"bits/{unit}", f"nats/{unit}", *HEADER[3:]], *rows]
    if passage.text.is_bytes:  # bits/byte stand there already
        table = [[*row[:3], *row[4:]] for row in table]
    yield from columns(table, indent="  ")
    if found.results[0].lines is not None:
        yield from _documents(found.results)


def _rows(result: Result) -> Iterator[list[str]]:
    yield _row(inert(result.name), result.reading)
    if result.dynamic is not None and result.how is not None:
        yield _row(f"  dynamic, {result.how.method} at rate {result.how.rate:g}", result.dynamic)


def _row(name: str, reading: Reading) -> list[str]:
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
    for name, label in NAMES.items():
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


def _documents(results: list[Result]) -> Iterator[str]:
    rows = document_rows(results)
    several = len(results) > 1
    if several:
        for result in results:
            count = sum(row["model"] == result.name for row in rows)
            yield f"{inert(result.name)} predicts {plural(count, 'line')} of {len(rows):,} best"
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
    text = inert(row["text"].replace("\t", " "))
    model = [inert(row["model"])] * several
    bits = row["nats_per_character"] / math.log(2)
    return [f"{row['line']:,}", f"{bits:.3f}", *model, text if len(text) <= WIDTH else text[:WIDTH] + "…"]


def document_rows(results: list[Result]) -> list[dict[str, Any]]:
    """Each line with its score by the model that predicts it best, and by all in their order."""
    found = []
    for same in zip(*(result.lines or [] for result in results), strict=True):
        nats = [line.score.nats for line in same]
        best = nats.index(min(nats))
        score = same[best].score
        row = {"line": same[0].number, "text": same[0].text, "characters": score.characters, "nats": score.nats}
        row |= {"nats_per_character": score.nats_per_character, "unknown_characters": score.unknown_characters}
        found.append(row | {"model": results[best].name, "nats_by_model": nats})
    return found


def as_json(found: Found) -> dict[str, Any]:
    """The keys of `score --json`: the first model's figures, what else was asked for, and the other models'."""
    first, *others = found.results
    told = {"text": found.passage.text.name, "part": found.passage.part, **_figures(first)}
    if found.baselines is not None:
        told["baselines"] = found.baselines
    if first.lines is not None:
        told["documents"] = document_rows(found.results)
    return told | {"also": [_figures(result) for result in others], "notes": found.notes}


def _figures(result: Result) -> dict[str, Any]:
    own, dynamic = _reading(result.reading), None
    if result.dynamic is not None and result.how is not None:
        how = result.how
        dynamic = {"method": how.method, "rate": how.rate, "decay": how.decay, "segment": how.segment}
        dynamic |= _reading(result.dynamic)
    return {"model": result.name, **own, "dynamic": dynamic}


def _reading(reading: Reading) -> dict[str, Any]:
    score = reading.score
    return {
        "characters": score.characters,
        "bytes": score.bytes,
        "unknown_characters": score.unknown_characters,
        "nats": score.nats,
        "nats_per_character": score.nats_per_character,
        "bits_per_character": score.bits_per_character,
        "bits_per_byte": score.bits_per_byte,
        "perplexity": score.perplexity,
        "characters_per_second": score.characters / max(reading.seconds, 1e-9),
    }


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
    colours, width = has_colour(sys.stdout), shutil.get_terminal_size().columns
    write_text(surprise_view.legend(colours=colours) + "\n\n")
    passed: list[Surprise] = []

    def kept() -> Iterator[Surprise]:
        for piece in found:
            passed.append(piece)
            yield piece

    shown = surprise_view.lines(
        surprise_view.glyphs(kept(), is_bytes=model.vocabulary.is_bytes), width, colours=colours
    )
    for line in shown:
        write(encoded(line) + b"\n")
        while passed:
            yield passed.pop(0)
    yield from passed
    write_text("\n")
