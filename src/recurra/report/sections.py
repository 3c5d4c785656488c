"""The sections of one run's report, in order. Each says what is absent instead of leaving a hole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from recurra.network.gradient_check import COMPLEX_TOLERANCE
from recurra.report.data import RunData, Sample, mapping, number
from recurra.report.drawing import STAND_IN, inline, style
from recurra.report.figures import BASELINES, draw_bits, draw_smooth_loss, held_out_bits
from recurra.report.markup import Html, absent, duration, fixed, join, power, table, tag, visible, whole
from recurra.report.passages import passage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from matplotlib.figure import Figure

    from recurra.report.drawing import Palette

# The seed shows ten; of a longer run these many stand open, the last one too, and the others fold away.
OPEN_SAMPLES = 11
MAX_EPOCH_ROWS = 12
DEEPEST = 4  # lists and tables in one another that are shown
CELLS = {"elman": "vanilla recurrent", "lstm": "LSTM", "gru": "GRU"}


def section(identifier: str, title: str, *content: Html, level: int) -> Html:
    """A section with its heading, to which the table of contents points."""
    heading = tag(f"h{level}", title, id=identifier)
    return tag("section", heading, *content, aria_labelledby=identifier)


def drawing(
    draw: Callable[[Sequence[RunData], Palette], Figure | None],
    runs: Sequence[RunData],
    salt: str,
    description: str,
    *caption: str,
) -> Html | None:
    """A figure with its caption, or None where there is nothing to draw."""
    with style(STAND_IN, salt):
        figure = draw(runs, STAND_IN)
        if figure is None:
            return None
        picture = inline(figure, salt, description)
    return tag("figure", tag("div", picture, class_="scroll"), tag("figcaption", *caption))


# 1. The gradient check


def gradient_section(run: RunData) -> Html:
    """The hand-written gradients beside numerical ones, a row for every parameter."""
    check = mapping(run.summary.get("gradient_check"))
    cells = mapping(check.get("cells"))
    if not cells:
        return absent(
            "Absent: this run was not checked at its end, as large networks are not; "
            "recurra check and the run's folder does it, and recurra check --every proves every kind of network."
        )
    passed = check.get("passed") is True
    words = (
        "The gradients are derived by hand. On the first sequence of the text every one of them was compared with "
        "two numerical ones. Central differences, taken at the initial weights, repeat the original experiment; their "
        "own rounding and truncation limit them. The complex step, Im f(x + ih) / h, subtracts nothing and so shows "
        "the formulas' own error: here the larger of that at the initial weights and that where the training led."
    )
    verdict = "All agree." if passed else "They do not all agree: see the last column."
    seed = mapping(check.get("seed_figures"))
    tables = (_gradient_table(cell, mapping(rows), seed, several=len(cells) > 1) for cell, rows in cells.items())
    return join([tag("p", words + " ", tag("strong", verdict)), *tables])


def _gradient_table(cell: str, rows: Mapping[str, Any], seed: Mapping[str, Any], *, several: bool) -> Html:
    header = [
        "Parameter",
        "Largest difference",
        "Original report",
        "Relative error, central",
        "Relative error, complex step",
        "Verdict",
    ]
    caption = "Gradients by hand against gradients by number" + (f": {cell}" if several else "")
    body = (_gradient_row(name, mapping(row), number(seed, name)) for name, row in rows.items())
    note = tag(
        "p",
        "Differences are the largest over all entries of the parameter; relative errors are that difference "
        "over the parameter's largest gradient. A row agrees when the complex step's error is at most ",
        power(COMPLEX_TOLERANCE, 0),
        " and, where the original report prints a figure, the difference is no larger than that.",
        class_="note",
    )
    return join([table(caption, header, body, kind="wide"), note])


def _gradient_row(name: str, row: Mapping[str, Any], seed_figure: float | None) -> list[str]:
    central, relative, exact = (number(row, f"max_{kind}") for kind in ("abs_central", "rel_central", "rel_complex"))
    figure = seed_figure if seed_figure is not None else number(row, "seed_tolerance")
    agrees = _agrees(row, central, exact, figure)
    verdict = tag("span", "✓ agrees", class_="good") if agrees else tag("span", "✗ differs", class_="bad")
    return [tag("code", name), power(central), power(figure, 0), power(relative), power(exact), verdict]


def _agrees(row: Mapping[str, Any], central: float | None, exact: float | None, figure: float | None) -> bool:
    told = row.get("passed")
    if isinstance(told, bool):
        return told
    if central is None and exact is None:
        return False
    within = figure is None or (central is not None and central <= figure)
    return within and (exact is None or exact <= COMPLEX_TOLERANCE)


# 2. The smooth loss


def loss_section(run: RunData, salt: str) -> Html:
    """The plot of the smooth loss."""
    final, lowest = run.final, run.lowest
    if not run.records or final is None or lowest is None:
        return absent("Absent: the run has no records of its loss yet.")
    first = run.records[0]
    unit = unit_words(run)
    description = (
        f"The smooth loss over {whole(run.records[-1].update)} updates: {fixed(first.smooth, 1)} {unit} "
        f"at update {whole(first.update)}, {fixed(final.loss, 2)} at the end, "
        f"lowest {fixed(lowest.loss, 2)} at update {whole(lowest.update)}."
    )
    caption = (
        "The loss over the updates, in full above and from nearer below. The first smooth loss is the first "
        "loss; each further one is 0.999 of the last and 0.001 of the new. "
        "Where a new epoch begins, the network's memory is set to zero and the text starts again."
    )
    figure = drawing(draw_smooth_loss, [run], salt, description, tag("b", "Smooth loss. "), caption)
    return figure if figure is not None else absent("Absent: nothing to draw.")


def unit_words(run: RunData) -> str:
    """The unit of the run's losses."""
    return f"nats per {run.span} characters" if run.span > 1 else "nats per character"


