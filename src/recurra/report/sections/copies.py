"""The longest passages that the models copied from the text, and the share of their text that is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra.inference.novelty import COPIED, SHOWN_NGRAM_LENGTHS
from recurra.report.markup import Html, join, missing_note, table, tag, visible, whole
from recurra.report.page_parts import copied_rows
from recurra.runs.records import mapping, number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recurra.runs.records import RunData

TABLE_EXCERPT_CHARACTERS = 80
MODELS = {"best_sample": "the best model", "final_sample": "the final model"}


def copies_section(run: RunData) -> Html:
    """Return the tables of copied passages and of the share that is new, for each model."""
    copies = mapping(run.summary.get("copied"))
    tables = {name: mapping(copies.get(name)) for name in MODELS if mapping(copies.get(name))}
    if not tables:
        return missing_note("the search for copied passages runs when the training ends.")
    if len(tables) == 2 and run.summary.get("best_sample") == run.summary.get("final_sample"):
        del tables["final_sample"]
    words = (
        "Is the generated text new? The first table lists its longest passages that also occur, word for word, in "
        f"{run.text_name}. The second table gives the share of its sequences of n characters that do not occur there. "
        "Short copies are ordinary words and phrases. "
        f"Copies of {COPIED} or more characters are marked in section 4; many of them are a sign that the network "
        "has memorized the text."
    )
    parts = [tag("p", words, class_="intro")]
    for name, copied in tables.items():
        parts += [_copies(MODELS[name], copied), _shares(MODELS[name], mapping(copied.get("novel_ngrams")))]
    return join(parts)


def _copies(model: str, copied: Mapping[str, Any]) -> Html:
    rows = [
        [whole(len(row["text"])), _excerpt(row["text"]), whole(number(row, "offset")), whole(number(row, "line"))]
        for row in copied_rows(copied)
    ]
    header = ["Length, characters", "Passage", "Begins at character", "Begins in line"]
    return table(f"Longest passages copied by {model}", header, rows, kind="copies")


def _excerpt(text: str) -> Html:
    """Return the passage in one line, with ¶ for a newline and without the end of a long passage."""
    cut = text if len(text) <= TABLE_EXCERPT_CHARACTERS else text[: TABLE_EXCERPT_CHARACTERS - 1] + "…"
    return tag("code", visible(cut.replace("\n", "¶")))


def _shares(model: str, novel: Mapping[str, Any]) -> Html:
    lengths = [n for n in SHOWN_NGRAM_LENGTHS if number(novel, str(n)) is not None]
    shares = [f"{number(novel, str(n)) or 0:.0%}" for n in lengths]
    header = ["n, characters", *(str(n) for n in lengths)]
    caption = f"Share of the sequences of n characters by {model} that are not in the text"
    return table(caption, header, [["new sequences", *shares]], kind="wide")
