"""The interactive part of a report: places for the panels of web/static, and the data that they show.

The data of a run and its model lie in blocks that are no script: the page's policy names its one script by its hash.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from recurra.report.markup import Html, absent, join, tag
from recurra.web import panel_data

if TYPE_CHECKING:
    from recurra.runs.records import RunData
    from recurra.web.inlined_model import Inlined

ENTRY = "report.js"


def ask_section(inlined: Inlined, level: int) -> Html:
    """The box in which the network writes on."""
    if inlined.data is None:
        return absent(inlined.absent)
    words = (
        f"The network itself lies in this page ({inlined.name}). Type a beginning: it says what it would write "
        "next, and writes on. Nothing is sent anywhere, and no connection is needed."
    )
    return join([tag("p", words, class_="intro"), place("next", level)])


def look_section(inlined: Inlined, level: int) -> Html:
    """What can be seen inside of the network."""
    if inlined.data is None:
        return absent(inlined.absent)
    return join([place(name, level) for name in ("neuron", "memory")])


def paper(*content: Html) -> Html:
    """What a panel shows better on a screen: it remains for paper, and where there is no JavaScript."""
    return tag("div", *content, class_="paper")


def place(name: str, level: int) -> Html:
    """Where the script puts a panel."""
    reader = tag("noscript", tag("p", "This part needs JavaScript, which is switched off.", class_="absent"))
    return tag("div", reader, data_panel=name, data_level=str(level))


def blocks(run: RunData, inlined: Inlined) -> list[Html]:
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
