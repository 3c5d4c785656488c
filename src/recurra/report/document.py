"""The report: one HTML file that contains everything, with one script, and loads nothing.

The report of one run has every section. The report of several runs begins with an overview, which plots their smooth
losses in one figure; the full report of each run follows. The same run directories give the same bytes.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NamedTuple

from recurra.config import DEFAULT_CELL
from recurra.errors import UsageError
from recurra.io.atomic_write import write_output
from recurra.network.cells import CELLS
from recurra.report import interactive
from recurra.report.figures import HELD_OUT, LAST_EPOCH, draw_bits, draw_smooth_loss, held_out_bits, run_bits, text_key
from recurra.report.markup import Html, duration, fixed, join, power, table, tag, whole
from recurra.report.page_parts import drawing, section
from recurra.report.sections.comparison import comparison_section
from recurra.report.sections.copies import copies_section
from recurra.report.sections.gradients import gradient_section
from recurra.report.sections.held_out import held_out_section
from recurra.report.sections.loss import loss_section
from recurra.report.sections.models import models_section
from recurra.report.sections.samples import samples_section
from recurra.report.sections.settings import settings_section
from recurra.runs.records import RunData, load, number
from recurra.web.assets import asset, policy_hash, script
from recurra.web.inlined_model import InlinedModel, inline_model

if TYPE_CHECKING:
    from collections.abc import Sequence


class Part(NamedTuple):
    """A section before it is rendered: its anchor, its title and its content."""

    anchor: str
    title: str
    content: Html


def write_report(folders: Sequence[Path], output: Path, *, with_model: bool = False) -> Path:
    """Write the report of one or several run directories to `output`, completely or not at all.

    The report contains a small model, so that it generates text in the browser; a large model only if `with_model`.

    Raises UsageError without any directory, ModelError if a directory contains no run or a damaged file, and
    StorageError if `output` cannot be written.
    """
    if not folders:
        raise UsageError("a report needs at least one run directory.")
    runs = [load(folder) for folder in folders]
    models = [inline_model(folder, with_model=with_model) for folder in folders]
    return write_output(Path(output), render(runs, models).encode("utf-8"))


def render(runs: Sequence[RunData], models: Sequence[InlinedModel]) -> str:
    """Return the HTML of the report, with the model of each run."""
    title, body = _single(runs[0], models[0]) if len(runs) == 1 else _several(runs, models)
    directory = files("recurra.report")
    template = Template((directory / "template.html").read_text(encoding="utf-8"))
    style = asset("palette.css") + (directory / "style.css").read_text(encoding="utf-8") + asset("panels.css")
    code = script(interactive.ENTRY_SCRIPT)
    page = template.substitute(title=tag("title", title), style=style, body=body, script=code, policy=policy_hash(code))
    # Only a name can contain a character that UTF-8 cannot encode; passages show it by its code.
    return page.encode("utf-8", "replace").decode()


def _single(run: RunData, model: InlinedModel) -> tuple[str, Html]:
    title = heading(run)
    parts = _parts(run, model, "run", level=2)
    body = join(
        [
            tag(
                "header",
                tag("p", "recurra · training report", class_="eyebrow"),
                tag("h1", title),
                *_lead(run),
            ),
            _contents([(part.anchor, part.title) for part in parts]),
            *(section(*part, level=2) for part in parts),
            *interactive.data_blocks(run, model),
        ],
        "\n",
    )
    return title, tag("div", body, data_run="run")


def _several(runs: Sequence[RunData], models: Sequence[InlinedModel]) -> tuple[str, Html]:
    title = f"Comparison of {len(runs)} runs"
    lead = tag("p", *_several_words(runs), class_="lead")
    links = [
        ("overview", "Overview"),
        *((f"run-{index}", run.name) for index, run in enumerate(runs, start=1)),
    ]
    body = join(
        [
            tag("header", tag("p", "recurra · training report", class_="eyebrow"), tag("h1", title), lead),
            _contents(links),
            section("overview", "Overview", *_overview(runs), level=2),
            *(
                _article(run, model, f"run-{index}")
                for index, (run, model) in enumerate(zip(runs, models, strict=True), start=1)
            ),
        ],
        "\n",
    )
    return title, body


def _article(run: RunData, model: InlinedModel, anchor: str) -> Html:
    inner = (section(*part, level=3) for part in _parts(run, model, anchor, level=3))
    head = tag("h2", run.name, id=anchor)
    data = interactive.data_blocks(run, model)
    return tag("article", head, *_lead(run), *inner, *data, aria_labelledby=anchor, data_run=anchor)


def _parts(run: RunData, model: InlinedModel, anchor: str, level: int) -> list[Part]:
    def panel(name: str) -> Html:
        return interactive.panel(name, level + 1)

    loss = loss_section(run, f"{anchor}-loss-figure")
    samples, held_out = samples_section(run), held_out_section(run)
    gradients = gradient_section(run)
    if model.data is not None:
        held_out = join([panel("surprise"), interactive.print_only(held_out)])
        gradients = join([gradients, panel("math")])
    parts = [
        ("ask", "Try the network", interactive.generation_section(model, level + 1)),
        ("gradients", "1. Gradient check", gradients),
        (
            "loss",
            "2. Smooth loss",
            join([panel("learning"), interactive.print_only(loss)]) if run.records else loss,
        ),
        ("samples", "3. Samples during training", join([panel("writes"), samples]) if run.samples else samples),
        ("models", "4. Final and best model", models_section(run)),
        ("copies", "Passages copied from the text", copies_section(run)),
        ("held-out", "Held-out text, character by character", held_out),
        ("inside", "Inside the network", interactive.neuron_section(model, level + 1)),
        ("honest", "Comparison with baselines", comparison_section(run, f"{anchor}-bits-figure")),
        ("settings", "Settings, text and machine", settings_section(run)),
    ]
    return [Part(f"{anchor}-{name}", title, content) for name, title, content in parts]


def _contents(links: Sequence[tuple[str, str]]) -> Html:
    items = (tag("li", tag("a", title, href=f"#{anchor}")) for anchor, title in links)
    return tag("nav", tag("ol", *items), aria_label="Contents")


def heading(run: RunData) -> str:
    """Return the title of the report of a run."""
    return f"A network trained on {run.text_name}"


def _lead(run: RunData) -> list[Html]:
    """Return the result in words, the key figures, and a list of the missing data."""
    parts = [tag("p", *_words(run), class_="lead")]
    cards = _cards(run)
    if cards:
        parts.append(
            tag(
                "dl",
                *(tag("div", tag("dt", name), tag("dd", value)) for name, value in cards),
                class_="cards",
            )
        )
    if run.notes:
        items = (tag("li", note) for note in run.notes)
        parts.append(tag("aside", tag("p", tag("b", "Missing data")), tag("ul", *items), class_="notes"))
    return parts


def _words(run: RunData) -> list[str]:
    text, model = run.table("text"), run.table("model")
    name, units = str(model.get("cell", DEFAULT_CELL)), model.get("hidden_size")
    cell = CELLS[name].display_name if name in CELLS else name
    size = f" of {units} units" if units is not None else ""
    layers = f" in each of {model['layers']} layers" if model.get("layers", 1) != 1 else ""
    length, symbols = number(text, "characters"), number(text, "symbols")
    about = f" ({whole(length)} characters, {whole(symbols)} symbols in the vocabulary)" if length and symbols else ""
    words: list[str] = [f"This {cell} network{size}{layers} was trained on ", tag("b", run.text_name), about]
    words.append(" to predict the next character of the text. ")
    if run.final is None:
        return [*words, "No loss has been recorded yet."]
    words += [
        f"After {whole(run.updates)} updates the smooth loss, a moving average of the training loss, is ",
        tag("b", f"{fixed(run.final.loss, 2)} {run.unit}"),
        f", which is {fixed(run.bits(run.final.loss))} bits per character",
    ]
    if run.lowest is not None and run.lowest.update != run.final.update:
        words.append(f"; its lowest value was {fixed(run.lowest.loss, 2)} at update {whole(run.lowest.update)}")
    return [*words, ". ", *_held_out_words(run), *_verdict_words(run), *_speed_words(run)]


def _held_out_words(run: RunData) -> list[str]:
    bits = held_out_bits(run)
    if bits is None:
        return []
    return ["On held-out text the best model needs ", tag("b", f"{fixed(bits)} bits per character"), ". "]


def _verdict_words(run: RunData) -> list[str]:
    check = run.summary.get("gradient_check")
    cells = check.get("cells") if isinstance(check, dict) else None
    if not isinstance(check, dict) or not isinstance(cells, dict):
        return []
    rows = [row for cell in cells.values() if isinstance(cell, dict) for row in cell.values() if isinstance(row, dict)]
    errors = [error for row in rows if (error := number(row, "max_rel_complex")) is not None]
    if check.get("passed") is not True:
        return ["Not all gradients agree with numerical ones. "]
    within = ["; the largest relative error is ", power(max(errors))] if errors else []
    return ["The gradients, derived by hand, agree with numerical ones", *within, ". "]


def _speed_words(run: RunData) -> list[str]:
    seconds, rate = number(run.summary, "seconds"), number(run.summary, "updates_per_second")
    if seconds is None or rate is None:
        return []
    return [f"The training took {duration(seconds)}, at {whole(rate)} updates per second."]


def _cards(run: RunData) -> list[tuple[str, str]]:
    cards, unit = [], run.unit
    if run.final is not None:
        cards.append((f"Final smooth loss, {unit}", fixed(run.final.loss, 2)))
    if run.lowest is not None:
        cards.append((f"Lowest smooth loss, {unit}", fixed(run.lowest.loss, 2)))
    cards += [(f"{label[0].upper()}{label[1:]}, bits per character", fixed(bits)) for label, bits in run_bits(run)]
    return cards


def _several_words(runs: Sequence[RunData]) -> list[str]:
    """Name the run with the lowest loss, if all runs have a loss of the same kind on the same text."""
    losses = [dict(run_bits(run)) for run in runs]
    shared = [label for label in (HELD_OUT, LAST_EPOCH) if all(label in bits for bits in losses)]
    if not shared or len({text_key(run) for run in runs}) > 1:
        return ["No measure on the same text is common to these runs; the table lists the results of each run."]
    lowest, best = min((bits[shared[0]], run.name) for bits, run in zip(losses, runs, strict=True))
    return ["The best run is ", tag("b", best), f": {fixed(lowest)} bits per character ({shared[0]})."]


def _overview(runs: Sequence[RunData]) -> list[Html]:
    header = [
        "Run",
        "Text",
        "Updates",
        "Final smooth loss",
        "Lowest smooth loss",
        "Last complete epoch, bits per character",
        "Held-out text, bits per character",
    ]
    parts = [table("The runs", header, (_overview_row(run) for run in runs), kind="wide")]
    parts.append(
        tag(
            "p",
            "The smooth loss of a run with preset classic is in nats per 25 characters; of another run, in nats per "
            "character.",
            class_="note",
        )
    )
    names = ", ".join(run.name for run in runs)
    loss = drawing(
        draw_smooth_loss, runs, "all-loss-figure", f"The smooth losses of {names} over the updates.",
        tag("b", "Smooth losses. "), "Above: the whole range of the losses. Below: the lower part, enlarged.",
    )  # fmt: skip
    bits = drawing(
        draw_bits, runs, "all-bits-figure", f"Bits per character of {names} and of the baselines.",
        tag("b", "Bits per character. "), "A shorter bar is better. Gray bars are baselines without a network.",
    )  # fmt: skip
    return [*parts, *(figure for figure in (loss, bits) if figure is not None)]


def _overview_row(run: RunData) -> list[str]:
    bits = dict(run_bits(run))
    final, lowest = run.final, run.lowest
    return [
        run.name,
        run.text_name,
        whole(run.updates),
        fixed(final.loss if final else None, 2),
        fixed(lowest.loss if lowest else None, 2),
        fixed(bits.get(LAST_EPOCH)),
        fixed(bits.get(HELD_OUT)),
    ]
