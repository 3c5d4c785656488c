"""The report: one HTML file that holds everything and loads nothing, with one script of ours.

One run gives the full report. Several give an overview, with their smooth losses in one figure, and then the
full report of each. The same folders give the same bytes.
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
from recurra.report.figures import draw_bits, draw_smooth_loss, run_bits, text_key
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
    """A section before it is written: its place in the address, its title and its content."""

    anchor: str
    title: str
    content: Html


def write_report(folders: Sequence[Path], output: Path, *, with_model: bool = False) -> Path:
    """Make the report of one or several run folders and write it to `output`, whole or not at all.

    Small models lie in it, so that it writes by itself; large ones only `with_model`.

    Raises UsageError without any folder, ModelError where a folder is no run or a file in it is broken, and
    StorageError where `output` cannot be written.
    """
    if not folders:
        raise UsageError("a report needs at least one run folder.")
    runs = [load(folder) for folder in folders]
    models = [inline_model(folder, with_model=with_model) for folder in folders]
    return write_output(Path(output), render(runs, models).encode("utf-8"))


def render(runs: Sequence[RunData], models: Sequence[InlinedModel]) -> str:
    """The page of the runs, with the model of each."""
    title, body = _single(runs[0], models[0]) if len(runs) == 1 else _several(runs, models)
    room = files("recurra.report")
    template = Template((room / "template.html").read_text(encoding="utf-8"))
    style = asset("palette.css") + (room / "style.css").read_text(encoding="utf-8") + asset("panels.css")
    code = script(interactive.ENTRY_SCRIPT)
    page = template.substitute(title=tag("title", title), style=style, body=body, script=code, policy=policy_hash(code))
    # Characters that UTF-8 has not can only come from names; the passages show theirs as signs.
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
    title = f"{len(runs)} runs side by side"
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
    samples, page = samples_section(run), held_out_section(run)
    gradients = gradient_section(run)
    if model.data is not None:
        page = join([panel("surprise"), interactive.print_only(page)])
        gradients = join([gradients, panel("math")])
    parts = [
        ("ask", "Ask it yourself", interactive.generation_section(model, level + 1)),
        ("gradients", "1. The gradients", gradients),
        (
            "loss",
            "2. The smooth loss",
            join([panel("learning"), interactive.print_only(loss)]) if run.records else loss,
        ),
        ("samples", "3. What it wrote as it learned", join([panel("writes"), samples]) if run.samples else samples),
        ("models", "4. The final and the best model", models_section(run)),
        ("copies", "What it has copied", copies_section(run)),
        ("held-out", "A page that it had not seen", page),
        ("inside", "Look inside", interactive.neuron_section(model, level + 1)),
        ("honest", "The honest figures", comparison_section(run, f"{anchor}-bits-figure")),
        ("settings", "Settings, text and machine", settings_section(run)),
    ]
    return [Part(f"{anchor}-{name}", title, content) for name, title, content in parts]


def _contents(links: Sequence[tuple[str, str]]) -> Html:
    items = (tag("li", tag("a", title, href=f"#{anchor}")) for anchor, title in links)
    return tag("nav", tag("ol", *items), aria_label="Contents")


def heading(run: RunData) -> str:
    """The title of a run's report."""
    return f"A network that reads {run.text_name}"


def _lead(run: RunData) -> list[Html]:
    """The result in words, the figures to remember, and what is absent."""
    told = [tag("p", *_words(run), class_="lead")]
    cards = _cards(run)
    if cards:
        told.append(
            tag(
                "dl",
                *(tag("div", tag("dt", name), tag("dd", value)) for name, value in cards),
                class_="cards",
            )
        )
    if run.notes:
        items = (tag("li", note) for note in run.notes)
        told.append(tag("aside", tag("p", tag("b", "What is absent")), tag("ul", *items), class_="notes"))
    return told