# 3. What it wrote on the way


def samples_section(run: RunData) -> Html:
    """Every sample with its update and temperature; the middle of a long run folds away."""
    samples = run.samples
    if not samples:
        return absent("Absent: the run wrote no samples.")
    words = (
        "Each passage starts from an empty memory. White space is as the network wrote it; "
        "control characters are shown by their codes."
    )
    copies = mapping(run.summary.get("longest_copies"))
    if copies:
        words += " The longest copy is the longest passage that stands in the text word for word."
    if len(samples) <= OPEN_SAMPLES + 2:
        return join([tag("p", words, class_="intro"), _sample_list(samples, copies)])
    middle = samples[OPEN_SAMPLES:-1]
    summary = f"{len(middle)} more, after {whole(middle[0].update)} to {whole(middle[-1].update)} updates"
    folded = tag("details", tag("summary", summary), _sample_list(middle, copies))
    lists = [_sample_list(samples[:OPEN_SAMPLES], copies), folded, _sample_list(samples[-1:], copies)]
    return join([tag("p", words, class_="intro"), *lists])


def _sample_list(samples: Sequence[Sample], copies: Mapping[str, Any]) -> Html:
    return tag("ol", *(_sample(sample, number(copies, str(sample.update))) for sample in samples), class_="samples")


def _sample(sample: Sample, longest_copy: float | None) -> Html:
    when = "Before the first update" if sample.update == 0 else f"After {whole(sample.update)} updates"
    how = "" if sample.temperature is None else f"temperature {sample.temperature:g}"
    if longest_copy is not None:
        how += f"{', ' if how else ''}longest copy {whole(longest_copy)} characters"
    return tag("li", tag("p", tag("b", when), " ", tag("span", how), class_="when"), passage(sample.text))


# 4. The final and the best model


