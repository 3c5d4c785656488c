"""The interactive part of a report: places for the panels of web/static, and the data that they show.

The data of a run and its model lie in blocks that are no script: the page's policy names its one script by its hash.
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


def generation_section(inlined: InlinedModel, level: int) -> Html:
    """The box in which the network writes on."""
    if inlined.data is None:
        return missing_note(inlined.absent)
    words = (
        f"The network itself lies in this page ({inlined.name}). Type a beginning: it says what it would write "
        "next, and writes on. Nothing is sent anywhere, and no connection is needed."
    )
    return join([tag("p", words, class_="intro"), panel("next", level)])


def neuron_section(inlined: InlinedModel, level: int) -> Html:
    """What can be seen inside of the network."""
    if inlined.data is None:
        return missing_note(inlined.absent)
    return join([panel(name, level) for name in ("neuron", "memory")])


def print_only(*content: Html) -> Html:
    """What a panel shows better on a screen: it remains for paper, and where there is no JavaScript."""
    return tag("div", *content, class_="paper")


def panel(name: str, level: int) -> Html:
    """Where the script puts a panel."""
    reader = tag("noscript", tag("p", "This part needs JavaScript, which is switched off.", class_="absent"))
    return tag("div", reader, data_panel=name, data_level=str(level))


def data_blocks(run: RunData, inlined: InlinedModel) -> list[Html]:
    """The data of the panels, and the model."""
    found = [_block("data", "application/json", _json(_data(run)))]
    if inlined.data is not None:
        found.append(_block("weights", "text/plain", base64.b64encode(inlined.data).decode()))
    return found


def _block(name: str, kind: str, content: str) -> Html:
    return tag("script", Html(content), type=kind, class_=name)


def _json(value: Any) -> str:
    """JSON in which no markup and no control character stands as itself."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _data(run: RunData) -> dict[str, Any]:
    return {
        "metrics": panel_data.columns(run.records, run.span),
        "rules": panel_data.rules(run.summary),
        "samples": panel_data.samples(run.samples, run.summary.get("sample_marks")),
        "passage": panel_data.passage(run),
    }