def _words(run: RunData) -> list[str]:
    text, model = run.table("text"), run.table("model")
    name, units = str(model.get("cell", DEFAULT_CELL)), model.get("hidden_size")
    cell = CELLS[name].display_name if name in CELLS else name
    size = f" of {units} units" if units is not None else ""
    layers = f" in each of {model['layers']} layers" if model.get("layers", 1) != 1 else ""
    length, symbols = number(text, "characters"), number(text, "symbols")
    about = f" ({whole(length)} characters, {whole(symbols)} different ones)" if length and symbols else ""
    words: list[str] = [f"A {cell} network{size}{layers} read ", tag("b", run.text_name), about]
    words.append(" one character at a time and learned to predict the next. ")
    if run.final is None:
        return [*words, "No loss has been recorded yet."]
    words += [
        f"After {whole(run.updates)} updates its smooth loss is ",
        tag("b", f"{fixed(run.final.loss, 2)} {run.unit}"),
        f", which is {fixed(run.bits(run.final.loss))} bits per character",
    ]
    if run.lowest is not None and run.lowest.update != run.final.update:
        words.append(f"; the lowest on the way was {fixed(run.lowest.loss, 2)} at update {whole(run.lowest.update)}")
    return [*words, ". ", *_verdict_words(run), *_speed_words(run)]


def _verdict_words(run: RunData) -> list[str]:
    check = run.summary.get("gradient_check")
    cells = check.get("cells") if isinstance(check, dict) else None
    if not isinstance(check, dict) or not isinstance(cells, dict):
        return []
    rows = [row for cell in cells.values() if isinstance(cell, dict) for row in cell.values() if isinstance(row, dict)]
    errors = [error for row in rows if (error := number(row, "max_rel_complex")) is not None]
    if check.get("passed") is not True:
        return ["Its gradients do not all agree with numerical ones. "]
    within = [" to within a relative error of ", power(max(errors))] if errors else []
    return ["Its gradients, written by hand, agree with numerical ones", *within, ". "]


def _speed_words(run: RunData) -> list[str]:
    seconds, rate = number(run.summary, "seconds"), number(run.summary, "updates_per_second")
    if seconds is None or rate is None:
        return []
    return [f"The training took {duration(seconds)}, {whole(rate)} updates a second."]


def _cards(run: RunData) -> list[tuple[str, str]]:
    cards, unit = [], run.unit
    if run.final is not None:
        cards.append((f"Final smooth loss, {unit}", fixed(run.final.loss, 2)))
    if run.lowest is not None:
        cards.append((f"Lowest smooth loss, {unit}", fixed(run.lowest.loss, 2)))
    cards += [(f"{label[0].upper()}{label[1:]}, bits per character", fixed(bits)) for label, bits in run_bits(run)]
    return cards


def _several_words(runs: Sequence[RunData]) -> list[str]:
    """The run with the lowest figure, where there is one figure that all have: of the same kind, of one text."""
    measures = [dict(run_bits(run)) for run in runs]
    shared = [name for name in ("held-out text", "last whole epoch") if all(name in found for found in measures)]
    if not shared or len({text_key(run) for run in runs}) > 1:
        return ["These runs have no measure in common on one text; the table tells what each of them reached."]
    bits, winner = min((found[shared[0]], run.name) for found, run in zip(measures, runs, strict=True))
    return ["By the ", shared[0], " the best is ", tag("b", winner), f" with {fixed(bits)} bits per character."]


def _overview(runs: Sequence[RunData]) -> list[Html]:
    header = [
        "Run",
        "Text",
        "Updates",
        "Final smooth loss",
        "Lowest",
        "Last whole epoch, bits",
        "Held-out, bits",
    ]
    parts = [table("The runs", header, (_overview_row(run) for run in runs), kind="wide")]
    parts.append(
        tag(
            "p",
            "Smooth losses are in each run's own unit: nats per 25 characters for preset classic.",
            class_="note",
        )
    )
    names = ", ".join(run.name for run in runs)
    loss = drawing(
        draw_smooth_loss, runs, "all-loss-figure", f"The smooth losses of {names} over their updates.",
        tag("b", "Smooth losses. "), "All runs, in full above and from nearer below.",
    )  # fmt: skip
    bits = drawing(
        draw_bits, runs, "all-bits-figure", f"Bits per character of {names} and of the baselines.",
        tag("b", "Bits per character. "), "Shorter is better.",
    )  # fmt: skip
    return [*parts, *(figure for figure in (loss, bits) if figure is not None)]


def _overview_row(run: RunData) -> list[str]:
    found = dict(run_bits(run))
    final, lowest = run.final, run.lowest
    return [
        run.name,
        run.text_name,
        whole(run.updates),
        fixed(final.loss if final else None, 2),
        fixed(lowest.loss if lowest else None, 2),
        fixed(found.get("last whole epoch")),
        fixed(found.get("held-out text")),
    ]
