"""Draw a figure to bytes: the same bytes for the same data, in colors for paper or for the screen.

A file has the colors of the light palette. In a page the colors are variables of the style sheet, so that one drawing
serves the light page, the dark page and print: the drawing is made with placeholder colors, and then `inline` replaces
each placeholder with its variable.
"""

from __future__ import annotations

import io
import re
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from recurra.report.markup import Html, escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

FIGURE_FORMATS = ("pdf", "png", "svg")


class Palette(NamedTuple):
    """Colors by purpose; color-blind readers can distinguish those in `series`, one for each run."""

    ink: str
    muted: str
    grid: str
    paper: str
    lowest: str
    final: str
    series: tuple[str, ...]


PAPER = Palette(
    ink="#1c1b19",
    muted="#6a665f",
    grid="#dcd8d0",
    paper="#ffffff",
    lowest="#0f766e",
    final="#b3410e",
    series=("#1d5b9e", "#b3410e", "#0f766e", "#7a3fb0", "#8a6a00", "#b02a63"),
)
VARIABLES = (  # of the style sheet of the page, in the order of `Palette`
    "--ink", "--muted", "--rule", "--paper", "--lowest", "--final",
    *(f"--series-{number}" for number in range(1, 1 + len(PAPER.series))),
)  # fmt: skip
# Placeholder colors that nothing else uses: 0a0b01, 0a0b02, ...
_COLORS = tuple(f"#0a0b{number:02x}" for number in range(1, 1 + len(VARIABLES)))
_SINGLE = len(Palette._fields) - 1
_DRAWING = threading.RLock()  # Matplotlib's settings and Python's warning filters belong to the whole process
STAND_IN = Palette._make([*_COLORS[:_SINGLE], _COLORS[_SINGLE:]])


@contextmanager
def style(palette: Palette, salt: str) -> Iterator[None]:
    """Apply the style of the figures to Matplotlib's defaults, without the user's matplotlibrc; restore it at the end.

    One thread draws at a time. `salt` makes the identifiers of each drawing unique in a page, and equal in every
    process.
    """
    from matplotlib import style as styles

    settings = {
        "axes.edgecolor": palette.muted,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.labelcolor": palette.muted,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "figure.constrained_layout.use": True,
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "grid.color": palette.grid,
        "grid.linewidth": 0.6,
        "legend.edgecolor": "none",
        "legend.facecolor": palette.paper,
        "legend.framealpha": 0.85,
        "legend.labelcolor": palette.ink,
        "lines.solid_capstyle": "round",
        "lines.solid_joinstyle": "round",
        "pdf.fonttype": 42,
        "savefig.facecolor": palette.paper,
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "text.color": palette.ink,
        "text.parse_math": False,  # the name of a run may contain dollar signs
        "xtick.color": palette.muted,
        "ytick.color": palette.muted,
    }
    with _DRAWING, styles.context(["default", settings]), warnings.catch_warnings():
        # Matplotlib's font may lack letters of a name; the page shows them in its own font.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def as_file(figure: Figure, kind: str) -> bytes:
    """Return the file of a figure in one of `FIGURE_FORMATS`, without a date."""
    metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}[kind]
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=200, metadata=metadata)
    return buffer.getvalue()


def inline(figure: Figure, salt: str, description: str) -> Html:
    """Return a figure that was drawn with `STAND_IN` as an <svg> element with the colors and fonts of the page."""
    buffer = io.StringIO()
    no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=no_metadata, transparent=True)
    drawing = buffer.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    for color, variable in zip(_COLORS, VARIABLES, strict=True):
        drawing = drawing.replace(color, f"var({variable})")
    # The fonts of the page; Matplotlib measured the text in DejaVu Sans, which is at least as wide.
    drawing = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font-size: \1", drawing)
    drawing = _private_names(drawing, salt)
    size = re.search(r'viewBox="[^"]*"', drawing)
    box = size.group() if size else ""
    label = escape(description)
    drawing = re.sub(r"<svg[^>]*>", lambda _: f'<svg {box} role="img" aria-label="{label}">', drawing, count=1)
    return Html(drawing.strip())


def _private_names(drawing: str, salt: str) -> str:
    """Prefix the identifiers that a reference uses with `salt`, and remove the others."""
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', drawing))

    def renamed(match: re.Match[str]) -> str:
        return f' id="{salt}-{match[1]}"' if match[1] in used else ""

    drawing = re.sub(r' id="([^"]+)"', renamed, drawing)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{salt}-", drawing)
