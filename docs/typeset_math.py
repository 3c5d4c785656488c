"""A Sphinx extension that typesets mathematics as MathML while the pages are built: no script, no network.

A browser needs a mathematical font to place exponents and indices. The package ziamath has one, STIX Two Math (SIL Open
Font License). The characters that formulas need are put into a style sheet, so that a page opened as a file has them.
"""

from __future__ import annotations

import base64
import io
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from docutils.nodes import SkipNode
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from latex2mathml.converter import convert
from sphinx.errors import ExtensionError

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

CHARACTERS = (  # of formulas: Latin, Greek, punctuation, letterlike signs, operators, brackets, italic and bold letters
    range(0x20, 0x7F), range(0xD7, 0xD8), range(0x391, 0x3CA), range(0x2026, 0x2027), range(0x2032, 0x2033),
    range(0x210E, 0x210F), range(0x2190, 0x2193), range(0x2200, 0x22D0), range(0x1D400, 0x1D49C),
    range(0x1D6E2, 0x1D71C),
)  # fmt: skip


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer `mathml`, which conf.py selects by `html_math_renderer`."""
    app.add_html_math_renderer("mathml", (write_inline, None), (write_block, None))
    write_font(Path(app.confdir) / "static" / "generated" / "math_font.css")
    app.add_css_file("generated/math_font.css")
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_font(path: Path) -> None:
    """Write a style sheet that holds the font of the formulas, as far as they need it."""
    with (files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf").open("rb") as file:
        font = TTFont(file, lazy=True, recalcTimestamp=False)
        subsetter = Subsetter(Options(layout_features=["ssty"]))  # the forms of exponents and indices
        subsetter.populate(unicodes=[code for block in CHARACTERS for code in block])
        subsetter.subset(font)
        font.flavor = "woff"
        data = io.BytesIO()
        font.save(data)
    address = f"data:font/woff;base64,{base64.b64encode(data.getvalue()).decode()}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'@font-face {{ font-family: "Formula"; src: url("{address}") }}\n', encoding="utf-8")


def write_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula that is part of a line."""
    translator.body.append(mathml(node.astext(), "inline"))
    raise SkipNode


def write_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a displayed formula; lines that end in `\\\\` are aligned at their `&`."""
    latex = node.astext().strip()
    if "\\\\" in latex and "\\begin{" not in latex:
        latex = f"\\begin{{align*}}{latex}\\end{{align*}}"
    translator.body.append(f'<div class="math-wrapper">{mathml(latex, "block")}</div>\n')
    raise SkipNode


def mathml(latex: str, display: str) -> str:
    """Convert LaTeX to MathML. Raises ExtensionError for a command that the converter does not have."""
    written: str = convert(latex, display=display)
    unknown = re.findall(r"\\[A-Za-z]*|&(?!#?\w+;)", written)
    if unknown:
        raise ExtensionError(f"cannot typeset `{latex}`: `{unknown[0]}` is unknown here")
    return written
