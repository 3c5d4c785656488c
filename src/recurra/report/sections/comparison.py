"""The means of complete epochs and the held-out loss, compared with baselines without a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from recurra.report.figures import HELD_OUT, draw_bits, held_out_bits
from recurra.report.markup import Html, fixed, join, missing_note, table, tag, whole
from recurra.report.page_parts import drawing
from recurra.runs.curves import BASELINES
from recurra.runs.records import mapping, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recurra.runs.records import RunData

MAX_EPOCH_ROWS = 12


def comparison_section(run: RunData, salt: str) -> Html:
    """Return the tables and the figure that compare the network with baselines."""
    return join([*_comparison(run, salt), *_compression(run), *_epochs(run), _note_on_lowest_loss(run)])


def _comparison(run: RunData, salt: str) -> Iterator[Html]:
    training, held_out = (mapping(run.summary.get(key)) for key in ("baselines", "held_out_baselines"))
    mean = number(run.summary, "epoch_mean_nats_per_character")
    network = [None if mean is None else mean / math.log(2), held_out_bits(run)]
    columns = 2 if held_out or network[1] is not None else 1
    rows = [
        [label, *(fixed(number(text, name)) for text in (training, held_out)[:columns])]
        for name, label in BASELINES.items()
        if name in training or name in held_out
    ]
    ngrams = mapping(run.summary.get("held_out_ngrams"))
    rows += [[f"{order}-gram", "\u2013", fixed(number(ngrams, order))] for order in list(ngrams)[1:]]
    if not rows:
        yield missing_note("the comparison with baselines is computed when the training ends.")
    if any(value is not None for value in network):
        rows.append([tag("b", "this network"), *(tag("b", fixed(value)) for value in network[:columns])])
    if rows:
        yield tag("p", _comparison_words(run, mean, training))
        header = ["Method", "Training text", "Held-out text"]
        yield table("Bits per character; lower is better", header[: columns + 1], rows)
        if limit := number(run.summary, "baseline_limit"):
            words = f"The baselines use the first {limit:,.0f} characters of each text, or all if it is shorter."
            yield tag("p", words, class_="note")
    figure = drawing(
        draw_bits, [run], salt, "Bits per character of the network and of the baselines, as in the table.",
        tag("b", "Bits per character. "), _figure_caption(columns),
    )  # fmt: skip
    if rows and figure is not None:
        yield figure


def _figure_caption(columns: int) -> str:
    caption = "A shorter bar is better. Gray bars are the baselines on the training text."
    if columns == 1:
        return caption
    return (
        f"{caption} The bar “{HELD_OUT}” is of another text: compare it with the column “Held-out text” of the table."
    )


def _compression(run: RunData) -> Iterator[Html]:
    """Yield the table of the sizes of the held-out text, compressed by the network and by common compressors."""
    sizes = mapping(run.summary.get("held_out_compressed"))
    size = number(sizes, "bytes")
    if not size:
        return
    names = {"bytes": "uncompressed"} | {name: label for name, label in BASELINES.items() if name in sizes}
    rows = [_size_row(label, number(sizes, name), size) for name, label in names.items()]
    rows.append([tag("b", cell) for cell in _size_row("recurra compress, this network", number(sizes, "model"), size)])
    words = (
        "The sizes are of the held-out text, or of its first 262,144 characters if it is longer. The last row is the "
        "file that recurra compress writes; recurra decompress restores the text from it with the same model."
    )
    header = ["Method", "Bytes", "Share of the original size", "Bits per byte"]
    yield table("Size of the held-out text after compression", header, rows)
    yield tag("p", words, class_="note")


def _size_row(label: str, size: float | None, original: float) -> list[str]:
    share = None if size is None else size / original
    return [
        label,
        whole(size),
        "\u2013" if share is None else f"{share:.1%}",
        fixed(None if share is None else 8 * share),
    ]


def _comparison_words(run: RunData, mean: float | None, training: Mapping[str, Any]) -> str:
    words = (
        "Uniform gives every symbol the same probability. Unigram gives every symbol its frequency in the text. "
        "The values of gzip, bzip2 and xz are compressed sizes. The network's value for the training text is the mean "
        "over its last complete epoch. "
    )
    if mapping(run.summary.get("held_out_ngrams")):
        words += (
            "An n-gram model predicts a symbol from the n − 1 symbols before it (interpolated Kneser-Ney). Its counts "
            "come from the training text of the network, or the last 4,194,304 symbols of that text. "
        )
    parameters, characters = number(run.summary, "parameters"), number(run.table("text"), "characters")
    if parameters and characters:
        cost = 32 * parameters / characters
        words += (
            f"The network's values do not include the size of its {whole(parameters)} parameters: stored as float32, "
            f"they would add {fixed(cost)} bits per character of the text. "
        )
    xz = number(training, "xz")
    if mean is not None and xz is not None:
        side = "fewer" if mean / math.log(2) < xz else "more"
        words += f"On the training text the network needs {side} bits per character than xz. "
    tested = number(run.summary, "test_bits_per_character")
    if tested is not None:
        words += (
            "On the test part of the text, which did not influence the choice of the model, the best model needs "
            f"{fixed(tested)} bits per character."
        )
    return words


def _epochs(run: RunData) -> Iterator[Html]:
    listed = run.summary.get("epoch_means")
    means = [mapping(row) for row in listed] if isinstance(listed, list) else []
    if not means:
        yield missing_note("no epoch is complete, so there is no mean over the whole text.")
        return
    rows = [_epoch_row(row) for row in means]
    if len(rows) > MAX_EPOCH_ROWS:
        count = number(means[-1], "epoch") or len(rows)  # a very long run does not store all means
        gap = f"… {count - MAX_EPOCH_ROWS:,.0f} more epochs …"
        rows = [*rows[:3], [gap, "", ""], *rows[3 - MAX_EPOCH_ROWS :]]
    yield table("Mean loss of each complete epoch", ["Epoch", "Nats per character", "Bits per character"], rows)
    yield tag(
        "p",
        "In the first epoch the network reads every character for the first time, so only that mean is a fair "
        "comparison with the compressors. In later epochs the network has already been trained on the text.",
        class_="note",
    )


def _epoch_row(row: Mapping[str, Any]) -> list[str]:
    nats = number(row, "nats_per_character")
    return [whole(number(row, "epoch")), fixed(nats), fixed(None if nats is None else nats / math.log(2))]


def _note_on_lowest_loss(run: RunData) -> Html:
    place, length = "", run.updates_per_epoch
    if run.lowest is not None and length is not None:
        complete, share = divmod(run.lowest.update / length, 1)
        place = f" In this run the minimum is in epoch {int(complete) + 1}, after {share:.0%} of the text."
    return tag(
        "p",
        tag("b", "Why not compare the lowest smooth loss? "),
        "The smooth loss averages about the last thousand updates, so it depends on how difficult that part of the "
        "text is. Its minimum can mark an easy part of the text instead of the best network."
        f"{place} A mean over a complete epoch gives every character the same weight, and the network cannot have "
        "memorized a held-out text.",
    )
