"""What a sample has copied from the text of its model, for a person and for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.cli.terminal import columns, paint
from recurra.errors import RecurraError
from recurra.formatting import one_line, plural

if TYPE_CHECKING:
    from recurra.text.text import Text

EXCERPT = 60  # characters of a passage that are shown


def text_of_run(model: str) -> Text:
    """The text that the model file or run folder `model` has learned; an error where it is not to be had."""
    from recurra.runs.provenance import learned_text

    try:
        return learned_text(model)
    except RecurraError as error:
        error.hint = "name the text with `--training-text`."
        raise


def copied_table(symbols: str, learned: Text) -> dict[str, Any] | None:
    """What was copied, as JSON's types; None of an empty text."""
    from recurra.inference.novelty import as_table, novelty

    return as_table(novelty(symbols, learned)) if symbols else None


def copied_lines(symbols: str, learned: Text) -> list[str]:
    """What was copied, for a person."""
    from recurra.inference.novelty import SHOWN, novelty

    if not symbols:
        return ["the text is empty: nothing is copied"]
    found = novelty(symbols, learned)
    rows = [["characters", "at", "line", "passage"]]
    rows += [[f"{p.length}", f"{p.offset:,}", f"{p.line:,}", _excerpt(p.text)] for p in found.passages]
    lengths = [n for n in SHOWN if n <= len(found.novel)]
    shares = [["n"] + [str(n) for n in lengths], ["new"] + [f"{100 * found.novel[n - 1]:.0f} %" for n in lengths]]
    head = (
        f"the longest passages that stand in {learned.name} too; the longest has {plural(found.longest, 'character')}"
    )
    return [
        paint(head, "bold"),
        *columns(rows, indent="  "),
        paint(f"the share of sequences of n characters that {learned.name} has not", "bold"),
        *columns(shares, indent="  "),
    ]


def _excerpt(passage: str) -> str:
    """The beginning of a passage in one line."""
    line = one_line(passage)
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"
