"""The longest passages that the samples copied from the text, and the share that is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.inference.novelty import COPIED, SHOWN_NGRAM_LENGTHS
from recurra.report.markup import Html, join, missing_note, table, tag, visible, whole
from recurra.report.page_parts import copied_rows
from recurra.runs.records import mapping, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recurra.runs.records import RunData

TABLE_EXCERPT_CHARACTERS = 80  # characters of a passage that the table shows
WROTE = {"best_sample": "the best model", "final_sample": "the final model"}


def copies_section(run: RunData) -> Html:
    """The longest passages of what the models wrote that stand in the text, and how much of it is new."""
    found = mapping(run.summary.get("copied"))
    tables = {name: mapping(found.get(name)) for name in WROTE if mapping(found.get(name))}
    if not tables:
        return missing_note("Absent: what the network has copied is looked for when the run ends.")
    if len(tables) == 2 and run.summary.get("best_sample") == run.summary.get("final_sample"):
        del tables["final_sample"]
    words = (
        "Are the words its own? These are the longest passages of what the network wrote that stand word for word in "
        f"{run.text_name}, and the share of sequences of n characters that stand nowhere in it. Short ones are the "
        f"language itself; those of {COPIED} characters and more are marked above, and many of them mean that the "
        "network has learned by heart."
    )
    parts = [tag("p", words, class_="intro")]
    for name, copied in tables.items():
        parts += [_copies(WROTE[name], copied), _shares(WROTE[name], mapping(copied.get("novel_ngrams")))]
    return join(parts)


def _copies(writer: str, copied: Mapping[str, Any]) -> Html:
    rows = [
        [whole(len(row["text"])), _excerpt(row["text"]), whole(number(row, "offset")), whole(number(row, "line"))]
        for row in copied_rows(copied)
    ]
    return table(f"Copied by {writer}", ["Characters", "Passage", "Begins at", "Line"], rows, kind="copies")


def _excerpt(text: str) -> Html:
    """The passage in one line: its newlines as signs, its end left out where it is long."""
    cut = text if len(text) <= TABLE_EXCERPT_CHARACTERS else text[: TABLE_EXCERPT_CHARACTERS - 1] + "…"
    return tag("code", visible(cut.replace("\n", "¶")))


def _shares(writer: str, novel: Mapping[str, Any]) -> Html:
    lengths = [n for n in SHOWN_NGRAM_LENGTHS if number(novel, str(n)) is not None]
    shares = [f"{number(novel, str(n)) or 0:.0%}" for n in lengths]
    header = ["n", *(str(n) for n in lengths)]
    return table(f"Sequences of n characters by {writer} that are new", header, [["new", *shares]], kind="wide")