def models_section(run: RunData) -> Html:
    """The final and the best model, and what the best one wrote."""
    final, best = run.final, run.best
    if final is None or best is None:
        return absent("Absent: the run has no loss yet, so there is no best model.")
    judged = "held-out text" if held_out_bits(run) is not None else "the smooth loss at the records"
    rows = [
        [
            label,
            whole(point.update),
            _epoch(run, point.update),
            fixed(point.loss, 4),
            fixed(run.bits(point.loss)),
        ]
        for label, point in (("Final", final), ("Best", best))
    ]
    header = ["Model", "Updates", "Epoch", f"Smooth loss, {unit_words(run)}", "Bits per character"]
    parts = [table(f"The final and the best model (best by {judged})", header, rows, kind="wide")]
    digest = run.summary.get("model_sha256")
    if isinstance(digest, str):
        parts.append(tag("p", "SHA-256 of the final parameters: ", tag("code", digest), class_="note"))
    wrote = [("best_sample", "What the best model wrote"), ("final_sample", "What the final model wrote")]
    found = [(key, title, text) for key, title in wrote if isinstance(text := run.summary.get(key), str) and text]
    if len(found) == 2 and found[0][-1] == found[1][-1]:
        found = [("best_sample", "What the best model, which is the final one, wrote", found[0][-1])]
    copied = mapping(run.summary.get("copied"))
    for key, title, text in found:
        label = tag("p", tag("b", title), tag("span", f"{len(text):,} characters"), class_="when")
        parts.append(tag("div", label, passage(text, mapping(copied.get(key))), class_="passage"))
    if not found:
        parts.append(absent("Absent: the passage of the best model is written when the run ends."))
    return join(parts)


def _epoch(run: RunData, update: int) -> str:
    length = run.updates_per_epoch
    return "\u2013" if length is None else fixed(update / length, 2)


# The honest figures


def honest_section(run: RunData, salt: str) -> Html:
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
        yield absent("Absent: the comparison with compressors is made when the run ends.")
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
        yield absent("Absent: no epoch was completed, so there is no mean over the whole text.")
        return
    rows = [_epoch_row(row) for row in means]
    if len(rows) > MAX_EPOCH_ROWS:
        gap = f"… {len(rows) - MAX_EPOCH_ROWS} more …"
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


# Settings


def settings_section(run: RunData) -> Html:
    """Everything that is needed to run it again, in small tables."""
    names = ("model", "training", "text", "engine", "versions", "machine")
    tables = [_pairs(name.capitalize(), run.table(name)) for name in names if run.table(name)]
    measured = {**run.timings, **run.summary}
    memory = number(measured, "peak_memory_bytes")
    costs = {
        "wall time": duration(number(measured, "seconds")),
        "updates a second": whole(number(measured, "updates_per_second")),
        "characters a second": whole(number(measured, "characters_per_second")),
        "peak memory": "\u2013" if memory is None else f"{memory / 2**20:,.0f} MiB",
    }
    told = {name: value for name, value in costs.items() if value != "\u2013"}
    if told:
        tables.append(_pairs("Time and memory", told))
    return tag("div", *tables, class_="columns") if tables else absent("Absent: run.toml, which holds the settings.")


def _pairs(title: str, values: Mapping[str, Any]) -> Html:
    return table(title, [], ([name.replace("_", " "), _plain(value)] for name, value in values.items()), kind="pairs")


def _plain(value: object, depth: int = 0) -> Html:
    if isinstance(value, bool):
        return Html("yes" if value else "no")
    if isinstance(value, (list, dict)) and depth == DEEPEST:
        return Html("…")
    if isinstance(value, list):
        return join((_plain(item, depth + 1) for item in value), "; ") or Html("none")
    if isinstance(value, dict):
        return join((join([f"{name} ", _plain(item, depth + 1)]) for name, item in value.items()), "; ")
    if isinstance(value, int):
        return visible(f"{value:,}")
    return visible(f"{value:g}" if isinstance(value, float) else str(value))
