"""The interactive part of a report: elements for the panels of web/static, and the data that the panels show.

The data of a run and its model are in <script> elements of a data type, which no browser runs. The security policy of
the page allows only the script with the right hash.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from recurra.report.markup import Html, join, missing_note, tag
from recurra.web import panel_data

if TYPE_CHECKING:
    from recurra.runs.records import RunData
    from recurra.web.inlined_model import InlinedModel

ENTRY_SCRIPT = "report.js"


def print_only(*content: Html) -> Html:
    """Wrap content for print and for browsers without JavaScript; on a screen a panel replaces it."""
    return tag("div", *content, class_="paper")


SCREEN_ONLY = print_only(missing_note("this part of the report works only on a screen, with JavaScript."))


def generation_section(inlined: InlinedModel, level: int) -> Html:
    """Return the panel in which the network continues the text of the reader."""
    if inlined.data is None:
        return missing_note(inlined.absent)
    words = (
        f"This page contains the trained network ({inlined.name}). Type the beginning of a text: the panel shows the "
        "probability of each next character, and the network continues the text. It runs in your browser, without an "
        "internet connection; the page sends nothing."
    )
    return join([tag("p", words, class_="intro"), panel("next", level), SCREEN_ONLY])


def neuron_section(inlined: InlinedModel, level: int) -> Html:
    """Return the panels that show the units of the network and how far back its memory reaches."""
    if inlined.data is None:
        return missing_note(inlined.absent)
    return join([panel("neuron", level), panel("memory", level), SCREEN_ONLY])


def panel(name: str, level: int) -> Html:
    """Return the element that the script fills with a panel."""
    return tag("div", data_panel=name, data_level=str(level))


def data_blocks(run: RunData, inlined: InlinedModel) -> list[Html]:
    """Return the elements with the data of the panels and with the model."""
    blocks = [_block("data", "application/json", _json(_data(run)))]
    if inlined.data is not None:
        blocks.append(_block("weights", "text/plain", base64.b64encode(inlined.data).decode()))
    return blocks


def _block(name: str, kind: str, content: str) -> Html:
    return tag("script", Html(content), type=kind, class_=name)


def _json(value: Any) -> str:
    """Return JSON without `<` and control characters, so that it contains no markup."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _data(run: RunData) -> dict[str, Any]:
    return {
        "metrics": panel_data.columns(run.records, run.span),
        "rules": panel_data.rules(run.summary),
        "samples": panel_data.samples(run.samples, run.summary.get("sample_marks")),
        "passage": panel_data.passage(run),
    }
