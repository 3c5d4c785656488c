"""Whole-epoch means and the held-out loss, beside the baselines that need no learning."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from recurra.report.figures import draw_bits, held_out_bits
from recurra.report.markup import Html, fixed, join, missing_note, table, tag, whole
from recurra.report.page_parts import drawing
from recurra.runs.curves import BASELINES
from recurra.runs.records import mapping, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recurra.runs.records import RunData

MAX_EPOCH_ROWS = 12


def comparison_section(run: RunData, salt: str) -> Html:
    """Whole-epoch means and held-out text, beside what needs no learning."""
    return join([*_comparison(run, salt), *_as_a_file(run), *_epochs(run), _easiest_chapter(run)])


def _comparison(run: RunData, salt: str) -> Iterator[Html]:
    training, held_out = (mapping(run.summary.get(key)) for key in ("baselines", "held_out_baselines"))
    mean = number(run.summary, "epoch_mean_nats_per_character")
    own = [None if mean is None else mean / math.log(2), held_out_bits(run)]
    columns = 2 if held_out or own[1] is not None else 1
    rows = [
        [label, *(fixed(number(text, name)) for text in (training, held_out)[:columns])]
        for name, label in BASELINES.items()
        if name in training or name in held_out
    ]
    ngrams = mapping(run.summary.get("held_out_ngrams"))
    rows += [[f"{order}-gram", "\u2013", fixed(number(ngrams, order))] for order in list(ngrams)[1:]]
    if not rows:
        yield missing_note("Absent: the comparison with compressors is made when the run ends.")
    if any(value is not None for value in own):
        rows.append(
            [
                tag("b", "this network, last whole epoch" if own[0] is not None else "this network"),
                *(tag("b", fixed(value)) for value in own[:columns]),
            ]
        )
    if rows:
        yield tag("p", _comparison_words(run, mean, training))
        header = ["", "Training text", "Held-out text"]
        yield table("Bits per character", header[: columns + 1], rows)
        if limit := number(run.summary, "baseline_limit"):
            yield tag("p", f"The baselines are those of the first {limit:,.0f} characters of each text, or of all.")
    figure = drawing(
        draw_bits, [run], salt, "Bits per character: the same figures as in the table, as bars.",
        tag("b", "Bits per character. "), "Shorter is better.",
    )  # fmt: skip
    if rows and figure is not None:
        yield figure


def _as_a_file(run: RunData) -> Iterator[Html]:
    """The size of the held-out text, compressed by the network and by the compressors that everyone has."""
    sizes = mapping(run.summary.get("held_out_compressed"))
    whole_size = number(sizes, "bytes")
    if not whole_size:
        return
    names = {"bytes": "as it is"} | {name: label for name, label in BASELINES.items() if name in sizes}
    rows = [_size_row(label, number(sizes, name), whole_size) for name, label in names.items()]
    rows.append(
        [tag("b", cell) for cell in _size_row("recurra compress, this network", number(sizes, "model"), whole_size)]
    )
    words = (
        "Of the held-out text, or of its first 262,144 characters. The network's size is that of the file which "
        "recurra compress writes, and which recurra decompress makes the text of again with the same model."
    )
    yield table("The held-out text, compressed", ["", "Bytes", "Of the file", "Bits per byte"], rows)
    yield tag("p", words, class_="note")


def _size_row(label: str, size: float | None, of: float) -> list[str]:
    share = None if size is None else size / of
    return [
        label,
        whole(size),
        "\u2013" if share is None else f"{share:.1%}",
        fixed(None if share is None else 8 * share),
    ]


def _comparison_words(run: RunData, mean: float | None, training: Mapping[str, Any]) -> str:
    words = (
        "Uniform gives every symbol the same probability; unigram knows how often each occurs; "
        "the compressors' figures count everything that is needed to read the text again. "
    )
    if mapping(run.summary.get("held_out_ngrams")):
        words += (
            "The n-grams have counted the network's own training text, or its last 4,194,304 symbols, and predict the "
            "last of n symbols from those before it (interpolated Kneser-Ney). "
        )
    parameters, characters = number(run.summary, "parameters"), number(run.table("text"), "characters")
    if parameters and characters:
        cost = 32 * parameters / characters
        words += (
            f"The network's figures leave out its {whole(parameters)} parameters, which stored as they are "
            f"would add {fixed(cost)} bits to every character of this text. "
        )
    xz = number(training, "xz")
    if mean is not None and xz is not None:
        side = "fewer" if mean / math.log(2) < xz else "more"
        words += f"On the training text the network needs {side} bits than xz. "
    tested = number(run.summary, "test_bits_per_character")
    if tested is not None:
        words += f"On the test part, which chose nothing, the best model needs {fixed(tested)} bits."
    return words


def _epochs(run: RunData) -> Iterator[Html]:
    listed = run.summary.get("epoch_means")
    means = [mapping(row) for row in listed] if isinstance(listed, list) else []
    if not means:
        yield missing_note("Absent: no epoch was completed, so there is no mean over the whole text.")
        return
    rows = [_epoch_row(row) for row in means]
    if len(rows) > MAX_EPOCH_ROWS:
        count = number(means[-1], "epoch") or len(rows)  # of a very long run not all means are kept
        gap = f"… {count - MAX_EPOCH_ROWS:,.0f} more …"
        rows = [*rows[:3], [gap, "", ""], *rows[3 - MAX_EPOCH_ROWS :]]
    yield table("Means over whole epochs", ["Epoch", "Nats per character", "Bits per character"], rows)
    yield tag(
        "p",
        "In its first epoch the network meets every character for the first time, so that mean is a fair "
        "opponent of the compressors; in later epochs it reads what it has read before.",
        class_="note",
    )


def _epoch_row(row: Mapping[str, Any]) -> list[str]:
    nats = number(row, "nats_per_character")
    return [whole(number(row, "epoch")), fixed(nats), fixed(None if nats is None else nats / math.log(2))]


def _easiest_chapter(run: RunData) -> Html:
    place, length = "", run.updates_per_epoch
    if run.lowest is not None and length is not None:
        begun, through = divmod(run.lowest.update / length, 1)
        place = f" Here it lies {through:.0%} of the way through the text, in epoch {int(begun) + 1}."
    return tag(
        "p",
        tag("b", "Why not simply the lowest smooth loss? "),
        "The smooth loss remembers about the last thousand losses, so it rises and falls with the place "
        "in the text: its minimum marks the easiest chapter rather than the best network."
        f"{place} A mean over a whole epoch weighs every page alike, and text that was held out cannot have "
        "been learned by heart.",
    )
